from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starwell.files import dates, fits
from starwell.files.header import NUL_PADDED, parse
from starwell.files.keywords import TABLE, said
from starwell.frame import Bayer, Kind, Roi

DIALECTS: dict[str, tuple[list[str], dict[str, Any]]] = {
    "INDI": (
        [
            "INSTRUME= 'ZWO CCD ASI224MC'   / CCD Name",
            "OBJECT  = 'Unknown '           / Object name",
            "EXPTIME =                   6. / Total Exposure Time (s)",
            "PIXSIZE1=                 3.75 / Pixel Size 1 (microns)",
            "XBINNING=                    2 / Binning factor in width",
            "FRAME   = 'Dark    '           / Frame Type",
            "FILTER  = 'Luminance'          / Filter",
            "CCD-TEMP=                 -20. / CCD Temperature (Celsius)",
            "FOCALLEN=                 510. / Focal Length (mm)",
            "DATE-OBS= '2018-09-07T22:31:45.431' / UTC start date of observation",
            "GAIN    =                 180. / Gain",
            "OFFSET  =                  50. / Offset",
        ],
        {
            "camera": "ZWO CCD ASI224MC",
            "target": None,
            "seconds": 6,
            "bin": 2,
            "kind": Kind.DARK,
            "filter": "Luminance",
            "sensor_celsius": -20,
            "pixel_um": 7.5,
            "focal_mm": 510,
            "gain": 180,
            "offset": 50,
            "started": datetime(2018, 9, 7, 22, 31, 45, 431000, tzinfo=UTC),
        },
    ),
    "N.I.N.A.": (
        [
            "IMAGETYP= 'FLAT'               / Type of exposure",
            "EXPOSURE=                 0.08 / [s] Exposure duration",
            "DATE-LOC= '2024-01-10T08:50:21.865' / Time of observation (local)",
            "DATE-OBS= '2024-01-10T07:50:21.865' / Time of observation (UTC)",
            "XBINNING=                    1 / X axis binning factor",
            "GAIN    =                  120 / Sensor gain",
            "OFFSET  =                    8 / Sensor gain offset",
            "EGAIN   =     1.00224268436432 / [e-/ADU] Electrons per A/D unit",
            "XPIXSZ  =                 4.63 / [um] Pixel X axis size",
            "INSTRUME= 'ZWO ASI294MC Pro'   / Imaging instrument name",
            "SET-TEMP=                -15.0 / [degC] CCD temperature setpoint",
            "CCD-TEMP=                -14.1 / [degC] CCD temperature",
            "BAYERPAT= 'RGGB'               / Sensor Bayer pattern",
            "XBAYROFF=                    0 / Bayer pattern X axis offset",
            "YBAYROFF=                    0 / Bayer pattern Y axis offset",
            "FOCALLEN=               1000.0 / [mm] Focal length",
            "ROWORDER= 'TOP-DOWN'           / FITS Image Orientation",
        ],
        {
            "kind": Kind.FLAT,
            "seconds": 0.08,
            "gain": 120,
            "offset": 8,
            "egain": 1.00224268436432,
            "pixel_um": 4.63,
            "sensor_celsius": -14.1,
            "setpoint_celsius": -15,
            "bayer": Bayer.RGGB,
            "top_down": True,
            "focal_mm": 1000,
            "started": datetime(2024, 1, 10, 7, 50, 21, 865000, tzinfo=UTC),
        },
    ),
    "SharpCap": (
        [
            "BAYERPAT= 'GRBG'",
            "COLORTYP= 'GRBG'",
            "BLKLEVEL=                   40",
            "CCD-TEMP=                 -9.8",
            "SET-TEMP=                  -10",
            "EXPTIME =                 30.0",
            "GAIN    =                  200",
            "FRAMETYP= 'Light'",
            "XPIXSZ  =                  3.8",
            "DATE-OBS= '2020-03-10T19:52:55.1234567' / System Clock:Est. Frame Start",
        ],
        {
            "bayer": Bayer.GRBG,
            "offset": 40,
            "gain": 200,
            "seconds": 30,
            "kind": Kind.LIGHT,
            "started": datetime(2020, 3, 10, 19, 52, 55, 123456, tzinfo=UTC),
        },
    ),
    "MaxIm DL": (
        [
            "DATE-OBS= '2018-08-23T08:49:30' / ISO-8601",
            "EXPOSURE=   9.00000000000E+001 / [sec] Duration of exposure",
            "SET-TEMP=  -20.000000000000000 /CCD temperature setpoint in C",
            "CCD-TEMP=  -19.984783500000002 /CCD temperature at start of exposure in C",
            "XPIXSZ  =   9.0000000000000000 /Pixel Width in microns (after binning)",
            "XORGSUBF=                  128 /Subframe X position in binned pixels",
            "YORGSUBF=                   64 /Subframe Y position in binned pixels",
            "FILTER  = 'r       '           / Filter name",
            "IMAGETYP= 'Dark Frame' /        Type of image",
            "OBJECT  = 'kelt-16-b'          / Target object name",
            "INSTRUME= 'AspenCG16'          / Detector instrument name",
        ],
        {
            "seconds": 90,
            "filter": "r",
            "kind": Kind.DARK,
            "target": "kelt-16-b",
            "camera": "AspenCG16",
            "setpoint_celsius": -20,
            "roi": Roi(128, 64, 4, 3),
        },
    ),
    "CCDSoft, SBIG": (
        [
            "BIAS    =                  100",
            "FOCALLEN= +0.000000000000E+000",
            "IMAGETYP= 'Bias Frame          '",
            "CCDXBIN =                    3",
            "TEMPERAT= -5.232156845990E+000",
            "E-GAIN  = +2.060000000000E+000",
            "XPIXSZ  = +2.400000000000E+001",
            "EXPTIME = +0.000000000000E+000",
        ],
        {
            "kind": Kind.BIAS,
            "bin": 3,
            "egain": 2.06,
            "focal_mm": None,
            "seconds": 0,
            "offset": None,
            "pixel_um": 24,
        },
    ),
    "ASIStudio, ASIAIR": (
        [
            "CREATOR = 'ZWO ASIImg'         / Capture software",
            "EXPOINUS=             60000000 / Exposure time in us",
            "CCD-TEMP=                -10.0 / sensor temperature in C",
            "INSTRUME= 'ZWO ASI2600MC Pro'  / Camera model",
            "IMAGETYP= 'Light'              / Type of image",
            "BAYERPAT= 'RGGB'               / Bayer pattern",
            "GAIN    =                  100 / Gain Value",
            "OFFSET  =                   50",
        ],
        {"seconds": 60, "bayer": Bayer.RGGB, "gain": 100, "offset": 50, "sensor_celsius": -10},
    ),
    "Siril": (
        [
            "EXPTIME =                 180. / Exposure time [s]",
            "STACKCNT=                   42 / Stack frames",
            "CVF     =                 0.25 / Conversion factor (e-/adu)",
            "IMAGETYP= 'Master Dark'",
            "FOCAL   =                 530.",
            "XPIXELSZ=                 3.76",
        ],
        {
            "egain": 0.25,
            "kind": Kind.DARK,
            "focal_mm": 530,
            "pixel_um": 3.76,
            "flags": ("stack of 42 subs", "master"),
        },
    ),
    "a CCD whose GAIN is e-/ADU": (
        ["GAIN    =                  1.9 / [e-/ADU] gain"],
        {"gain": None, "egain": 1.9},
    ),
    "a camera in Kelvin": (
        ["CAMTEMP = 271.0 / CCD Camera Temperature in Kelvin, =-1 if no data"],
        {"sensor_celsius": -2.15},
    ),
    "values that say nothing": (
        [
            "GAIN    =                   -1",
            "FILTER  = 'None    '",
            "CCD-TEMP= -273.15",
            "EGAIN   = 0",
            "OBJECT  = ''",
        ],
        {"gain": None, "filter": None, "sensor_celsius": None, "egain": None, "target": None},
    ),
    "values that break the rules": (
        ["EXPTIME = 3,5 s", "GAIN    =139", "OBJECT  = 'M 31", "SET-TEMP= '-10 C'", "xbinning= 2"],
        {"seconds": 3.5, "gain": 139, "target": "M 31", "setpoint_celsius": -10, "bin": 2},
    ),
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_facts_of_every_dialect_are_understood(fits_file: Any, dialect: str) -> None:
    cards, expected = DIALECTS[dialect]
    facts = fits.read_facts(fits_file(*cards))
    found = {
        name: getattr(facts, name) if hasattr(facts, name) else getattr(facts.exposure, name)
        for name in expected
    }
    assert found == expected


def test_nul_padding_of_voyager_is_read_and_said(fits_file: Any) -> None:
    path = fits_file("EXPTIME =                 3.00", "OBJECT  = 'Target'", pad=b"\0")
    frame = fits.read(path)
    assert (frame.facts.exposure.seconds, frame.facts.target) == (3, "Target")
    assert NUL_PADDED in frame.facts.flags
    assert np.array_equal(frame.pixels, np.arange(12).reshape(3, 4))


def test_characters_beyond_ascii_do_not_stop_the_reading(fits_file: Any) -> None:
    facts = fits.read_facts(fits_file("OBJECT  = 'Orion-Nebel ü'".encode("latin-1"), "GAIN    = 5"))
    assert (facts.target, facts.exposure.gain) == ("Orion-Nebel ?", 5)
    assert facts.flags == ("header holds characters that are not ASCII",)


def test_of_keywords_that_stand_twice_the_first_is_used_and_said(fits_file: Any) -> None:
    facts = fits.read_facts(fits_file("GAIN    = 100", "GAIN    = 200", "OFFSET  = 10", "OFFSET  = 10"))
    assert facts.exposure.gain == 100
    assert facts.flags == ("keyword GAIN stands twice: the first is used",)


@pytest.mark.parametrize(
    "card", ["HISTORYX no value", "HIERARCH no value", "just words", "COMMENT= 5", "=", "A=B=C"]
)
def test_cards_without_a_value_are_passed_by(fits_file: Any, card: str) -> None:
    facts = fits.read_facts(fits_file(card, "GAIN    = 5", "HIERARCH ESO DET GAIN = 7"))
    assert facts.exposure.gain == 5
    assert facts.header["ESO DET GAIN"] == 7


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Light Frame", Kind.LIGHT), ("LIGHT", Kind.LIGHT), ("light", Kind.LIGHT), ("Object", Kind.LIGHT),
        ("DARK", Kind.DARK), ("Dark Frame", Kind.DARK), ("Master Dark", Kind.DARK), ("MASTERDARK", Kind.DARK),
        ("Flat Field", Kind.FLAT), ("FLAT", Kind.FLAT), ("Sky Flat", Kind.FLAT), ("MasterFlat", Kind.FLAT),
        ("Bias Frame", Kind.BIAS), ("BIAS", Kind.BIAS), ("Zero", Kind.BIAS), ("Offset", Kind.BIAS),
        ("DarkFlat", Kind.DARK_FLAT), ("DARKFLAT", Kind.DARK_FLAT), ("Dark Flat", Kind.DARK_FLAT),
        ("FLATDARK", Kind.DARK_FLAT), ("Flat-Dark", Kind.DARK_FLAT), ("Master DarkFlat", Kind.DARK_FLAT),
        ("Darks", Kind.DARK), ("BIASES", Kind.BIAS), ("Tricolor Image", Kind.LIGHT),
    ],
)  # fmt: skip
def test_the_kind_of_frame_has_many_names(words: str, kind: Kind) -> None:
    assert said(parse(f"IMAGETYP= '{words}'".ljust(80).encode()), "kind") is kind


