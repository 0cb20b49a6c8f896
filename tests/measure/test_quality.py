import math

import numpy as np
import pytest

from starwell.align.match import Alignment
from starwell.align.transform import Transform
from starwell.measure.background import Background
from starwell.measure.quality import Gates, Limits, Reason, Sample
from starwell.measure.stars import Stars
from starwell.measure.sub import Measured


def sub(fwhm=3.0, eccentricity=0.25, sigma=8.0, count=80, saturated=0.0, nan=0.0):
    n = np.zeros(count)
    stars = Stars(n, n, n + 1, n + 1, fwhm, fwhm / 2, eccentricity, 0.0, n + 0.1, n > 0)
    sky = Background(np.zeros((1, 1, 1)), np.zeros(1), np.zeros(1), np.zeros(1))
    return Measured(np.array([sigma]), sky, stars, saturated, nan)


def placed(rms=0.2):
    return Alignment(Transform(), 40, rms, np.empty((0, 2), np.intp))


def judged(gates, measured, t=1.0, rms=0.2, **more):
    return gates.judge(measured, placed(rms), t, **more)


def correlated_seeing(rng, n, scatter=0.15, memory=0.95, mean=3.0):
    step = rng.normal(0, scatter * math.sqrt(1 - memory**2), n)
    walk = np.empty(n)
    walk[0] = rng.normal(0, scatter)
    for i in range(1, n):
        walk[i] = memory * walk[i - 1] + step[i]
    return mean * np.exp(walk)


def good_night(gates, n=40, seed=0):
    rng = np.random.default_rng(seed)
    for fwhm in correlated_seeing(rng, n, 0.05):
        assert judged(gates, sub(fwhm, abs(rng.normal(0.2, 0.06)))).accepted
    return gates


@pytest.mark.parametrize("memory", [0.0, 0.8, 0.95, 0.99])
def test_correlated_seeing_loses_fewer_than_one_good_sub_in_a_hundred(memory):
    rng = np.random.default_rng(11)
    live, batch, n = 0, 0, 0
    for _ in range(12):
        gates = Gates()
        subs = [
            sub(f, abs(rng.normal(0.22, 0.08)), 8 * rng.normal(1, 0.05))
            for f in correlated_seeing(rng, 160, 0.12, memory)
        ]
        known = Gates.of_night([Sample.of(s) for s in subs])
        live += sum(not judged(gates, s).accepted for s in subs)
        batch += sum(not judged(known, s).accepted for s in subs)
        n += len(subs)
    assert live / n < 0.01
    assert batch / n < 0.01


def test_sixty_trailed_subs_in_a_row_do_not_become_the_custom():
    rng = np.random.default_rng(2)
    gates = good_night(Gates())
    verdicts = [judged(gates, sub(rng.normal(4.2, 0.1), rng.normal(0.75, 0.02)), rms=0.35) for _ in range(60)]
    assert sum(v.accepted for v in verdicts) <= 3
    assert verdicts[-1].reason is Reason.TRAILED
    assert gates.alarm == "60 subs in a row were kept out: trailed"
    assert judged(gates, sub()).accepted
    assert gates.alarm is None


def test_a_slow_slide_out_of_focus_is_stopped():
    gates = good_night(Gates())
    accepted = [judged(gates, sub(3.0 * 1.02**i)).accepted for i in range(80)]
    assert all(accepted[:15])
    assert not any(accepted[-20:])


def test_trailed_subs_are_known_in_a_night_that_is_mostly_trailed():
    rng = np.random.default_rng(3)
    subs = [sub(rng.normal(3, 0.1), 0.2) for _ in range(40)]
    subs += [sub(rng.normal(4, 0.1), rng.normal(0.75, 0.02)) for _ in range(80)]
    gates = Gates.of_night([Sample.of(s) for s in subs])
    accepted = [judged(gates, s).accepted for s in subs]
    assert all(accepted[:40])
    assert sum(accepted[40:]) <= 3


def test_a_mount_that_always_trails_a_little_is_judged_against_itself():
    rng = np.random.default_rng(4)
    subs = [sub(rng.normal(3, 0.1), rng.normal(0.68, 0.02)) for _ in range(60)]
    gates = Gates()
    assert sum(judged(gates, s).accepted for s in subs) >= 59
    assert judged(gates, sub(eccentricity=0.9)).reason is Reason.TRAILED


def test_a_fault_is_named_without_learning_from_the_sub():
    gates = good_night(Gates())
    before = repr(gates)
    assert gates.fault(sub()) is None
    assert gates.fault(sub(fwhm=9.0)) == (Reason.OUT_OF_FOCUS, "FWHM 9.00 px, limit 4.30")
    assert gates.fault(sub(eccentricity=0.9))[0] is Reason.TRAILED
    assert gates.fault(sub(count=2)) == (Reason.TOO_FEW_STARS, "2 found")
    assert gates.fault(sub(nan=0.5))[0] is Reason.NOT_A_NUMBER
    assert repr(gates) == before
    assert Gates().fault(sub(fwhm=9.0)) is None


def test_thin_clouds_are_weighed_down_and_not_kept_out():
    gates = good_night(Gates())
    for _ in range(30):
        verdict = judged(gates, sub(sigma=9.5), t=0.7, weight=(0.35,))
        assert verdict.accepted
        assert verdict.weight == (0.35,)
    assert gates.alarm is None


