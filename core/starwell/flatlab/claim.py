"""The hypothesis as it was put forward, and what the findings answer to each part of it."""

from __future__ import annotations

from math import hypot, sqrt

from starwell.flatlab.findings import Findings, SetFound
from starwell.flatlab.hypotheses import Verdict

HYPOTHESIS = (
    "Some pixels of CMOS cameras stay dark in stacks whatever dark and flat are used: cold ('cool') pixels. "
    "The astrophotographer apranat described them, reports that their sensitivity falls as the light gets "
    "less, and mends them with a 'cool file'. From there the hypothesis under test: because such pixels are "
    "at their best in a bright flat, it under-corrects them, and a dark does not show them at all; a "
    "same-condition flat, shot as the lights are (their exposure, gain, temperature and level of light: some "
    "300 frames through solar film), sees every pixel as the lights do, and corrects it. It was put forward "
    "with the wish that others test it on their cameras."
)
"""The seed of the experiment, as its author means it."""

_UNTESTED = (Verdict.CLIPPED, Verdict.DARK_MISMATCH, Verdict.INCONCLUSIVE)
_NONE_FOUND = (Verdict.LINEAR, Verdict.LOW_QE)
_RATHER = {Verdict.LEAK: "by losing charge over time", Verdict.ADU_OFFSET: "by an error of the converter"}
_DIVISOR_RULE = 9.8


def answers(findings: Findings) -> list[str]:
    """What the findings answer, question by question."""
    f = findings
    if f.verdict in _UNTESTED:
        return [
            "Do pixels lose sensitivity at low light? Not answered by these frames; the reasons are below."
        ]
    asked = [f"Do pixels lose sensitivity at low light? {_cold(f)}"]
    flagged = f.details.flagged_percent
    if flagged.bright is not None and flagged.none is not None:
        asked.append(
            f"Do they stay in spite of dark and bright flat? With both they are {flagged.bright:.1f} % off "
            f"(rms), with the dark alone {flagged.none:.1f} %."
        )
    if flagged.same_condition is not None:
        asked.append(
            "Does a same-condition flat correct them? At the level it was shot at it leaves "
            f"{flagged.same_condition:.1f} %{_elsewhere(f)}."
        )
    return [*asked, *_price(f), *_floor(f)]


def limits(findings: Findings) -> str:
    """How far the verdict reaches."""
    d = findings.details
    levels = [one.level_e for one in d.by_level] + ([d.level_e] if d.level_e is not None else [])
    span = f"{min(levels):.3g} to {max(levels):.3g} e-" if levels else "the light levels above"
    told = f"All of this holds for this camera at these settings, from {span}."
    if findings.verdict in _NONE_FOUND and d.least_deficit_e is not None:
        return f"{told} Pixels that lack less than {d.least_deficit_e:.2g} e- would not have been seen."
    if findings.verdict in _UNTESTED:
        return told
    return f"{told} It tells the causes named here apart; what in a pixel keeps the charge back it does not."


def _cold(f: Findings) -> str:
    d = f.details
    if f.verdict in _NONE_FOUND:
        return f"None does that lacks {d.least_deficit_e or 0:.2g} e- or more of {d.level_e or 0:.3g} e-."
    share = 100 * f.flagged_pixels / max(d.size[0] * d.size[1], 1)
    some = f"{f.flagged_pixels:,} pixels ({share:.2g} % of the sensor)"
    if f.verdict in _RATHER:
        return f"Not so: {some} look cold, but {_RATHER[f.verdict]}."
    return f"Yes: {some} do, by a charge that depends neither on time nor on gain."


def _elsewhere(f: Findings) -> str:
    """How it does at other levels, all pixels together."""
    told = [
        f"{same:.2f} % instead of {bright:.2f} % at {one.level_e:.3g} e-"
        for one in f.details.by_level
        if (same := one.fpn_percent.same_condition) is not None
        and (bright := one.fpn_percent.bright) is not None
    ]
    return f". Elsewhere it leaves all pixels together with {', '.join(told)}" if told else ""


def _price(f: Findings) -> list[str]:
    same, bright = f.fpn_percent.same_condition, f.fpn_percent.bright
    low, d = _at_level(f), f.details
    if same is None or bright is None or low is None or not d.level_e:
        return []
    own = 100 * hypot(sqrt(d.level_e), d.dark_noise_e or 0.0) / d.level_e / sqrt(low.frames)
    return [
        f"At what price? As a divisor its {low.frames} frames put {own:.2g} % of noise into every pixel: all "
        f"pixels together {same:.2f} % fixed pattern, with a bright flat {bright:.2f} %. It takes "
        f"{_DIVISOR_RULE:g} such flats for every undithered sub to cost no more than 5 %."
    ]


def _floor(f: Findings) -> list[str]:
    d = f.details
    dark = next((one for one in d.sets if one.name == "dark"), None)
    if dark is None or not d.level_e or not d.dark_noise_e:
        return []
    least = 100 * d.dark_noise_e / sqrt(dark.frames) / d.level_e
    return [
        f"What is left at best? The noise of the master dark of {dark.frames} frames is {least:.2f} % of "
        "this sky: more darks lower it, no flat does."
    ]


def _at_level(f: Findings) -> SetFound | None:
    """The dim flats of L0."""
    lows = [one for one in f.details.sets if one.name == "low" and one.level_e is not None]
    here = f.details.level_e
    return min(lows, key=lambda one: abs((one.level_e or 0.0) - (here or 0.0)), default=None)
