"""What an engine shows of itself and which commands it takes, for its own process or through a socket."""

from __future__ import annotations

from typing import Annotated, Protocol

import msgspec

from starwell.session.events import State
from starwell.session.subscription import Subscription


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How the night stands; what is not known is None. `starwell status --json` is this, in this order.

    frame: the number of the frame being exposed, else of the last one. frames: how many the plan asks for.
    exposed_s: how long the frame of `seconds` has been exposed so far. why: what the state is due to.
    """

    state: State
    frame: int
    frames: int | None
    stacked: int
    rejected: int
    livetime_s: float | None
    folder: str
    camera: str
    sensor_celsius: float | None
    setpoint_celsius: float | None = None
    cooler_percent: float | None = None
    target: str | None = None
    filter: str | None = None
    seconds: float | None = None
    exposed_s: float | None = None
    free_bytes: int | None = None
    guide_rms_arcsec: float | None = None
    why: str = ""


class Command(msgspec.Struct, frozen=True, tag=True):
    """Something asked of the engine."""


class Start(Command, frozen=True):
    """Begin the plan in this file, or go on with what was paused."""

    plan: str | None = None


class Pause(Command, frozen=True):
    """Expose nothing more after this frame until told to start."""


class Stop(Command, frozen=True):
    """End the series after this frame, and save the stack."""


class Abort(Command, frozen=True):
    """End this exposure now, without its frame, and pause."""


class Set(Command, frozen=True):
    """Give a setting a value from the next frame on."""

    name: str
    value: float | str


class Reject(Command, frozen=True):
    """Take a sub out of the stack."""

    number: Annotated[int, msgspec.Meta(ge=0)]


class Restore(Command, frozen=True):
    """Put a sub back into the stack."""

    number: Annotated[int, msgspec.Meta(ge=0)]


class Save(Command, frozen=True):
    """Write the stack to disk now."""


class Merge(Command, frozen=True):
    """Undo the newest split of a stack."""


class Stretch(Command, frozen=True):
    """Stretch the previews by this name from now on: auto, asinh or linear."""

    name: str


class Quit(Command, frozen=True):
    """End the engine: abort the exposure, finish the files, warm up."""


AnyCommand = Start | Pause | Stop | Abort | Set | Reject | Restore | Save | Merge | Stretch | Quit


class Reply(msgspec.Struct, frozen=True):
    """Whether a command was accepted, and a sentence for the user: what happens now, or why nothing does."""

    ok: bool
    message: str


class EngineFace(Protocol):
    """The engine as others see it. Every call comes from any thread and returns within milliseconds."""

    def status(self) -> Status:
        """How the night stands now."""

    def subscribe(self) -> Subscription:
        """What was told so far and, without a gap, all that is told from now on."""

    def command(self, command: AnyCommand) -> Reply:
        """Accept a command, to be carried out at the next frame boundary and answered by events.

        A StarwellError that it raises reaches the user as a refusal.
        """
