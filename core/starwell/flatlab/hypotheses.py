"""Which cause the evidence points to; all of them make pixels look cold, and worse at low light.

linear: a(x) says it all. low_qe: pixels of low sensitivity, which a bright flat mends. charge_threshold: a
deficit that saturates with charge. leak: it grows with time at one charge. adu_offset: it is constant in
ADU, so it changes with gain in e-. clipped: the gate. dark_mismatch: it is there without light too, or sits
in warm pixels. inconclusive: too few frames, or a set is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import ceil

import numpy as np
from scipy.special import ndtr

from starwell.flatlab.deficits import SIGMAS, Counts, Ratio
from starwell.flatlab.grounds import Evidence, Frames

SLACK = 0.1
"""How well any of the hypotheses predicts a ratio of real pixels."""
HOT_SHARE = 0.5
"""Of the flagged pixels: from here on they are warm pixels that the dark does not fit."""

_REFUTED_BELOW = 0.05
_LEAST_PIXELS = 10
_PROPORTIONAL = 0.8
_MUCH = 4.0
_DECIDED = 0.95
_SURE = 0.999
_ONE_LEVEL = 0.9


class Verdict(StrEnum):
    """What is the matter with this camera's pixels."""

    LINEAR = "linear"
    LOW_QE = "low_qe"
    CHARGE_THRESHOLD = "charge_threshold"
    LEAK = "leak"
    ADU_OFFSET = "adu_offset"
    CLIPPED = "clipped"
    DARK_MISMATCH = "dark_mismatch"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Found:
    """The verdict. why: the reasons, in sentences. missing: sets by their options' names."""

    verdict: Verdict
    confidence: float
    why: tuple[str, ...]
    frames_needed: int | None = None
    missing: tuple[str, ...] = ()


def judge(evidence: Evidence) -> Found:
    """The verdict on this evidence."""
    e = evidence
    if not e.gate.passed:
        return Found(Verdict.CLIPPED, _SURE, e.gate.reasons)
    if e.foreign_dark:
        return Found(Verdict.DARK_MISMATCH, _SURE, (e.foreign_dark,))
    if e.bright_ratio < _MUCH:
        why = (
            f"The bright flats are only {e.bright_ratio:.2g}× as bright as the dim ones: at the same charge "
            "both would show the same deficit, and their ratio nothing.",
        )
        return Found(Verdict.INCONCLUSIVE, 0.0, why, missing=("bright", "bright-dark"))
    return _mismatched(e) or (_cold(e) if _flagged(e.counts) else _even(e))


def _flagged(counts: Counts) -> bool:
    return counts.significant and counts.cold >= _LEAST_PIXELS


def _two_sided(counts: Counts) -> bool:
    """Whether pixels are too bright beyond doubt as well: no hypothesis of cold pixels makes them so."""
    return counts.mirrored.significant and counts.warm >= max(_LEAST_PIXELS, 0.2 * counts.cold)


def _mismatched(e: Evidence) -> Found | None:
    """Darks or a bright flat that do not belong to the dim flats."""
    if not _flagged(e.counts) and not _two_sided(e.counts):
        return None
    dark_too = e.without_light
    if dark_too is not None and dark_too.value > 0.5 and dark_too.off(0.0, SLACK) > _MUCH:
        part = 100 * dark_too.value
        why = f"{part:.0f} % of the deficit is there with the panel off: the darks are not theirs."
        return Found(Verdict.DARK_MISMATCH, _SURE, (why,))
    if e.hot_share >= HOT_SHARE and dark_too is None:
        why = (
            f"{100 * e.hot_share:.0f} % of the flagged pixels are warm in the darks: the darks were warmer, "
            "colder, longer or shorter than the dim flats. Shoot them between the flats, at one temperature."
        )
        return Found(Verdict.DARK_MISMATCH, min(_SURE, 0.5 + e.hot_share / 2), (why,))
    if not _two_sided(e.counts):
        return None
    both = f"{e.counts.warm} pixels are as much too bright as {e.counts.cold} are too dark"
    if (e.growth or 0.0) < 0.5:
        why = f"{both}, whatever the light: the darks' pattern is not that of the flats."
        return Found(Verdict.DARK_MISMATCH, 0.9, (why,))
    why = f"{both}, in proportion to the light: the bright flats show another light path than the dim ones."
    return Found(Verdict.INCONCLUSIVE, 0.0, (why,), missing=("bright",))


def _even(e: Evidence) -> Found:
    """No pixel is cold beyond doubt: is that because none is, or because too few frames were shot?"""
    least, target = e.frames.least_e, e.frames.target_e
    if least > target:
        needed = e.frames.needed()
        missing = tuple(n for n, c in (("low", e.frames.low), ("dark", e.frames.dark)) if c < needed)
        why = (
            f"These frames find deficits from {least:.2g} e- on; {target:.2g} e- must not be missed. It "
            f"takes {needed} dim flats and as many darks, not {e.frames.low} and {e.frames.dark}."
        )
        return Found(Verdict.INCONCLUSIVE, _power(e.frames), (why,), needed, missing or ("low",))
    if e.improvement >= _REFUTED_BELOW:
        why = (
            f"No single pixel stands out, yet up to {100 * e.improvement:.0f} % of the fixed pattern may go "
            "with another method: more held-out frames would tell."
        )
        return Found(Verdict.INCONCLUSIVE, 0.5, (why,), 2 * e.frames.low, ("held-out",))
    seen = f"No pixel loses {least:.2g} e- or more of {e.frames.level_e:.3g} e- beside its bright flat."
    gain = (
        f"No other method takes more than {100 * max(e.improvement, 0):.1f} % off the fixed pattern (99 %)."
    )
    if _flagged(e.weak):
        weak = f"{e.weak.cold} pixels are of low sensitivity, at every light level alike."
        return Found(Verdict.LOW_QE, _power(e.frames), (weak, seen, gain))
    return Found(Verdict.LINEAR, _power(e.frames), (seen, gain))


