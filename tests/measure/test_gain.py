import numpy as np
import pytest

from starwell.frame import Facts
from starwell.measure.background import Background
from starwell.measure.gain import sensor_model
from starwell.measure.stars import Stars
from starwell.measure.sub import Measured, measure
from starwell.sensor.model import Origin, SensorModel


def seen(light_e, egain, read_noise_e, shift=0, dark_e=0.0, offset=0.0):
    """What a sub of this light shows when measured exactly."""
    step = 2.0**shift
    sigma = np.sqrt((light_e + dark_e) / egain**2 + (read_noise_e / egain) ** 2 + step**2 / 12)
    level = light_e / egain + offset
    sky = Background(np.full((1, 1, 1), level), np.zeros(1), np.zeros(1), np.array([level]))
    return Measured(np.array([sigma]), sky, Stars.none(), 0.0)


def facts(egain=None, shift=0, **header):
    return Facts((100, 100), egain=egain, adu_shift=shift, header=header)


def test_a_measured_sensor_is_used_as_it_is():
    model = SensorModel(0.7, 1.6, origin=Origin.MEASURED)
    found = sensor_model(facts(egain=3.0), seen(50, 1.0, 2.0), sensor=model, sky_is_above_dark=True)
    assert found.model is model
    assert "sensor analysis" in found.source
    assert found.warnings == ()


def test_masters_come_before_the_header():
    found = sensor_model(facts(egain=4.0), seen(50, 1.0, 2.0), masters_egain=1.02, masters_read_noise_e=2.1)
    assert (found.model.egain, found.model.read_noise_e) == (1.02, 2.1)
    assert found.model.origin is Origin.DATA
    assert "masters" in found.source


@pytest.mark.parametrize("light", [5.0, 30.0, 400.0])
def test_a_true_header_is_borne_out_by_the_data(light):
    found = sensor_model(facts(egain=1.0, RDNOISE=1.7), seen(light, 1.0, 1.7), sky_is_above_dark=True)
    assert found.model.egain == 1.0
    assert found.model.read_noise_e == 1.7
    assert found.model.origin is Origin.HEADER
    assert found.warnings == ()


@pytest.mark.parametrize(("shift", "factor"), [(2, 4), (4, 16), (6, 64)])
@pytest.mark.parametrize("light", [8.0, 100.0])
def test_a_header_in_converter_steps_is_corrected_and_it_says_so(shift, factor, light):
    native = 0.8
    found = sensor_model(
        facts(egain=native, shift=shift), seen(light, native / factor, 1.6, shift), sky_is_above_dark=True
    )
    assert found.model.egain == pytest.approx(native / factor)
    assert found.model.step_adu == factor
    assert found.model.origin is Origin.CORRECTED
    assert f"{factor} ADU each" in found.warnings[0]
    assert f"over {factor}" in found.source


def test_a_header_that_is_simply_wrong_gives_way_to_the_data():
    found = sensor_model(facts(egain=10.0, RDNOISE=1.5), seen(100, 1.1, 1.5), sky_is_above_dark=True)
    assert found.model.egain == pytest.approx(1.1, rel=0.01)
    assert found.model.origin is Origin.DATA
    assert "EGAIN says 10" in found.warnings[0]


def test_without_a_header_the_noise_above_the_dark_tells():
    found = sensor_model(
        facts(), seen(60, 0.25, 1.6, dark_e=20), sky_is_above_dark=True, dark_adu=80, masters_read_noise_e=1.6
    )
    assert found.model.egain == pytest.approx(0.25, rel=0.01)
    assert found.model.origin is Origin.DATA


def test_without_darks_the_header_is_used_and_marked_as_unchecked():
    found = sensor_model(facts(egain=1.0), seen(40, 1.0, 1.7, offset=500))
    assert found.model.egain == 1.0
    assert "unchecked" in found.source


def test_without_darks_an_impossible_header_is_still_found_out():
    left = sensor_model(facts(egain=1.0, shift=4), seen(100, 1 / 16, 1.6, 4, offset=300))
    assert left.model.egain == pytest.approx(1 / 16)
    assert left.model.origin is Origin.CORRECTED
    wild = sensor_model(facts(egain=50.0), seen(100, 1.0, 1.6, offset=100))
    assert wild.model.egain < 3
    assert "no more than" in wild.warnings[0]


def test_with_nothing_known_a_typical_camera_is_assumed_and_it_says_so():
    found = sensor_model(facts(shift=4), seen(10, 1 / 16, 1.6, 4, offset=500))
    assert found.model.egain == pytest.approx(1 / 16)
    assert found.model.origin is Origin.ASSUMED
    assert "not known" in found.warnings[0]
    assert "assumed" in found.source


def test_a_dark_sky_does_not_decide_on_a_header():
    found = sensor_model(facts(egain=1.0), seen(0.2, 1.0, 3.0), sky_is_above_dark=True)
    assert found.model.egain == 1.0
    assert found.model.origin is Origin.HEADER


def test_a_frame_without_noise_gives_a_model_that_can_be_used():
    found = sensor_model(facts(), seen(0, 1e9, 0.0), sky_is_above_dark=True)
    assert found.model.egain > 0
    assert np.isfinite(found.model.variance_adu(10.0))


@pytest.mark.parametrize("egain", [0.25, 1.0, 4.0])
def test_the_gain_of_a_drawn_sub_is_found_within_five_percent(egain, draw, mono):
    rng = np.random.default_rng(1)
    light = (draw(60, size=(700, 700), sky=0, sigma=0, fluxes=(2e3, 1e5)).pixels + 80) * 1.0
    electrons = rng.poisson(np.maximum(light, 0)) + rng.normal(0, 2.0, light.shape)
    pixels = np.rint(electrons / egain).astype(np.float32)
    measured = measure(pixels, mono(pixels), saturation_adu=1e9)
    found = sensor_model(Facts(pixels.shape), measured, sky_is_above_dark=True, masters_read_noise_e=2.0)
    assert found.model.egain == pytest.approx(egain, rel=0.05)
