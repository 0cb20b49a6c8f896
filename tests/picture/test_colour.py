from __future__ import annotations

import numpy as np
import pytest

from starwell.frame import Float32
from starwell.picture.colour import neutralise, star_fluxes, suits, white_balance


def stars(response: tuple[float, float, float], n: int = 60, size: int = 300) -> Float32:
    """Grey stars on a nebula, seen through channels of this response, on skies of 300, 500 and 400 ADU."""
    rng = np.random.default_rng(8)
    y, x = np.mgrid[0:size, 0:size]
    grey = 200 * np.exp(-((x - 150) ** 2 + (y - 150) ** 2) / (2 * 40**2))
    for cx, cy, peak in zip(*rng.uniform(15, size - 15, (2, n)), 10 ** rng.uniform(2.3, 4, n), strict=True):
        grey += peak * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 1.3**2))
    planes = [sky + r * grey for sky, r in zip((300, 500, 400), response, strict=True)]
    return (np.stack(planes) + rng.normal(0, 5, (3, size, size))).astype(np.float32)


@pytest.mark.parametrize("response", [(1, 1, 1), (0.5, 1.0, 0.7), (1.2, 0.8, 0.4)])
def test_grey_stars_give_the_inverse_of_the_response(response: tuple[float, float, float]):
    rgb = stars(response)
    factors = white_balance(star_fluxes(rgb, np.ones(rgb.shape[1:], bool), 65535))
    expected = max(response) / np.array(response)
    np.testing.assert_allclose(factors, expected, rtol=0.02)


def test_saturated_stars_and_bad_pixels_have_no_say():
    rgb = stars((0.5, 1.0, 0.7))
    valid = np.ones(rgb.shape[1:], bool)
    every = len(star_fluxes(rgb, valid, 65535))
    assert 40 <= every <= 60
    assert len(star_fluxes(rgb, valid, 2000)) < every
    valid[:, :150] = False
    assert 0 < len(star_fluxes(rgb, valid, 65535)) < every
    assert len(star_fluxes(rgb, np.zeros_like(valid), 65535)) == 0


def test_too_few_stars_leave_the_colours_alone():
    assert white_balance(np.full((7, 3), 9.0)) == (1, 1, 1)
    assert white_balance(np.array([[-1.0, 5, 5]] * 30)) == (1, 1, 1)


def test_a_wild_balance_is_bounded():
    assert white_balance(np.tile([1.0, 100.0, 100.0], (20, 1))) == pytest.approx((4, 1, 1))


def test_a_neutral_sky_is_the_same_in_every_channel():
    rgb = stars((1, 1, 1), n=0)
    neutralise(rgb, (300, 500, 400), (1.5, 1, 1.2))
    edge = rgb[:, :20].mean(axis=(1, 2))
    np.testing.assert_allclose(edge, 400, atol=2)


@pytest.mark.parametrize(
    "name",
    ["Ha", "H-alpha", "H_Alpha 7nm", "OIII", "O3", "O-III 3 nm", "SII", "S2", "L-eXtreme", "L-Ultimate",
     "L-eNhance", "Optolong L-Ext", "ALP-T", "NBZ", "Duo-Band", "Dual", "Tri-band", "HOO", "SHO"],
)  # fmt: skip
def test_line_filters_do_not_suit_neutral_colours(name: str):
    assert not suits(name)


@pytest.mark.parametrize(
    "name", [None, "", "L", "R", "G", "B", "Lum", "UV/IR cut", "Clear", "L-Pro", "V", "CLS"]
)
def test_broadband_filters_suit_neutral_colours(name: str | None):
    assert suits(name)
