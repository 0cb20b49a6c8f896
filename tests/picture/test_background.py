from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starwell.frame import Float32
from starwell.picture.background import fit


def field(seed: int, n: int = 768) -> tuple[Float32, Float32, Float32]:
    """A gradient of 120, 60 and 50 ADU, a nebula of 40 ADU, 800 stars and noise of 10 ADU."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:n, 0:n] / (n - 1)
    gradient = 500 + 120 * x + 60 * y + 50 * (2 * x - 1) ** 2
    nebula = 40 * np.exp(-((x - 0.5) ** 2 + (y - 0.45) ** 2) / (2 * 0.06**2))
    seen = gradient + nebula + rng.normal(0, 10, (n, n))
    yy, xx = np.mgrid[-7:8, -7:8]
    star = np.exp(-(xx**2 + yy**2) / (2 * 1.5**2)) / (2 * np.pi * 1.5**2)
    for cx, cy, flux in zip(*rng.integers(8, n - 8, (2, 800)), 10 ** rng.uniform(2.5, 4.5, 800), strict=True):
        seen[cy - 7 : cy + 8, cx - 7 : cx + 8] += flux * star
    return seen.astype(np.float32), gradient.astype(np.float32), nebula.astype(np.float32)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_gradient_goes_and_the_nebula_stays(seed: int):
    seen, gradient, nebula = field(seed)
    fitted = fit(seen)
    wrong = fitted.over(seen.shape) - gradient
    assert np.std(wrong) < 0.15
    assert abs(np.mean(wrong)) < 1.0
    inside = nebula > 1
    kept = 1 - (wrong - wrong.mean())[inside].sum() / nebula[inside].sum()
    assert kept == pytest.approx(0.986, abs=0.02)


@given(st.lists(st.floats(-200, 200), min_size=6, max_size=6), st.integers(97, 160), st.integers(64, 170))
def test_a_noiseless_degree_2_sky_is_found_exactly(terms: list[float], height: int, width: int):
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    a, b, c, d, e, f = terms
    plane = (1000 + a + b * x + c * y + d * x * x + e * x * y + f * y * y).astype(np.float32)
    # A box median of a curved surface is not its centre's value: half a box of curvature is allowed.
    np.testing.assert_allclose(fit(plane).over(plane.shape), plane, atol=0.02 * (10 + np.abs(terms).max()))


def test_pixels_that_do_not_count_do_not_pull():
    seen, gradient, _ = field(3, 384)
    valid = np.ones(seen.shape, bool)
    valid[:, :101] = valid[200:203] = False
    seen[~valid] = 60000
    wrong = (fit(seen, valid).over(seen.shape) - gradient)[:, 120:]
    assert np.abs(wrong).max() < 6


def test_a_picture_too_small_for_a_surface_has_a_flat_gradient():
    assert fit(np.full((9, 9), 7, np.float32)).over((9, 9)) == pytest.approx(7)
    assert fit(np.full((2, 3), 7, np.float32)).level == 0


def test_the_level_is_the_mean_of_the_surface():
    seen, _, _ = field(4, 256)
    gradient = fit(seen)
    assert gradient.level == pytest.approx(float(gradient.over(seen.shape).mean()), rel=1e-4)
