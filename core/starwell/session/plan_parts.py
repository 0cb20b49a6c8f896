"""The small tables of a plan, one reader each."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, overload

import msgspec

from starwell.camera.protocol import Control
from starwell.frame import Roi
from starwell.session.alerts import ALERT_KINDS
from starwell.session.plan import (
    Alerts,
    Biases,
    Cooling,
    Darks,
    Dither,
    Flats,
    Guiding,
    MasterPaths,
    MeridianHold,
    RigOverrides,
    Series,
    Settle,
    Site,
    StackOptions,
)
from starwell.session.plan_table import PlainRefusal, Table, did_you_mean, listed

_CONTROLS = (Control.FAN, Control.DEW_HEATER, Control.USB_BANDWIDTH, Control.HIGH_SPEED)
_LONGEST_S = 7200.0
_HOTTEST_C = 60.0
_EXPOSURE = "seconds"


def rig(table: Table | None) -> RigOverrides:
    """What tonight's rig has other than the configured one."""
    if table is None:
        return RigOverrides()
    made = RigOverrides(
        telescope=table.text("telescope"),
        focal_mm=table.number("focal_mm", above=0, unit="mm"),
        aperture_mm=table.number("aperture_mm", above=0, unit="mm"),
        filters=table.texts("filters"),
    )
    table.finish()
    return made


def site(table: Table | None) -> Site | None:
    """Latitude and longitude; None unless both are there."""
    if table is None:
        return None
    latitude = table.number("latitude_deg", low=-90, high=90, unit="degrees")
    longitude = table.number("longitude_deg", low=-180, high=180, unit="degrees, east positive,")
    elevation = table.number("elevation_m", low=-500, high=9000, unit="metres")
    for key in ("latitude_deg", "longitude_deg"):
        table.missing(key, "degrees, north and east positive")
    table.finish()
    if latitude is None or longitude is None:
        return None
    return Site(latitude_deg=latitude, longitude_deg=longitude, elevation_m=elevation)


def settings(table: Table | None) -> tuple[Series, dict[str, float]]:
    """What every series takes unless it says otherwise, and the controls that outlast an exposure."""
    if table is None:
        return Series(), {}
    common = readout(table, Series(exposure_s=exposure(table, None)))
    controls: dict[str, float] = {}
    for control in _CONTROLS:
        value = table.take(control.value, "a number, true or false", _control, None)
        if value is not None:
            controls[control.value] = value
    table.finish()
    return common, controls


def readout(table: Table, common: Series) -> Series:
    """Gain, offset, bin and roi; those of `common` where the table is silent."""
    return msgspec.structs.replace(
        common,
        gain=table.number("gain", common.gain, low=0, high=1000, unit="0.1 dB"),
        offset=table.number("offset", common.offset, low=0, high=10000),
        bin=table.whole("bin", common.bin, low=1, high=8),
        roi=table.take("roi", "[x, y, width, height] in binned pixels", _roi, common.roi),
    )


@overload
def exposure(table: Table, default: float) -> float: ...
@overload
def exposure(table: Table, default: float | None) -> float | None: ...
def exposure(table: Table, default: float | None) -> float | None:
    """The exposure in seconds."""
    return table.number("exposure", default, low=0, high=_LONGEST_S, unit=_EXPOSURE)


def cooling(table: Table | None) -> Cooling | None:
    """How cold, and how fast; None where nothing is cooled."""
    if table is None or table.missing("celsius", "°C"):
        return None
    celsius = table.number("celsius", low=-100, high=_HOTTEST_C, unit="°C")
    made = Cooling(
        celsius=celsius if celsius is not None else 0.0,
        ramp_c_per_min=table.number("ramp_c_per_min", 2.0, above=0, high=60, unit="°C a minute"),
        tolerance_c=table.number("tolerance_c", 0.5, above=0, high=5, unit="°C"),
        warm_up=table.flag("warm_up", True),
    )
    table.finish()
    return made


def meridian_hold(value: Any) -> MeridianHold | None:
    """From true, false or a table of minutes."""
    if isinstance(value, bool):
        return MeridianHold() if value else None
    if not isinstance(value, dict) or not set(value) <= {"before_min", "after_min"}:
        raise TypeError
    minutes = {key: float(number) for key, number in value.items()}
    if not all(0 <= number <= 120 for number in minutes.values()):
        raise ValueError
    return MeridianHold(**minutes)


def dither(table: Table | None) -> Dither | None:
    """How lights are moved against each other; None where they are not."""
    if table is None:
        return None
    plain = Settle()
    made = Dither(
        amount_px=table.number("amount_px", 5.0, above=0, high=200, unit="px"),
        every=table.whole("every", 1, low=1),
        ra_only=table.flag("ra_only", False),
        settle=Settle(
            px=table.number("settle_px", plain.px, above=0, high=50, unit="guide px"),
            seconds=table.number("settle_s", plain.seconds, low=0, high=300, unit="seconds"),
            timeout_s=table.number("timeout_s", plain.timeout_s, above=0, high=900, unit="seconds"),
        ),
        command=table.take("command", "a command; {px}, {arcsec}, {ra_only} are filled in", _command, None),
    )
    if made.settle.seconds >= made.settle.timeout_s:
        table.fault("timeout_s", f"expected more than the {made.settle.seconds:g} s of settle_s")
    table.finish()
    return made


