"""A linear frame or stack as an 8-bit picture to look at; never a way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from starwell.errors import PlanError
from starwell.frame import FULL_SCALE_ADU, Float32, Mask, Pixels
from starwell.picture import background as sky_background
from starwell.picture import colour
from starwell.picture.pool import halved, pool
from starwell.picture.stretch import Curve, Sky, Stretch, StretchLock, curve_for, linked, sky_of

_BAND_ROWS = 256
_SAMPLE_PX = 200_000
_BEYOND = 100.0
"""Values beyond so many times the white level are cut: float files can hold what no arithmetic survives."""

Picture = NDArray[np.uint8]
"""H×W grey or H×W×3 red, green, blue."""


def preview(
    linear: Pixels,
    *,
    coverage: Pixels | None = None,
    max_px: tuple[int, int] | None = None,
    stretch: Stretch | str = Stretch.AUTO,
    background: bool = True,
    neutral: bool = True,
    window: tuple[float, float] | None = None,
    white_adu: float = FULL_SCALE_ADU,
    lock: StretchLock | None = None,
) -> Picture:
    """As `developed`, the picture alone."""
    drawn, _ = developed(
        linear,
        coverage=coverage,
        max_px=max_px,
        stretch=stretch,
        background=background,
        neutral=neutral,
        window=window,
        white_adu=white_adu,
        lock=lock,
    )
    return drawn


@dataclass(frozen=True, slots=True, eq=False)
class Development:
    """How a picture was drawn, so that a part of it can be drawn alike, pixel by pixel.

    gradients: of each channel's sky; empty where they were left. factors: of each channel above its sky.
    """

    gradients: tuple[sky_background.Gradient, ...]
    skies_adu: tuple[float, ...]
    factors: tuple[float, float, float] | None
    curves: tuple[Curve, ...]
    limit_adu: float

    def part(self, linear: Pixels, full: tuple[int, int], at: tuple[int, int]) -> Picture:
        """A part h×w (or C×h×w) whose first pixel lies at x, y of a whole of `full` height and width."""
        planes = _planes(linear)
        valid = _valid(planes, None)
        owned = np.stack([_owned(plane, self.limit_adu) for plane in planes])
        for plane in owned:
            _fill(plane, valid)
        box = (*at, owned.shape[2], owned.shape[1])
        for plane, gradient in zip(owned, self.gradients, strict=False):
            plane -= gradient.within(full, box) - np.float32(gradient.level)
        if self.factors is not None:
            colour.neutralise(owned, self.skies_adu, self.factors)
        return _drawn(_shaded(owned, self.curves), valid)


def developed(
    linear: Pixels,
    *,
    coverage: Pixels | None = None,
    max_px: tuple[int, int] | None = None,
    stretch: Stretch | str = Stretch.AUTO,
    background: bool = True,
    neutral: bool = True,
    window: tuple[float, float] | None = None,
    points: tuple[float, float] = (0.0, 0.0),
    white_adu: float = FULL_SCALE_ADU,
    lock: StretchLock | None = None,
) -> tuple[Picture, Development]:
    """Linear H×W, 1×H×W or 3×H×W of any real dtype, in ADU, as uint8 H×W or H×W×3 of the same orientation.

    coverage (H×W or C×H×W): black where it is 0, as where a value is not finite.
    max_px (height, width): the picture is reduced to fit, keeping star peaks; it is never enlarged.
    background: take the sky's gradient away. neutral: grey sky and grey stars under one curve for all
    channels; without it each channel has its own curve (narrowband). window: black and white point in
    ADU. points: the black point moved up by so many sigma of the sky, the white one down by this part of the
    range. white_adu: the saturation level. lock: keeps the stretch still from one call to the next.
    Raises PlanError for other shapes, an unknown stretch, or a coverage of another size.
    """
    limit_adu = _BEYOND * white_adu
    planes, valid = _reduced(_planes(linear), coverage, max_px, limit_adu)
    if not valid.any():
        nothing = (Curve(Stretch.LINEAR, 0.0, white_adu, 1.0),) * len(planes)
        drawn = _drawn(np.zeros(planes.shape, np.float32), valid)
        return drawn, Development((), (), None, nothing, limit_adu)
    gradients = _levelled(planes, valid) if background else ()
    skies_adu, factors = tuple(float(np.median(s)) for s in _samples(planes, valid)), None
    if neutral and len(planes) == 3:
        factors = colour.white_balance(colour.star_fluxes(planes, valid, white_adu))
        colour.neutralise(planes, skies_adu, factors)
    skies = [sky_of(sample) for sample in _samples(planes, valid)]
    shape = _Shape(_named(stretch), neutral, white_adu, window, points)
    curves = shape.curves(skies, lock)
    return _drawn(_shaded(planes, curves), valid), Development(
        gradients, skies_adu, factors, curves, limit_adu
    )


def _levelled(planes: Float32, valid: Mask) -> tuple[sky_background.Gradient, ...]:
    """The gradients of the planes, which go without them from now on."""
    gradients = tuple(sky_background.fit(plane, valid) for plane in planes)
    for plane, gradient in zip(planes, gradients, strict=True):
        plane -= gradient.over(plane.shape) - np.float32(gradient.level)
    return gradients


def _named(stretch: Stretch | str) -> Stretch:
    """The stretch of this name."""
    try:
        return Stretch(stretch)
    except ValueError:
        known = ", ".join(Stretch)
        raise PlanError(f"There is no stretch called {stretch!r}; choose one of {known}.") from None


def _planes(linear: Pixels) -> Pixels:
    """The same pixels as C×H×W."""
    planes = linear[None] if linear.ndim == 2 else linear
    if planes.ndim != 3 or planes.shape[0] not in (1, 3) or 0 in planes.shape:
        raise PlanError(
            f"A picture needs H×W or 3×H×W pixels, not an array of shape {linear.shape}; "
            "choose one plane or three."
        )
    return planes


def _reduced(
    planes: Pixels, coverage: Pixels | None, max_px: tuple[int, int] | None, limit_adu: float
) -> tuple[Float32, Mask]:
    """Owned float32 planes C×h×w that fit into max_px, holes filled, and which pixels are real."""
    valid = _valid(planes, coverage)
    size = _fitted(planes.shape[1:], max_px)
    # Halving first leaves a star of 2 px its peak but takes most of a hot pixel's.
    step = 2 if min(planes.shape[1] // size[0], planes.shape[2] // size[1]) >= 2 else 1
    small = np.empty((len(planes), *(n // step for n in planes.shape[1:])), np.float32)
    for plane, out in zip(planes, small, strict=True):
        _copy(plane, valid, limit_adu, step, out)
    if small.shape[1:] != size:
        small = pool(small, size)
    if not valid.all():
        share = cv2.resize(valid.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)
        return small, share >= 0.5
    return small, np.ones(size, bool)


def _copy(plane: Pixels, valid: Mask, limit_adu: float, step: int, out: Float32) -> None:
    """A plane with its holes filled, as it is or halved, into out; band by band, to need no room."""
    hole = None if valid.all() else _middle(plane, valid, limit_adu)
    for y in range(0, step * len(out), _BAND_ROWS):
        rows = slice(y, min(y + _BAND_ROWS, step * len(out)))
        band = _owned(plane[rows], limit_adu)
        if hole is not None:
            band[~valid[rows]] = hole
        out[y // step : rows.stop // step] = halved(band) if step == 2 else band


def _middle(plane: Pixels, valid: Mask, limit_adu: float) -> float:
    """The median of the real pixels."""
    return float(np.median(_owned(_thinned(plane[valid]), limit_adu))) if valid.any() else 0.0


def _owned(plane: Pixels, limit_adu: float) -> Float32:
    """A float32 copy, floating values cut at ±limit_adu."""
    if plane.dtype.kind != "f":
        return plane.astype(np.float32)
    return np.asarray(np.clip(plane, -limit_adu, limit_adu), np.float32)


def _valid(planes: Pixels, coverage: Pixels | None) -> Mask:
    """H×W: finite in every channel, and covered."""
    valid = np.ones(planes.shape[1:], bool)
    if planes.dtype.kind == "f":
        for plane in planes:
            valid &= np.isfinite(plane)
    if coverage is not None:
        if coverage.shape[-2:] != valid.shape:
            raise PlanError(
                f"The coverage is {coverage.shape[-2:]} px, the frame {valid.shape}; they must agree."
            )
        for cover in coverage.reshape(-1, *valid.shape):
            valid &= cover > 0
    return valid


def _fill(plane: Float32, valid: Mask) -> None:
    """In place: the median of the real pixels where there are none."""
    if valid.all():
        return
    plane[~valid] = _middle(plane, valid, np.inf)


def _fitted(size: tuple[int, ...], max_px: tuple[int, int] | None) -> tuple[int, int]:
    """Height and width that fit into max_px with the aspect kept, never enlarged."""
    height, width = size
    if max_px is None:
        return height, width
    scale = min(1.0, max_px[0] / height, max_px[1] / width)
    return max(1, int(height * scale + 1e-9)), max(1, int(width * scale + 1e-9))


def _thinned(values: Pixels) -> Pixels:
    """An even sample of 1-d values."""
    return values[:: max(1, values.size // _SAMPLE_PX)]


def _samples(planes: Float32, valid: Mask) -> list[Float32]:
    """A sample of each plane's real pixels."""
    if valid.all():
        return [_thinned(plane.reshape(-1)) for plane in planes]
    return [_thinned(plane[valid]) for plane in planes]


