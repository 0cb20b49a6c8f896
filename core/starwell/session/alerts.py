"""Commands that tell somebody: one per kind of event, run beside the night, which never waits for them."""

from __future__ import annotations

import re
from typing import get_args

from starwell.session.events import AnyEvent, Event, PreviewReady


def kind_of(event: type[Event]) -> str:
    """The name under which a plan knows a kind of event: `sub-rejected`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", event.__name__).lower()


ALARM = "alarm"
"""Whatever needs a person: serious advice, a camera that is gone, subs kept out in a row, a fault."""

ALERT_KINDS = (ALARM, *(kind_of(kind) for kind in get_args(AnyEvent) if kind is not PreviewReady))
