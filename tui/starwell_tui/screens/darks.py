"""Darks: as tonight's lights are, as many as their noise asks for, in the dark, into the library."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from starwell.kinds import Kind
from starwell.session.events import FrameTaken
from starwell_tui import frame_counts, plan_text
from starwell_tui.desk import Desk
from starwell_tui.panes.pane import LABEL
from starwell_tui.screens.form import Field
from starwell_tui.screens.sequence import CAMERA, READOUT
from starwell_tui.screens.shoot import Shoot

POSITIONS = Field(
    "positions",
    "Dithers",
    "1",
    numeric=True,
    hint="At how many dither positions the lights are: the noise of masters averages out over them.",
)
FIELDS = (
    CAMERA,
    *(replace(field, hint=f"{field.hint} As the lights.") for field in READOUT),
    Field("frames", "Darks", str(frame_counts.USUAL_DARKS), numeric=True, hint="How many."),
    POSITIONS,
)


class Darks(Shoot):
    """The wizard."""

    kind = Kind.DARK
    name = "darks"

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk, "Darks", FIELDS)

    @property
    def need(self) -> frame_counts.Need:
        """How many, and why."""
        positions = plan_text.number(self.form.typed, "positions")
        dithers = positions if isinstance(positions, int) else 1
        return frame_counts.darks(self.night.latest_noise, self.lights, dithers)

    def edited(self, name: str) -> None:
        """The number follows the dither until it is typed."""
        need = self.need
        if name in ("", "positions"):
            self.form.fill({"frames": str(need.frames)})
        self.form.below = ((need.why, LABEL),)

    def question(self) -> str:
        """Dark it must be."""
        typed = self.form.typed
        return f"{typed['frames']} darks of {typed['exposure']} s: telescope covered, lamps off?"

    def plan(self) -> str:
        """Into the night of the lights."""
        return plan_text.calibration("dark", in_night(self))

    def watched(self) -> Iterator[str | tuple[str, bool]]:
        """How many, how dark, how cold."""
        frames = self.frames
        yield f"{len(frames)} of {self.form.typed['frames']} darks"
        if frames and frames[-1].level_adu is not None:
            last = frames[-1]
            celsius = "" if last.celsius is None else f" at {last.celsius:.1f} °C"
            yield f"The last one: {last.level_adu:.0f} ADU{celsius}"
        else:
            yield "The first two are held back until both are known to be dark."

    async def finish(self) -> None:
        """The master."""
        frames = self.frames
        out = self.masters / named(frames[-1])
        if await self.build("dark", self.on_disk(frames), out) and await self.keep(out):
            await self.use("dark")


def named(dark: FrameTaken) -> str:
    """A master's file, by what a dark was taken at: the library gives it its full name."""
    celsius = "" if dark.celsius is None else f"_{dark.celsius:.0f}C"
    return f"dark_{dark.seconds or 0:g}s{celsius}.fits"


def in_night(sheet: Shoot, below: str = "") -> dict[str, str]:
    """What was typed, for the camera of the lights and into their folder."""
    lights = {name: sheet.lights_of[name] for name in plan_text.MASTERS if name in sheet.lights_of}
    folder = str(sheet.folder / below) if str(sheet.folder) != "." else ""
    return {**lights, **sheet.form.typed, "folder": folder}
