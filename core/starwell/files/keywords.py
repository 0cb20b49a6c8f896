"""The one keyword table: what every program calls a fact, and how starwell (and Siril) writes it.

Read dialects: INDI/Ekos, N.I.N.A., SharpCap, Voyager, MaxIm DL, CCDSoft/SBIG, ASIStudio/ASIAIR, AstroArt,
Prism, Siril, PixInsight, MicroObservatory.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from starwell.files import dates
from starwell.files.header import Header
from starwell.files.mosaic import bayer_keywords, bayer_of
from starwell.frame import FULL_SCALE_ADU, Exposure, Facts, Kind, Roi

Reading = Callable[[Any, str], Any]
"""A header's value and comment -> the fact, or None where the value says nothing."""

_SAYS_NOTHING = {"", "none", "n/a", "na", "null", "unknown", "undefined", "default", "-"}
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eEdD][-+]?\d+)?")


def _text(value: Any, _comment: str) -> str | None:
    words = str(value).strip()
    return None if isinstance(value, bool) or words.lower() in _SAYS_NOTHING else words


def _number(value: Any, _comment: str) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        found = _NUMBER.match(value.strip().replace(",", "."))
        value = float(found.group().upper().replace("D", "E")) if found else math.nan
    if not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _within(low: float, high: float, factor: float = 1.0) -> Callable[[Any, str], float | None]:
    def reading(value: Any, comment: str) -> float | None:
        number = _number(value, comment)
        return None if number is None or not low <= number <= high else number * factor

    return reading


def _setting(value: Any, comment: str) -> float | None:
    return None if _in_electrons(comment) else _SETTING(value, comment)


def _electrons(value: Any, comment: str) -> float | None:
    return _EGAIN(value, comment) if _in_electrons(comment) else None


def _in_electrons(comment: str) -> bool:
    return re.search(r"e-|electron", comment.lower()) is not None


def _celsius(value: Any, comment: str) -> float | None:
    number = _number(value, comment)
    if number is None:
        return None
    if "kelvin" in comment.lower() or number > 150:
        number = round(number - 273.15, 6)
    return number if -150 <= number <= 100 else None


def _count(value: Any, comment: str) -> int | None:
    number = _within(1, 64)(value, comment)
    return None if number is None else int(number)


def _degrees(value: Any, comment: str) -> float | None:
    parts = _NUMBER.findall(str(value)) if isinstance(value, str) else []
    if len(parts) < 2:
        return _within(-360, 360)(value, comment)
    numbers = [float(whole) for whole, _ in parts[:3]]
    size: float = sum(number / 60**power for power, number in enumerate(numbers))
    return -size if str(value).strip().startswith("-") else size


def _kind(value: Any, _comment: str) -> Kind | None:
    words = re.sub(r"[^a-z]|frame|master|field|image|subs?$", "", str(value).lower())
    return _KINDS.get(words) or _KINDS.get(words.removesuffix("s"))


_KINDS = {
    **dict.fromkeys(("light", "object", "science", "snapshot", "tricolor"), Kind.LIGHT),
    "dark": Kind.DARK,
    **dict.fromkeys(("flat", "skyflat", "domeflat", "twilight", "twilightflat", "panelflat"), Kind.FLAT),
    **dict.fromkeys(("bias", "biase", "offset", "zero"), Kind.BIAS),
    **dict.fromkeys(("darkflat", "flatdark", "darkforflat"), Kind.DARK_FLAT),
}


@dataclass(frozen=True, slots=True)
class Spelling:
    """One keyword a fact goes by, and how its value is read."""

    keyword: str
    reading: Reading


@dataclass(frozen=True, slots=True)
class Entry:
    """One fact: its spellings, best first; the first is the one that is written, with this comment."""

    fact: str
    comment: str
    spellings: tuple[Spelling, ...]

    @property
    def keyword(self) -> str:
        """The keyword this fact is written under."""
        return self.spellings[0].keyword


def _entry(fact: str, comment: str, reading: Reading, keywords: str, *others: Spelling) -> Entry:
    return Entry(fact, comment, (*(Spelling(keyword, reading) for keyword in keywords.split()), *others))


_SECONDS = _within(0, 1e6)
_MICRONS = _within(0.1, 1000)
_SETTING = _within(0, 1e6)
_EGAIN = _within(1e-4, 1e3)

