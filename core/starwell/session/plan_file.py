"""Reads a plan from TOML, and names every mistake in it at once: file, line, key, and what was expected."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from starwell.errors import PlanError
from starwell.frame import Kind
from starwell.session import plan_parts as parts
from starwell.session.plan import After, End, Guiding, Plan, Resume, Series, Target
from starwell.session.plan_checks import check
from starwell.session.plan_ends import ENDS_EXPECTED, parse_end
from starwell.session.plan_table import Mistake, Notes, PlainRefusal, Table, did_you_mean, listed
from starwell.toml_lines import KeyLines

_CAMERA = re.compile(r"simulated(:.+)?|zwo(:.+)?|(folder|watch):.+")
_CAMERA_EXPECTED = '"simulated", "zwo", "zwo:UID", "folder:DIR" or "watch:DIR"'
_ANGLE = re.compile(r"([+-]?)(\d+)\s*[:hd°\s]\s*(\d+)\s*(?:[:m'′\s]\s*(?:(\d+(?:\.\d+)?)\s*[s\"″]?)?)?")
_RA_EXPECTED = 'J2000 as "13h29m52.7s", "13:29:52.7" or degrees'
_DEC_EXPECTED = 'J2000 as "+47d11m43s", "+47:11:43" or degrees'
_KINDS = {
    "light": Kind.LIGHT,
    "dark": Kind.DARK,
    "flat": Kind.FLAT,
    "bias": Kind.BIAS,
    "dark-flat": Kind.DARK_FLAT,
}


def read_plan(path: Path, *, site_known: bool = False, filters: Collection[str] = ()) -> Plan:
    """The plan in this file; PlanError names all its mistakes.

    site_known: the configuration has a site. filters: those of the configured rig; empty: not known.
    """
    text = text_of(path)
    return plan_in(text, str(path), site_known=site_known, filters=filters, folder=path.parent)


def text_of(path: Path) -> str:
    """What is written in this file; PlanError."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise PlanError(f"The plan {path} cannot be read: {fault}.") from fault


def plan_in(
    text: str,
    file: str = "plan",
    *,
    site_known: bool = False,
    filters: Collection[str] = (),
    folder: Path | None = None,
) -> Plan:
    """The plan in this text, as `check_plan` takes it; PlanError names all its mistakes."""
    plan, mistakes = check_plan(text, file, site_known=site_known, filters=filters, folder=folder)
    if plan is None:
        count = f"{len(mistakes)} mistakes" if len(mistakes) > 1 else "one mistake"
        lines = "\n".join(f"  {m}" for m in mistakes)
        raise PlanError(f"The plan has {count} and was not started:\n{lines}")
    return plan


def check_plan(
    text: str,
    file: str = "plan",
    *,
    site_known: bool = False,
    filters: Collection[str] = (),
    folder: Path | None = None,
) -> tuple[Plan | None, tuple[Mistake, ...]]:
    """The plan in this text, or None and its mistakes. folder: where paths start; None: unchecked."""
    try:
        fields = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        return None, (_syntax(file, text, str(fault)),)
    notes = Notes(file, KeyLines(text))
    table = Table(fields, (), notes)
    plan = _plan(table, file, folder)
    table.finish()
    check(plan, table, site_known=site_known or "site" in table, filters=filters)
    return (None if notes.mistakes else plan), notes.mistakes


def _plan(table: Table, file: str, folder: Path | None) -> Plan:
    common, controls = parts.settings(table.table("settings"))
    loose = _all_series(table, common)
    targets = [_target(t, common) for t in table.tables("target")]
    dither, guiding = parts.dither(table.table("dither")), parts.guiding(table.table("guiding"))
    if dither is not None and dither.command is None and guiding is None:
        guiding = Guiding()
    return Plan(
        file=file,
        targets=((Target(series=loose),) if loose else ()) + tuple(targets),
        camera=table.take("camera", _CAMERA_EXPECTED, _camera, None),
        folder=table.text("folder"),
        timezone=table.take("timezone", 'a time zone like "Europe/Berlin"', _timezone, None),
        resume=table.choice("resume", Resume, Resume.ASK),
        ends=table.take("ends", ENDS_EXPECTED, _ends, ()),
        after=table.take("after", f"a list of {listed(After)}", _after, ()),
        rig=parts.rig(table.table("rig")),
        site=parts.site(table.table("site")),
        controls=controls,
        cooling=parts.cooling(table.table("cooling")),
        dither=dither,
        guiding=guiding,
        masters=parts.masters(table.table("masters"), folder),
        flats=parts.flats(table.table("flats")),
        darks=parts.darks(table.table("darks")),
        biases=parts.biases(table.table("biases")),
        alerts=parts.alerts(table.table("alerts")),
        stack=parts.stack(table.table("stack")),
    )


