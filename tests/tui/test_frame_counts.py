"""How many frames a master takes: the figures of the noise model."""

from __future__ import annotations

import pytest

from starwell_tui import frame_counts
from starwell_tui.frame_counts import added, darks, same_condition_flats


def test_a_flat_of_the_sub_s_own_light_takes_ten_times_the_lights():
    assert "needs 2,927" in same_condition_flats(300).why  # 9.8 · 300
    assert same_condition_flats(300).frames == frame_counts.AUTHORS


def test_300_same_condition_flats_make_300_undithered_subs_1_42_times_as_noisy():
    assert added(300, 300, 1.0, 1) == pytest.approx(0.414, abs=0.001)
    assert "300 as a divisor make that 41 %" in same_condition_flats(300).why


def test_dithering_divides_what_masters_add():
    assert added(300, 300, 1.0, 30) == pytest.approx((1 + 1 / 30) ** 0.5 - 1)
    assert "needs 98" in same_condition_flats(300, 30).why


def test_darks_follow_from_read_noise_and_sky(noise_of):
    need = darks(noise_of(sky_e=None, sub_sigma_e=9.69**0.5, read_noise_e=1.3), lights=300)
    share = 1.69 / 9.69
    assert need.frames == 520  # 300 · share / 0.1025 = 510.5
    assert added(300, need.frames, share, 1) < frame_counts.MOST
    assert added(300, 500, share, 1) > frame_counts.MOST
    assert "5 % needs 511" in need.why


def test_a_bright_sky_needs_no_more_than_the_fewest_darks(noise_of):
    sky_of_246_e = noise_of(sub_sigma_e=248.25**0.5, read_noise_e=1.5)
    assert darks(sky_of_246_e, lights=100).frames == frame_counts.FEWEST_DARKS


def test_without_a_measured_sub_the_usual_number_is_said_to_be_usual():
    need = darks(None, lights=100)
    assert need.frames == frame_counts.USUAL_DARKS
    assert "not measured" in need.why


@pytest.fixture
def noise_of(tell_night):
    import msgspec

    from starwell.session.events import StackMeasured

    measured = next(e for e in reversed(tell_night(5)) if isinstance(e, StackMeasured))
    return lambda **said: msgspec.structs.replace(measured, **said)