TABLE: tuple[Entry, ...] = (
    _entry("kind", "Light, Dark, Flat, Bias or DarkFlat", _kind, "IMAGETYP FRAME FRAMETYP IMGTYPE OBSTYPE"),
    _entry(
        "seconds",
        "[s] exposure of one sub",
        _SECONDS,
        "EXPTIME EXPOSURE EXP_TIME EXP-TIME EXPOSED",
        Spelling("EXPOINUS", _within(0, 1e12, 1e-6)),
    ),
    _entry("gain", "camera's gain setting", _setting, "GAIN CAMGAIN GAINSET"),
    _entry("offset", "camera's offset setting", _SETTING, "OFFSET BLKLEVEL BLACKLVL BLKLVL CAMOFFS"),
    _entry(
        "egain",
        "[e-/ADU] of this file",
        _EGAIN,
        "EGAIN E-GAIN CVF E_GAIN EPERADU",
        Spelling("GAIN", _electrons),
    ),
    _entry(
        "sensor_celsius",
        "[degC] sensor temperature",
        _celsius,
        "CCD-TEMP CCD_TEMP CCDTEMP TEMPERAT CAMTCCD DET-TEMP SENSTEMP CAMTEMP",
    ),
    _entry("setpoint_celsius", "[degC] asked of the cooler", _celsius, "SET-TEMP SET_TEMP SETTEMP CCD-TSET"),
    _entry("filter", "filter", _text, "FILTER FILT-1 FILTER1 FILTNAM FILTERID INSFLNAM"),
    _entry("target", "target", _text, "OBJECT OBJNAME OBJECT1 TARGET TARGNAME"),
    _entry("camera", "camera", _text, "INSTRUME CAMERA CAMERAID DETECTOR"),
    _entry("telescope", "telescope", _text, "TELESCOP TELESCO"),
    _entry("observer", "observer", _text, "OBSERVER AUTHOR SWOWNER"),
    _entry("bin", "binning in x", _count, "XBINNING CCDXBIN BINX XBIN BINNING CCDSUM CCDBINX"),
    _entry("roi_x", "[binned px] left edge of the window", _within(0, 1e6), "XORGSUBF SUBX FRAMEX"),
    _entry("roi_y", "[binned px] top edge of the window", _within(0, 1e6), "YORGSUBF SUBY FRAMEY"),
    _entry("pixel_um", "[um] pixel size, binning included", _MICRONS, "XPIXSZ XPIXELSZ XPIXSIZE"),
    _entry("unbinned_um", "[um] pixel size without binning", _MICRONS, "PIXSIZE1 PIXSIZEX PIXSIZE"),
    _entry(
        "focal_mm",
        "[mm] focal length",
        _within(1, 1e6),
        "FOCALLEN FOCAL FOCLEN",
        Spelling("FLENGTH", _within(1e-3, 1e3, 1000.0)),
    ),
    _entry("aperture_mm", "[mm] aperture", _within(1, 1e5), "APTDIA"),
    _entry(
        "rotation_deg",
        "[deg] angle of the rotator",
        _within(-360, 720),
        "ROTATANG ROTATOR ROTANGLE ROTANG POSANGLE POSANG",
    ),
    _entry("adc_bits", "bits of the converter", _count, "BITDEPTH"),
    _entry("latitude", "[deg] site, north positive", _degrees, "SITELAT LAT-OBS OBSGEO-B LATITUDE OBSLAT"),
    _entry("longitude", "[deg] site, east positive", _degrees, "SITELONG LONG-OBS OBSGEO-L OBSLONG"),
    _entry("elevation_m", "[m] site, above the sea", _within(-500, 9000), "SITEELEV ALT-OBS OBSALT"),
    _entry("saturation", "[ADU] saturated from here on", _within(1, 2**32), "SATURATE SATLEVEL SATURATN"),
    _entry("stacked", "subs in this stack", _within(1, 1e9), "STACKCNT NCOMBINE"),
    _entry("livetime", "[s] exposure of all subs together", _within(0, 1e9), "LIVETIME"),
)
_BY_FACT = {entry.fact: entry for entry in TABLE}
_CARRIED = ("telescope", "aperture_mm", "observer", "latitude", "longitude", "elevation_m", "rotation_deg")
COMMENTS: Mapping[str, str] = {
    **{entry.keyword: entry.comment for entry in TABLE},
    "DATE-OBS": "UTC, start of the exposure",
    "BAYERPAT": "colours of the 2x2 cell",
    "ROWORDER": "order of the rows in the file",
    "XBAYROFF": "x offset of the Bayer pattern",
    "YBAYROFF": "y offset of the Bayer pattern",
    "YBINNING": "binning in y",
    "YPIXSZ": "[um] pixel size, binning included",
    "PEDESTAL": "[ADU] to be taken off for zero",
    "SWCREATE": "program",
}