def _target(table: Table, common: Series) -> Target:
    made = Target(
        name=table.text("name", ""),
        ra_deg=table.take("ra", _RA_EXPECTED, _ra, None),
        dec_deg=table.take("dec", _DEC_EXPECTED, _dec, None),
        pattern=table.take("pattern", 'filters like "L-R-G-B" or ["L", "R", "G", "B"]', _pattern, ()),
        ends=table.take("ends", ENDS_EXPECTED, _ends, ()),
        hold=table.take(
            "hold_at_meridian", "true, or { before_min = 1, after_min = 5 }", parts.meridian_hold, None
        ),
        series=_all_series(table, common),
    )
    table.finish()
    return made


def _all_series(table: Table, common: Series) -> tuple[Series, ...]:
    return tuple(_series(t, common) for t in table.tables("series"))


def _series(table: Table, common: Series) -> Series:
    kind = _KINDS[table.choice("kind", tuple(_KINDS), "light")]
    seconds = parts.exposure(table, 0.0 if kind is Kind.BIAS else common.exposure_s)
    if seconds is None and kind not in (Kind.FLAT, Kind.DARK_FLAT) and "exposure" not in table:
        table.missing("exposure", "seconds, here or in [settings]")
    if kind is Kind.LIGHT and seconds == 0:
        table.fault("exposure", "expected more than 0 s for a light")
    made = msgspec.structs.replace(
        parts.readout(table, common),
        kind=kind,
        exposure_s=seconds,
        filter=table.text("filter"),
        count=table.whole("count", low=1),
    )
    if kind is not Kind.LIGHT and "count" not in table:
        table.missing("count", "how many frames")
    table.finish()
    return made


def _camera(value: Any) -> str:
    if not isinstance(value, str) or not _CAMERA.fullmatch(value):
        drivers = ("simulated", "zwo", "folder", "watch")
        near = did_you_mean(str(value).partition(":")[0], drivers)
        raise PlainRefusal(f'expected {_CAMERA_EXPECTED}, found "{value}"{near}')
    return value


def _timezone(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, OSError) as unknown:
        raise ValueError from unknown
    return value


def _ends(value: Any) -> tuple[End, ...]:
    words = value if isinstance(value, list) else [value]
    for word in words:
        if not isinstance(word, str):
            raise TypeError
        try:
            parse_end(word)
        except ValueError as unknown:
            raise PlainRefusal(f'expected {ENDS_EXPECTED}, found "{word}"') from unknown
    return tuple(parse_end(word) for word in words)


def _after(value: Any) -> tuple[After, ...]:
    words = value if isinstance(value, list) else [value]
    for word in words:
        if word not in list(After):
            near = did_you_mean(word, After)
            raise PlainRefusal(f'expected {listed(After)}, found "{word}"{near}')
    return tuple(After(word) for word in words)


def _pattern(value: Any) -> tuple[str, ...]:
    names = re.split(r"[-\s]+", value.strip()) if isinstance(value, str) else value
    if not isinstance(names, list) or not names or not all(isinstance(n, str) and n for n in names):
        raise TypeError
    return tuple(names)


def _ra(value: Any) -> float:
    degrees = _angle(value)
    if isinstance(value, str) and _ANGLE.fullmatch(value.strip()):
        degrees *= 15
    if not 0 <= degrees < 360:
        raise ValueError
    return degrees


def _dec(value: Any) -> float:
    degrees = _angle(value)
    if not -90 <= degrees <= 90:
        raise ValueError
    return degrees


def _angle(value: Any) -> float:
    """Units of the first figure: hours or degrees."""
    if isinstance(value, bool):
        raise TypeError
    if not isinstance(value, str) or not (match := _ANGLE.fullmatch(value.strip())):
        return float(value)
    sign, whole, minutes, seconds = match.groups()
    if int(minutes) >= 60 or float(seconds or 0) >= 60:
        raise ValueError
    size = int(whole) + int(minutes) / 60 + float(seconds or 0) / 3600
    return -size if sign == "-" else size


def _syntax(file: str, text: str, message: str) -> Mistake:
    place = re.search(r"at line (\d+)", message)
    line = int(place[1]) if place else len(text.splitlines()) or 1
    return Mistake(file, line, "TOML", f"{message}; expected key = value, [table] or [[table]]")
