"""Findings in words, for a sceptical reader: the hypothesis in its author's sense, then what was found."""

from __future__ import annotations

from collections.abc import Iterator

from starwell.flatlab.claim import HYPOTHESIS, answers, limits
from starwell.flatlab.findings import ByMethod, Findings, SetFound
from starwell.flatlab.hypotheses import Verdict

METHODS = {
    "none": "no flat",
    "bright": "bright flat",
    "same_condition": "same-condition flat",
    "hybrid": "hybrid",
    "additive": "bright flat + low-light map",
}
"""What people call the methods."""

_METHOD = (
    "Dim and bright flats are compared pixel by pixel in electrons, d = L - F/a: a pixel's sensitivity "
    "cancels, and so do lamp and vignetting (ratios over 64 px, rows and columns are divided out). Pixels "
    "are flagged beyond 5 sigmas in one half of the frames and measured in the other, so that no noise is "
    "counted as an effect; as many pixels beyond 5 sigmas on the bright side are the control. What a method "
    "is worth is measured on held-out frames without any noise model: the covariance of two independent "
    "corrected means is the fixed pattern (FPN) it leaves. N* is the number of undithered subs at which that "
    "pattern equals their noise. The causes are told apart by how the deficit changes with light, with time "
    "at one charge, and with gain at one charge."
)

VERDICTS = {
    Verdict.LINEAR: "Refuted for this camera: its pixels are linear down to this light.",
    Verdict.LOW_QE: "Refuted for this camera: it has cold pixels, but of low sensitivity at all light alike.",
    Verdict.CHARGE_THRESHOLD: "Supported: pixels keep back a charge, and are colder the less light they get.",
    Verdict.LEAK: "Pixels lose charge over time, not with the light: a leak.",
    Verdict.ADU_OFFSET: "Pixels are read too low by so many ADU: the converter's error, not the pixels'.",
    Verdict.CLIPPED: "Not tested: the converter cuts off the noise, and that alone makes pixels look cold.",
    Verdict.DARK_MISMATCH: "Not tested: the darks do not belong to the dim flats.",
    Verdict.INCONCLUSIVE: "Not decided.",
}
"""The verdicts as sentences about the hypothesis."""


def as_text(findings: Findings) -> list[str]:
    """The report for a terminal."""
    f, d = findings, findings.details
    lines = [d.camera or "unknown camera", f"  {VERDICTS[f.verdict]}", ""]
    lines += [f"  {'verdict':<20}{f.verdict.value} ({_sure(f)})"]
    lines += [f"  {'gate':<20}{_gate_said(f)}"]
    if d.level_e is not None:
        lines += [f"  {'light':<20}{d.level_e:.3g} e-, dark noise {d.dark_noise_e or 0:.3g} e-"]
    chance, warm = f"{d.chance:.1g}", d.warm_pixels
    lines += [f"  {'flagged pixels':<20}{f.flagged_pixels} ({chance} by chance; {warm} too bright)"]
    lines += ["", f"  {'':<30}{'FPN %':>8}{'95 %':>14}{'N*':>9}"]
    for name, percent, interval, depth in _table(f):
        lines.append(f"  {name:<30}{percent:>8}{interval:>14}{depth:>9}")
    lines += ["", *(f"  {line}" for line in f.why), "", *(f"  {line}" for line in answers(f))]
    lines += ["", f"  {f.recommendation}"]
    return lines


def as_markdown(findings: Findings, plots: list[tuple[str, str]]) -> str:
    """The report as Markdown; plots: file and caption."""
    f, d = findings, findings.details
    lines = [
        f"# Flat lab: {d.camera or 'unknown camera'}",
        "",
        f"**{VERDICTS[f.verdict]}** Verdict `{f.verdict.value}` ({_sure(f)}).",
        "",
        f.recommendation,
        "",
        "## The hypothesis",
        "",
        HYPOTHESIS,
        "",
        *(f"- {line}" for line in answers(f)),
        "",
        limits(f),
        "",
        "## How it was tested",
        "",
        _METHOD,
        "",
        *_sets(d.sets),
        "",
        "## The gate",
        "",
        f"{_gate_said(f)}. {_clipping_said(f)}".strip(),
        "",
        "## What was found",
        "",
        *(f"- {line}" for line in _found(f)),
        "",
        *_effects(f),
    ]
    return "\n".join([*lines, *_appended(f, plots), ""])


def _appended(f: Findings, plots: list[tuple[str, str]]) -> Iterator[str]:
    """The parts that not every report has."""
    if f.details.by_level:
        yield from ("", *_levels(f))
    if f.warnings:
        yield from ("", "## Warnings", "", *(f"- {warning}" for warning in f.warnings))
    for file, caption in plots:
        yield from ("", f"![{caption}]({file})", "", caption)


def _gate_said(f: Findings) -> str:
    gate = f.gate
    share = f"{100 * gate.zero_fraction:.2g} % of the darks' samples at the lowest code"
    return f"{'passed' if gate.passed else 'REFUSED'}: {share}"


