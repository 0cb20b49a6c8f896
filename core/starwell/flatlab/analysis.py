"""The experiment's frames into findings: each set is read once, what is kept of it fits a small machine.

At 16 MP a map is 66 MB; at most about fourteen are held at a time, whatever the number of frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from starwell.calibration.low_light import LowSet
from starwell.calibration.master import unit_mean
from starwell.flatlab import gate as gates
from starwell.flatlab.deficits import (
    SIGMAS,
    Bench,
    Deficits,
    Index,
    count,
    dead_pixels,
    deficits,
    full_pixels,
    noise_map,
)
from starwell.flatlab.effect import Corrections, Effect, Gain, Light, Method, effects, improvement
from starwell.flatlab.evidence import Signature
from starwell.flatlab.experiment import Sets
from starwell.flatlab.findings import ByLevel, Depth, LeakCheck, SetFound, by_method
from starwell.flatlab.frames import FrameSet
from starwell.flatlab.gate import Lights
from starwell.flatlab.grounds import Evidence, Frames
from starwell.flatlab.hypotheses import judge
from starwell.flatlab.levels import Measured, by_light, check_unsaturated, level_of, measure
from starwell.flatlab.mending import mended
from starwell.flatlab.results import Record, Results
from starwell.flatlab.shape import depths, leak, weak_pixels
from starwell.flatlab.sums import Sums, Told, summed
from starwell.frame import Float32

WORST = 20
"""So many of the coldest pixels are shown one by one."""

_NOTHING = np.zeros((0, 0), np.float32)
_RIVALS = (Method.SAME_CONDITION, Method.ADDITIVE)


class Analysis:
    """One run. offsets: share of the pattern's variance that a night's offsets keep (flatlab.offsets)."""

    def __init__(self, sets: Sets, told: Told = lambda _: None, *, offsets: float | None = None) -> None:
        self.sets, self._told = sets, told
        self.record = Record(sets, offsets, sets.check())

    def run(self) -> Results:
        """Read every set and judge; MasterMismatch for sets without light, StorageError for broken files."""
        low_set, others = by_light(self.sets, self.record.warnings)
        bench, lights, low = self._bench(low_set)
        frames = Frames(low.count, bench.dark.count, lights.level_e, lights.dark_noise_e)
        gate = gates.check(bench.dark, [low], low_set.facts, lights, frames.least_e)
        whole = deficits(bench, low.mean(), low.count, bench.dark.mean(), bench.dark.count)
        counts, worst = count(whole.z), _worst(whole)
        signature = Signature.of(bench, low)
        lows = [LowSet(lights.level_e, self._above_dark(bench, low), low.count)]
        del low
        corrections = self._corrections(bench, whole, lows, lights)
        self._curve(lights.level_e, whole, worst)
        lows += [self._other_level(other, bench, corrections, signature, worst) for other in others]
        corrections = replace(corrections, additive_e=_NOTHING)
        low_light = mended(bench, lows, lights)
        del lows
        leaked = self._other_conditions(bench, signature)
        held = self._held_out(bench)
        corrections = replace(corrections, additive_e=low_light.at(held.level_e))
        found = dict(effects(bench, corrections, held.pair))
        gains = [improvement(found[Method.BRIGHT], found[rival]) for rival in _RIVALS]
        times = bench.bright_e / lights.level_e
        seen = Evidence(gate, counts, weak_pixels(bench), frames, times, self.sets.foreign_dark)
        evidence = _with_effect(signature.told(seen, bench), found, gains)
        return Results(
            self.record,
            judge(evidence),
            evidence,
            signature,
            bench,
            lights,
            whole,
            found,
            max(gains),
            held.noise,
            held.depth,
            leaked,
            low_light,
            corrections,
            worst,
        )

    def _bench(self, low_set: FrameSet) -> tuple[Bench, Lights, Sums]:
        """What everything is measured against, the lights' settings, and the dim flats of L0."""
        facts = self.sets.dark.facts
        dark = summed(self.sets.dark, self._told, variance=True)
        self._note(self.sets.dark, dark)
        bright, bright_e, bright_frames = self._bright()
        low = summed(low_set, self._told)
        at = measure(low, dark, self.record.warnings, facts.egain)
        dead = dead_pixels(bright)
        noise = float(np.sqrt(low.noise_adu2))
        blind = dead | full_pixels(dark, facts.saturation_adu, at.level_e / at.egain, noise)
        bright[blind] = 1
        variance = noise_map(dark, at.egain)
        bench = Bench(
            bright,
            blind,
            int(np.count_nonzero(dead)),
            bright_e,
            bright_frames,
            replace(dark, variance=None),
            variance,
            at.egain,
            facts,
        )
        level = level_of(bench, low)
        self._note(low_set, low, level)
        return bench, Lights(at.egain, float(np.sqrt(dark.noise_adu2)) * at.egain, level.level_e), low

    def _other_level(
        self,
        other: FrameSet,
        bench: Bench,
        corrections: Corrections,
        signature: Signature,
        worst: Index,
    ) -> LowSet:
        """Dim flats of another level: what the flagged pixels lack there, and what L0's corrections do."""
        there = summed(other, self._told)
        level = level_of(bench, there)
        self._note(other, there, level)
        found = signature.at_level(bench, there, level.level_e / signature.level_e)
        if found is not None:
            self._curve(level.level_e, found, worst)
        pair = _light(bench, there.halves[0]), _light(bench, there.halves[1])
        fpn = {method: one.percent for method, one in effects(bench, corrections, pair).items()}
        self.record.by_level.append(ByLevel(level_e=level.level_e, fpn_percent=by_method(fpn)))
        return LowSet(level.level_e, self._above_dark(bench, there), there.count)

    def _curve(self, level_e: float, found: Deficits, worst: Index) -> None:
        self.record.curves.append((level_e, found.deficit_e.ravel()[worst], found.sigma_e.ravel()[worst]))

    def _bright(self) -> tuple[Float32, float, int]:
        """The bright flat of mean 1, its level in e-, and its frames."""
        without = summed(self.sets.bright_dark, self._told, halved=False)
        lit = summed(self.sets.bright, self._told, halved=False)
        check_unsaturated(lit)
        level = measure(lit, without, self.record.warnings, self.sets.bright.facts.egain)
        self._note(self.sets.bright_dark, without)
        self._note(self.sets.bright, lit, level)
        pixels = lit.mean()
        pixels -= without.mean()
        unit_mean(pixels, self.sets.bright.facts, out=pixels)
        return pixels, level.level_e, lit.count

    def _above_dark(self, bench: Bench, low: Sums) -> Float32:
        light: Float32 = (low.mean() - bench.dark.mean()) * np.float32(bench.egain)
        return light

    def _corrections(
        self, bench: Bench, whole: Deficits, lows: Sequence[LowSet], lights: Lights
    ) -> Corrections:
        """What L0 alone teaches."""
        lost = mended(bench, lows, lights).at(lights.level_e)
        same = lows[0].mean_e, lights.level_e
        return Corrections(bench.bright, same, np.abs(whole.z) > SIGMAS, lost)

    def _other_conditions(self, bench: Bench, signature: Signature) -> LeakCheck | None:
        """What other times, another gain and no light at all add to the signature."""
        self._same_charge(bench, signature)
        self._other_gain(bench, signature)
        return self._panel_off(bench, signature)

    def _same_charge(self, bench: Bench, signature: Signature) -> None:
        lit, without = self.sets.same_charge, self.sets.same_charge_dark
        if lit is None or without is None or lit.seconds is None or self.sets.dark.seconds is None:
            return
        there, sums, level = self._other_bench(bench, lit, without)
        signature.at_time(there, sums, lit.seconds / self.sets.dark.seconds)
        self._differs("same-charge", level, signature)

    def _other_gain(self, bench: Bench, signature: Signature) -> None:
        lit, without = self.sets.other_gain, self.sets.other_gain_dark
        if lit is None or without is None:
            return
        there, sums, level = self._other_bench(bench, lit, without)
        signature.at_gain(there, sums, there.egain / bench.egain)
        self._differs("other-gain", level, signature)

    def _other_bench(self, bench: Bench, lit: FrameSet, without: FrameSet) -> tuple[Bench, Sums, Measured]:
        """The bench with the dark and e-/ADU of another setting, and the dim flats there."""
        dark = summed(without, self._told, variance=True)
        sums = summed(lit, self._told, halved=False)
        level = measure(sums, dark, self.record.warnings, lit.facts.egain)
        self._note(without, dark)
        self._note(lit, sums, level)
        if dark.at_floor > gates.MOST_CLIPPED:
            self.record.warnings.append(
                f"{100 * dark.at_floor:.2g} % of the samples of --{without.name} lie at the lowest code: "
                f"what --{lit.name} tells is not to be trusted. Raise the offset there."
            )
        variance = noise_map(dark, level.egain)
        there = replace(bench, dark=replace(dark, variance=None), dark_var_e2=variance, egain=level.egain)
        return there, sums, level

    def _differs(self, name: str, level: Measured, signature: Signature) -> None:
        """A warning where a set of the same charge is not of the same charge."""
        off = level.level_e / signature.level_e
        if not 0.7 < off < 1.4:
            self.record.warnings.append(
                f"--{name} holds {level.level_e:.3g} e-, the dim flats {signature.level_e:.3g} e-: it is to "
                "be of the same charge. What it tells of time or gain is mixed with what the light does."
            )

    def _panel_off(self, bench: Bench, signature: Signature) -> LeakCheck | None:
        if self.sets.panel_off is None:
            return None
        sums = summed(self.sets.panel_off, self._told, halved=False)
        self._note(self.sets.panel_off, sums)
        found = leak(bench, sums)
        if not found.passed:
            self.record.warnings.append(
                f"With the panel off {found.difference_e:+.2g} e- more come than in the darks: light leaks "
                "in, or the darks do not fit. Cover the gaps and shoot again."
            )
        signature.at_zero(bench, sums)
        return found

    def _held_out(self, bench: Bench) -> _HeldOut:
        """Two independent means, and what one of their frames is like."""
        sums = [summed(one, self._told, patches=True) for one in self.sets.held_out]
        levels = [level_of(bench, one) for one in sums]
        for one, its_sums, level in zip(self.sets.held_out, sums, levels, strict=True):
            self._note(one, its_sums, level)
        means = list(sums[0].halves) if len(sums) == 1 else [one.mean() for one in sums]
        sky = float(np.mean([level.level_e for level in levels]))
        noise = bench.egain * float(np.sqrt(np.mean([one.noise_adu2 for one in sums]))) / sky
        pair = _light(bench, means[0]), _light(bench, means[1])
        return _HeldOut(pair, sky, noise, depths(bench, list(sums[0].patches)))

    def _note(self, one: FrameSet, sums: Sums, level: Measured | None = None) -> None:
        self.record.told.append(
            SetFound(
                name=one.name,
                frames=sums.count,
                seconds=one.seconds,
                gain=one.facts.exposure.gain,
                celsius=one.facts.sensor_celsius,
                level_e=level.level_e if level else None,
                egain=level.egain if level else None,
            )
        )