def _power(frames: Frames) -> float:
    """Chance that a pixel with the target deficit would have been found."""
    return float(min(0.99, ndtr(frames.target_e / frames.sigma_e - SIGMAS)))


def _cold(e: Evidence) -> Found:
    """Pixels are cold: by charge, by time or by ADU."""
    seen = f"{e.counts.cold} pixels lack more than {SIGMAS:g} sigmas; by chance {e.counts.chance:.1g} would."
    if e.confirmed < SIGMAS:
        why = "What one half of the frames flags, the other does not show: telegraph noise, or a jump."
        return Found(Verdict.INCONCLUSIVE, 0.0, (seen, why), 2 * e.frames.low, ("low",))
    growth = e.growth
    if growth is not None and growth > _PROPORTIONAL:
        why = "Their deficit is in proportion to the light: the bright flats show another light path."
        return Found(Verdict.INCONCLUSIVE, 0.5, (seen, why), missing=("bright",))
    likely = _posterior(e)
    best = max(likely, key=lambda v: likely[v])
    missing = _missing(e, best)
    if missing or likely[best] < _DECIDED:
        needed = None if missing else _sharper(e)
        told = (
            f"Not told apart without --{', --'.join(missing)}."
            if missing
            else "The ratios are too uncertain."
        )
        return Found(
            Verdict.INCONCLUSIVE, likely[best], (seen, told), needed, missing or ("same-charge", "other-gain")
        )
    if _worst(e, best) > _MUCH + 1:
        why = "None of the hypotheses predicts how the deficit changes with time and gain."
        return Found(Verdict.INCONCLUSIVE, 0.0, (seen, why), missing=("same-charge", "other-gain"))
    if e.mended is not None and e.mended > _PROPORTIONAL:
        why = "The held-out frames do not show it: were they shot at the same settings and light?"
        return Found(Verdict.INCONCLUSIVE, 0.5, (seen, why), missing=("held-out",))
    sure = _SURE if e.by_level else _ONE_LEVEL
    return Found(best, min(likely[best], sure), (seen, *_because(e)))


_RIVALS = (Verdict.CHARGE_THRESHOLD, Verdict.LEAK, Verdict.ADU_OFFSET)


def _expected(verdict: Verdict, e: Evidence) -> list[tuple[Ratio, float]]:
    """The ratios measured, and what this hypothesis says they are."""
    pairs = []
    if e.by_time is not None:
        pairs.append((e.by_time[1], e.by_time[0] if verdict is Verdict.LEAK else 1.0))
    if e.by_gain is not None:
        pairs.append((e.by_gain[1], e.by_gain[0] if verdict is Verdict.ADU_OFFSET else 1.0))
    return pairs


def _posterior(e: Evidence) -> dict[Verdict, float]:
    """Probability of each rival, all alike before."""
    chi = {v: sum(r.off(x, SLACK * max(1.0, x)) ** 2 for r, x in _expected(v, e)) for v in _RIVALS}
    least = min(chi.values())
    weight = {v: float(np.exp(-min((c - least) / 2, 700.0))) for v, c in chi.items()}
    total = sum(weight.values())
    return {v: w / total for v, w in weight.items()}


def _worst(e: Evidence, verdict: Verdict) -> float:
    return max((r.off(x, SLACK * max(1.0, x)) for r, x in _expected(verdict, e)), default=0.0)


def _missing(e: Evidence, best: Verdict) -> tuple[str, ...]:
    """The sets without which this verdict cannot be told from the others."""
    missing: list[str] = []
    if e.by_time is None and best is not Verdict.ADU_OFFSET:
        missing += ["same-charge", "same-charge-dark"]
    if e.by_gain is None and best is not Verdict.LEAK:
        missing += ["other-gain", "other-gain-dark"]
    return tuple(missing)


def _sharper(e: Evidence) -> int:
    """Dim flats of each kind that make the ratios as certain as the models are."""
    errors = [r.error for _, r in (e.by_time, e.by_gain) if r] if e.by_time and e.by_gain else [2 * SLACK]
    return ceil(e.frames.low * max(2.0, (max(errors) / SLACK) ** 2))


def _because(e: Evidence) -> tuple[str, ...]:
    alone = "There is one light level only: a second --low would show whether the deficit saturates."
    said = [] if e.by_level else [alone]
    said += [f"At {level:.3g}× the light they lack {r}×." for level, r in sorted(e.by_level.items())]
    if e.by_time is not None:
        said.append(
            f"At the same charge in {e.by_time[0]:.2g} of the time they lack {e.by_time[1]}× (a "
            f"leak would be {e.by_time[0]:.2f}, everything else 1)."
        )
    if e.by_gain is not None:
        said.append(
            f"At {e.by_gain[0]:.2g}× the e-/ADU they lack {e.by_gain[1]}× (an offset of the "
            f"converter would be {e.by_gain[0]:.2f}, everything else 1)."
        )
    if e.without_light is not None:
        said.append(f"With the panel off they lack {e.without_light.value:.2f}×: it is not the darks.")
    return tuple(said)
