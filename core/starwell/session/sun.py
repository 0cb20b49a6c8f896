"""Where the Sun and a target stand: dusk, dawn and the meridian, to better than half a minute.

Forty lines of the Astronomical Almanac's low-precision formulas ("Low-precision formulas for the Sun",
0.01° from 1950 to 2050) instead of astropy's coordinates: these take a second to load and want tables of
the Earth's rotation that an observatory without a network cannot fetch. Altitudes are geometric, without
refraction; longitudes are positive to the east; all times carry a time zone.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from enum import Enum

_J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)
_DAY = timedelta(days=1)
_SIDEREAL_DEG_PER_DAY = 360.98564736629


class Twilight(Enum):
    """How deep the Sun stands below the horizon, degrees, where day, twilight and night meet."""

    SUN = -0.8333
    CIVIL = -6.0
    NAUTICAL = -12.0
    ASTRONOMICAL = -18.0


def sun_altitude_deg(when: datetime, latitude_deg: float, longitude_deg: float) -> float:
    """How high the centre of the Sun stands above the horizon."""
    ra_deg, dec_deg = _sun(_days(when))
    return _altitude_deg(_sidereal_deg(when, longitude_deg) - ra_deg, dec_deg, latitude_deg)


def noon_before(when: datetime, longitude_deg: float) -> datetime:
    """The local mean noon at which the night that holds this moment began, UTC."""
    local = when.astimezone(UTC) + timedelta(hours=longitude_deg / 15 - 12)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(hours=longitude_deg / 15 - 12)


def dusk(
    when: datetime, latitude_deg: float, longitude_deg: float, twilight: Twilight = Twilight.ASTRONOMICAL
) -> datetime | None:
    """When this night gets darker than the twilight, UTC; None where the Sun does not cross it."""
    noon, midnight = _noon_and_midnight(when, longitude_deg)
    return _crossing(noon, midnight, latitude_deg, longitude_deg, twilight)


def dawn(
    when: datetime, latitude_deg: float, longitude_deg: float, twilight: Twilight = Twilight.ASTRONOMICAL
) -> datetime | None:
    """When this night, from local noon to noon, gets brighter again; None where the Sun does not cross it."""
    noon, midnight = _noon_and_midnight(when, longitude_deg)
    return _crossing(noon + _DAY, midnight, latitude_deg, longitude_deg, twilight)


def hour_angle_deg(when: datetime, ra_deg: float, dec_deg: float, longitude_deg: float) -> float:
    """How far a J2000 position is past the meridian, -180 to 180; 15° an hour, negative in the east."""
    ra_now, _ = _of_date(when, ra_deg, dec_deg)
    return (_sidereal_deg(when, longitude_deg) - ra_now + 180) % 360 - 180


def altitude_deg(
    when: datetime, ra_deg: float, dec_deg: float, latitude_deg: float, longitude_deg: float
) -> float:
    """How high a J2000 position stands above the horizon."""
    ra_now, dec_now = _of_date(when, ra_deg, dec_deg)
    return _altitude_deg(_sidereal_deg(when, longitude_deg) - ra_now, dec_now, latitude_deg)


def airmass(altitude: float) -> float | None:
    """How much air light crosses at an altitude in degrees (Kasten and Young 1989); None below 0°."""
    if altitude < 0:
        return None
    return 1 / (math.sin(math.radians(altitude)) + 0.50572 * math.pow(altitude + 6.07995, -1.6364))


def transit(after: datetime, ra_deg: float, dec_deg: float, longitude_deg: float) -> datetime:
    """When a J2000 position next crosses the meridian, UTC."""
    behind_deg = -hour_angle_deg(after, ra_deg, dec_deg, longitude_deg) % 360
    return after.astimezone(UTC) + timedelta(days=behind_deg / _SIDEREAL_DEG_PER_DAY)


def _days(when: datetime) -> float:
    """Days since J2000.0, UT taken for TT: the Sun moves 0.001° in that minute."""
    return (when - _J2000) / _DAY


def _sun(days: float) -> tuple[float, float]:
    """Apparent right ascension and declination of the Sun, degrees (Astronomical Almanac, section C)."""
    mean_deg = 280.460 + 0.9856474 * days
    anomaly = math.radians(357.528 + 0.9856003 * days)
    longitude = math.radians(mean_deg + 1.915 * math.sin(anomaly) + 0.020 * math.sin(2 * anomaly))
    obliquity = math.radians(23.439 - 0.0000004 * days)
    ra = math.atan2(math.cos(obliquity) * math.sin(longitude), math.cos(longitude))
    dec = math.asin(math.sin(obliquity) * math.sin(longitude))
    return math.degrees(ra), math.degrees(dec)


def _sidereal_deg(when: datetime, longitude_deg: float) -> float:
    """Local mean sidereal time (Meeus, Astronomical Algorithms, 12.4 to first order)."""
    return (280.46061837 + _SIDEREAL_DEG_PER_DAY * _days(when) + longitude_deg) % 360


def _of_date(when: datetime, ra_deg: float, dec_deg: float) -> tuple[float, float]:
    """A J2000 position precessed to first order (Astronomical Almanac, section B), not for the very pole."""
    years = _days(when) / 365.25
    m_deg, n_deg = 0.0128123 * years, 0.0055675 * years
    ra, dec = math.radians(ra_deg), math.radians(max(-89.0, min(89.0, dec_deg)))
    return ra_deg + m_deg + n_deg * math.sin(ra) * math.tan(dec), dec_deg + n_deg * math.cos(ra)


def _altitude_deg(hour_angle: float, dec_deg: float, latitude_deg: float) -> float:
    angle, dec, latitude = (math.radians(a) for a in (hour_angle, dec_deg, latitude_deg))
    sine = math.sin(latitude) * math.sin(dec) + math.cos(latitude) * math.cos(dec) * math.cos(angle)
    return math.degrees(math.asin(max(-1.0, min(1.0, sine))))


def _noon_and_midnight(when: datetime, longitude_deg: float) -> tuple[datetime, datetime]:
    """The noon before, and the moment of this night at which the Sun stands lowest."""
    noon = noon_before(when, longitude_deg)
    ra_deg, _ = _sun(_days(noon + _DAY / 2))
    past_deg = (_sidereal_deg(noon + _DAY / 2, longitude_deg) - ra_deg - 180 + 180) % 360 - 180
    return noon, noon + _DAY / 2 - timedelta(days=past_deg / 360)


def _crossing(
    bright: datetime, dark: datetime, latitude_deg: float, longitude_deg: float, twilight: Twilight
) -> datetime | None:
    """Bisect for the moment the Sun crosses the twilight between two moments; None where it does not."""

    def above(when: datetime) -> bool:
        return sun_altitude_deg(when, latitude_deg, longitude_deg) > twilight.value

    if not above(bright) or above(dark):
        return None
    while abs(bright - dark) > timedelta(seconds=0.5):
        middle = dark + (bright - dark) / 2
        if above(middle):
            bright = middle
        else:
            dark = middle
    return dark