class _Shape(NamedTuple):
    """What is asked of the curves."""

    kind: Stretch
    neutral: bool
    white_adu: float
    window: tuple[float, float] | None
    points: tuple[float, float]

    def curves(self, skies: list[Sky], lock: StretchLock | None) -> tuple[Curve, ...]:
        """One curve per channel."""
        black, white = self.points
        fresh = [
            curve_for(self.kind, sky, white_adu=self.white_adu, window=self.window).moved(
                black * sky.sigma, white
            )
            for sky in skies
        ]
        if self.neutral:
            fresh = [linked(fresh)] * len(fresh)
        return tuple(fresh) if lock is None else lock.hold(fresh, skies, self)


def _shaded(planes: Float32, curves: tuple[Curve, ...]) -> Float32:
    """Shades 0..1 of C×H×W."""
    if len(planes) == 3 and len(set(curves)) == 1 and curves[0].kind is Stretch.ASINH:
        return curves[0].colour(planes)
    for plane, curve in zip(planes, curves, strict=True):
        plane[:] = curve(plane)
    return planes


def _drawn(shades: Float32, valid: Mask) -> Picture:
    """Bytes, channels last, black where nothing is real."""
    picture = np.rint(shades * np.float32(255)).astype(np.uint8)
    picture[:, ~valid] = 0
    return picture[0] if len(picture) == 1 else np.ascontiguousarray(np.moveaxis(picture, 0, -1))
