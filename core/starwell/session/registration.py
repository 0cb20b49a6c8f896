"""From a measured sub to its place in the stack: alignment, transparency, normalisation, weight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from starwell.align.match import Alignment, match
from starwell.align.transform import Transform
from starwell.frame import Facts
from starwell.measure.compare import Normalisation, normalise, transparency, weight
from starwell.measure.quality import Reason
from starwell.measure.sub import Measured

_FEWEST_STARS = 6
"""A reference with fewer stars than this would align nothing safely."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A sub that was measured and may be stacked."""

    number: int
    facts: Facts
    measured: Measured
    warnings: tuple[str, ...] = ()

    @property
    def sharpness(self) -> float:
        """How good a reference it makes: small round stars, low noise; 0 where it cannot be one."""
        stars = self.measured.stars
        if stars.count < _FEWEST_STARS or not np.isfinite(stars.fwhm_px):
            return 0.0
        elongation = 1.0 + stars.eccentricity**4
        return 1.0 / (stars.fwhm_px * elongation)


@dataclass(frozen=True, slots=True, eq=False)
class Registration:
    """Where a sub belongs and what it is worth, relative to the reference.

    transparency is per unit of exposure: 1 under the reference's sky whatever the exposure. weight
    (channels,) counts the exposure too.
    """

    alignment: Alignment
    normalisation: Normalisation
    transparency: float
    weight: tuple[float, ...]

    @property
    def transform(self) -> Transform:
        """Sub px to reference px."""
        return self.alignment.transform


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A sub that has no place on the reference."""

    reason: Reason
    detail: str


def register(
    candidate: Candidate, reference: Candidate, *, expected: Transform | None = None
) -> Registration | Unmatched:
    """Find the sub's place on the reference and scale it to the reference's stars and sky."""
    stars, known = candidate.measured.stars, reference.measured.stars
    found = match(stars.xy, known.xy, size=candidate.facts.size, expected=expected)
    if not isinstance(found, Alignment):
        few = stars.count < _FEWEST_STARS
        return Unmatched(Reason.TOO_FEW_STARS if few else Reason.NO_MATCH, found.reason)
    ratio = exposure_ratio(candidate.facts, reference.facts)
    flux_ratio, _ = transparency(stars, known, found.pairs, expected=ratio)
    scaled = normalise(
        candidate.measured, reference.measured, found.transform, flux_ratio, size=reference.facts.size
    )
    worth = weight(flux_ratio, candidate.measured.sigma_adu, reference.measured.sigma_adu)
    return Registration(found, scaled, flux_ratio / ratio, tuple(float(w) for w in np.atleast_1d(worth)))


def exposure_ratio(facts: Facts, reference: Facts) -> float:
    """How much more light the exposure alone lets in; 1 where one of them is not known."""
    mine, theirs = facts.exposure.seconds, reference.exposure.seconds
    return mine / theirs if mine and theirs else 1.0


def by_sharpness(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that can be a reference, best first: the sharpest of the subs that show most of the stars."""
    able = [c for c in candidates if c.sharpness > 0]
    if not able:
        return []
    # Haze hides stars: a sharp but hazy sub must not set the scale for all others.
    most = float(np.quantile([c.measured.stars.count for c in able], 0.8))
    clear = [c for c in able if c.measured.stars.count >= 0.7 * most]
    return sorted(clear, key=lambda c: (-c.sharpness, c.number))