def test_thick_clouds_and_a_bright_sky_are_kept_out_with_their_numbers():
    gates = good_night(Gates())
    verdict = judged(gates, sub(), t=0.15, weight=(0.02, 0.02, 0.02))
    assert not verdict.accepted
    assert verdict.weight == (0.0, 0.0, 0.0)
    assert (verdict.reason, verdict.detail) == (Reason.CLOUDS, "15% of the light, limit 20%")
    dawn = judged(gates, sub(sigma=48.0))
    assert (dawn.reason, dawn.detail) == (Reason.SKY_TOO_BRIGHT, "6.0 times the night's noise")
    assert judged(gates, sub(), t=math.nan).reason is Reason.CLOUDS


def test_longer_exposures_are_judged_per_unit_of_exposure():
    gates = good_night(Gates())
    assert judged(gates, sub(sigma=8 * 7.0), t=1.0, exposure_ratio=49.0).accepted


@pytest.mark.parametrize(
    ("measured", "reason"),
    [
        (sub(nan=0.5), Reason.NOT_A_NUMBER),
        (sub(sigma=math.nan), Reason.NOT_A_NUMBER),
        (sub(saturated=0.6), Reason.SATURATED),
        (sub(count=0, sigma=0.0, fwhm=math.nan), Reason.BLACK),
        (sub(count=2), Reason.TOO_FEW_STARS),
        (sub(fwhm=9.0), Reason.OUT_OF_FOCUS),
        (sub(eccentricity=0.85), Reason.TRAILED),
    ],
)
def test_every_fault_has_its_reason(measured, reason):
    verdict = judged(good_night(Gates()), measured)
    assert not verdict.accepted
    assert verdict.reason is reason
    assert verdict.detail


def test_a_coarse_registration_is_kept_out_unless_the_stars_are_large():
    gates = good_night(Gates())
    assert judged(gates, sub(), rms=0.9).reason is Reason.REGISTRATION_TOO_COARSE
    assert judged(gates, sub(), rms=0.7).accepted
    assert gates.judge(sub(), None, 1.0).accepted


def test_a_known_cause_starts_the_baselines_anew():
    gates = good_night(Gates())
    assert not judged(gates, sub(fwhm=6.0)).accepted
    gates.rebaseline("another filter")
    assert gates.rebaselined == "another filter"
    assert [judged(gates, sub(fwhm=6.0)).accepted for _ in range(20)] == [True] * 20
    assert not judged(gates, sub(fwhm=10.0)).accepted


def test_a_steady_state_near_the_nights_own_is_taken_up_after_ten_subs():
    gates = Gates(Limits(axes=1.1, smear_px=0.0))
    for _ in range(20):
        judged(gates, sub(eccentricity=0.2))
    accepted = [judged(gates, sub(eccentricity=0.55)).accepted for _ in range(20)]
    assert accepted == [False] * 9 + [True] * 11
    assert gates.rebaselined == "10 steady subs"


def test_ten_unsteady_subs_are_no_steady_state():
    gates = Gates(Limits(axes=1.1, smear_px=0.0))
    for _ in range(20):
        judged(gates, sub(eccentricity=0.2))
    wild = [judged(gates, sub(2.2 + 0.9 * (i % 3), 0.55)).accepted for i in range(30)]
    assert not any(wild)


def test_three_kept_out_in_a_row_raise_the_alarm_and_one_good_sub_ends_it():
    gates = good_night(Gates())
    gates.keep_out(Reason.NO_MATCH, "no match: 12 stars")
    gates.keep_out(Reason.TOO_FEW_STARS)
    assert gates.alarm is None
    judged(gates, sub(), t=0.1)
    assert gates.alarm == "3 subs in a row were kept out: no match, too few stars, clouds"
    judged(gates, sub())
    assert gates.alarm is None


def test_the_first_subs_have_nothing_to_be_judged_against():
    gates = Gates()
    assert judged(gates, sub(fwhm=8.0)).accepted
    assert judged(gates, sub(fwhm=2.0)).accepted
    assert judged(gates, sub(fwhm=2.0)).accepted
    assert not judged(gates, sub(fwhm=8.0)).accepted


def test_a_night_known_in_advance_is_judged_the_same_in_any_order():
    rng = np.random.default_rng(6)
    subs = [
        sub(f, e) for f, e in zip(correlated_seeing(rng, 80, 0.25), rng.uniform(0.1, 0.8, 80), strict=True)
    ]
    known = [Sample.of(s) for s in subs]
    forth = [judged(Gates.of_night(known), s).accepted for s in subs]
    back = [judged(Gates.of_night(known[::-1]), s).accepted for s in subs[::-1]]
    assert forth == back[::-1]
    assert 0 < sum(forth) < 80


def test_a_night_without_a_single_star_can_be_judged():
    gates = Gates.of_night([Sample.of(sub(count=0, fwhm=math.nan, eccentricity=math.nan))])
    assert judged(gates, sub(count=0, fwhm=math.nan)).reason is Reason.TOO_FEW_STARS


def test_stars_drawn_out_by_a_pixel_or_two_are_kept_for_their_light():
    round_night = [Sample(2.0, 1.05, 1.0)] * 20
    assert Sample(2.0, 1.8, 1.0).smear_px == pytest.approx(2.23, abs=0.01)
    gates = Gates.of_night(round_night)
    assert gates._blurred(Sample(2.0, 1.8, 1.0)) is None
    assert gates._blurred(Sample(2.6, 2.2, 1.0)) == (Reason.TRAILED, "axes 1:2.20, limit 1:1.31")
