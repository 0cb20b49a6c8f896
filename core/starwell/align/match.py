"""Matching a sub's stars with the reference's: likely places first, any place last, no wrong one.

Order: the prediction from the last sub; votes of pair offsets at its rotation and near 0 and 180 degrees;
oriented triangles for any rotation; votes near the quarter turns; triangles of more stars. Every hypothesis
ends in the same robust fit and before the same gate.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from starwell.align import triangles, vote
from starwell.align.fit import (
    STILL_PX,
    Complex,
    Field,
    Fit,
    Indices,
    Similarity,
    affine,
    complex_of,
    moving_pairs,
    recentred,
    refine,
    rms,
    settle,
    sum_squares,
)
from starwell.align.gate import Gate, Refusal
from starwell.align.transform import Transform
from starwell.errors import PlanError

__all__ = ["Alignment", "Refusal", "match"]

_MOST_STARS = 500
_TRACKED_PX = 6.0
_DITHERED_PX = 60.0
"""How far a dither takes the field, at the rotation it had; such a match must explain nearly everything."""

_STILL_FRACTIONS = (0.8, 0.4)
"""What a field that did not move must explain of the smaller list, or it may be hot pixels: much where the
pairs agree as tightly as hot pixels do, less where they scatter like stars."""

_TIGHT_PX = STILL_PX / 2
_CERTAIN_FRACTION = 0.9
"""A field that explains this much needs no second look."""

_MOVED_PX = 2 * STILL_PX
_VOTERS = 60
_CORNERS, _MORE_CORNERS = 30, 45
_TILT_DEG = 3.0
_HYPOTHESES = 12
_REFINED = 3

_AFFINE_PAIRS = 20
_AFFINE_CELLS = 6
_AFFINE_F = 8.0


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """A transform from sub px to reference px, and the pairs (n, 2) of indices it rests on."""

    transform: Transform
    matched: int
    rms_px: float
    pairs: Indices


def match(
    stars_xy: ArrayLike,
    reference_xy: ArrayLike,
    *,
    size: tuple[int, int],
    expected: Transform | None = None,
    scale_prior: tuple[float, float] = (0.98, 1.02),
    any_rotation: bool = True,
    mirrored: bool = False,
) -> Alignment | Refusal:
    """The transform that lays the stars on the reference, or the reason why there is none.

    Positions are (n, 2) in px, brightest first; size is the frame's (height, width). `expected` is the last
    sub's transform; without `any_rotation` only rotations within 3 degrees of 0 and 180 (and of the expected
    one) are looked at; `mirrored` also accepts a field seen through one mirror more or less.
    Raises PlanError for arrays of another shape, positions that are no numbers, an empty size or scale band.
    """
    stars, reference = _positions(stars_xy, "stars"), _positions(reference_xy, "reference stars")
    if min(size) < 1 or not 0 < scale_prior[0] <= scale_prior[1]:
        raise PlanError(f"Cannot align frames of size {size} at scales {scale_prior}: both must be positive.")
    gate = Gate(len(stars), len(reference), size, scale_prior, _similarity_of(expected))
    if gate.smaller < gate.least:
        return _too_few(len(stars), len(reference), gate.least)
    direct = _Search(stars, Field(reference), gate, any_rotation).find()
    if isinstance(direct, Fit):
        return _alignment(stars, reference, direct, size)
    flip = Transform(d=-1.0, ty=size[0] - 1.0)
    flipped = stars.conj() + 1j * flip.ty
    gate = replace(gate, expected=_similarity_of(expected and expected @ flip))
    mirror = _Search(flipped, Field(reference), gate, any_rotation)
    seen = mirror.find() if mirrored else mirror.glance()
    if not isinstance(seen, Fit):
        return direct
    if not mirrored:
        return Refusal(
            f"no match: the stars agree only as a mirror picture ({seen.matched} of {gate.smaller})"
        )
    found = _alignment(flipped, reference, seen, size)
    return replace(found, transform=found.transform @ flip)


class _Search:
    """One sub's stars looked for in one reference, most likely place first."""

    def __init__(self, stars: Complex, field: Field, gate: Gate, any_rotation: bool) -> None:
        self.stars, self.field, self.gate, self.any_rotation = stars, field, gate, any_rotation
        self.refused = Refusal(f"no match: no stars of the {gate.smaller} agree")
        self.most = 0

    def find(self) -> Fit | Refusal:
        """The match, or the reason of the refusal that came closest."""
        tracked = self._near_expected(_TRACKED_PX)
        if tracked and not self._still(tracked):
            return tracked
        if tracked and self._looks_like_stars(tracked):
            return self._unless_hot_pixels(tracked, any_rotation=False)
        dithered = self._near_expected(_DITHERED_PX)
        if dithered and self._certain(dithered) and not self._still(dithered):
            return dithered
        for stage in self._stages():
            found = self._best(stage)
            if found:
                return self._unless_hot_pixels(found, self.any_rotation) if self._still(found) else found
        return self.refused

    def glance(self) -> Fit | None:
        """The match at any rotation if it is an easy one."""
        return self._best(self._triangles(_CORNERS))

    def _near_expected(self, radius_px: float) -> Fit | None:
        expected = self.gate.expected
        if expected is None:
            return None
        near = recentred(self.stars[:_VOTERS], self.field.brightest(_VOTERS), expected, radius_px)
        return self._accepted(settle(self.stars, self.field, near))

    def _stages(self) -> Iterator[Iterable[Similarity]]:
        if self.gate.expected is not None:
            a = self.gate.expected.a
            yield self._votes(np.concatenate([a * vote.turns(0, 0.6), -a * vote.turns(0, 0.6)]))
        for half_turn in (0, 180):
            yield self._votes(vote.turns(half_turn, _TILT_DEG))
        if self.any_rotation:
            yield self._triangles(_CORNERS)
            for quarter_turn in (90, 270):
                yield self._votes(vote.turns(quarter_turn, _TILT_DEG))
            yield self._triangles(_MORE_CORNERS)

    def _votes(self, trials: Complex) -> Iterable[Similarity]:
        return vote.hypotheses(
            self.stars[:_VOTERS], self.field.z[:_VOTERS], trials, self.gate.size, _HYPOTHESES
        )

    def _triangles(self, corners: int) -> Iterable[Similarity]:
        gate = self.gate
        return triangles.hypotheses(
            self.stars[:corners], self.field.z[:corners], gate.scale, gate.size, _HYPOTHESES
        )

    def _best(self, hypotheses: Iterable[Similarity]) -> Fit | None:
        radius = vote.cell_px(self.gate.size)
        bright, targets = self.stars[:_VOTERS], self.field.brightest(_VOTERS)
        ranked = sorted(hypotheses, key=lambda s: -len(moving_pairs(bright, targets, s, radius)[0]))
        fits = []
        for start in ranked[:_REFINED]:
            fit = self._accepted(refine(self.stars, self.field, start, radius))
            if fit and self._certain(fit):
                return fit
            fits += [fit] if fit else []
        return max(fits, key=lambda fit: fit.score, default=None)

    def _accepted(self, fit: Fit | None) -> Fit | None:
        refusal = fit and self.gate.refusal(fit, self.stars)
        if fit and refusal and fit.matched > self.most:
            self.most, self.refused = fit.matched, refusal
        return None if refusal else fit

    def _fraction(self, fit: Fit) -> float:
        return fit.matched / self.gate.smaller

    def _certain(self, fit: Fit) -> bool:
        """Whether no other place needs to be looked at: of several stars it explains nearly all."""
        return self._fraction(fit) >= _CERTAIN_FRACTION and fit.matched >= 2 * self.gate.needed()

    def _still(self, fit: Fit) -> bool:
        return self.gate.disagreement(fit.similarity, Similarity(1, 0)) < _MOVED_PX

    def _looks_like_stars(self, still: Fit) -> bool:
        return self._fraction(still) >= _STILL_FRACTIONS[still.rms_px > _TIGHT_PX]

    def _unless_hot_pixels(self, still: Fit, any_rotation: bool) -> Fit | Refusal:
        """What the other sources say when nothing seems to have moved: hot pixels do not move either.

        If they agree on a place of their own, that is the sky. If they agree on nothing, the sky may have
        stood still when that accounts for enough sources; otherwise nobody can tell.
        """
        if self._fraction(still) >= _CERTAIN_FRACTION:
            return still
        stars, reference = np.delete(self.stars, still.i), np.delete(self.field.z, still.j)
        gate = replace(self.gate, stars=len(stars), reference=len(reference), expected=None)
        if gate.smaller >= gate.least:
            moved = _Search(stars, Field(reference), gate, any_rotation).find()
            sky = settle(self.stars, self.field, moved.similarity) if isinstance(moved, Fit) else None
            if sky:
                return sky
        if self._looks_like_stars(still):
            return still
        return Refusal(
            f"no match: only {still.matched} of {self.gate.smaller} sources agree, and those stayed on their "
            "pixels: hot pixels?"
        )


