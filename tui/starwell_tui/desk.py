"""What every screen works with: the night, the engine's ear, and where to say something."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from starwell.remote.messages import AnyCommand, Reply
from starwell_tui.keys import Key
from starwell_tui.night import Night
from starwell_tui.orders import Order
from starwell_tui.view import View


def local_time() -> datetime:
    """Now, where the telescope is."""
    return datetime.now().astimezone()


@dataclass(frozen=True, slots=True)
class Desk:
    """night: what is known; view: how it is looked at; keys: the table as the user has it; clock: local time.

    ask: gives a command and says the reply where the keys are; put: the same, but says only a refusal; give:
    asks for y first, where an order wants that, in a worker; say: only says; keep: remember the view's goals;
    redraw: the view has changed.
    """

    night: Night
    view: View
    ask: Callable[[AnyCommand], Awaitable[Reply]]
    put: Callable[[AnyCommand], Awaitable[Reply]]
    give: Callable[[Order], Awaitable[bool]]
    say: Callable[[Reply], None]
    keep: Callable[[], None]
    redraw: Callable[[], None]
    keys: tuple[Key, ...]
    clock: Callable[[], datetime]
