"""One set of equal frames, light or none, boiled down to what photon transfer needs of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from starwell.frame import Float32, Float64, Pixels, Planes
from starwell.sensor.photon_transfer_blocks import UNLIT, block_means, blocked, clipped_rms, evened, flattened

FEWEST_FOR_RTN = 8
"""Frames below which a pixel's own scatter says nothing."""

_EDGE_SURPLUS = 1.3
_PILE = 1e-4
_SURE = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """What the odd and the even frames of a light level share, and half of what they differ by.

    (planes, blocks, pixels), as parts of the local light, high-passed; NaN for outliers and unlit blocks.
    float16 holds a few per cent to better than the noise, in a quarter of the room.
    """

    common: NDArray[np.float16]
    apart: NDArray[np.float16]


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """What one set of frames tells; native ADU (un-shifted), (planes,) where not said otherwise.

    mean_adu: the level, pedestal included. light_adu: of the lit part, above the pedestal (NaN without one).
    variance_adu2: temporal, of one frame. pixels: of one plane, in all pairs together. inverse: mean of the
    light over the light, by which the dark variance in variance_adu2 was raised. fixed_adu2: variance of
    the fixed pattern within blocks; of light, as a part of it, squared. uneven2: the same without the
    high-pass, illumination included. floor_share, rail_share: of all samples, at the lower and upper rail.
    drift: largest over smallest level of the set. mean_map, spread_map: H×W, of sets without light;
    spread_map: rms of each pixel over the frames, None of fewer than 8.
    """

    seconds: float | None
    frames: int
    mean_adu: Float64
    light_adu: Float64
    variance_adu2: Float64
    inverse: Float64
    fixed_adu2: Float64
    uneven2: Float64
    pixels: int
    floor_share: float
    rail_share: float
    drift: float = 1.0
    pattern: Pattern | None = None
    mean_map: Float32 | None = None
    spread_map: Float32 | None = None

    @property
    def pairs(self) -> int:
        """Pairs the variance comes from."""
        return self.frames // 2


def dark_level(frames: Iterable[Pixels], planes: Planes, *, seconds: float | None, rail_adu: float) -> Level:
    """A set without light. frames: H×W, un-shifted. rail_adu: the value of saturated pixels."""
    return _Gathering(planes, None, rail_adu, lit=False).level(frames, seconds)


def light_level(
    frames: Iterable[Pixels],
    planes: Planes,
    *,
    seconds: float | None,
    rail_adu: float,
    pedestal_adu: Float64 | None = None,
) -> Level:
    """A set of one light level; the pairs are brought to one level before they are compared.

    pedestal_adu: (planes,), the level of frames without light; None where it is not known.
    """
    return _Gathering(planes, pedestal_adu, rail_adu, lit=True).level(frames, seconds)


