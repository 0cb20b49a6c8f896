"""Which masters are asked for: by name, or `auto`."""

from __future__ import annotations

import msgspec

from starwell.calibration.library import load_masters
from starwell.calibration.master import Masters
from starwell.frame import Facts
from starwell.session.plan import MasterPaths

AUTO = "auto"


def is_automatic(wanted: MasterPaths) -> bool:
    """Whether any master is to be chosen."""
    return AUTO in msgspec.structs.astuple(wanted)


def named_masters(wanted: MasterPaths, lights: Facts) -> Masters:
    """The masters named, none of them `auto`; MasterMismatch where one does not fit the lights."""
    return load_masters(**msgspec.structs.asdict(wanted), lights=lights)
