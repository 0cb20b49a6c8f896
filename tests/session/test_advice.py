"""Nights of numbers that obey physics: each trouble gives its own advice, and no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import pytest

from starwell.measure.quality import Reason
from starwell.session.advice import Advisor
from starwell.session.advice_audit import Audit, Trace
from starwell.session.advice_causes import Cause
from starwell.session.events import (
    ExposureStarted,
    QualityAdvice,
    StackStarted,
    SubMeasured,
    SubRejected,
    SubStacked,
)

SEEDS = range(6)


@dataclass(frozen=True)
class Sub:
    """One sub as the sky and the telescope make it; offset is where it lies on the reference, px."""

    flux: float = 1.0
    sky: float = 120.0
    hfr: float = 2.0
    axes: float = 1.06
    angle_deg: float = 30.0
    offset: tuple[float, float] = (0.0, 0.0)
    rotation_deg: float = 0.0


Change = Callable[[int, Sub, np.random.Generator], Sub]


def night(count: int, seed: int, *changes: Change, dither_px: float = 5.0) -> Iterator[Sub]:
    """Seeing that wanders by 4 % over ten subs, a sky that wanders by 10 % over the night, dithers."""
    random = np.random.default_rng(seed)
    seeing = 0.0
    for number in range(count):
        seeing = 0.9 * seeing + random.normal(0, 0.04 * np.sqrt(1 - 0.81))
        sub = Sub(
            flux=1 + random.normal(0, 0.015),
            sky=120 * (1 + 0.05 * np.sin(number / 60)) + random.normal(0, 1),
            hfr=2.0 * (1 + seeing) + random.normal(0, 0.02),
            axes=1.06 + abs(random.normal(0, 0.02)),
            angle_deg=random.uniform(0, 180),
            offset=tuple(random.uniform(-dither_px, dither_px, 2)),
        )
        for change in changes:
            sub = change(number, sub, random)
        yield sub


def events(number: int, sub: Sub, stack: str = "L") -> tuple[SubMeasured, SubStacked | SubRejected]:
    """What the pipeline says of it: thick clouds and long stars are kept out, as the gates do."""
    axes = max(sub.axes, 1.0)
    measured = SubMeasured(
        stack=stack,
        number=number,
        stars=max(int(300 * sub.flux**0.8), 0),
        fwhm_px=1.8 * sub.hfr,
        hfr_px=sub.hfr,
        eccentricity=float(np.sqrt(1 - 1 / axes**2)),
        angle_deg=sub.angle_deg,
        sky_adu=500 + sub.sky,
        sigma_adu=10.0,
        sky_e=sub.sky,
        sigma_e=10.0,
        sensor_sigma_e=10.0,
    )
    if sub.flux < 0.2:
        return measured, SubRejected(stack=stack, number=number, reason=Reason.CLOUDS)
    if sub.axes > 1.6:
        return measured, SubRejected(stack=stack, number=number, reason=Reason.TRAILED)
    stacked = SubStacked(
        stack=stack,
        number=number,
        weight=sub.flux**2,
        transparency=sub.flux,
        matched=200,
        rms_px=0.1,
        dx_px=sub.offset[0],
        dy_px=sub.offset[1],
        angle_deg=sub.rotation_deg,
        stacked=number,
        livetime_s=60.0 * number,
    )
    return measured, stacked


def advise(subs: Iterator[Sub], advisor: Advisor | None = None) -> list[QualityAdvice]:
    advisor = advisor or Advisor()
    told = advisor.take(StackStarted(stack="L", reference=1, file=None, why="first subs"))
    for number, sub in enumerate(subs, 1):
        for event in events(number, sub):
            told += advisor.take(event)
    return told


def causes(told: list[QualityAdvice]) -> set[str]:
    return {advice.subject for advice in told}


def clouds(first: int, last: int, depth: float = 0.5, glow: float = 0.4) -> Change:
    """Clouds dim stars, and send a town's light back down."""

    def change(number: int, sub: Sub, random: np.random.Generator) -> Sub:
        if not first <= number < last:
            return sub
        cover = random.uniform(0.6, 1.0)
        return replace(sub, flux=sub.flux * (1 - depth * cover), sky=sub.sky * (1 + glow * cover))

    return change


def wind(number: int, sub: Sub, random: np.random.Generator) -> Sub:
    if number < 40:
        return sub
    return replace(sub, axes=sub.axes + abs(random.normal(0.35, 0.15)), angle_deg=random.uniform(0, 180))


def bad_tracking(number: int, sub: Sub, random: np.random.Generator) -> Sub:
    if number < 40:
        return sub
    return replace(sub, axes=sub.axes + random.normal(0.4, 0.05), angle_deg=(178 + random.normal(0, 8)) % 180)


def defocus(number: int, sub: Sub, random: np.random.Generator) -> Sub:
    """Blur adds in squares to the seeing while the tube cools."""
    return replace(sub, hfr=float(np.hypot(sub.hfr, 0.015 * max(number - 40, 0) * 2.0)))


