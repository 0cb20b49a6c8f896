"""What an engine shows of itself and which commands it takes, for its own process or through a socket."""

from __future__ import annotations

from typing import Annotated, Protocol

import msgspec

from starwell.kinds import Kind
from starwell.session.events import State
from starwell.session.subscription import Subscription


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How the night stands; what is not known is None. `starwell status --json` is this, in this order.

    frame: the number of the frame being exposed, else of the last one. frames: how many the plan asks for.
    exposed_s: how long the frame of `seconds` has been exposed so far. why: what the state is due to.
    ends: what ends the sequence, and when. masters: which are used, and how old. mode: "focus" or nothing.
    width, height: of a frame, in pixels.
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
    kind: Kind | None = None
    gain: float | None = None
    offset: float | None = None
    bin: int | None = None
    cooler_on: bool | None = None
    ends: str = ""
    masters: str = ""
    mode: str = ""
    width: int | None = None
    height: int | None = None
    pixel_um: float | None = None
    arcsec_per_px: float | None = None
    filters: tuple[str, ...] = ()


class Command(msgspec.Struct, frozen=True, tag=True):
    """Something asked of the engine."""


class Start(Command, frozen=True):
    """Begin the plan in this file or of this text, in TOML; or go on with what was paused.

    paused: open the camera and cool it, then wait to be told to go on before the first frame.
    """

    plan: str | None = None
    text: str | None = None
    paused: bool = False


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
    """Stretch the pictures by this name from now on: auto, asinh, linear or log.

    black moves the black point up by so many times the noise; white moves the white point down by this
    fraction of the range. Both 0: as the picture wants it.
    """

    name: str
    black: float = 0.0
    white: float = 0.0


class Look(Command, frozen=True):
    """Show this from now on: stack, sub, calibrated, masked, coverage or reference.

    crop: x, y, width, height of a part at one pixel to a pixel; None: all of it, shrunk.
    """

    of: str = "stack"
    crop: tuple[int, int, int, int] | None = None


class Box(Command, frozen=True):
    """Measure what is in this box of the stack after each sub; one without a size ends that."""

    x: int = 0
    y: int = 0
    width: int = 0
    height: int = 0


class Focus(Command, frozen=True):
    """Expose short frames in a loop that are measured and not kept; or go back to what was before.

    seconds: of each; None: as the last time, or 2.
    """

    on: bool
    seconds: float | None = None


class UseMasters(Command, frozen=True):
    """Calibrate with these from now on: paths, "auto" from the library, "none"; None leaves one as it is.

    restack: and what was stacked without them, too.
    """

    bias: str | None = None
    dark: str | None = None
    flat: str | None = None
    dark_flat: str | None = None
    restack: bool = False


class Restack(Command, frozen=True):
    """Begin the stacks anew from the lights on disk; what was rejected by hand stays out."""


class Note(Command, frozen=True):
    """Enter a line of the user's into the journal."""

    text: str


class Quit(Command, frozen=True):
    """End the engine: abort the exposure, finish the files, warm up."""


AnyCommand = (
    Start
    | Pause
    | Stop
    | Abort
    | Set
    | Reject
    | Restore
    | Save
    | Merge
    | Stretch
    | Look
    | Box
    | Focus
    | UseMasters
    | Restack
    | Note
    | Quit
)


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