def _light(bench: Bench, mean: Float32) -> Light:
    """Rows of a mean less the dark, e-."""

    def rows_of(rows: slice) -> Float32:
        light: Float32 = (mean[rows] - bench.dark.mean(rows)) * np.float32(bench.egain)
        return light

    return rows_of


@dataclass(frozen=True, slots=True, eq=False)
class _HeldOut:
    """pair: two independent means. noise: of one frame, relative."""

    pair: tuple[Light, Light]
    level_e: float
    noise: float
    depth: list[Depth]


def _worst(whole: Deficits) -> Index:
    """The coldest pixels beyond doubt, coldest first."""
    z = whole.z.ravel()
    some = np.flatnonzero(z > SIGMAS)
    worst: Index = some[np.argsort(-z[some], kind="stable")[:WORST]]
    return worst


def _with_effect(seen: Evidence, found: dict[Method, Effect], gains: list[Gain]) -> Evidence:
    """The evidence with what the methods are worth on held-out frames."""
    return replace(seen, improvement=max(high for _, _, high in gains), mended=_mended(found))


def _mended(found: dict[Method, Effect]) -> float | None:
    """What the additive correction leaves of the flagged pixels' error, as part of the bright flat's."""
    before, after = found[Method.BRIGHT].flagged, found[Method.ADDITIVE].flagged
    return after / before if before and after is not None else None