def dew(number: int, sub: Sub, random: np.random.Generator) -> Sub:
    """A dewing lens scatters: stars fade into a growing halo, the diffuse sky stays."""
    film = min(max(number - 50, 0) * 0.012, 0.7)
    return replace(sub, flux=sub.flux * (1 - film), hfr=sub.hfr * (1 + 0.6 * film))


def drift(number: int, sub: Sub, random: np.random.Generator) -> Sub:
    return replace(sub, offset=(0.3 * number + random.normal(0, 0.2), -0.1 * number + random.normal(0, 0.2)))


def moonrise(number: int, sub: Sub, random: np.random.Generator) -> Sub:
    return replace(sub, sky=sub.sky * (1 + 0.02 * max(number - 60, 0)))


@pytest.mark.parametrize("seed", range(20))
def test_a_good_night_needs_no_advice(seed: int):
    assert advise(night(250, seed)) == []


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("glow", [0.4, -0.2])
def test_clouds_are_clouds_over_a_town_and_over_the_country(seed: int, glow: float):
    told = advise(night(120, seed, clouds(60, 80, glow=glow)))
    assert causes(told) == {Cause.CLOUD}
    assert len(told) == 1
    assert told[0].number is not None
    assert 61 <= told[0].number <= 64


@pytest.mark.parametrize("seed", SEEDS)
def test_thick_clouds_that_keep_every_sub_out_are_clouds(seed: int):
    told = advise(night(100, seed, clouds(60, 80, depth=0.95)))
    assert causes(told) == {Cause.CLOUD}


@pytest.mark.parametrize("seed", SEEDS)
def test_wind_is_told_from_tracking_by_the_direction(seed: int):
    assert causes(advise(night(100, seed, wind))) == {Cause.WIND}
    told = advise(night(100, seed, bad_tracking))
    assert causes(told) == {Cause.TRACKING}
    # The mean of directions around 178 degrees is not on the other side of the circle.
    along = float(told[0].advice.split("along ")[1].split("°")[0])
    assert min(abs(along - 178), abs(along + 2)) < 6


@pytest.mark.parametrize("seed", SEEDS)
def test_a_focus_that_slides_away_is_told_once_and_again_when_it_gets_serious(seed: int):
    told = advise(night(140, seed, defocus))
    assert causes(told) == {Cause.FOCUS}
    assert [advice.serious for advice in told] == [False, True]
    assert "Refocus" in told[0].advice


@pytest.mark.parametrize("seed", SEEDS)
def test_dew_is_neither_clouds_nor_focus(seed: int):
    told = advise(night(120, seed, dew))
    assert causes(told) == {Cause.DEW}
    assert told[0].serious


@pytest.mark.parametrize("seed", SEEDS)
def test_a_steady_drift_without_dither_is_walking_noise_to_come(seed: int):
    told = advise(night(60, seed, drift))
    assert causes(told) == {Cause.WALKING_NOISE}
    assert told[0].number == 20


@pytest.mark.parametrize("seed", SEEDS)
def test_a_dithered_drift_is_none(seed: int):
    def both(number: int, sub: Sub, random: np.random.Generator) -> Sub:
        x, y = sub.offset
        return replace(sub, offset=(x + 0.2 * number, y - 0.1 * number))

    assert advise(night(60, seed, both)) == []


def test_a_mount_that_holds_still_to_a_fraction_of_a_pixel_does_not_walk():
    def still(number: int, sub: Sub, random: np.random.Generator) -> Sub:
        return replace(sub, offset=(0.02 * number, 0.0))

    assert advise(night(60, 1, still)) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_moonrise_and_dawn_are_no_trouble(seed: int):
    assert advise(night(160, seed, moonrise)) == []


def test_a_flip_of_the_mount_is_no_drift():
    def flip(number: int, sub: Sub, random: np.random.Generator) -> Sub:
        turned = number >= 20
        place = (40.0, -25.0) if turned else (0.0, 0.0)
        noise = random.normal(0, 0.1, 2)
        return replace(
            sub, offset=(place[0] + noise[0], place[1] + noise[1]), rotation_deg=179.5 if turned else 0.1
        )

    assert advise(night(60, 2, flip)) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_interleaved_filters_are_compared_each_with_itself(seed: int):
    """Four filters of very different skies, fluxes and widths: nothing, until clouds come over all."""
    looks = {"L": (1.0, 1.0, 1.0), "R": (0.9, 0.3, 1.05), "G": (1.1, 0.35, 0.95), "B": (0.8, 0.25, 1.2)}

    def walk(*changes: Change) -> list[QualityAdvice]:
        advisor, told = Advisor(), []
        for number, sub in enumerate(night(160, seed, *changes), 1):
            name = "LRGB"[number % 4]
            flux, sky, hfr = looks[name]
            sub = replace(sub, flux=sub.flux * flux, sky=sub.sky * sky, hfr=sub.hfr * hfr)
            for event in events(number, sub, name):
                told += advisor.take(event)
        return told

    assert walk() == []
    assert causes(walk(clouds(80, 110))) == {Cause.CLOUD}
    assert causes(walk(dew)) == {Cause.DEW}


