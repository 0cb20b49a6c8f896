"""The plots of an analysis as PNG; takes matplotlib, which `starwell[report]` brings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from starwell.errors import PlanError, StorageError
from starwell.frame import Float32
from starwell.sensor.photon_transfer import Analysis

_BINS = 200


def drawing() -> Any:
    """matplotlib's Figure; PlanError that says how to get it where it is missing."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PlanError(
            "--report draws its plots with matplotlib, which is not installed: pip install "
            "'starwell[report]'. The figures themselves come without it."
        ) from error
    return Figure


class Plots:
    """The plots of a report so far, by file and caption."""

    def __init__(self, folder: Path) -> None:
        self.made: list[tuple[str, str]] = []
        self._folder = folder

    def save(self, figure: Any, name: str, caption: str) -> None:
        """Add one; StorageError where it cannot be written."""
        path = self._folder / name
        try:
            figure.savefig(path, dpi=120)
        except OSError as error:
            raise StorageError(f"{path} cannot be written: {error.strerror}.") from error
        self.made.append((name, caption))


def draw(analysis: Analysis, folder: Path) -> list[tuple[str, str]]:
    """Write the plots the analysis has material for; their files and captions. StorageError, PlanError."""
    figure_of, plots = drawing(), Plots(folder)
    if analysis.points is not None and analysis.line is not None:
        plots.save(
            _curve(figure_of, analysis), "photon-transfer.png", "Photon-transfer curve and its residuals"
        )
    rates, spread = analysis.dark.rate_adu_s, analysis.dark.spread_adu
    if rates is not None:
        words = "Dark current of every pixel", "ADU/s"
        plots.save(_histogram(figure_of, rates, *words), "dark-current.png", words[0])
    if spread is not None:
        words = "Scatter of every pixel over the frames", "ADU rms"
        plots.save(_histogram(figure_of, spread, *words), "pixel-noise.png", words[0])
    return plots.made


def _curve(figure_of: Any, analysis: Analysis) -> Any:
    points, line = analysis.points, analysis.line
    assert points is not None
    assert line is not None
    figure = figure_of(figsize=(7, 6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    x, y = points.light_adu, points.shot_adu2
    fitted = line.intercept + line.slope * x
    for part, style, word in ((points.used, "o", "fitted"), (~points.used, "x", "left out")):
        upper.plot(x[part], y[part], style, color="tab:blue", label=word)
        lower.plot(x[part], 100 * (y[part] / fitted[part] - 1), style, color="tab:blue")
    order = np.argsort(x)
    upper.plot(x[order], fitted[order], color="tab:red", label=f"{1 / line.slope:.4g} e-/ADU")
    if points.above_pedestal and (x > 0).all() and (y > 0).all():
        upper.set(xscale="log", yscale="log")
    upper.set(ylabel="shot noise squared, ADU²")
    upper.legend()
    lower.axhline(0, color="tab:red")
    lower.set(xlabel="light above the bias, ADU" if points.above_pedestal else "level, ADU", ylabel="off, %")
    return figure


def _histogram(figure_of: Any, values: Float32, title: str, unit: str) -> Any:
    figure = figure_of(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    low, high = np.quantile(values, (0.0005, 0.9995))
    axes.hist(np.clip(values.ravel(), low, high), bins=_BINS, log=True)
    axes.set(title=title, xlabel=f"{unit} (the outermost bins hold what lies beyond)", ylabel="pixels")
    return figure