class _Gathering:
    """Takes the frames of a set one by one; holds two of them and the sums of the odd and the even ones."""

    def __init__(self, planes: Planes, pedestal: Float64 | None, rail_adu: float, *, lit: bool) -> None:
        self._planes, self._rail, self._lit = planes, rail_adu, lit
        count = len(planes.planes)
        self._known = pedestal is not None
        self._pedestal = np.zeros(count) if pedestal is None else pedestal
        self._floor = self._top = self._samples = 0.0
        self._means: list[Float64] = []
        self._light: list[Float64] = []
        self._variance: list[Float64] = []
        self._inverse: list[Float64] = []
        self._halves: list[list[Float64]] = [[], []]
        self._sum: Float64 | None = None
        self._square: Float64 | None = None
        self._pixels = 0

    def level(self, frames: Iterable[Pixels], seconds: float | None) -> Level:
        """Everything the set tells."""
        held: list[Float64] = []
        for count, pixels in enumerate(frames):
            views = [blocked(self._planes.view(pixels, p).astype(np.float32)) for p in self._planes.planes]
            self._count_rails(pixels)
            self._means.append(np.array([block_means(view).mean() for view in views]))
            self._add(views, count)
            if not self._lit:
                self._add_maps(pixels)
            if count % 2:
                self._compare(held, views)
            held = views
        return self._whole(seconds)

    def _count_rails(self, pixels: Pixels) -> None:
        self._samples += pixels.size
        self._top += np.count_nonzero(pixels >= self._rail)
        self._floor += floor_share(pixels) * pixels.size

    def _add(self, views: list[Float64], count: int) -> None:
        """Sums of the odd and of the even frames, each brought to the first one's level."""
        half = self._halves[count % 2]
        first, mine = self._means[0] - self._pedestal, self._means[-1] - self._pedestal
        for i, view in enumerate(views):
            if self._lit and self._known:
                scaled = (view - self._pedestal[i]) * (first[i] / mine[i])
            else:
                scaled = view - self._means[-1][i]
            if len(half) <= i:
                half.append(scaled)
            else:
                half[i] += scaled

    def _add_maps(self, pixels: Pixels) -> None:
        values = pixels.astype(np.float64) - self._means[0].mean()
        if self._sum is None or self._square is None:
            self._sum, self._square = values.copy(), np.square(values)
        else:
            self._sum += values
            self._square += np.square(values)

    def _compare(self, one: list[Float64], other: list[Float64]) -> None:
        variance, light, inverse = [], [], []
        for i, (first, second) in enumerate(zip(one, other, strict=True)):
            a, b = first - self._pedestal[i], second - self._pedestal[i]
            level_a, level_b = block_means(a), block_means(b)
            if self._lit and self._known and min(level_a.mean(), level_b.mean()) > 0:
                ratio = np.sqrt(level_a.mean() / level_b.mean())
                mean = (level_a + level_b) / 2
                difference, part = evened(flattened(a / ratio - b * ratio, tilt=True), mean)
                inverse.append(float(np.mean(part.mean() / part)))
                light.append(float(part.mean()))
            else:
                difference = flattened(a - b, tilt=self._lit)
                inverse.append(1.0)
                light.append(float((level_a + level_b).mean() / 2) if self._known else np.nan)
            variance.append(clipped_rms(difference) ** 2 / 2)
            self._pixels += difference.size
        self._variance.append(np.array(variance))
        self._light.append(np.array(light))
        self._inverse.append(np.array(inverse))

    def _fixed(self, frames: int) -> tuple[Float64, Float64, Pattern | None]:
        """Variance of what odd and even frames share, within blocks and over all; the pattern of light."""
        within, over_all = [], []
        common_of, apart_of = [], []
        counts = ((frames + 1) // 2, frames // 2)
        relative = self._lit and self._known
        for one, other in zip(*self._halves, strict=True):
            a, b = one / counts[0], other / counts[1]
            both = (a + b) / 2
            common, apart = flattened(both, tilt=True), flattened((a - b) / 2, tilt=True)
            whole = both.mean() if relative else 1.0
            if relative:
                local = block_means(both)[:, None]
                local[local < UNLIT * np.median(local)] = np.nan
                common, apart = common / local, apart / local
                common_of.append(common.astype(np.float16))
                apart_of.append(apart.astype(np.float16))
            temporal = clipped_rms(apart) ** 2
            within.append(clipped_rms(common) ** 2 - temporal)
            over_all.append(clipped_rms((both - both.mean()) / whole) ** 2 - temporal)
        pattern = Pattern(np.array(common_of), np.array(apart_of)) if relative else None
        return np.array(within), np.array(over_all), pattern

    def _whole(self, seconds: float | None) -> Level:
        frames = len(self._means)
        unknown = np.full(len(self._planes.planes), np.nan)
        paired = bool(self._variance)
        means = np.array(self._means)
        above = means - self._pedestal
        lone = above.mean(axis=0) if self._known else unknown
        fixed, uneven, pattern = self._fixed(frames) if paired else (unknown, unknown, None)
        mean_map, spread_map = self._mapped(frames)
        return Level(
            seconds=seconds,
            frames=frames,
            mean_adu=means.mean(axis=0),
            light_adu=np.mean(self._light, axis=0) if paired else lone,
            variance_adu2=np.mean(self._variance, axis=0) if paired else unknown,
            inverse=np.mean(self._inverse, axis=0) if paired else unknown,
            fixed_adu2=fixed,
            uneven2=uneven,
            pattern=pattern,
            pixels=self._pixels // len(self._planes.planes),
            floor_share=self._floor / max(self._samples, 1),
            rail_share=self._top / max(self._samples, 1),
            drift=float((above.max(axis=0) / above.min(axis=0)).max()) if self._lit and self._known else 1.0,
            mean_map=mean_map,
            spread_map=spread_map,
        )

    def _mapped(self, frames: int) -> tuple[Float32 | None, Float32 | None]:
        if self._sum is None or self._square is None:
            return None, None
        mean = self._sum / frames
        mean_map = (mean + self._means[0].mean()).astype(np.float32)
        if frames < FEWEST_FOR_RTN:
            return mean_map, None
        spread = np.sqrt(np.maximum(self._square / frames - mean * mean, 0) * frames / (frames - 1))
        return mean_map, spread.astype(np.float32)


def floor_share(pixels: Pixels) -> float:
    """Share of pixels at the converter's lower rail: at 0, or piled up at a lowest value above it.

    Noise thins out ever faster downwards, so that a tail's lowest value holds less than n1²/n2 of the next
    two; a rail holds more.
    """
    low = float(pixels.min())
    share = float(np.count_nonzero(pixels <= low)) / pixels.size
    if low <= 0 or pixels.dtype.kind == "f":
        return share if low <= 0 else 0.0
    n0, n1, n2 = (int(np.count_nonzero(pixels == low + i)) for i in range(3))
    if share <= _PILE or not n1 or not n2:
        return 0.0
    expected = _EDGE_SURPLUS * n1 * n1 / n2
    error = (n0 + expected**2 * (4 / n1 + 1 / n2)) ** 0.5
    return share if n0 > expected + _SURE * error else 0.0
