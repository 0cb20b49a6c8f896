"""Flats: an even light at the right level, filter by filter, and dark flats; or light as faint as the sub's.

Same-condition flats are as faint as the lights themselves: they show which pixels lose charge at low light.
They serve the low-light map; as a plain divisor they bring their own noise, and only whoever asks gets that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

from starwell.kinds import Kind
from starwell.session.events import FrameTaken
from starwell_tui import frame_counts, plan_text, remembered
from starwell_tui.desk import Desk
from starwell_tui.kept_masters import listed, newest
from starwell_tui.panes.pane import LABEL
from starwell_tui.screens.darks import POSITIONS, in_night
from starwell_tui.screens.form import Field, switch
from starwell_tui.screens.sequence import CAMERA, READOUT
from starwell_tui.screens.shoot import Shoot

BRIGHT, SAME = "bright flats", "same-condition flats"
GOOD_LEVELS = (0.25, 0.75)
"""Of full scale, for bright flats."""
NEAR = 0.15
"""How far same-condition flats may be from the sub's own level."""
FIELDS = (
    CAMERA,
    Field(
        "what",
        "What",
        BRIGHT,
        (BRIGHT, SAME),
        typed=False,
        hint="Bright ones divide; the others find weak pixels.",
    ),
    Field("filters", "Filters", empty="none", hint="One series after the other, in this order."),
    *(
        replace(
            field,
            text="",
            empty="searched",
            hint="Empty: searched for the level, and again before each flat.",
        )
        if field.name == "exposure"
        else field
        for field in READOUT
    ),
    Field(
        "level",
        "Level",
        "50",
        ("30", "40", "50", "60"),
        numeric=True,
        empty="as a sub's sky",
        unit="% of full scale",
        hint="Of a flat. Same-condition flats have the sky's own: it is checked while they come.",
    ),
    Field("frames", "Flats", str(frame_counts.USUAL_FLATS), numeric=True, hint="Of each filter."),
    switch("dark_flats", "Dark flats", "Darks as long as the flats, at once after them.", on=True),
    POSITIONS,
    switch(
        "divisor",
        "As divisor",
        "Same-condition flats only: build a master to divide by. It adds their noise.",
    ),
)


