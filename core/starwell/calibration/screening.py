"""The first look at every frame of a series: its levels on a coarse grid, and which frames to leave out."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from starwell.calibration.master import colour_views
from starwell.calibration.survey import enough
from starwell.errors import MasterMismatch, StorageError
from starwell.files.frames import open_frame
from starwell.frame import Facts, Float32, Float64, Frame, Kind, Pixels, Planes
from starwell.measure.noise import plane_noise

GRID = 8
"""Blocks per side of the grid on which frames are compared."""
LEAK_SIGMAS = 1.0
"""A block of a dark this many sigmas of the pixel noise off the other frames is light, not noise."""
SHAPE = 0.03
"""A block of a flat this far off the other flats' shape is a shadow, a cloud or a lamp."""
SATURATED = 0.001
"""A flat with more than this part of its pixels saturated is left out."""
MOST_ODD = 1 / 3
"""When more than this part of a series looks odd, it is the series that is wrong."""

_SAMPLES = 24  # per block and side


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """What one frame showed: grid (channels, GRID²) medians in ADU, pixel noise, a checksum."""

    path: Path
    grid: Float64
    noise_adu: float
    checksum: int
    saturated: float


@dataclass(frozen=True, slots=True, eq=False)
class Screened:
    """The frames to combine, the factor of each colour to the series' mean level, and those left out.

    scale: (frames, channels), 1 but for flats. level_adu: median of the series, above the pedestal for flats.
    """

    files: tuple[Path, ...]
    scale: Float64
    level_adu: float
    checksums: tuple[int, ...]
    left_out: Mapping[Path, str]


def screen(kind: Kind, paths: Iterable[Path], facts: Facts, pedestal: Float32 | None) -> Screened:
    """Read every frame once and choose; MasterMissing or MasterMismatch when too few agree.

    pedestal: what is taken off a flat before its level is judged, (H, W), (3, H, W) or one pixel.
    """
    left_out: dict[Path, str] = {}
    looks: dict[int, Looked] = {}
    for path in paths:
        try:
            look = _look(path, open_frame(path), facts)
        except StorageError as error:
            left_out[path] = str(error)
            continue
        if isinstance(look, str):
            left_out[path] = f"{path.name}: {look}."
        elif look.checksum in looks:
            left_out[path] = f"{path.name}: the same pixels as {looks[look.checksum].path.name}."
        elif kind is Kind.FLAT and look.saturated > SATURATED:
            left_out[path] = f"{path.name}: {100 * look.saturated:.1f} % of its pixels are saturated."
        else:
            looks[look.checksum] = look
    enough(kind, len(looks), left_out)
    return _choose(kind, list(looks.values()), left_out, _pedestal_grid(pedestal, facts))