def _clipping_said(f: Findings) -> str:
    if f.gate.passed:
        return f"Clipping feigns a deficit of {f.gate.bias_e:.2g} e- at most; it does not make the rest."
    return f"{'; '.join(f.gate.reasons)}. The figures below are what they are; they support no hypothesis."


def _found(f: Findings) -> list[str]:
    d = f.details
    lines = [*f.why]
    if d.least_deficit_e is not None and d.level_e:
        part = 100 * d.least_deficit_e / d.level_e
        lines.append(
            f"The smallest deficit of a single pixel these frames find: {d.least_deficit_e:.2g} e- of "
            f"{d.level_e:.3g} e- ({part:.0f} %)."
        )
    lines.append(
        f"The control: {d.warm_pixels} pixels are brighter by more than 5 sigmas, {f.flagged_pixels} darker; "
        f"by chance {d.chance:.1g} on each side."
    )
    if d.confirmed_sigmas:
        lines.append(
            f"In the half of the frames that did not flag them the same pixels lack light by "
            f"{d.confirmed_sigmas:.0f} sigmas of their mean."
        )
    if d.shape is not None:
        lines.append(
            f"Dim over bright flats, over 64 px: {d.shape.large:.3f} between the brightest and the darkest "
            f"part; "
            f"rows {100 * d.shape.rows:.2f} %, columns {100 * d.shape.columns:.2f} % rms (divided out)."
        )
    if d.leak is not None:
        lines.append(
            f"With the panel off {d.leak.difference_e:+.3f} e- (strongest part {d.leak.strongest_e:+.3f}) "
            f"above "
            f"the darks: {'no light leaks in' if d.leak.passed else 'LIGHT LEAKS IN'}."
        )
    if f.missing:
        lines.append(f"Missing: {', '.join(f.missing)}.")
    if f.frames_needed:
        lines.append(f"Frames needed of each dim set: {f.frames_needed}.")
    return lines


def _sure(f: Findings) -> str:
    return "more than 99 % sure" if f.confidence > 0.99 else f"{100 * f.confidence:.0f} % sure"


def _table(f: Findings) -> list[tuple[str, str, str, str]]:
    depths = dict(f.n_star.items())
    rows = []
    for name, percent in f.fpn_percent.items():
        interval = f.details.fpn_interval.get(name)
        between = f"{interval.low:.2f}-{interval.high:.2f}" if interval else ""
        depth = depths.get(name)
        rows.append(
            (
                METHODS[name],
                "-" if percent is None else f"{percent:.2f}",
                between,
                "-" if depth is None else f"{depth:,.0f}",
            )
        )
    return rows


def _effects(f: Findings) -> list[str]:
    d = f.details
    flagged, offsets = dict(d.flagged_percent.items()), d.n_star_offsets
    dithered = dict(offsets.items()) if offsets is not None else {}
    head = "| method | FPN, % of the sky | 95 % | flagged pixels, rms % | N* |"
    rule = "|---|---|---|---|---|"
    rows = []
    for (name, _), (word, percent, between, depth) in zip(f.fpn_percent.items(), _table(f), strict=True):
        there = flagged.get(name)
        row = f"| {word} | {percent} | {between} | {'-' if there is None else f'{there:.1f}'} | {depth} |"
        if offsets is not None:
            night = dithered.get(name)
            row += f" {'-' if night is None else f'{night:,.0f}'} |"
        rows.append(row)
    if offsets is not None:
        head, rule = f"{head} N* with this night's offsets |", f"{rule}---|"
    lines = [head, rule, *rows]
    if d.improvement_percent is not None and d.improvement_interval is not None:
        between = f"{d.improvement_interval.low:.1f} to {d.improvement_interval.high:.1f} %, 99 %"
        lines += [
            "",
            f"The best rival takes {d.improvement_percent:.1f} % off the bright flat's FPN ({between}).",
        ]
    return lines


def _levels(f: Findings) -> list[str]:
    names = list(METHODS)
    lines = [
        "At other light levels, with what the dim flats of "
        f"{f.details.level_e or 0:.3g} e- alone have taught (FPN, %):",
        "",
        f"| sky e- | {' | '.join(METHODS[name] for name in names)} |",
        f"|---|{'---|' * len(names)}",
    ]
    rows = [f"| {one.level_e:.3g} | {' | '.join(_figures(one.fpn_percent))} |" for one in f.details.by_level]
    return lines + rows


def _figures(by: ByMethod) -> list[str]:
    return ["-" if value is None else f"{value:.2f}" for _, value in by.items()]


def _sets(sets: tuple[SetFound, ...]) -> list[str]:
    lines = ["| set | frames | s | gain | °C | e- | e-/ADU |", "|---|---|---|---|---|---|---|"]
    for one in sets:
        figures = (one.seconds, one.gain, one.celsius, one.level_e, one.egain)
        said = ["-" if value is None else f"{value:.4g}" for value in figures]
        lines.append(f"| {one.name} | {one.frames} | {' | '.join(said)} |")
    return lines