def _alignment(stars: Complex, reference: Complex, fit: Fit, size: tuple[int, int]) -> Alignment:
    transform, residual = fit.similarity.transform(), fit.residual
    if fit.matched >= _AFFINE_PAIRS and _cells(stars[fit.i], size) >= _AFFINE_CELLS:
        sheared, left = affine(stars[fit.i], reference[fit.j])
        # An F test with 2 more parameters: chance reaches this once in some thousand fits.
        drop = (sum_squares(residual) - sum_squares(left)) / 2
        if drop > _AFFINE_F * sum_squares(left) / (2 * fit.matched - 6):
            transform, residual = sheared, left
    return Alignment(transform, fit.matched, rms(residual), np.column_stack([fit.i, fit.j]))


def _cells(z: Complex, size: tuple[int, int]) -> int:
    """How many of the 3×3 cells of the frame hold a star."""
    column, row = (np.clip(3 * v // n, 0, 2) for v, n in ((z.real, size[1]), (z.imag, size[0])))
    return len(np.unique(3 * row + column))


def _positions(points: ArrayLike, what: str) -> Complex:
    xy = np.asarray(points, dtype=np.float64)
    if not xy.size:
        return np.empty(0, dtype=np.complex128)
    if xy.ndim != 2 or xy.shape[1] != 2 or not np.isfinite(xy).all():
        raise PlanError(f"The positions of the {what} must be (n, 2) finite numbers, not {xy.shape}.")
    return complex_of(xy[:_MOST_STARS])


def _similarity_of(transform: Transform | None) -> Similarity | None:
    """The similarity nearest to an upright transform, None for a mirrored one."""
    if transform is None or transform.mirrored:
        return None
    t = transform
    return Similarity(complex(t.a + t.d, t.c - t.b) / 2, complex(t.tx, t.ty))


def _too_few(stars: int, reference: int, least: int) -> Refusal:
    whose, count = ("", stars) if stars < least else ("the reference has ", reference)
    noun = "no stars" if not count else "1 star" if count == 1 else f"{count} stars"
    return Refusal(f"{whose}{noun}: too few to align, {least} are needed")
