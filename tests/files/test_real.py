from __future__ import annotations

import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits as astropy_fits

from starwell.errors import StarwellError
from starwell.files import frames
from starwell.files.header import BLOCK, parse
from starwell.files.levels import with_levels
from starwell.files.scale import SCALED
from starwell.frame import Bayer, Exposure, Facts, Kind, Roi

pytestmark = pytest.mark.real

REFUSED = {
    "DERIVED_header_only.fits": "only 0 % of its pixels",
    "DERIVED_truncated_60pct.fits": "only 59 % of its pixels",
    "DERIVED_zero_bytes.fits": "is empty",
    "ddai_fits_FLAT.fits": "holds no picture",
    "ddai_invalidfits_invalid.fits": "is empty",
    "ddai_session_B.fits": "holds no picture",
    "graxpert_color_32bit.xisf": "PixInsight's own format",
    "graxpert_mono_32bit.xisf": "PixInsight's own format",
    "stellarphot_ey-uma-9.fits": "holds no picture",
    "timmi2.fits": "a cube of 2×240×320",
}


def _facts(folder: Path) -> list[Facts]:
    return [frames.open_facts(path) for path in frames.gather([folder])]


def _by_astropy(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with astropy_fits.open(path) as units:
            pictures = (
                unit.data for unit in units if getattr(unit, "is_image", False) and unit.data is not None
            )
            return np.array(next(pictures))


def test_every_odd_file_is_read_as_astropy_reads_it_or_refused_by_name(real_data: Path) -> None:
    refused = {}
    paths = [path for path in sorted((real_data / "nasty-fits").iterdir()) if path.suffix != ".md"]
    for path in paths:
        try:
            frame = frames.open_frame(path)
        except StarwellError as error:
            refused[path.name] = str(error)
            continue
        assert frame.pixels.dtype.isnative
        assert frame.pixels.flags.c_contiguous
        assert not frame.pixels.flags.writeable
        if path.suffix == ".tiff":
            continue
        theirs = _by_astropy(path)
        if SCALED in frame.facts.flags:
            theirs = theirs.astype(frame.pixels.dtype) * frame.pixels.dtype.type(65535)
        assert np.array_equal(frame.pixels, theirs, equal_nan=theirs.dtype.kind == "f"), path.name
        assert frame.pixels.dtype == theirs.dtype.newbyteorder("="), path.name
        assert frames.open_facts(path).exposure == frame.facts.exposure
    assert refused.keys() == REFUSED.keys()
    assert all(name in fault for name, fault in refused.items())
    assert all(fault in refused[name] for name, fault in REFUSED.items())
    assert len(paths) > len(refused) + 20


def test_headers_are_understood_as_astropy_understands_them(real_data: Path) -> None:
    for path in frames.gather([real_data / "nasty-fits", real_data / "asi1600-kstars"]):
        raw = path.read_bytes()
        end = raw.find(b"END".ljust(80))
        if not raw.startswith(b"SIMPLE") or end < 0:
            continue
        ours = parse(raw[: end // 80 * 80])
        theirs = astropy_fits.Header.fromstring(raw[: -(-(end + 80) // BLOCK) * BLOCK])
        for keyword, value in ours.values.items():
            if keyword not in {"COMMENT", "HISTORY"}:
                assert value == theirs[keyword], (path.name, keyword)


def test_indi_lights_of_a_colour_camera(real_data: Path) -> None:
    folder = real_data / "als-lights"
    for facts in _facts(folder):
        assert facts.exposure == Exposure(Kind.LIGHT, 6.0, 180.0, None, 1, None, "Luminance")
        assert (facts.camera, facts.target, facts.bayer) == ("ZWO CCD ASI224MC", None, Bayer.RGGB)
        assert (facts.pixel_um, facts.focal_mm, facts.flags) == (3.75, 510, ())
    assert _facts(folder)[0].started == datetime(2018, 9, 7, 22, 31, 45, 431000, tzinfo=UTC)


def test_red_and_not_another_colour_carries_the_white_balance_comb(real_data: Path) -> None:
    frame = frames.open_frame(real_data / "als-lights" / "Light_1069.fits")
    assert frame.facts.bayer is Bayer.RGGB
    combed = [bool(np.any(frame.pixels[y::2, x::2] % 16)) for y in (0, 1) for x in (0, 1)]
    assert combed == [True, False, False, False]


def test_voyager_lights_with_nul_padding(real_data: Path) -> None:
    all_facts = _facts(real_data / "asi1600-focusrun")
    for facts in all_facts:
        assert (facts.exposure.kind, facts.exposure.filter, facts.target) == (Kind.LIGHT, "R", "Target")
        assert facts.exposure.roi == Roi(1746, 1320, 1164, 880)
        assert (facts.setpoint_celsius, facts.pixel_um, facts.focal_mm) == (-15, 3.8, 1400)
        assert facts.sensor_celsius == pytest.approx(-15, abs=0.3)
    assert all_facts[0].exposure.seconds == 3
    assert all_facts[0].started == datetime(2019, 5, 14, 1, 48, 17, tzinfo=UTC)


def test_microobservatory_lights_in_local_time(real_data: Path) -> None:
    all_facts = _facts(real_data / "hatp32-mobs")
    starts = [facts.started for facts in all_facts]
    assert starts[0] == datetime(2017, 12, 20, 1, 33, 43, 317000, tzinfo=UTC)
    assert starts == sorted(starts)  # type: ignore[type-var]
    for facts in all_facts:
        assert (facts.target, facts.exposure.seconds, facts.exposure.filter) == ("HATP-32", 60, "Clear")
        assert facts.sensor_celsius == pytest.approx(-2, abs=3)


def test_sbig_frames_are_typed_as_their_headers_say(real_data: Path) -> None:
    by_kind: dict[Kind, int] = {}
    for facts in _facts(real_data / "sbig-stl1001-2017"):
        by_kind[facts.exposure.kind] = by_kind.get(facts.exposure.kind, 0) + 1
        assert (facts.egain, facts.pixel_um, facts.setpoint_celsius) == (2.06, 24, -5)
        assert facts.focal_mm is None
    assert by_kind == {Kind.BIAS: 10, Kind.DARK: 16, Kind.LIGHT: 10}


@pytest.mark.parametrize(
    ("folder", "shift", "saturation_adu"),
    [
        ("als-lights", 4, 65504),
        ("asi1600-focusrun", 4, 65520),
        ("hatp32-mobs", 0, 4095),
        ("sbig-stl1001-2017", 0, 65535),
    ],
)
def test_the_levels_of_real_sets(real_data: Path, folder: str, shift: int, saturation_adu: float) -> None:
    paths = frames.gather([real_data / folder])
    facts = with_levels(frames.open_facts(paths[0]), frames.levels_of_set(paths))
    assert (facts.adu_shift, facts.saturation_adu) == (shift, saturation_adu)