def grid_medians(pixels: Pixels, facts: Facts) -> Float64:
    """Medians of sampled pixels on an 8×8 grid, (channels, GRID²)."""
    channels = []
    for views in colour_views(pixels, facts):
        blocks = []
        for view in views:
            rows, columns = view.shape[0] // GRID, view.shape[1] // GRID
            part = view[: rows * GRID, : columns * GRID].reshape(GRID, rows, GRID, columns)
            part = part[:, :: max(1, rows // _SAMPLES), :, :: max(1, columns // _SAMPLES)]
            blocks.append(part.transpose(0, 2, 1, 3).reshape(GRID * GRID, -1))
        channels.append(np.nanmedian(np.concatenate(blocks, axis=1).astype(np.float64), axis=1))
    return np.array(channels)


def _look(path: Path, frame: Frame, facts: Facts) -> Looked | str:
    """What a frame shows, or why it is no frame of this series."""
    pixels = frame.pixels
    if pixels.shape != facts.shape:
        return f"its size is {'×'.join(str(n) for n in reversed(pixels.shape))}, not that of the others"
    low, high = float(np.fmin.reduce(pixels, axis=None)), float(np.fmax.reduce(pixels, axis=None))
    if not np.isfinite(low) or not np.isfinite(high):
        return "it holds no numbers (NaN)"
    if low == high:
        return f"every pixel is {low:g}: a failed readout"
    missing = 0 if pixels.dtype.kind in "iu" else int(pixels.size - np.isfinite(pixels).sum())
    if missing > pixels.size // 100:
        return f"{100 * missing / pixels.size:.0f} % of its pixels are not numbers (NaN)"
    saturated = np.count_nonzero(pixels[..., ::2, :] >= facts.saturation_adu) / pixels[..., ::2, :].size
    checksum = zlib.crc32(np.ascontiguousarray(pixels).data)
    noise = float(np.nanmedian(plane_noise(pixels, Planes.of(facts))))
    return Looked(path, grid_medians(pixels, facts), noise, checksum, float(saturated))


def _pedestal_grid(pedestal: Float32 | None, facts: Facts) -> Float64 | float:
    if pedestal is None:
        return 0.0
    return float(pedestal.flat[0]) if pedestal.size == 1 else grid_medians(pedestal, facts)


def _choose(
    kind: Kind, looks: list[Looked], left_out: dict[Path, str], pedestal: Float64 | float
) -> Screened:
    grids = np.array([look.grid for look in looks])
    if kind is Kind.FLAT:
        grids = grids - pedestal
        scale, odd = _flat_scale(looks, grids)
    else:
        scale, odd = np.ones(grids.shape[:2]), _leaks(looks, grids)
    if len(odd) > max(1.0, MOST_ODD * len(looks)):
        raise MasterMismatch(
            f"The frames do not agree with each other: {len(odd)} of {len(looks)} differ. "
            f"{next(iter(odd.values()))} Nothing was combined: look for "
            "light, clouds, or a camera that was still cooling down."
        )
    kept = [i for i, look in enumerate(looks) if look.path not in odd]
    if kind is Kind.FLAT:
        scale = scale / scale[kept].mean(axis=0)
    left_out |= odd
    return Screened(
        tuple(looks[i].path for i in kept),
        scale[kept],
        float(np.median(grids[kept])),
        tuple(looks[i].checksum for i in kept),
        left_out,
    )


def _leaks(looks: list[Looked], grids: Float64) -> dict[Path, str]:
    """Frames of a dark series with a block off the others' by more than noise, or than matters."""
    off = grids - np.median(grids, axis=0)
    # one frame's blocks scatter by the noise of a median; a leak moves them by much more
    scatter = 1.4826 * float(np.median(np.abs(off - np.median(off, axis=2, keepdims=True))))
    limit = max(LEAK_SIGMAS * float(np.median([look.noise_adu for look in looks])), 8 * scatter)
    return {
        look.path: f"{look.path.name}: {_farthest(frame):+.0f} ADU off the other frames: light, or another "
        "temperature."
        for look, frame in zip(looks, off, strict=True)
        if np.abs(frame).max() > limit
    }


def _farthest(off: Float64) -> float:
    return float(off.flat[np.abs(off).argmax()])


def _flat_scale(looks: list[Looked], grids: Float64) -> tuple[Float64, dict[Path, str]]:
    """Each flat's level in each colour, and the flats of another shape than the rest."""
    dark = [look.path.name for look, grid in zip(looks, grids, strict=True) if np.median(grid) <= 0]
    if dark:
        raise MasterMismatch(
            f"{', '.join(dark[:4])}: no brighter than the bias. Give the flats' own bias or dark flats, "
            "or check that the lamp was on."
        )
    scale = np.median(grids, axis=2)
    common = np.median(grids / scale[:, :, None], axis=0)
    ratio = grids / np.maximum(common, 1e-9)
    scale = np.median(ratio, axis=2)
    off = ratio / scale[:, :, None] - 1
    scatter = 1.4826 * float(np.median(np.abs(off)))
    odd = {
        look.path: f"{look.path.name}: {100 * _farthest(frame):+.0f} % off the other flats' shape."
        for look, frame in zip(looks, off, strict=True)
        if np.abs(frame).max() > max(SHAPE, 8 * scatter)
    }
    return scale, odd