def said(header: Header, fact: str) -> Any:
    """What the header says of one fact of the table, under whatever spelling; None where it says nothing."""
    for spelling in _BY_FACT[fact].spellings:
        if spelling.keyword in header.values:
            comment = header.comments.get(spelling.keyword, "")
            found = spelling.reading(header.values[spelling.keyword], comment)
            if found is not None:
                return found
    return None


def facts_of(
    header: Header,
    shape: tuple[int, ...],
    *,
    source: Path | None = None,
    full_scale_adu: float = FULL_SCALE_ADU,
    flags: Iterable[str] = (),
) -> Facts:
    """Everything the header says about a picture of this shape."""
    binning = said(header, "bin") or 1
    bayer, top_down, remarks = bayer_of(header, shape, binning)
    unbinned_um = said(header, "unbinned_um")
    stacked = said(header, "stacked")
    notes = [f"stack of {stacked:g} subs"] if stacked and stacked > 1 else []
    if "master" in str(header.values.get(_BY_FACT["kind"].keyword, "")).lower():
        notes.append("master")
    return Facts(
        shape=shape,
        exposure=_exposure(header, shape, binning),
        target=said(header, "target"),
        camera=said(header, "camera"),
        started=dates.started(header.values),
        sensor_celsius=said(header, "sensor_celsius"),
        setpoint_celsius=said(header, "setpoint_celsius"),
        bayer=bayer,
        top_down=top_down,
        saturation_adu=said(header, "saturation") or full_scale_adu,
        egain=said(header, "egain"),
        pixel_um=said(header, "pixel_um") or (unbinned_um and unbinned_um * binning),
        focal_mm=said(header, "focal_mm"),
        flags=tuple(dict.fromkeys([*flags, *header.flags, *remarks, *notes])),
        source=source,
        header=MappingProxyType(dict(header.values)),
    )


def _exposure(header: Header, shape: tuple[int, ...], binning: int) -> Exposure:
    return Exposure(
        kind=said(header, "kind") or Kind.LIGHT,
        seconds=said(header, "seconds"),
        gain=said(header, "gain"),
        offset=said(header, "offset"),
        bin=binning,
        roi=_roi(header, shape),
        filter=said(header, "filter"),
    )


def _roi(header: Header, shape: tuple[int, ...]) -> Roi | None:
    x, y = said(header, "roi_x"), said(header, "roi_y")
    return Roi(int(x or 0), int(y or 0), shape[-1], shape[-2]) if x or y else None


def keywords_of(facts: Facts) -> dict[str, Any]:
    """The keywords that say these facts, as Siril reads them; what is not known is left out.

    Telescope, observer and site are carried over from the frame's own header.
    """
    exposure = facts.exposure
    told: dict[str, Any] = {
        "kind": exposure.kind.value,
        "seconds": exposure.seconds,
        "gain": exposure.gain,
        "offset": exposure.offset,
        "egain": facts.egain,
        "sensor_celsius": facts.sensor_celsius,
        "setpoint_celsius": facts.setpoint_celsius,
        "filter": exposure.filter,
        "target": facts.target,
        "camera": facts.camera,
        "bin": exposure.bin,
        "roi_x": exposure.roi.x if exposure.roi else None,
        "roi_y": exposure.roi.y if exposure.roi else None,
        "pixel_um": facts.pixel_um,
        "focal_mm": facts.focal_mm,
    }
    told |= {fact: said(Header(facts.header, {}), fact) for fact in _CARRIED}
    written = {_BY_FACT[fact].keyword: value for fact, value in told.items() if value is not None}
    if facts.started is not None:
        written["DATE-OBS"] = dates.written(facts.started)
    written["YBINNING"] = exposure.bin
    if facts.pixel_um is not None:
        written["YPIXSZ"] = facts.pixel_um
    return written | bayer_keywords(facts)
