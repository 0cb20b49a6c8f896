"""The experiment as data: which sets, how many frames, in which order; what it finds, how long it takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import msgspec
from msgspec import Struct

from starwell.errors import PlanError, StorageError
from starwell.flatlab.frames import FLICKER_S
from starwell.flatlab.grounds import Frames
from starwell.kinds import Kind

READOUT_S = 1.0
"""What a frame takes beside its exposure."""
SHORTER, BRIGHTER = 0.2, 5.0
"""The set of the same charge: a fifth of the time, five times the light."""

_DB = 200.0
_BRIGHT_PART = 0.5
_BRIGHT_S = 0.5
_FEW = 25
_DIVISOR_RULE = 9.8
"""Dim flats per light that make a same-condition flat cost 5 % noise, undithered (methods.md, section 0)."""


class PlannedSet(Struct, frozen=True, kw_only=True):
    """One set. level_e: light on each pixel, e-, 0 for none. light: what to do with panel and film."""

    name: str
    kind: Kind
    seconds: float
    gain: float
    frames: int
    level_e: float = 0.0
    offset: float | None = None
    light: str = "panel off, film on"


class Schedule(Struct, frozen=True, kw_only=True):
    """What `starwell flatlab capture` shoots. rounds: each set is shot in so many parts, in turn.

    egain: e-/ADU of the files at the lights' gain, to check the light while shooting.
    """

    sets: tuple[PlannedSet, ...]
    egain: float
    rounds: int = 4
    celsius: float | None = None

    @property
    def seconds(self) -> float:
        """How long it takes, without the changes of panel and film."""
        return sum(one.frames * (one.seconds + READOUT_S) for one in self.sets)

    @property
    def frames(self) -> int:
        """Of all sets."""
        return sum(one.frames for one in self.sets)

    def blocks(self) -> Iterator[tuple[PlannedSet, int]]:
        """Each set and how many of its frames are to be there once the block is done, in order.

        Every other round runs backwards: a lamp or a sensor that drifts evenly does so alike for all sets.
        Held-out frames come last, a block of their own.
        """
        mixed = [one for one in self.sets if one.name != "held-out"]
        for turn in range(self.rounds):
            for one in mixed if turn % 2 == 0 else reversed(mixed):
                yield one, ceil(one.frames * (turn + 1) / self.rounds)
        for one in self.sets:
            if one.name == "held-out":
                yield one, one.frames


@dataclass(frozen=True, slots=True)
class Wish:
    """What the experiment is for. egain, read_noise_e, full_well_e: at the lights' gain; levels in e-."""

    egain: float
    read_noise_e: float
    sky_e: float
    seconds: float
    gain: float
    offset: float | None = None
    bright_gain: float = 0.0
    other_gain: float | None = None
    full_well_e: float = 20_000.0
    adc_bits: int = 12
    shift: int = 4
    frames: int = 150
    darks: int = 300
    celsius: float | None = None
    rounds: int = 4
    minimal: bool = False

    def check(self) -> None:
        """PlanError for a wish that cannot be."""
        if min(self.egain, self.read_noise_e, self.sky_e, self.seconds) <= 0:
            raise PlanError("e-/ADU, read noise, sky level and exposure are all more than 0.")
        if min(self.frames, self.darks, self.rounds) < 1:
            raise PlanError("Frames, darks and rounds are at least 1.")
        if not self.minimal and self._second_gain == self.gain:
            raise PlanError("--other-gain is the lights' own gain: it is to differ by at least 40 (4 dB).")

    @property
    def expected(self) -> Frames:
        """What these frames find."""
        low = 2 * self.frames
        return Frames(low, self.darks, self.sky_e, self.read_noise_e)

    @property
    def full_scale_e(self) -> float:
        """Charge at which converter or well ends at the lights' gain, the offset taken for nothing."""
        native = self.egain * 2**self.shift
        return float(min(self.full_well_e, native * 2**self.adc_bits))

    @property
    def _second_gain(self) -> float:
        """60 steps (6 dB) lower, a factor 2 in e-/ADU and further from the lower rail; higher from gain 0."""
        if self.other_gain is not None:
            return self.other_gain
        return self.gain - 60.0 if self.gain >= 60 else self.gain + 60.0

    def schedule(self) -> Schedule:
        """The sets in the order of a round."""
        self.check()
        t, gain, low_gain = self.seconds, self.gain, self.bright_gain
        first = [self._dark("dark", self.darks, t, gain)]
        last = [self._bright(), self._dim("low", 2, 1.0)]
        if not self.minimal:
            off = self._dark("panel-off", _FEW, t, gain)
            first += [
                msgspec.structs.replace(off, kind=Kind.FLAT, light="panel off, film on, cap off"),
                self._dark("same-charge-dark", self.frames, SHORTER * t, gain),
                self._dark("other-gain-dark", self.frames, t, self._second_gain),
            ]
            last += [
                msgspec.structs.replace(self._dim("other-gain", 1, 1.0), gain=self._second_gain),
                self._dim("low-half", 1, 0.5),
                self._dim("low-double", 1, 2.0),
                self._dim("same-charge", 1, 1.0, SHORTER),
            ]
        last.append(self._dim("held-out", 2, 1.0))
        sets = (*first, self._dark("bright-dark", _FEW, _BRIGHT_S, low_gain), *last)
        return Schedule(sets=sets, egain=self.egain, rounds=self.rounds, celsius=self.celsius)

    def _dark(self, name: str, frames: int, seconds: float, gain: float) -> PlannedSet:
        return PlannedSet(
            name=name, kind=Kind.DARK, seconds=seconds, gain=gain, frames=frames, offset=self.offset
        )

    def _bright(self) -> PlannedSet:
        native = self.egain * 2**self.shift * 10 ** ((self.gain - self.bright_gain) / _DB)
        level = _BRIGHT_PART * min(self.full_well_e, native * 2**self.adc_bits)
        return PlannedSet(
            name="bright",
            kind=Kind.FLAT,
            seconds=_BRIGHT_S,
            gain=self.bright_gain,
            frames=_FEW,
            level_e=level,
            offset=self.offset,
            light=f"film off, panel bright: {level:,.0f} e- in {_BRIGHT_S:g} s",
        )

    def _dim(self, name: str, times: int, brighter: float, longer: float = 1.0) -> PlannedSet:
        """Dim flats: so many times `frames`, at this part of L0 and of the exposure."""
        level, seconds = brighter * self.sky_e, longer * self.seconds
        day = "another day or hour; " if name == "held-out" else ""
        return PlannedSet(
            name=name,
            kind=Kind.FLAT,
            seconds=seconds,
            gain=self.gain,
            frames=times * self.frames,
            level_e=level,
            offset=self.offset,
            light=f"{day}film on, panel at {level:.3g} e- in {seconds:g} s",
        )


