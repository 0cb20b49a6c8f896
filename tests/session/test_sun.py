from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starwell.session.sun import (
    Twilight,
    airmass,
    altitude_deg,
    dawn,
    dusk,
    hour_angle_deg,
    noon_before,
    sun_altitude_deg,
    transit,
)

GOLDEN = 39.742476, -105.1786
"""Golden, Colorado: the worked example of NREL's Solar Position Algorithm (Reda and Andreas 2003)."""
GREENWICH = 51.4769, 0.0
TROMSO = 69.65, 18.96
SIRIUS = 101.2872, -16.7161
M51 = 202.4696, 47.1952


def at(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=UTC)  # type: ignore[arg-type,misc]


def test_the_sun_stands_where_nrel_says():
    assert sun_altitude_deg(at(2003, 10, 17, 19, 30, 30), *GOLDEN) == pytest.approx(39.8720, abs=0.01)


def test_sunrise_and_sunset_are_those_of_nrel_to_half_a_minute():
    # NREL tabulates the events of a UT day: its sunset is that of the evening before.
    sunset = dusk(at(2003, 10, 17, 1), *GOLDEN, Twilight.SUN)
    sunrise = dawn(at(2003, 10, 17, 14), *GOLDEN, Twilight.SUN)
    assert sunset is not None
    assert sunrise is not None
    assert abs(sunset - at(2003, 10, 17, 0, 20, 19)) < timedelta(seconds=30)
    assert abs(sunrise - at(2003, 10, 17, 13, 12, 43)) < timedelta(seconds=30)


@pytest.mark.parametrize("longitude", [-170.0, -105.0, 0.0, 15.0, 151.0, 179.9])
@pytest.mark.parametrize("month", [3, 6, 9, 12])
def test_twilights_agree_with_astropy(longitude: float, month: int):
    astropy = pytest.importorskip("astropy.coordinates")
    from astropy import units
    from astropy.time import Time
    from astropy.utils import iers

    when = at(2026, month, 11, 3)
    with iers.conf.set_temp("auto_download", False):
        here = astropy.EarthLocation.from_geodetic(longitude, -33.0)
        for twilight in Twilight:
            for found in (dusk(when, -33.0, longitude, twilight), dawn(when, -33.0, longitude, twilight)):
                assert found is not None
                moment = Time(found.replace(tzinfo=None))
                sun = astropy.get_body("sun", moment, here).transform_to(
                    astropy.AltAz(obstime=moment, location=here)
                )
                # 0.25 degrees are a minute of the Earth's rotation; parallax takes 0.0024 degrees.
                assert sun.alt.to_value(units.deg) == pytest.approx(twilight.value, abs=0.03)


def test_each_twilight_is_deeper_into_the_night():
    evening = [dusk(at(2026, 3, 1, 20), *GREENWICH, t) for t in Twilight]
    morning = [dawn(at(2026, 3, 1, 20), *GREENWICH, t) for t in Twilight]
    moments = [m for m in (*evening, *reversed(morning)) if m is not None]
    assert len(moments) == 8
    assert moments == sorted(moments)


def test_a_northern_summer_night_has_no_astronomical_dawn_but_a_nautical_one():
    summer = at(2026, 6, 21, 22)
    assert dawn(summer, *GREENWICH) is None
    assert dawn(summer, *GREENWICH, Twilight.NAUTICAL) is not None


def test_the_midnight_sun_and_the_polar_night_have_no_dawn_at_all():
    assert dawn(at(2026, 6, 21, 22), *TROMSO, Twilight.SUN) is None
    assert dusk(at(2026, 12, 21, 22), *TROMSO, Twilight.SUN) is None


def test_before_and_after_midnight_are_one_night():
    before, after = at(2026, 11, 19, 22), at(2026, 11, 20, 4)
    assert dawn(before, *GREENWICH) == dawn(after, *GREENWICH)
    assert noon_before(before, 0.0) == noon_before(after, 0.0) == at(2026, 11, 19, 12)


def test_noon_is_the_noon_of_the_place():
    assert noon_before(at(2026, 1, 10, 1), -120.0) == at(2026, 1, 9, 20)
    assert noon_before(at(2026, 1, 10, 3), 150.0) == at(2026, 1, 10, 2)


@pytest.mark.parametrize("position", [SIRIUS, M51, (0.5, 80.0), (270.0, -60.0)])
def test_transits_agree_with_astropy_to_a_minute(position: tuple[float, float]):
    coordinates = pytest.importorskip("astropy.coordinates")
    from astropy import units
    from astropy.time import Time
    from astropy.utils import iers

    with iers.conf.set_temp("auto_download", False):
        here = coordinates.EarthLocation.from_geodetic(11.6, 48.1)
        found = transit(at(2026, 11, 19, 18), *position, 11.6)
        moment = Time(found.replace(tzinfo=None), location=here)
        sky = coordinates.SkyCoord(*position, unit="deg").transform_to(coordinates.TETE(obstime=moment))
        past = (moment.sidereal_time("apparent") - sky.ra).wrap_at(180 * units.deg)
        assert abs(past.to_value(units.hourangle)) * 60 < 1


def test_sirius_culminates_at_midnight_on_new_year():
    found = transit(at(2025, 12, 31, 20), *SIRIUS, 0.0)
    assert abs(found - at(2026, 1, 1, 0, 3)) < timedelta(minutes=4)


def test_a_target_at_the_zenith_culminates_at_the_latitude_of_its_declination():
    found = transit(at(2026, 4, 1, 20), *M51, 11.6)
    assert altitude_deg(found, *M51, 47.05, 11.6) == pytest.approx(90.0, abs=0.2)


@pytest.mark.parametrize(("altitude", "crossed"), [(90, 1.0), (60, 1.154), (30, 1.994), (10, 5.6), (0, 38)])
def test_the_air_that_light_crosses_is_kasten_and_young_s(altitude: float, crossed: float):
    assert airmass(altitude) == pytest.approx(crossed, rel=0.01)
    assert airmass(-0.1) is None


@given(st.floats(0, 359.9), st.floats(-80, 80), st.floats(-180, 180), st.integers(0, 20 * 365 * 24))
def test_a_transit_is_ahead_and_within_a_sidereal_day(ra: float, dec: float, longitude: float, hours: int):
    now = at(2020, 1, 1, 0) + timedelta(hours=hours)
    found = transit(now, ra, dec, longitude)
    assert timedelta(0) <= found - now <= timedelta(hours=23, minutes=57)
    # The moment is kept to microseconds.
    assert abs(hour_angle_deg(found, ra, dec, longitude)) < 1e-4