class Flats(Shoot):
    """The wizard: flats of each filter, dark flats, masters."""

    kind = Kind.FLAT
    name = "flats"

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk, "Flats", FIELDS)
        self._shot: dict[str, list[FrameTaken]] = {}

    @property
    def same(self) -> bool:
        """Whether the flats are as faint as the lights."""
        return self.form.typed["what"] == SAME

    def edited(self, name: str) -> None:
        """The number and the exposure belong to the kind of flats."""
        if name in ("", "what"):
            lights = self.lights_of | remembered.of_lights(self.night.status)
            self.form.fill(
                {
                    "exposure": lights.get("exposure", ""),
                    "frames": str(frame_counts.AUTHORS),
                    "level": "",
                    "dark_flats": "off",
                }
                if self.same
                else {
                    "exposure": "",
                    "frames": str(frame_counts.USUAL_FLATS),
                    "level": "50",
                    "dark_flats": "on",
                }
            )
        typed = self.form.typed
        dithers = plan_text.number(typed, "positions")
        need = frame_counts.same_condition_flats(self.lights, dithers if isinstance(dithers, int) else 1)
        bright = f"{frame_counts.USUAL_FLATS} bright flats add next to nothing: their own noise is 0.2 %."
        use = "They serve the low-light map; as a divisor only on request."
        self.form.below = ((f"{need.why} {use}" if self.same else bright, LABEL),)

    def question(self) -> str:
        """Even light it must be."""
        typed = self.form.typed
        light = "as faint as the sky of a sub" if self.same else f"for {typed['level']} %"
        return f"{typed['frames']} flats: is the light even, {light}?"

    def plan(self) -> str:
        """Flats of each filter."""
        if self.kind is Kind.DARK_FLAT:
            return plan_text.calibration("dark-flat", in_night(self), self._seconds())
        below = "same-condition" if self.same else ""
        filters = dict.fromkeys(plan_text.words(self.form.typed, "filters"))
        return plan_text.calibration("flat", in_night(self, below), filters)

    def watched(self) -> Iterator[str | tuple[str, bool]]:
        """How many, and whether the level is right."""
        typed, frames = self.form.typed, self.frames
        series = max(len(plan_text.words(typed, "filters")), 1)
        asked = plan_text.number(typed, "frames")
        of = f" of {asked * series}" if isinstance(asked, int) else ""
        yield f"{len(frames)}{of} {'dark flats' if self.kind is Kind.DARK_FLAT else typed['what']}"
        if not frames:
            yield (
                "The exposure is being searched."
                if not typed["exposure"]
                else "The first one is being exposed."
            )
            return
        last = frames[-1]
        yield f"The last one: {filter_of(last) or 'no filter'}, {last.seconds or 0:g} s"
        if self.kind is Kind.FLAT:
            yield self._against_the_sub(last) if self.same else against_full_scale(last)

    async def finish(self) -> None:
        """Dark flats after flats, masters after both."""
        if self.kind is Kind.FLAT:
            self._shot = by_filter(self.frames)
            if self.same and self.form.typed["divisor"] != plan_text.ON:
                await self._low_light()
                return
            if self.form.typed["dark_flats"] == plan_text.ON and not self.same:
                await self._dark_flats()
                return
        await self._masters()

    async def _low_light(self) -> None:
        """The map, where the library has the bright flat and the dark that it takes."""
        frames, gain = self.frames, plan_text.number(self.form.typed, "gain")
        entries = (await listed())[0] or []
        of_gain = float(gain) if isinstance(gain, int | float) else None
        flat = newest(entries, "flat", gain=of_gain, seconds=None)
        dark = newest(entries, "dark", gain=of_gain, seconds=frames[-1].seconds)
        if flat is None or dark is None:
            lacking = " and ".join(name for name, has in (("bright flat", flat), ("dark", dark)) if not has)
            where = f"They are in {self.folder / 'flats'}"
            self.told_of.append((f"{where}. The low-light map also takes a {lacking}: T, D.", False))
            return
        out = self.masters / "low_light.fits"
        more = "--flat", flat.file, "--dark", dark.file
        if await self.build("low-light", self.on_disk(frames), out, *more):
            used = await self.sure("Use the low-light map in the next sequence?")
            if used:
                remembered.keep("sequence", remembered.typed("sequence") | {"low_light": str(out)})
            self.told_of.append((f"The low-light map is {out}{', and is used' if used else ''}.", True))

    async def _dark_flats(self) -> None:
        if await self.sure("Dark flats: light off, telescope covered?"):
            self.kind = Kind.DARK_FLAT
            await self.begin()
        else:
            await self._masters()

    async def _masters(self) -> None:
        """One master flat for each filter, less the dark flats of its exposure where there are any."""
        seconds, dark_flats = self._seconds(), self.frames if self.kind is Kind.DARK_FLAT else []
        for name, frames in self._shot.items():
            less = ["--uncalibrated"]
            if dark_flats:
                dark = self.masters / f"dark_flat_{seconds[name]:g}s.fits"
                files = self.on_disk(f for f in dark_flats if f.seconds == seconds[name])
                if not await self.build("dark-flat", files, dark):
                    return
                less = ["--dark-flat", str(dark)]
            flat = self.masters / f"flat_{name or 'no_filter'}.fits"
            if not await self.build("flat", self.on_disk(frames), flat, *less):
                return
            if not await self.keep(flat):
                return
        await self.use("flat")

    def _seconds(self) -> dict[str, float]:
        """How long the flats of each filter were exposed."""
        return {
            name: round(median(frame.seconds or 0.0 for frame in frames), 3)
            for name, frames in self._shot.items()
        }

    def _against_the_sub(self, flat: FrameTaken) -> str | tuple[str, bool]:
        sub, noise = self.night.latest_measured, self.night.latest_noise
        if sub is None or sub.sky_e is None or noise is None or flat.level_adu is None:
            return "The sky of tonight's subs is not measured yet: their level is not known."
        level = sub.sky_e + (flat.level_adu - sub.sky_adu) * noise.egain
        good = abs(level / max(sub.sky_e, 0.1) - 1) <= NEAR
        advice = (
            "as it should be" if good else f"make the light {sub.sky_e / max(level, 0.1):.2f} times as bright"
        )
        return f"{level:.1f} e-/px, and a sub's sky has {sub.sky_e:.1f} e-/px: {advice}", good


def against_full_scale(flat: FrameTaken) -> str | tuple[str, bool]:
    """Whether the level of a bright flat is well inside the sensor's range."""
    if flat.level_adu is None or not flat.full_adu:
        return ""
    level = flat.level_adu / flat.full_adu
    low, high = GOOD_LEVELS
    advice = "" if low <= level <= high else ": brighter" if level < low else ": less light"
    return f"Its level: {level:.0%} of full scale{advice}", low <= level <= high


def filter_of(frame: FrameTaken) -> str:
    """The filter, by the folder the frame is in; empty for none."""
    parent = Path(frame.file).parent.name if frame.file else ""
    return "" if parent in ("flats", "darkflats") else parent


def by_filter(frames: list[FrameTaken]) -> dict[str, list[FrameTaken]]:
    """The frames of each filter, in the order they were shot in."""
    found: dict[str, list[FrameTaken]] = {}
    for frame in frames:
        found.setdefault(filter_of(frame), []).append(frame)
    return found
