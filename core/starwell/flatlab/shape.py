"""What is found beside the cold pixels: weak ones, stray light, and how the noise falls with the frames."""

from __future__ import annotations

import cv2
import numpy as np

from starwell.calibration.low_light_levels import MESH_PX, mesh_medians
from starwell.flatlab.deficits import Bench, Counts
from starwell.flatlab.effect import cells, uneven
from starwell.flatlab.findings import Depth, LeakCheck
from starwell.flatlab.sums import Sums
from starwell.frame import Float32, Planes

LEAK_E = 0.05
"""Light with the panel off that may reach a dim flat, e-."""

_WEAK_SIGMAS = 6.0
_WEAK_PART = 0.08
_NEIGHBOURS = 5
_CELL_PX = 32


def weak_pixels(bench: Bench) -> Counts:
    """Single pixels of much lower (cold) or higher (warm) sensitivity than those about them."""
    low = high = 0
    planes = Planes.of(bench.facts)
    for plane in planes.planes:
        a = np.ascontiguousarray(planes.view(bench.bright, plane))
        off = a / np.maximum(cv2.medianBlur(a, _NEIGHBOURS), 1e-3) - 1
        spread = 1.4826 * float(np.median(np.abs(off[::3, ::3])))
        limit = max(_WEAK_SIGMAS * spread, _WEAK_PART)
        low += int(np.count_nonzero(off < -limit))
        high += int(np.count_nonzero(off > limit))
    return Counts(low + bench.dead, high, bench.bright.size)


def leak(bench: Bench, unlit: Sums) -> LeakCheck:
    """Frames with the panel off against the darks: the median, and the strongest cell of the large scale."""
    light = (unlit.mean() - bench.dark.mean()) * np.float32(bench.egain)
    difference = float(np.median(light))
    mesh = mesh_medians(light, MESH_PX)
    strongest = float(mesh.flat[int(np.argmax(np.abs(mesh)))])
    # a cell's median is good to 1.25·sigma/sqrt(pixels): a strongest one of noise alone is no leak
    sigma = np.sqrt(float(np.median(bench.dark_var_e2)) * (1 / unlit.count + 1 / bench.dark.count))
    noise = 5 * 1.25 * sigma / min(MESH_PX, *light.shape)
    passed = abs(difference) <= LEAK_E and bool(abs(strongest) <= LEAK_E + noise)
    return LeakCheck(difference_e=difference, strongest_e=strongest, passed=passed)


def depths(bench: Bench, patches: list[tuple[int, tuple[slice, slice], Float32]]) -> list[Depth]:
    """Noise of means of 1, 2, 4, … held-out frames, flat-fielded with the bright flat, percent of the sky."""
    found = []
    for frames, where, mean in patches:
        light = (mean - bench.dark.mean(where[0])[:, where[1]]) / bench.bright[where]
        side = min(_CELL_PX, *light.shape)
        step = Planes.of(bench.facts).planes[0].step
        plane = light[::step, ::step]
        side = min(side, *plane.shape)
        bands = [
            uneven(band, np.ones(band.shape, bool))
            for band in (cells(plane[y:], side) for y in range(0, len(plane) - side + 1, side))
        ]
        rms = float(np.sqrt(np.mean([np.mean(np.square(band)) for band in bands])))
        found.append(Depth(frames=frames, percent=100 * rms))
    return found