def test_a_target_that_sinks_is_no_trouble_where_its_airmass_is_known():
    def airmass(number: int) -> float:
        return 1 + 0.01 * number

    advisor, told = Advisor(), []
    for number, sub in enumerate(night(120, 3), 1):
        at = airmass(number)
        sub = replace(sub, flux=sub.flux * 10 ** (-0.08 * (at - 1)), hfr=sub.hfr * at**0.6)
        for event in events(number, sub):
            told += advisor.take(event, airmass=at)
    assert told == []


def test_clouds_that_come_back_are_told_again_but_not_each_puff():
    puffs = [clouds(a, a + 6) for a in (40, 55, 130)]
    told = advise(night(160, 4, *puffs))
    assert [advice.subject for advice in told] == [Cause.CLOUD, Cause.CLOUD]
    assert told[1].number is not None
    assert told[1].number > 130


def test_what_the_user_acknowledged_is_not_told_again():
    advisor = Advisor()
    subs = list(night(160, 4, clouds(40, 60), clouds(130, 150)))
    told = advise(iter(subs[:50]), advisor)
    assert advisor.active == (Cause.CLOUD,)
    advisor.acknowledge(Cause.CLOUD)
    assert advisor.active == ()
    for number, sub in enumerate(subs[50:], 51):
        for event in events(number, sub):
            told += advisor.take(event)
    assert len(told) == 1


def test_what_is_over_is_not_active():
    advisor = Advisor()
    advise(night(90, 4, clouds(40, 60)), advisor)
    assert advisor.active == ()


def test_refocusing_begins_anew():
    advisor = Advisor()
    subs = list(night(100, 5, defocus))
    assert causes(advise(iter(subs), advisor)) == {Cause.FOCUS}
    advisor.refocused()
    assert advisor.active == ()
    told = []
    for number, sub in enumerate(night(60, 6), 101):
        for event in events(number, replace(sub, hfr=sub.hfr * 1.1)):
            told += advisor.take(event)
    assert told == []


def test_two_degrees_since_the_last_focusing_ask_for_another_one():
    advisor = Advisor()
    told = [advisor.telemetry(ambient_celsius=10.0 - 0.25 * i) for i in range(12)]
    assert [len(t) for t in told] == [0] * 8 + [1] + [0] * 3
    assert "10.0 to 8.0 °C" in told[8][0].advice
    advisor.refocused()
    assert advisor.telemetry(ambient_celsius=7.0) == []
    assert advisor.telemetry(ambient_celsius=6.0) == []


def test_a_cooled_sensor_tells_nothing_of_the_telescope_s_temperature():
    advisor = Advisor()
    for celsius in (20.0, 0.0, -10.0):
        assert advisor.telemetry(sensor_celsius=celsius, cooled=True) == []
    uncooled = Advisor()
    assert uncooled.telemetry(sensor_celsius=20.0) == []
    assert causes(uncooled.telemetry(sensor_celsius=17.5)) == {Cause.FOCUS}


def test_wrong_masters_are_told_once():
    advisor = Advisor()
    told = advisor.audited(Audit(dark=Trace(0.5, 0.01)), number=1)
    assert causes(told) == {Cause.MASTERS}
    assert told[0].serious
    assert advisor.audited(Audit(dark=Trace(0.5, 0.01)), number=2) == []


def test_another_reference_is_no_cloud():
    advisor, told = Advisor(), []
    for number, sub in enumerate(night(60, 7), 1):
        if number == 30:
            # The new reference is twice as transparent as the old one: all fluxes halve.
            again = StackStarted(stack="L", reference=22, file=None, why="the best of the first subs")
            advisor.take(again)
        sub = replace(sub, flux=sub.flux * (0.5 if number >= 30 else 1.0))
        for event in events(number, sub):
            told += advisor.take(event)
    assert told == []


def test_subs_without_stars_and_restored_ones_are_taken_calmly():
    advisor = Advisor()
    blank = SubMeasured(
        number=1, stars=0, fwhm_px=None, hfr_px=None, eccentricity=None, angle_deg=None, sky_adu=0.0,
        sigma_adu=0.0, sky_e=None, sigma_e=0.0, sensor_sigma_e=None,
    )  # fmt: skip
    for number in range(1, 30):
        assert advisor.take(msgspec.structs.replace(blank, number=number)) == []
        assert advisor.take(SubRejected(number=number, reason=Reason.TOO_FEW_STARS)) == []
    restored = events(5, Sub())[1]
    assert advisor.take(restored) == []
    assert advisor.take(ExposureStarted(number=1, seconds=1.0)) == []
