"""An analysis in words: a table and a small drawing for terminals, Markdown for the shelf."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from starwell.frame import Float64
from starwell.sensor.photon_transfer import Analysis
from starwell.sensor.photon_transfer_blocks import BLOCK

_COLUMNS, _ROWS = 56, 14
_UNKNOWN = "not told"


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose analysis it is, and what it rests on, in words."""

    camera: str
    setting: str
    window: str
    frames: str


@dataclass(frozen=True, slots=True)
class Row:
    """One figure; how: what it rests on."""

    name: str
    value: str
    how: str = ""


def rows(analysis: Analysis) -> list[Row]:
    """All figures, the unknown ones too."""
    a, dark = analysis, analysis.dark
    error = f" ± {a.egain_error:.2g}" if a.egain_error is not None else ""
    shift = f"; files hold {1 << a.adu_shift} ADU a step" if a.adu_shift else ""
    prnu_at = f", at {100 * a.prnu_level:.0f} % of saturation" if a.prnu_level is not None else ""
    uneven = f"; {a.uneven_percent:.2f} % with the illumination in it" if a.uneven_percent is not None else ""
    of = f"of {dark.map_pixels:,} px"
    return [
        Row("gain", _said(a.egain, ".4g", f"{error} e-/ADU"), f"slope of variance against light{shift}"),
        Row("read noise", _said(a.read_noise_e, ".3g", " e-"), "pairs of biases"),
        Row("full well", _said(a.full_well_e, ",.0f", " e-"), _least(a)),
        Row("dynamic range", _range(a), "full well over read noise"),
        Row(
            "PRNU",
            _said(a.prnu_percent, ".3g", " %"),
            f"within {BLOCK}×{BLOCK} px, their planes taken off{prnu_at}{uneven}",
        ),
        Row("DSNU", _said(a.dsnu_e, ".3g", " e-"), f"of the biases, within {BLOCK}×{BLOCK} px"),
        Row("linearity", _said(a.linearity_percent, ".3g", " % off"), "mean deviation, 5 to 95 %"),
        Row("dark current", _said(dark.e_per_s, ".4g", " e-/s"), "used" if dark.e_per_s is not None else ""),
        Row("  by noise", _with_error(dark.by_variance, dark.by_variance_error), "slope of the variance"),
        Row("  by level", _with_error(dark.by_mean, dark.by_mean_error), "slope of the mean"),
        Row("hot pixels", _said(dark.hot, ",d"), f"{of}{_over(dark.hot_over_e_s)}"),
        Row("flickering", _said(dark.rtn, ",d"), f"{of}, over 4× the usual scatter (telegraph noise)"),
        Row("at zero", _said(a.zero_fraction, ".2g"), "share of the bias samples at the lower rail"),
    ]


def as_text(subject: Subject, analysis: Analysis) -> list[str]:
    """The report for a terminal."""
    lines = [f"{subject.camera}, {subject.setting}", f"  {subject.window}; {subject.frames}", ""]
    lines += [f"  {row.name:<14}{row.value:<26}{row.how}".rstrip() for row in rows(analysis)]
    drawing = curve_drawn(analysis)
    return [*lines, "", *drawing] if drawing else lines


def curve_drawn(analysis: Analysis) -> list[str]:
    """The photon-transfer curve in characters: noise against light, both logarithmic."""
    points, line = analysis.points, analysis.line
    if points is None or line is None or not points.above_pedestal:
        return []
    light, shot = points.light_adu, points.shot_adu2
    shown = (light > 0) & (shot > 0)
    if np.count_nonzero(shown) < 3:
        return []
    x, y = np.log10(light[shown]), np.log10(shot[shown]) / 2
    fitted = np.linspace(x.min(), x.max(), _COLUMNS)
    fitted_y = (np.log10(line.slope) + fitted) / 2
    low, high = min(y.min(), fitted_y.min()), max(y.max(), fitted_y.max())
    grid = [[" "] * _COLUMNS for _ in range(_ROWS)]
    _put(grid, fitted, fitted_y, (x.min(), x.max()), (low, high), "·")
    for mark, part in (("x", ~points.used[shown]), ("o", points.used[shown])):
        _put(grid, x[part], y[part], (x.min(), x.max()), (low, high), mark)
    labels = {0: f"{10**high:,.1f}", _ROWS - 1: f"{10**low:,.1f}"}
    drawn = [f"  {labels.get(i, ''):>8} │{''.join(row)}" for i, row in enumerate(grid)]
    ends = f"{10 ** x.min():,.0f}"
    far = f"{10 ** x.max():,.0f} ADU"
    return [
        "  shot noise, ADU, against light (o fitted, x left out, · the line)",
        *drawn,
        f"  {'':>8} └{'─' * _COLUMNS}",
        f"  {'':>9} {ends}{far:>{_COLUMNS - len(ends)}}",
    ]


def as_markdown(subject: Subject, analysis: Analysis, plots: list[tuple[str, str]]) -> str:
    """The report as Markdown; plots: file and caption."""
    lines = [
        f"# Sensor analysis: {subject.camera}",
        "",
        f"{subject.setting}. {subject.window}; {subject.frames}.",
        "",
        "| figure | value | how |",
        "|---|---|---|",
        *(f"| {row.name.strip()} | {row.value} | {row.how} |" for row in rows(analysis)),
        "",
        "Photon transfer after EMVA 1288: pairs brought to one level, 4-sigma-clipped rms of their "
        "differences, a line through the origin weighted by 1/variance². ADU are the converter's own, "
        "un-shifted.",
    ]
    if analysis.warnings:
        lines += ["", "## Warnings", "", *(f"- {warning}" for warning in analysis.warnings)]
    for file, caption in plots:
        lines += ["", f"![{caption}]({file})", "", caption]
    return "\n".join([*lines, ""])


def _put(
    grid: list[list[str]],
    x: Float64,
    y: Float64,
    across: tuple[float, float],
    up: tuple[float, float],
    mark: str,
) -> None:
    columns = np.rint((x - across[0]) / max(across[1] - across[0], 1e-9) * (_COLUMNS - 1)).astype(int)
    heights = np.rint((y - up[0]) / max(up[1] - up[0], 1e-9) * (_ROWS - 1)).astype(int)
    for column, height in zip(columns, heights, strict=True):
        grid[_ROWS - 1 - height][column] = mark


def _said(value: float | int | None, form: str, unit: str = "") -> str:
    return _UNKNOWN if value is None else f"{value:{form}}{unit}"


def _with_error(value: float | None, error: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:.4g} ± {error or 0:.1g} e-/s"


def _range(a: Analysis) -> str:
    if a.dynamic_range is None:
        return _UNKNOWN
    return f"{a.dynamic_range:,.0f} ({np.log2(a.dynamic_range):.1f} stops)"


def _least(a: Analysis) -> str:
    if a.full_well_e is not None:
        return "where the sensor or its converter ends"
    return "" if a.least_full_well_e is None else f"at least {a.least_full_well_e:,.0f} e-"


def _over(limit: float | None) -> str:
    return "" if limit is None else f", more than {limit:.2g} e-/s above the median"