@pytest.mark.parametrize(
    ("cards", "moment"),
    [
        ({"DATE-OBS": "2017-12-19T18:33:43.317-0700"}, datetime(2017, 12, 20, 1, 33, 43, 317000, tzinfo=UTC)),
        ({"DATE-OBS": "2020-01-02T03:04:05Z"}, datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ({"DATE-OBS": "2020-01-02 03:04:05+02:00"}, datetime(2020, 1, 2, 1, 4, 5, tzinfo=UTC)),
        (
            {"DATE-OBS": "2020-01-02", "TIME-OBS": "03:04:05.5"},
            datetime(2020, 1, 2, 3, 4, 5, 500000, tzinfo=UTC),
        ),
        ({"DATE-OBS": "01/05/95", "TIME-OBS": "22:42:07"}, datetime(1995, 5, 1, 22, 42, 7, tzinfo=UTC)),
        ({"DATE-OBS": "2020-1-2"}, datetime(2020, 1, 2, tzinfo=UTC)),
        ({"DATE-OBS": "2020-02-30T00:00:00", "MJD-OBS": 58880.5}, datetime(2020, 2, 1, 12, tzinfo=UTC)),
        ({"JD": 2458880.0}, datetime(2020, 1, 31, 12, tzinfo=UTC)),
        ({"DATE-OBS": "tonight"}, None),
        ({"DATE-OBS": "0001-01-01T00:00:00+05:00"}, None),
        ({}, None),
    ],
)
def test_the_start_is_understood_in_utc(cards: dict[str, Any], moment: datetime | None) -> None:
    assert dates.started(cards) == moment


@given(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.timezones()))  # noqa: DTZ001
def test_a_written_start_is_the_same_moment_to_the_millisecond(moment: datetime) -> None:
    read = dates.parse(dates.written(moment))
    assert read is not None
    assert abs((read - moment).total_seconds()) <= 0.001


@given(st.text(max_size=40))
def test_no_text_whatever_upsets_the_reading_of_a_date(text: str) -> None:
    moment = dates.parse(text)
    assert moment is None or moment.tzinfo is UTC


@given(st.binary(max_size=400))
def test_no_bytes_whatever_upset_the_reading_of_a_header(junk: bytes) -> None:
    header = parse(junk)
    for entry in TABLE:
        said(header, entry.fact)


@pytest.mark.parametrize(
    ("site", "degrees"), [("35 43 10", 35.719444), ("-78 48 21", -78.805833), (52.5, 52.5)]
)
def test_the_site_is_read_in_degrees_of_either_form(site: str | float, degrees: float) -> None:
    card = f"SITELAT = '{site}'" if isinstance(site, str) else f"SITELAT = {site}"
    assert said(parse(card.ljust(80).encode()), "latitude") == pytest.approx(degrees, abs=1e-6)


def test_no_keyword_is_written_twice_and_all_are_fits_keywords() -> None:
    written = [entry.keyword for entry in TABLE]
    assert len(set(written)) == len(written)
    spellings = [spelling.keyword for entry in TABLE for spelling in entry.spellings]
    assert all(len(keyword) <= 8 and keyword == keyword.upper() for keyword in spellings)