def warnings(wish: Wish) -> list[str]:
    """What speaks against this experiment before it is shot."""
    said = []
    top = wish.sky_e * (1 if wish.minimal else 2)
    if top + 5 * (top + wish.read_noise_e**2) ** 0.5 > wish.full_scale_e:
        said.append(
            f"At gain {wish.gain:g} the full scale is about {wish.full_scale_e:.3g} e-: {top:.3g} e- and "
            f"their "
            "noise do not fit. Dim flats and lights saturate (nearly every star will): choose a lower gain."
        )
    if wish.seconds * SHORTER < FLICKER_S and not wish.minimal:
        said.append(
            f"A fifth of {wish.seconds:g} s is below {FLICKER_S:g} s, where dimmed LEDs flicker: expose "
            f"longer."
        )
    if wish.expected.least_e > wish.expected.target_e:
        said.append(
            f"These frames find deficits from {wish.expected.least_e:.2g} e- on. It takes "
            f"{wish.expected.needed()} dim flats and as many darks to miss none of "
            f"{wish.expected.target_e:.2g} e-."
        )
    return said


def as_text(wish: Wish, schedule: Schedule) -> list[str]:
    """The plan for a terminal."""
    expected = wish.expected
    noise = (wish.sky_e + wish.read_noise_e**2) ** 0.5 / wish.sky_e
    alone = noise / expected.low**0.5
    hours = schedule.seconds / 3600
    lines = [f"{'set':<18}{'frames':>7}{'s':>8}{'gain':>6}{'e-':>9}  light"]
    for one in schedule.sets:
        level = f"{one.level_e:,.3g}" if one.level_e else "-"
        lines.append(f"{one.name:<18}{one.frames:>7}{one.seconds:>8g}{one.gain:>6g}{level:>9}  {one.light}")
    lines += [
        "",
        f"{schedule.frames} frames, {hours:.1f} h without the changes of panel and film.",
        f"Shot in {schedule.rounds} rounds, every other one backwards, so that a drifting lamp cancels; the "
        "held-out frames last, best on another day.",
        f"Smallest deficit of one pixel found beyond doubt (5 sigmas): {expected.least_e:.2g} e- of "
        f"{wish.sky_e:.3g} e- ({100 * expected.least_e / wish.sky_e:.0f} %).",
        f"A same-condition flat of {expected.low} frames carries {100 * alone:.2g} % noise in each pixel; "
        f"as a "
        f"divisor it takes {_DIVISOR_RULE:g} flats for every undithered sub to cost no more than 5 %.",
    ]
    if wish.minimal:
        lines.append("The minimal set: whether pixels go cold, not why. The full one tells the causes apart.")
    else:
        lines.append(
            "--minimal leaves out what tells the causes apart: dark, bright, low and held-out remain."
        )
    return lines


def read(path: Path) -> Schedule:
    """A schedule from its file; StorageError, or PlanError for one that is none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Schedule)
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}.") from error
    except msgspec.DecodeError as error:
        raise PlanError(
            f"{path} is no schedule: {error}. `starwell flatlab plan --json` writes one."
        ) from error