def guiding(table: Table | None) -> Guiding | None:
    """Where PHD2 listens."""
    if table is None:
        return None
    made = Guiding(
        host=table.text("host", "localhost"),
        port=table.whole("port", 4400, low=1, high=65535),
        guide_arcsec_per_px=table.number("guide_arcsec_per_px", above=0, high=100, unit="arcsec"),
    )
    table.finish()
    return made


def masters(table: Table | None, folder: Path | None) -> MasterPaths:
    """Paths as written, from the plan's folder; each must be there. folder None: nothing is looked up."""
    if table is None:
        return MasterPaths()

    def path(value: Any) -> str:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return f"{value:g}"
        if not isinstance(value, str) or not value.strip():
            raise TypeError
        if value == "auto" or folder is None:
            return value
        found = folder / Path(value).expanduser()
        if not found.exists():
            raise PlainRefusal(f"no file or folder {found}; expected a master, a folder of frames or auto")
        return str(found)

    expected = "a master, a folder of frames or auto"
    made = MasterPaths(**{k: table.take(k, expected, path, None) for k in MasterPaths.__struct_fields__})
    table.finish()
    return made


def flats(table: Table | None) -> Flats:
    """Flats after the lights."""
    if table is None:
        return Flats()
    plain = Flats()
    made = Flats(
        count=table.whole("count", plain.count, low=1),
        exposure_s=table.number("exposure", above=0, high=_LONGEST_S, unit=_EXPOSURE),
        level=table.number("level", plain.level, low=0.05, high=0.9, unit="full scale"),
        shortest_s=table.number("shortest_s", plain.shortest_s, above=0, high=60, unit="seconds"),
        longest_s=table.number("longest_s", plain.longest_s, above=0, high=600, unit="seconds"),
        filters=table.texts("filters"),
        dark_flats=table.flag("dark_flats", True),
        **_way(table),
    )
    if made.shortest_s > made.longest_s:
        table.fault("longest_s", f"expected no less than the {made.shortest_s:g} s of shortest_s")
    table.finish()
    return made


def darks(table: Table | None) -> Darks:
    """Darks after the lights."""
    if table is None:
        return Darks()

    def seconds(value: Any) -> tuple[float, ...]:
        found = value if isinstance(value, list) else [value]
        if not all(
            isinstance(s, int | float) and not isinstance(s, bool) and 0 < s <= _LONGEST_S for s in found
        ):
            raise ValueError
        return tuple(float(s) for s in found)

    made = Darks(
        count=table.whole("count", 20, low=1),
        exposures_s=table.take("exposure", "seconds, or a list of them", seconds, ()),
        **_way(table),
    )
    table.finish()
    return made


def biases(table: Table | None) -> Biases:
    """Bias frames after the lights."""
    if table is None:
        return Biases()
    made = Biases(count=table.whole("count", 50, low=1), exposure_s=exposure(table, 0.0), **_way(table))
    table.finish()
    return made


def alerts(table: Table | None) -> Alerts:
    """Commands by kind of event; `bell` and `timeout_s` are the other keys."""
    if table is None:
        return Alerts()
    bell = table.texts("bell")
    timeout_s = table.number("timeout_s", 30.0, above=0, high=3600, unit="seconds")
    commands = {
        kind: command
        for kind in table.names()
        if kind in ALERT_KINDS and (command := table.take(kind, "a command", _command, None)) is not None
    }
    for kind in bell:
        if kind not in ALERT_KINDS:
            known = did_you_mean(kind, ALERT_KINDS) or f"; expected {listed(ALERT_KINDS)}"
            table.fault("bell", f'no kind of event is called "{kind}"{known}')
    table.finish(ALERT_KINDS)
    return Alerts(commands=commands, bell=bell, timeout_s=timeout_s)


def stack(table: Table | None) -> StackOptions:
    """How the lights are stacked as they come."""
    if table is None:
        return StackOptions()
    plain = StackOptions()
    made = StackOptions(
        live=table.flag("live", plain.live),
        kernel=table.choice("kernel", ("lanczos", "cubic", "bilinear"), plain.kernel),
        reject=table.choice("reject", ("noise-model", "none"), plain.reject),
        colour=table.choice("colour", ("full", "super-pixel", "mono"), plain.colour),
        unit=table.choice("unit", ("full-scale", "electron"), plain.unit),
    )
    table.finish()
    return made


def _way(table: Table) -> dict[str, Any]:
    return {
        "gain": table.number("gain", low=0, high=1000, unit="0.1 dB"),
        "offset": table.number("offset", low=0, high=10000),
        "bin": table.whole("bin", low=1, high=8),
    }


def _control(value: Any) -> float:
    if not isinstance(value, int | float):
        raise TypeError
    return float(value)


def _command(value: Any) -> str:
    if not isinstance(value, str) or not shlex.split(value):
        raise ValueError
    return value


def _roi(value: Any) -> Roi:
    if not isinstance(value, list) or len(value) != 4:
        raise TypeError
    if not all(type(v) is int for v in value) or min(value[:2]) < 0 or min(value[2:]) < 1:
        raise ValueError
    return Roi(*value)
