"""The plots of the findings as PNG; takes matplotlib, which `starwell[report]` brings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from starwell.flatlab.findings import Findings
from starwell.flatlab.report import METHODS
from starwell.sensor.report_plots import Plots, drawing

_CUTOUTS = 20


def draw(findings: Findings, folder: Path) -> list[tuple[str, str]]:
    """Write the plots there is material for; their files and captions. StorageError, PlanError."""
    figure_of, d, plots = drawing(), findings.details, Plots(folder)
    plots.save(
        _methods(figure_of, findings),
        "fixed-pattern.png",
        "Fixed pattern each method leaves, with 95 % intervals",
    )
    if sum(d.z_counts):
        caption = "Deficits of all pixels in units of their error; noise alone is the curve"
        plots.save(_histogram(figure_of, findings), "deficits.png", caption)
    if d.worst:
        caption = (
            "The coldest pixels: deficit against light; flat for a threshold, rising for low sensitivity"
        )
        plots.save(_curves(figure_of, findings), "cold-pixels.png", caption)
        plots.save(
            _cutouts(figure_of, findings),
            "cut-outs.png",
            "The coldest pixels and those about them, light over L0",
        )
    if len(d.depth) > 2:
        caption = "Noise of a mean of held-out frames, bright flat: it leaves 1/√N where fixed pattern wins"
        plots.save(_depth(figure_of, findings), "depth.png", caption)
    return plots.made


def _methods(figure_of: Any, findings: Findings) -> Any:
    figure = figure_of(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    shown = [(name, value) for name, value in findings.fpn_percent.items() if value is not None]
    values = np.array([value for _, value in shown])
    between = [findings.details.fpn_interval.get(name) for name, _ in shown]
    low = [value - (one.low if one else value) for one, value in zip(between, values, strict=True)]
    high = [(one.high if one else value) - value for one, value in zip(between, values, strict=True)]
    error = np.maximum(np.array([low, high]), 0)
    axes.barh([METHODS[name] for name, _ in shown], values, xerr=error, color="tab:blue", capsize=3)
    axes.invert_yaxis()
    axes.set(xlabel="fixed pattern, % of the sky")
    return figure


def _histogram(figure_of: Any, findings: Findings) -> Any:
    d = findings.details
    figure = figure_of(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    edges, counts = np.array(d.z_edges), np.array(d.z_counts)
    axes.stairs(np.maximum(counts, 0.1), edges, fill=True, color="tab:blue", label="pixels")
    middle = (edges[:-1] + edges[1:]) / 2
    normal = counts.sum() * np.diff(edges) * np.exp(-np.square(middle) / 2) / np.sqrt(2 * np.pi)
    axes.plot(middle, normal, color="tab:red", label="noise alone")
    for side in (-5, 5):
        axes.axvline(side, color="grey", linestyle=":")
    xlabel = "deficit over its error (cold to the right; the outermost bins hold what lies beyond)"
    axes.set(yscale="log", ylim=(0.3, None), xlabel=xlabel, ylabel="pixels")
    axes.legend()
    return figure


def _curves(figure_of: Any, findings: Findings) -> Any:
    figure = figure_of(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for one in findings.details.worst:
        axes.errorbar(one.levels_e, one.deficits_e, yerr=one.errors_e, marker="o", linewidth=0.8, capsize=2)
    top = max(max(one.levels_e) for one in findings.details.worst)
    axes.plot([0, top], [0, top], color="grey", linestyle=":", label="all light lost")
    axes.set(xlim=(0, None), ylim=(0, None), xlabel="light, e-", ylabel="deficit, e-")
    axes.legend()
    return figure


def _cutouts(figure_of: Any, findings: Findings) -> Any:
    figure = figure_of(figsize=(7, 6), layout="constrained")
    grid = figure.subplots(4, 5)
    for axes in grid.ravel():
        axes.set_axis_off()
    for axes, one in zip(grid.ravel(), findings.details.worst[:_CUTOUTS], strict=False):
        axes.imshow(np.array(one.around), cmap="gray", vmin=0.3, vmax=1.3)
        axes.set_title(f"{one.x}, {one.y}", fontsize=7)
    return figure


def _depth(figure_of: Any, findings: Findings) -> Any:
    d = findings.details
    figure = figure_of(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    frames = np.array([one.frames for one in d.depth], float)
    noise = np.array([one.percent for one in d.depth])
    axes.loglog(frames, noise, "o-", color="tab:blue", label="measured")
    first = d.sub_noise_percent or noise[0]
    axes.loglog(frames, first / np.sqrt(frames), color="tab:red", label="1/√N")
    if (floor := findings.fpn_percent.bright) is not None:
        axes.axhline(floor, color="grey", linestyle=":", label="fixed pattern")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.set(xlabel="frames", ylabel="noise, % of the sky")
    axes.legend()
    return figure
