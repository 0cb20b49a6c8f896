"""The bin by bands: the same pixels, and the same summits, as of the bin as a whole."""

from __future__ import annotations

import numpy as np
import pytest

from starwell.measure.compact import bright_summits, compact_bands
from starwell.measure.halved import Halved, bin_by
from starwell.measure.summits import summits


def field(stars: int, shape=(701, 503), seed=1):
    """Noise with stars, some of them where bands meet; whole numbers, so that heights are often equal."""
    rng = np.random.default_rng(seed)
    pixels = rng.normal(300, 6, shape)
    y, x = np.mgrid[-9:10, -9:10]
    rows = [*rng.integers(10, shape[0] - 10, stars), 255, 256, 258, 511, 512]
    for row in rows:
        column = rng.integers(10, shape[1] - 10)
        star = rng.exponential(900) * np.exp(-(x**2 + y**2) / rng.uniform(4, 9))
        pixels[row - 9 : row + 10, column - 9 : column + 10] += star
    return pixels.round().astype(np.float32)


def of_the_whole(pixels, level, most):
    half = bin_by(pixels, 2)
    smooth = np.concatenate([band for _, band in compact_bands(lambda a, b: half[a:b], len(half))])
    active = np.flatnonzero(smooth > level)
    if len(active) > most:
        light = smooth.reshape(-1)[active]
        level = float(np.partition(light, -most)[-most])
        active = active[light > level]
    return summits(smooth, active, level)


@pytest.mark.parametrize("most", [20_000, 3000, 500, 60])
@pytest.mark.parametrize("stars", [0, 40, 900])
def test_summits_found_by_bands_are_those_of_the_whole_bin(stars: int, most: int) -> None:
    pixels = field(stars)
    found = bright_summits(Halved(pixels), 6.0, most)
    whole = of_the_whole(pixels, 6.0, most)
    assert found is not None
    for mine, theirs in zip(found, whole, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert len(whole[0]) > (0 if most < 100 else 3)


def test_rows_of_a_bin_are_those_of_the_whole_and_the_odd_edge_is_left_out():
    pixels = np.random.default_rng(2).normal(0, 1, (301, 77)).astype(np.float32)
    half, whole = Halved(pixels), bin_by(pixels, 2)
    assert half.shape == whole.shape == (150, 38)
    np.testing.assert_array_equal(half.rows(31, 97), whole[31:97])
    some = np.array([149, 3, 50])
    np.testing.assert_array_equal(half[some], whole[some])
    assert bin_by(np.arange(15.0).reshape(3, 5), 2).tolist() == [[3.0, 5.0]]


def test_a_bin_with_what_is_no_number_is_not_told_of():
    pixels = field(5)
    pixels[400, 100] = np.nan
    assert bright_summits(Halved(pixels), 6.0, 500) is None


@pytest.mark.parametrize("shape", [(8, 6), (17, 4), (260, 5)])
def test_a_tiny_field_has_no_summits_and_no_fault(shape):
    found = bright_summits(Halved(np.ones(shape, np.float32)), 0.5, 10)
    assert found is not None
    assert len(found[0]) == 0
