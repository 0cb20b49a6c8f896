"""A stack of simulated subs beside what is true of them: the figures the demo ends with."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from starwell.align.transform import Transform
from starwell.camera.sky import Sky
from starwell.frame import Float32, Mask
from starwell.session.noise import efficiency_block_px
from starwell.session.pipeline import Pipeline
from starwell.stack.kernels import clipped_rms

_APERTURE_FWHM = 3.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far the stack is from the truth; None where the night had nothing to tell.

    corner_px: median and worst error of the transforms at the corners. noise_ratio: the noise at blocks of
    8 px (16 in full-size colour) over the best the sensor model allows these subs. trail_sigma: what
    trails left, in sigma of the stack. flux_ratio, flux_scatter: stars in the stack over the catalogue,
    median and robust scatter.
    """

    stacked: int
    corner_px: tuple[float, float]
    noise_e: float
    noise_ratio: float
    trail_sigma: float | None
    flux_ratio: float | None
    flux_scatter: float | None

    def lines(self) -> list[str]:
        """In words."""
        median, worst = self.corner_px
        lines = [
            f"alignment: corners right to {median:.3f} px (worst {worst:.3f})",
            f"noise: {self.noise_e:.2f} e- per pixel, {self.noise_ratio:.2f} times what physics allows "
            f"{self.stacked} such subs",
        ]
        if self.trail_sigma is not None:
            lines.append(f"trails: {self.trail_sigma:+.2f} sigma left where satellites passed")
        if self.flux_ratio is not None and self.flux_scatter is not None:
            lines.append(f"stars: {self.flux_ratio:.3f} of their true light, scatter {self.flux_scatter:.1%}")
        return lines


def compare(sky: Sky, pipeline: Pipeline) -> Comparison | None:
    """Hold the stack of subs 1, 2, … (the sky's 0, 1, …) against the sky; None before there is one."""
    if pipeline.stack is None or pipeline.reference is None or not pipeline.members.count():
        return None
    home = pipeline.reference.number - 1
    to_home = sky.truth(home).transform.inverse()
    egain = pipeline.intake.model.egain
    channel = len(pipeline.stack.channels) // 2
    # The stack is on the reference's scale, and a flat of mean 1 leaves the field's mean shading in.
    shading = float(sky.flat_field.mean())
    scene = sky.scene_e(home, as_seen=True) * np.float32(shading)
    scene = scene[channel] if scene.ndim == 3 else scene
    residual = pipeline.stack.mean(channel) * np.float32(egain) - scene
    sums = pipeline.stack.sums
    # Where most subs reach, masked or not: what was under a trail is to be looked at, not left out.
    reached = sums.count[channel] + sums.masked[channel].astype(np.uint16)
    full: Mask = reached >= 0.9 * pipeline.members.count()
    blank = full & ~_near_stars(sky, home, scene)
    numbers = [n - 1 for n, _ in pipeline.members.stacked()]
    scale = shading * sky.truth(home).transparency
    planes = pipeline.intake.planes
    thinned = scale / np.sqrt(planes.density(channel))
    ideal = _ideal_noise_e(sky, home, numbers, sky.plan.size) * np.float32(thinned)
    ratio = _noise_ratio(residual, ideal, blank, efficiency_block_px(planes))
    noise = ratio * float(np.median(ideal[blank]))
    flux = _photometry(sky, home, residual, full, scale)
    return Comparison(
        stacked=len(numbers),
        corner_px=_corner_errors(sky, pipeline, to_home),
        noise_e=noise,
        noise_ratio=ratio,
        trail_sigma=_under_trails(sky, numbers, to_home, residual, blank, noise),
        flux_ratio=flux[0] if flux else None,
        flux_scatter=flux[1] if flux else None,
    )


def _corner_errors(sky: Sky, pipeline: Pipeline, to_home: Transform) -> tuple[float, float]:
    errors = [
        member.placed.transform.corner_distance(to_home @ sky.truth(n - 1).transform, sky.plan.size)
        for n, member in pipeline.members.stacked()
        if member.placed is not None
    ]
    return float(np.median(errors)), float(max(errors))


