"""What every screen over the panes works with: the night, the engine's ear, and where to say something."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from starwell.remote.messages import AnyCommand, Reply
from starwell_tui.keys import Key
from starwell_tui.night import Night


@dataclass(frozen=True, slots=True)
class Desk:
    """night: what is known; ask: gives a command and says the reply where the keys are; say: only says.

    keys: the table as the user has it; clock: the local time.
    """

    night: Night
    ask: Callable[[AnyCommand], Awaitable[Reply]]
    say: Callable[[Reply], None]
    keys: tuple[Key, ...]
    clock: Callable[[], datetime]
