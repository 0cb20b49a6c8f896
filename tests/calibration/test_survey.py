from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from starwell.calibration.survey import survey
from starwell.errors import MasterMismatch, MasterMissing, StorageError
from starwell.files import fits
from starwell.frame import Kind

DARK = {"IMAGETYP": "Dark Frame", "EXPTIME": 60.0, "GAIN": 100, "OFFSET": 50, "CCD-TEMP": -10.0}


def pixels(seed, shape=(12, 16)):
    return np.random.default_rng(seed).integers(900, 1100, shape).astype(np.uint16)


def frames(n=4):
    return [pixels(i) for i in range(n)]


def test_frames_taken_alike_pass_with_what_they_share(write_frames):
    folder = write_frames("darks", frames(), [{**DARK, "CCD-TEMP": -10.0 + 0.2 * i} for i in range(4)])
    found = survey(Kind.DARK, [folder])
    assert len(found.files) == 4
    assert found.warnings == ()
    assert found.facts.exposure.seconds == 60
    assert found.facts.sensor_celsius == pytest.approx(-9.7)


@pytest.mark.parametrize(
    ("keyword", "value", "words"),
    [
        ("EXPTIME", 300.0, r"exposure differs: 60 s \(3 frames\), 300 s \(frame_002.fits\)"),
        ("GAIN", 200, r"gain differs: 100 .*200 \(frame_002.fits\)"),
        ("OFFSET", 10, r"offset differs: .*frame_002"),
        ("XBINNING", 2, r"binning differs: .*frame_002"),
        ("INSTRUME", "Other", "camera differs: .*frame_002"),
        ("BAYERPAT", "GRBG", "Bayer pattern differs: .*GRBG.*frame_002"),
        ("CCD-TEMP", -4.0, r"temperature runs from -10.0 to -4.0 °C: frame_002"),
    ],
)
def test_the_frame_that_differs_is_named(write_frames, keyword, value, words):
    rest = {**DARK, "INSTRUME": "ASI1600", "BAYERPAT": "RGGB"}
    keywords = [rest, rest, {**rest, keyword: value}, rest]
    folder = write_frames("darks", frames(), keywords)
    with pytest.raises(MasterMismatch, match=words):
        survey(Kind.DARK, [folder])


def test_biases_of_two_temperatures_are_not_averaged(write_frames):
    bias = {"IMAGETYP": "Bias", "EXPTIME": 0.0}
    keywords = [{**bias, "CCD-TEMP": t} for t in (-5.0, -5.2, -5.1, -10.0)]
    with pytest.raises(MasterMismatch, match=r"temperature runs from -10.0 to -5.0 °C: frame_003"):
        survey(Kind.BIAS, [write_frames("bias", frames(), keywords)])


def test_all_differences_are_told_at_once(write_frames):
    folder = write_frames("darks", frames(), [DARK, DARK, {**DARK, "GAIN": 0, "EXPTIME": 10.0}, DARK])
    with pytest.raises(MasterMismatch, match=r"(?s)exposure differs.*gain differs"):
        survey(Kind.DARK, [folder])


def test_frames_of_another_size_are_named(write_frames):
    folder = write_frames("darks", [pixels(0), pixels(1), pixels(2), pixels(3, (10, 10))], DARK)
    with pytest.raises(MasterMismatch, match=r"size differs: 16×12 \(3 frames\), 10×10 \(frame_003"):
        survey(Kind.DARK, [folder])


def test_exposures_a_shutter_apart_are_one(write_frames):
    folder = write_frames("darks", frames(), [{**DARK, "EXPTIME": 60.0 + 0.003 * i} for i in range(4)])
    assert len(survey(Kind.DARK, [folder]).files) == 4


def test_a_header_that_is_silent_is_warned_of_not_refused(write_frames):
    silent = {key: value for key, value in DARK.items() if key != "GAIN"}
    folder = write_frames("darks", frames(), [DARK, silent, DARK, DARK])
    assert "Gain unchecked for frame_001.fits" in survey(Kind.DARK, [folder]).warnings[0]


