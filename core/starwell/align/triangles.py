"""Oriented triangles: similar triangles of bright stars find any rotation.

A triangle whose longest side runs from p to q, with the third star r nearer to p, has the complex shape
(r - p)/(q - p). Rotation, shift and scale leave it alone; a mirror conjugates it, so a mirrored field finds
no partner (after Groth 1986 and Valdes et al. 1995, who compare side ratios).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import combinations

import numpy as np

from starwell.align.fit import Complex, Indices, Similarity
from starwell.frame import Float64

_SHAPE_RADIUS = 0.002
_SHORTEST_BASE = 0.06
"""Longest side of a useful triangle over the frame's longer side: below it jitter spoils the shape."""

_PARTNERS = 6


def hypotheses(
    stars: Complex, reference: Complex, scale: tuple[float, float], size: tuple[int, int], count: int
) -> Iterator[Similarity]:
    """The `count` similarities whose three pairs of vertices got most votes, best first.

    Each pair of triangles of equal shape, and of a size ratio within `scale`, votes for its vertex pairs.
    """
    base_px = _SHORTEST_BASE * max(size)
    p, shape_p = _triangles(stars, base_px)
    q, shape_q = _triangles(reference, base_px)
    if not len(p) or not len(q):
        return
    mine, theirs = _partners(shape_p, _base(stars, p), shape_q, _base(reference, q), scale)
    if not len(mine):
        return
    i, j = p[mine], q[theirs]
    votes = np.bincount((i * len(reference) + j).ravel(), minlength=len(stars) * len(reference))
    support = votes[i * len(reference) + j].sum(axis=1)
    yielded: set[bytes] = set()
    for k in np.argsort(-support, kind="stable"):
        (p0, p1), (q0, q1) = stars[i[k, :2]], reference[j[k, :2]]
        a = complex((q1 - q0) / (p1 - p0))
        supported_by = np.sort(i[k] * len(reference) + j[k])[:2].tobytes()
        if supported_by not in yielded:
            yielded.add(supported_by)
            yield Similarity(a, complex(q0 - a * p0))
        if len(yielded) == count:
            return


@cache
def _triples(count: int) -> Indices:
    return np.array(list(combinations(range(count), 3)), dtype=np.intp).reshape(-1, 3)


def _triangles(z: Complex, base_px: float) -> tuple[Indices, Complex]:
    triples = _triples(len(z))
    corner = z[triples]
    opposite = np.abs(np.roll(corner, -1, axis=1) - np.roll(corner, -2, axis=1))
    order = np.argsort(-opposite, axis=1)
    # Opposite the longest side lies r, opposite the middle one p, opposite the shortest q.
    triples = np.take_along_axis(triples, order, axis=1)[:, [1, 2, 0]]
    longest, middle, shortest = np.sort(opposite, axis=1).T[::-1]
    p, q, r = z[triples].T
    with np.errstate(divide="ignore", invalid="ignore"):
        shape = (r - p) / (q - p)
    slack = 3 * _SHAPE_RADIUS * longest
    clear = (longest > base_px) & (longest - middle > slack) & (middle - shortest > slack)
    clear &= np.abs(shape.imag) > 10 * _SHAPE_RADIUS
    return triples[clear], shape[clear]


def _base(z: Complex, triples: Indices) -> Float64:
    return np.asarray(np.abs(z[triples[:, 1]] - z[triples[:, 0]]))


def _partners(
    shape_p: Complex, base_p: Float64, shape_q: Complex, base_q: Float64, scale: tuple[float, float]
) -> tuple[Indices, Indices]:
    from scipy.spatial import cKDTree  # 35 MB, which a night without a turned camera never needs

    low, high = np.log(scale)
    unit = _SHAPE_RADIUS / max((high - low) / 2, 1e-3)
    key_p = np.column_stack([shape_p.real, shape_p.imag, unit * (np.log(base_p) + (low + high) / 2)])
    key_q = np.column_stack([shape_q.real, shape_q.imag, unit * np.log(base_q)])
    distance, partner = cKDTree(key_q).query(key_p, k=_PARTNERS, p=np.inf, distance_upper_bound=_SHAPE_RADIUS)
    mine, rank = np.nonzero(np.isfinite(distance))
    return mine, np.asarray(partner)[mine, rank]
