"""When a frame was started, from whatever a header says about it, in UTC."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

_STARTS = ("DATE-OBS", "DATE-BEG", "DATE_OBS", "DATEOBS")
_CLOCKS = ("TIME-OBS", "TIME_OBS", "UT-START", "UTSTART", "UT", "UTC-OBS")
_JULIAN = (("MJD-OBS", 2400000.5), ("MJD-BEG", 2400000.5), ("JD", 0.0), ("JD-OBS", 0.0))
_UNIX_EPOCH_JD = 2440587.5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SLASHED = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{2,4})$")
_DAYS = re.compile(r"(\d{4})[-:](\d{1,2})[-:](\d{1,2})(?:[T ]+(\S.*))?$")


def started(values: Mapping[str, Any]) -> datetime | None:
    """The start of the exposure; times without an offset are UTC, as FITS has it; None: nothing usable."""
    for keyword in _STARTS:
        moment = parse(str(values.get(keyword, "")), _clock(values))
        if moment is not None:
            return moment
    for keyword, zero in _JULIAN:
        day = values.get(keyword)
        if isinstance(day, int | float) and 2415020.5 < day + zero < 2488070.0:  # the years 1900..2100
            return _EPOCH + timedelta(days=day + zero - _UNIX_EPOCH_JD)
    return None


def night_date(when: datetime) -> date:
    """The date of the local noon before: the same from dusk to dawn."""
    return (when.astimezone().replace(tzinfo=None) - timedelta(hours=12)).date()


def parse(text: str, clock: str = "") -> datetime | None:
    """ISO, with or without time, offset or Z; old DD/MM/YY; clock is the time of day to a bare date."""
    text = text.strip()
    slashed = _SLASHED.match(text)
    if slashed:
        day, month, year = slashed.groups()
        text = f"{1900 + int(year) if len(year) == 2 else int(year):04d}-{month:0>2}-{day:0>2}"
    parts = _DAYS.match(text)
    if not parts:
        return None
    year, month, day, time = parts.groups()
    for hours in dict.fromkeys((time or clock or "00:00", "00:00") if not time else (time,)):
        try:
            moment = datetime.fromisoformat(f"{year}-{month:0>2}-{day:0>2}T{hours.strip()}")
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            continue
    return None


def _clock(values: Mapping[str, Any]) -> str:
    texts = (str(values.get(keyword, "")).strip() for keyword in _CLOCKS)
    return next((text for text in texts if re.match(r"\d{1,2}:\d{2}", text)), "")


def written(moment: datetime) -> str:
    """UTC to the millisecond, as DATE-OBS is written."""
    utc = moment.astimezone(UTC) if moment.tzinfo else moment
    return utc.replace(tzinfo=None).isoformat(timespec="milliseconds")