def _near_stars(sky: Sky, home: int, scene: Float32) -> Mask:
    """Where stars, not sky or nebula, make the scene."""
    smooth = cv2.medianBlur(scene, 5)
    spiky = np.abs(scene - smooth) > 0.02 * np.sqrt(np.maximum(scene, 1.0))
    bright = sky.truth(home).stars
    mask = spiky.astype(np.uint8)
    for x, y, flux in zip(bright.x, bright.y, bright.flux_e, strict=True):
        radius = 3.0 * sky.plan.weather.fwhm_px * max(1.0, np.log10(max(flux, 10.0)) - 2.0)
        cv2.circle(mask, (round(x), round(y)), round(radius), 1, -1)
    near: Mask = mask.astype(np.bool_)
    return near


def _ideal_noise_e(sky: Sky, home: int, numbers: list[int], size: tuple[int, int]) -> Float32:
    """The model's noise of the weighted mean per pixel, carried from sub 0's geometry to the stack's."""
    ideal = sky.stack_noise_e(numbers).astype(np.float32)
    moved = cv2.warpAffine(
        ideal,
        sky.truth(home).transform.matrix,
        size[::-1],
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(moved, np.float32)


def _noise_ratio(residual: Float32, ideal: Float32, blank: Mask, block: int) -> float:
    """Noise of block means over the ideal's; neighbours are subtracted, so that slow errors cancel."""
    ny, nx = (n // block for n in residual.shape)
    shape = (ny, block, nx, block)
    cut = np.s_[: ny * block, : nx * block]
    blocks = residual[cut].reshape(shape).mean(axis=(1, 3))
    whole: Mask = np.all(blank[cut].reshape(shape), axis=(1, 3))
    variance = np.square(ideal[cut]).reshape(shape).mean(axis=(1, 3)) / block**2
    both = whole[:, 1:] & whole[:, :-1]
    step = (blocks[:, 1:] - blocks[:, :-1])[both]
    return clipped_rms(step / np.sqrt((variance[:, 1:] + variance[:, :-1])[both]))


def _under_trails(
    sky: Sky, numbers: list[int], to_home: Transform, residual: Float32, blank: Mask, noise: float
) -> float | None:
    """The mean of what is left under trails, above what is left beside them, in sigma of a pixel."""
    under = np.zeros(blank.shape, np.uint8)
    size = blank.shape[::-1]
    for i in numbers:
        truth = sky.truth(i)
        if truth.trail_mask.any():
            there = (to_home @ truth.transform).matrix
            under |= cv2.warpAffine(truth.trail_mask.astype(np.uint8), there, size, flags=cv2.INTER_NEAREST)
    trail = (under > 0) & blank
    if np.count_nonzero(trail) < 200:
        return None
    beside = cv2.dilate(under, np.ones((31, 31), np.uint8)) > 0
    near = beside & ~(cv2.dilate(under, np.ones((9, 9), np.uint8)) > 0) & blank
    return float(residual[trail].mean() - residual[near].mean()) / noise


def _photometry(
    sky: Sky, home: int, residual: Float32, full: Mask, scale: float
) -> tuple[float, float] | None:
    """Star light in the stack over the catalogue's, of bright lone stars: median and robust scatter."""
    stars = sky.truth(home).stars
    radius = round(_APERTURE_FWHM * sky.plan.weather.fwhm_px)
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    aperture = np.hypot(x, y) <= radius
    height, width = full.shape
    well = 0.5 * sky.plan.chip.full_well_e * sky.plan.weather.fwhm_px**2
    ratios = []
    for sx, sy, flux in zip(stars.x, stars.y, stars.flux_e, strict=True):
        cx, cy = round(sx), round(sy)
        inside = radius <= cx < width - radius and radius <= cy < height - radius
        lone = np.hypot(stars.x - sx, stars.y - sy)[stars.flux_e > 0.02 * flux] < 3 * radius
        if not (inside and 20_000 < flux < well and np.count_nonzero(lone) == 1):
            continue
        here = np.s_[cy - radius : cy + radius + 1, cx - radius : cx + radius + 1]
        if full[here].all():
            edge = residual[here][~aperture]
            ratios.append(1 + float((residual[here] - np.median(edge))[aperture].sum()) / (scale * flux))
    if len(ratios) < 5:
        return None
    middle = float(np.median(ratios))
    return middle, 1.4826 * float(np.median(np.abs(np.array(ratios) - middle)))
