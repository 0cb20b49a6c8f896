"""Stars as the simulator draws them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starwell.camera.psf import Psf
from starwell.frame import Float32, Plane

WHOLE = Plane(0, 1, 0, 0)


def one_star(psf: Psf, x: float, y: float, flux_e: float = 1e5, size: int = 301) -> Float32:
    pixels = np.zeros((size, size), np.float32)
    psf.add_stars(pixels, WHOLE, np.array([x]), np.array([y]), np.array([flux_e]))
    return pixels


@pytest.mark.parametrize("beta", [2.5, 4.0, 8.0])
def test_the_mixture_of_gaussians_is_the_moffat_profile(beta: float) -> None:
    fwhm = 3.0
    psf = Psf.seen(fwhm, beta)
    alpha = fwhm / (2 * np.sqrt(2 ** (1 / beta) - 1))
    for r in (0.0, 0.7, 1.5, 3.0, 6.0, 12.0):
        exact = (beta - 1) / (np.pi * alpha**2) * (1 + (r / alpha) ** 2) ** -beta
        assert psf.brightness(r) == pytest.approx(exact, rel=2e-3, abs=1e-8)


@pytest.mark.parametrize(
    "psf", [Psf.seen(3.0, 4.0), Psf.seen(3.0, None), Psf.seen(3.0, 4.0).drawn_out(9.0, 30.0, 3.0)]
)
def test_flux_is_conserved(psf: Psf) -> None:
    for flux_e in (300.0, 1e4, 1e6):
        assert one_star(psf, 150.3, 149.6, flux_e).sum(dtype=np.float64) == pytest.approx(flux_e, rel=3e-3)


@settings(max_examples=30)
@given(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.floats(2.0, 6.0), st.sampled_from([None, 3.0, 4.0]))
def test_centroids_are_where_they_were_put(dx: float, dy: float, fwhm: float, beta: float | None) -> None:
    pixels = one_star(Psf.seen(fwhm, beta), 100 + dx, 101 + dy, size=201).astype(np.float64)
    y, x = np.mgrid[:201, :201] * pixels / pixels.sum()
    assert np.hypot(x.sum() - 100 - dx, y.sum() - 101 - dy) < 0.002


def test_a_star_split_into_four_planes_is_the_same_star() -> None:
    psf = Psf.seen(2.5, 4.0)
    whole, mosaic = one_star(psf, 30.4, 29.7, size=64), np.zeros((64, 64), np.float32)
    for y0 in (0, 1):
        for x0 in (0, 1):
            plane = Plane(0, 2, x0, y0)
            psf.add_stars(mosaic[y0::2, x0::2], plane, *np.array([[30.4], [29.7], [1e5]]))
    np.testing.assert_allclose(mosaic, whole, atol=0.02)


def test_a_star_at_the_edge_leaves_the_part_on_the_frame() -> None:
    pixels = one_star(Psf.seen(3.0, None), -0.5, 20.0, size=41)
    assert pixels.sum() == pytest.approx(0.5e5, rel=1e-4)


def test_half_the_peak_is_reached_at_half_the_fwhm_and_a_defocused_star_is_a_ring() -> None:
    psf = Psf.seen(4.0, 4.0)
    assert psf.brightness(2.0) == pytest.approx(psf.brightness(0.0) / 2, rel=1e-3)
    ring = one_star(psf.ringed(20.0, 0.5, 4.0), 40.0, 40.0, size=81)
    assert ring[40, 40] < 0.4 * ring[40, 48]
    y, x = np.mgrid[:81, :81]
    assert (ring * x).sum() / ring.sum() == pytest.approx(40.0, abs=0.01)
    assert (ring * y).sum() / ring.sum() == pytest.approx(40.0, abs=0.01)


def test_a_shaken_star_is_drawn_out_along_its_angle() -> None:
    pixels = one_star(Psf.seen(3.0, None).drawn_out(12.0, 30.0, 3.0), 50.0, 50.0, size=101)
    y, x = np.mgrid[:101, :101] - 50.0
    xx, yy, xy = ((pixels * m).sum() / pixels.sum() for m in (x * x, y * y, x * y))
    assert np.degrees(np.arctan2(2 * xy, xx - yy)) / 2 == pytest.approx(30.0, abs=0.1)
    assert xx + yy == pytest.approx(12.0**2 / 12 + 2 * (3 / 2.3548) ** 2 + 1 / 6, rel=0.01)
