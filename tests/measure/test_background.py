import numpy as np
import pytest

from starwell.measure.background import background


def test_a_gradient_is_known_everywhere_even_beyond_the_outer_centres(mono):
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:800, 0:1000]
    truth = 300 + 0.05 * x - 0.03 * y
    sky = background(rng.normal(truth, 5).astype(np.float32), mono(truth))
    px, py = np.array([0, 999, 0, 999, 500]), np.array([0, 0, 799, 799, 400])
    assert sky.at(px, py)[0] == pytest.approx(300 + 0.05 * px - 0.03 * py, abs=1.5)
    assert sky.sky_adu[0] == pytest.approx(300 + 25 - 12, abs=1.0)


def test_five_thousand_stars_per_megapixel_lift_the_sky_by_a_tenth_of_its_noise_at_most(draw, mono):
    field = draw(1250, 3.0, size=(500, 500), crowded=True, fluxes=(5e2, 5e4))
    assert background(field.pixels, mono(field.pixels)).sky_adu[0] == pytest.approx(200, abs=1.0)


def test_each_colour_of_a_mosaic_has_its_own_sky(draw, mosaic, coloured):
    light = draw(40, size=(400, 600)).pixels - 200
    sky = background(coloured(light, (1, 1, 1), (150.0, 800.0, 400.0)), mosaic(light))
    assert sky.sky_adu == pytest.approx([150, 800, 400], abs=0.5)
    assert sky.mesh_adu.shape == (3, len(sky.y), len(sky.x))


def test_pixels_without_a_number_are_left_out(mono):
    pixels = np.random.default_rng(2).normal(50, 2, (400, 400)).astype(np.float32)
    pixels[100:200] = np.nan
    sky = background(pixels, mono(pixels))
    assert sky.sky_adu[0] == pytest.approx(50, abs=0.2)
    assert np.isfinite(sky.mesh_adu).all()


@pytest.mark.parametrize("size", [(64, 64), (33, 47), (8, 8), (300, 20)])
def test_tiny_frames_have_a_sky(size, mono):
    pixels = np.random.default_rng(4).normal(80, 1, size).astype(np.float32)
    assert background(pixels, mono(pixels)).sky_adu[0] == pytest.approx(80, abs=1)
