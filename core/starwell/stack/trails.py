"""Satellites and aircraft: straight lines in what a sub has more than the stack.

Threshold the 4×-binned deviation, count points on every line (Hough, by bincount), and compare with the
count expected by chance: z = (count - expected)/sqrt(expected), expected = the line's length in the field ×
the share of points (methods, section 6). Chance stays below 10; a trail of half a sigma per pixel reaches
20.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from starwell.frame import Float32, Float64, flat_true
from starwell.stack.kernels import Indices, clipped_rms

BIN = 4
"""Output px per bin."""

SIGNIFICANCE = 14.0
MOST_TRAILS = 4
_POINT_SIGMA = 2.8
_ANGLES = 360
_ANGLES_AT_ONCE = 20
_FEWEST_POINTS = 10
_MOST_POINTS = 6000
_COARSE, _CLEAN = 4, 7
"""Over 7 times 4 bins what is smooth (clouds, a gradient) is taken out."""


class Trail(NamedTuple):
    """A band across the field: |x·cos + y·sin - distance| <= half_width, output px; significance z."""

    angle_rad: float
    distance_px: float
    half_width_px: float
    significance: float

    def pixels(self, size: tuple[int, int]) -> Indices:
        """Flat indices, sorted, of the output pixels it covers."""
        height, width = size
        cos, sin = math.cos(self.angle_rad), math.sin(self.angle_rad)
        along_x = abs(sin) >= abs(cos)
        run, slope, step = (width, cos, sin) if along_x else (height, sin, cos)
        reach = self.half_width_px / abs(step)
        s = np.arange(run)
        centre = (self.distance_px - slope * s) / step
        offset = np.arange(math.floor(-reach), math.ceil(reach) + 1)
        t = np.floor(centre + 0.5).astype(np.int64)[:, None] + offset
        keep = (np.abs(t - centre[:, None]) <= reach) & (t >= 0) & (t < (height if along_x else width))
        s, t = np.broadcast_to(s[:, None], t.shape)[keep], t[keep]
        return np.sort(t * width + s if along_x else s * width + t)


def find_trails(binned: Float32, fwhm_px: float) -> list[Trail]:
    """Up to 4 trails in the binned deviation over its sigma; bins without a value or on stars are 0.

    The result depends on the values only. Sigma is measured anew here: binning correlated pixels changed it.
    What is binned is overwritten.
    """
    used = cv2.countNonZero(binned)
    z = _cleaned(binned)
    y, x = np.divmod(flat_true(z > _POINT_SIGMA), z.shape[1])
    if len(x) > _MOST_POINTS:
        brightest = np.argsort(-z[y, x], kind="stable")[:_MOST_POINTS]
        y, x = y[brightest], x[brightest]
    found: list[Trail] = []
    while len(x) >= _FEWEST_POINTS and len(found) < MOST_TRAILS:
        trail = _strongest(x, y, z, used, fwhm_px)
        if trail is None:
            break
        found.append(trail)
        away = np.abs(_residual(x, y, trail)) > max(3.0, 1.5 * trail.half_width_px / BIN)
        x, y = x[away], y[away]
    return found


def _cleaned(binned: Float32) -> Float32:
    """z without what is smooth, in units of its own sigma, clipped so that stars leave no moats."""
    sample = binned.reshape(-1)[:: max(1, binned.size // 25_000)]
    sigma = clipped_rms(sample[sample != 0])
    if not sigma > 0:
        return np.zeros_like(binned)
    z = np.multiply(binned, np.float32(1 / sigma), out=binned)
    size = z.shape[::-1]
    coarse = (max(size[0] // _COARSE, 1), max(size[1] // _COARSE, 1))
    smooth = cv2.resize(np.clip(z, -5, 5), coarse, interpolation=cv2.INTER_AREA)
    smooth = cv2.resize(cv2.blur(smooth, (_CLEAN, _CLEAN)), size, interpolation=cv2.INTER_LINEAR)
    np.clip(z, -5, 20, out=z)
    np.subtract(z, smooth, out=z)
    z[[0, -1]] = z[:, [0, -1]] = 0  # half-covered bins along the edges make lines of their own
    return z


def _residual(x: Indices, y: Indices, trail: Trail) -> Float64:
    """Distance in bins of bin centres from a trail."""
    centre = (
        trail.distance_px - (BIN - 1) / 2 * (math.cos(trail.angle_rad) + math.sin(trail.angle_rad))
    ) / BIN
    return x * math.cos(trail.angle_rad) + y * math.sin(trail.angle_rad) - centre


@lru_cache(maxsize=4)
def _turned(size: tuple[int, int]) -> tuple[Float32, Float32, int]:
    """cos and sin of the angles, (angles, 1), and the row of distance 0 among the lines of an angle."""
    angle = np.pi * np.arange(_ANGLES)[:, None] / _ANGLES
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32), math.ceil(math.hypot(*size))


def _lengths(angle: Float64, rho: Float64, size: tuple[int, int]) -> Float32:
    """Lengths of the lines x·cos + y·sin = rho within the field, followed along (-sin, cos)."""
    c, s = np.cos(angle), np.sin(angle)
    low, high = np.full(rho.size, -np.inf), np.full(rho.size, np.inf)
    for slope, start, end in ((-s, rho * c, size[1]), (c, rho * s, size[0])):
        slope = np.where(np.abs(slope) > 1e-9, slope, 1e-9)
        a, b = (-0.5 - start) / slope, (end - 0.5 - start) / slope
        low, high = np.maximum(low, np.minimum(a, b)), np.minimum(high, np.maximum(a, b))
    length: Float32 = np.maximum(high - low, 0).astype(np.float32)
    return length


def _strongest(x: Indices, y: Indices, z: Float32, used: int, fwhm_px: float) -> Trail | None:
    turned = _turned(z.shape)
    origin = turned[2]
    lines, counts = _full_lines(x.astype(np.float32), y.astype(np.float32), turned)
    if not lines.size:
        return None
    rows, columns = np.divmod(lines, 2 * origin + 1)
    length = _lengths(np.pi * rows / _ANGLES, columns - float(origin), z.shape)
    expected = np.maximum(length * (len(x) / max(used, 1)), 0.25)
    significance = (counts - expected) / np.sqrt(expected)
    strongest = int(np.argmax(significance))
    most = float(significance[strongest])
    if most <= SIGNIFICANCE:
        return None
    row, distance = int(rows[strongest]), float(columns[strongest] - origin)
    angle, distance = _fitted(x, y, z, math.pi * row / _ANGLES, distance)
    centre = BIN * distance + (BIN - 1) / 2 * (math.cos(angle) + math.sin(angle))
    half_width = max(2 * fwhm_px, BIN * _half_width(x, y, angle, distance))
    return Trail(angle, centre, half_width, most)


def _full_lines(x: Float32, y: Float32, turned: tuple[Float32, Float32, int]) -> tuple[Indices, Indices]:
    """Flat indices (angle, distance) of the lines with points enough, and how many; x·cos + y·sin votes."""
    cos, sin, origin = turned
    distances = 2 * origin + 1
    across = distances * np.arange(_ANGLES_AT_ONCE)[:, None]
    here = (across + (origin + 0.5)).astype(np.float32)  # precise to 1/128 bin
    rho, term = (np.empty((_ANGLES_AT_ONCE, x.size), np.float32) for _ in range(2))
    cell = np.empty(rho.shape, np.int64)
    lines, counts = [], []
    for first in range(0, _ANGLES, _ANGLES_AT_ONCE):
        some = slice(first, first + _ANGLES_AT_ONCE)
        np.multiply(x, cos[some], out=rho)
        np.multiply(y, sin[some], out=term)
        np.add(rho, term, out=rho)
        np.add(rho, here, out=rho)
        np.copyto(cell, rho, casting="unsafe")
        count = np.bincount(cell.reshape(-1), minlength=across.size * distances)
        full = np.flatnonzero(count >= _FEWEST_POINTS)
        lines.append(full + first * distances)
        counts.append(count[full])
    return np.concatenate(lines), np.concatenate(counts)


def _fitted(x: Indices, y: Indices, z: Float32, angle: float, distance: float) -> tuple[float, float]:
    """Total least squares on the points near the line, nearer each time: half a degree is 10 px far out."""
    for reach in (6.0, 4.0, 2.5, 2.0, 2.0):
        near = np.abs(x * math.cos(angle) + y * math.sin(angle) - distance) <= reach
        if np.count_nonzero(near) < 3:
            break
        px, py, w = x[near].astype(float), y[near].astype(float), z[y[near], x[near]].astype(float)
        mx, my = np.average(px, weights=w), np.average(py, weights=w)
        xx, yy, xy = (
            float(np.sum(w * a * b)) for a, b in ((px - mx,) * 2, (py - my,) * 2, (px - mx, py - my))
        )
        direction = 0.5 * math.atan2(2 * xy, xx - yy)
        angle = direction + math.pi / 2
        distance = float(mx * math.cos(angle) + my * math.sin(angle))
    return angle, distance


def _half_width(x: Indices, y: Indices, angle: float, distance: float) -> float:
    """How far from the line, in bins, it still stands out: an aircraft is wider than a star."""
    reach = np.arange(33)
    off = np.abs(x * math.cos(angle) + y * math.sin(angle) - distance)
    per_bin = np.bincount(np.rint(off).astype(int).clip(max=40), minlength=41)[: reach.size] / 2.0
    per_bin[0] *= 2
    ground = float(np.median(per_bin[16:]))
    weak = np.flatnonzero(per_bin <= max(0.15 * per_bin[0], ground + 4 * math.sqrt(ground + 1)))
    return float(weak[0]) if weak.size else float(reach[-1])
