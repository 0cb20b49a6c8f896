"""The sets of an experiment as the analysis takes them, and what must be alike between which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from starwell.calibration.matching import same_exposure
from starwell.errors import MasterMismatch, PlanError
from starwell.flatlab.frames import FrameSet, flicker, opened, same_sensor, same_setting
from starwell.flatlab.grounds import APART


@dataclass(frozen=True, slots=True, eq=False)
class Sets:
    """Darks, bright flats, and at the lights' settings dim flats of one or more levels and held-out ones.

    same_charge: dim flats of L0 in another time. other_gain: of L0 at another gain. panel_off: film on, no
    light. Each with its darks where its settings differ.
    """

    dark: FrameSet
    bright: FrameSet
    bright_dark: FrameSet
    lows: tuple[FrameSet, ...]
    held_out: tuple[FrameSet, ...]
    same_charge: FrameSet | None = None
    same_charge_dark: FrameSet | None = None
    other_gain: FrameSet | None = None
    other_gain_dark: FrameSet | None = None
    panel_off: FrameSet | None = None

    def all(self) -> tuple[FrameSet, ...]:
        """Every set there is."""
        optional = (
            self.same_charge,
            self.same_charge_dark,
            self.other_gain,
            self.other_gain_dark,
            self.panel_off,
        )
        first = (self.dark, self.bright, self.bright_dark, *self.lows, *self.held_out)
        return (*first, *(one for one in optional if one is not None))

    def check(self) -> list[str]:
        """Warnings; MasterMismatch or PlanError for sets that cannot be compared."""
        if not self.lows or not 1 <= len(self.held_out) <= 2:
            raise PlanError("The flat lab takes at least one --low and one or two --held-out sets.")
        same_sensor(self.all())
        warnings = [warning for one in self.all() for warning in one.warnings]
        warnings += same_setting(self.bright_dark, self.bright)
        for lit in (*self.lows, *self.held_out):
            warnings += same_setting(self.dark, lit, but=("exposure",))
        if self.panel_off is not None:
            warnings += same_setting(self.dark, self.panel_off)
        warnings += self._other("same-charge", self.same_charge, self.same_charge_dark, "exposure")
        warnings += self._other("other-gain", self.other_gain, self.other_gain_dark, "gain")
        dark = self.dark.seconds
        there = self.same_charge.seconds if self.same_charge is not None else None
        if dark and there and 1 / APART < there / dark < APART:
            raise MasterMismatch(
                f"--same-charge is exposed {there:g} s, the dim flats {dark:g} s: a leak would look the "
                "same in both. Expose it a fifth as long, with five times the light."
            )
        lit_sets = [one for one in self.all() if not one.name.endswith("dark") and one.name != "panel-off"]
        return [*dict.fromkeys([*warnings, *flicker(lit_sets)])]

    @property
    def foreign_dark(self) -> str:
        """Why, by the headers, the darks are not those of the dim flats; empty where they may be."""
        mine = self.dark.seconds
        for lit in (*self.lows, *self.held_out):
            theirs = lit.seconds
            if mine is not None and theirs is not None and not same_exposure(mine, theirs):
                return f"The darks are exposed {mine:g} s, --{lit.name} {theirs:g} s."
        return ""

    def _other(self, name: str, lit: FrameSet | None, dark: FrameSet | None, but: str) -> list[str]:
        if (lit is None) != (dark is None):
            raise PlanError(f"--{name} and --{name}-dark go together: give both, or neither.")
        if lit is None or dark is None:
            return []
        warnings = same_setting(dark, lit)
        # offsets may go with the gain: its own darks take them off
        same_setting(self.dark, lit, but=(but, "offset") if but == "gain" else (but,))
        return warnings


def open_sets(paths: Mapping[str, Sequence[Path]], lows: Sequence[Path], held_out: Sequence[Path]) -> Sets:
    """Open every set by its option's name; StorageError, PlanError, MasterMismatch as `opened`."""

    def one(name: str) -> FrameSet | None:
        return opened(name, paths[name]) if paths.get(name) else None

    dark, bright, bright_dark = one("dark"), one("bright"), one("bright-dark")
    if dark is None or bright is None or bright_dark is None:
        raise PlanError("The flat lab takes --dark, --bright and --bright-dark.")
    least = 4 if len(held_out) == 1 else 2
    return Sets(
        dark,
        bright,
        bright_dark,
        tuple(opened("low", [path]) for path in lows),
        tuple(opened("held-out", [path], least=least) for path in held_out),
        one("same-charge"),
        one("same-charge-dark"),
        one("other-gain"),
        one("other-gain-dark"),
        one("panel-off"),
    )