def test_flats_typed_light_are_taken_with_a_warning(write_frames):
    folder = write_frames("panel", frames(), {"IMAGETYP": "Light Frame", "EXPTIME": 2.0})
    assert "taken for flat frames" in survey(Kind.FLAT, [folder]).warnings[0]


def test_flats_typed_dark_are_refused_unless_told_otherwise(write_frames):
    folder = write_frames("flats", frames(), DARK)
    with pytest.raises(MasterMismatch, match=r"typed dark, not flat: .*--any-type"):
        survey(Kind.FLAT, [folder])
    assert survey(Kind.FLAT, [folder], any_type=True).warnings


def test_lights_do_not_become_darks_by_a_slip(write_frames):
    light = {**DARK, "IMAGETYP": "Light"}
    with pytest.raises(MasterMismatch, match="typed light"):
        survey(Kind.DARK, [write_frames("M31", frames(), light)])
    assert survey(Kind.DARK, [write_frames("darks", frames(), light)]).warnings


def test_a_program_that_calls_biases_darks_is_understood(write_frames):
    folder = write_frames("a", frames(), {**DARK, "EXPTIME": 0.000032})
    assert survey(Kind.BIAS, [folder]).warnings
    folder = write_frames("bias", frames(), {"IMAGETYP": "Light", "EXPTIME": 23.0})
    with pytest.raises(MasterMismatch, match="23 s is no bias's exposure"):
        survey(Kind.BIAS, [folder])


def test_a_master_among_the_frames_is_refused(write_frames):
    folder = write_frames("darks", frames(), [DARK, {**DARK, "IMAGETYP": "Master Dark"}, DARK, DARK])
    with pytest.raises(MasterMismatch, match=r"already a master or a stack: frame_001.fits"):
        survey(Kind.DARK, [folder])


def test_filters_matter_to_flats_only(write_frames):
    keywords = [{**DARK, "FILTER": f} for f in ("L", "L", "R")]
    assert survey(Kind.DARK, [write_frames("darks", frames(3), keywords)]).warnings == ()
    flats = [{**k, "IMAGETYP": "Flat"} for k in keywords]
    with pytest.raises(MasterMismatch, match=r"filter differs: L \(2 frames\), R \(frame_002"):
        survey(Kind.FLAT, [write_frames("flats", frames(3), flats)])


def test_twilight_flats_of_many_exposures_are_taken_with_a_warning(write_frames):
    keywords = [{"IMAGETYP": "Flat", "EXPTIME": s} for s in (0.5, 1.0, 2.0)]
    assert "0.5 to 2 s" in survey(Kind.FLAT, [write_frames("flats", frames(3), keywords)]).warnings[0]


def test_broken_headers_are_named_and_the_rest_is_used(write_frames):
    folder = write_frames("darks", frames(5), DARK)
    (folder / "frame_002.fits").write_bytes(b"")
    found = survey(Kind.DARK, [folder])
    assert len(found.files) == 4
    assert "frame_002.fits is empty" in next(iter(found.unreadable.values()))


def test_two_frames_are_too_few(write_frames):
    with pytest.raises(MasterMissing, match="at least 3 good frames"):
        survey(Kind.DARK, [write_frames("darks", frames(2), DARK)])


def test_a_folder_that_is_not_there_says_so(tmp_path):
    with pytest.raises(StorageError, match="nowhere"):
        survey(Kind.DARK, [tmp_path / "nowhere"])


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([10.0, 60.0, 300.0]), min_size=3, max_size=7))
def test_mixed_exposures_never_pass_and_alike_ones_always_do(tmp_path_factory, exposures):
    folder = tmp_path_factory.mktemp("darks")
    for i, seconds in enumerate(exposures):
        fits.write(folder / f"{i}.fits", pixels(i), {**DARK, "EXPTIME": seconds})
    if len(set(exposures)) == 1:
        assert survey(Kind.DARK, [folder]).facts.exposure.seconds == exposures[0]
    else:
        with pytest.raises(MasterMismatch, match="exposure differs"):
            survey(Kind.DARK, [folder])
