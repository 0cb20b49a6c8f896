from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits as astropy_fits

from starwell.calibration.library import load_masters, open_master
from starwell.calibration.masters import build, constant_bias, export16, read, write
from starwell.errors import MasterError, MasterMismatch, MasterMissing, StorageError
from starwell.files import fits, pictures
from starwell.frame import Exposure, Facts, Kind

SHAPE = (40, 50)
DARK = {"IMAGETYP": "Dark", "EXPTIME": 60.0, "GAIN": 100, "CCD-TEMP": -10.0, "INSTRUME": "ASI"}


def noise(n, level=500.0, sigma=5.0, seed=1):
    rng = np.random.default_rng(seed)
    return [rng.normal(level, sigma, SHAPE).round().astype(np.uint16) for _ in range(n)]


@pytest.fixture
def calibration(write_frames):
    """Folders of biases, darks and flats of one camera."""
    return {
        "bias": write_frames("bias", noise(4), {**DARK, "IMAGETYP": "Bias", "EXPTIME": 0.0}),
        "dark": write_frames("dark", noise(4, 520, seed=2), DARK),
        "flat": write_frames("flat", noise(4, 20500, 150, 3), {**DARK, "IMAGETYP": "Flat", "EXPTIME": 2.0}),
    }


@pytest.mark.parametrize("kind", [Kind.BIAS, Kind.DARK, Kind.FLAT])
def test_a_master_comes_back_from_its_file_as_it_was(calibration, tmp_path, kind):
    folder = calibration[kind.value.lower()]
    bias = constant_bias(500) if kind is not Kind.BIAS else None
    master = write(build(kind, [folder], bias=bias), tmp_path / "master.fits")
    back = read(tmp_path / "master.fits", kind)
    np.testing.assert_allclose(back.pixels, master.pixels, rtol=2e-6)
    assert (back.kind, back.combined, back.sha256) == (kind, 4, master.sha256)
    assert dict(back.learnt) == pytest.approx(dict(master.learnt))
    assert back.facts.exposure == master.facts.exposure
    assert back.facts.sensor_celsius == -10
    assert back.warnings == ()


def test_the_file_says_where_the_master_is_from_and_holds_one_picture(calibration, tmp_path):
    write(build(Kind.DARK, [calibration["dark"]]), tmp_path / "master.fits")
    with astropy_fits.open(tmp_path / "master.fits") as hdus:
        hdus.verify("exception")
        header, pixels = hdus[0].header, hdus[0].data
    assert len(hdus) == 1
    assert (header["IMAGETYP"], header["NCOMBINE"], header["STACKCNT"]) == ("Master Dark", 4, 4)
    assert header["BITPIX"] == -32
    assert "frame_002.fits" in str(header["HISTORY"])
    assert header["SWCREATE"].startswith("starwell")
    assert len(header["SRCSHA"]) == len(header["PIXSHA"]) == 64
    assert np.median(pixels) == pytest.approx(520, abs=1)


def test_the_source_hash_follows_the_frames_not_their_folder(calibration, write_frames):
    one = build(Kind.DARK, [calibration["dark"]]).keywords["SRCSHA"]
    again = write_frames("elsewhere", noise(4, 520, seed=2), DARK)
    other = write_frames("other", noise(4, 520, seed=7), DARK)
    assert build(Kind.DARK, [again]).keywords["SRCSHA"] == one
    assert build(Kind.DARK, [other]).keywords["SRCSHA"] != one


def test_a_flat_is_written_at_its_level_in_adu(calibration, tmp_path):
    master = build(Kind.FLAT, [calibration["flat"]], bias=constant_bias(500))
    write(master, tmp_path / "flat.fits")
    assert np.median(fits.read(tmp_path / "flat.fits").pixels) == pytest.approx(20000, abs=20)
    assert master.pixels.mean() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("name", ["flat16.fits", "flat16.png"])
def test_other_capture_programs_get_16_bits(calibration, tmp_path, name):
    master = build(Kind.FLAT, [calibration["flat"]], bias=constant_bias(500))
    export16(master, tmp_path / name)
    back = (pictures if name.endswith("png") else fits).read(tmp_path / name).pixels
    assert back.dtype == np.uint16
    np.testing.assert_allclose(back, master.adu_pixels, atol=0.51)


def test_a_master_changed_by_another_program_is_told(calibration, tmp_path):
    path = tmp_path / "master.fits"
    write(build(Kind.DARK, [calibration["dark"]]), path)
    with astropy_fits.open(path, mode="update") as hdus:
        hdus[0].data[3, 3] += 100
    assert "changed by another program" in read(path, Kind.DARK).warnings[0]


def test_a_foreign_float_flat_of_0_to_1_is_normalised(tmp_path):
    pixels = np.random.default_rng(1).normal(0.4, 0.01, SHAPE).astype(np.float32)
    fits.write(tmp_path / "flat.fits", pixels, {"IMAGETYP": "masterFlat", "STACKCNT": 20})
    master = read(tmp_path / "flat.fits", Kind.FLAT)
    assert master.pixels.mean() == pytest.approx(1, abs=1e-6)
    assert (master.combined, master.warnings) == (20, ())


def test_a_master_of_another_kind_is_refused(calibration, tmp_path):
    write(build(Kind.DARK, [calibration["dark"]]), tmp_path / "master.fits")
    with pytest.raises(MasterMismatch, match="a master dark, not a master flat"):
        read(tmp_path / "master.fits", Kind.FLAT)


def test_an_existing_file_is_kept(calibration, tmp_path):
    master = build(Kind.DARK, [calibration["dark"]])
    write(master, tmp_path / "master.fits")
    with pytest.raises(StorageError):
        write(master, tmp_path / "master.fits")
    write(master, tmp_path / "master.fits", overwrite=True)


def test_folders_numbers_and_files_make_the_same_masters(calibration, tmp_path):
    lights = Facts(SHAPE, Exposure(seconds=60.0, gain=100.0), sensor_celsius=-10.5, camera="ASI")
    built = load_masters(**calibration, lights=lights)
    for kind, master in (("bias", built.bias), ("dark", built.dark), ("flat", built.flat)):
        write(master, tmp_path / f"{kind}.fits")
    stored = load_masters(**{kind: tmp_path / f"{kind}.fits" for kind in calibration}, lights=lights)
    assert {name: sha for name, (_, sha) in built.hashes.items()} == {
        name: sha for name, (_, sha) in stored.hashes.items()
    }
    assert stored.hashes["dark"][0] == "dark.fits"
    assert built.warnings == stored.warnings == ()
    by_number = load_masters(bias="500", flat=str(calibration["flat"]))
    assert by_number.bias.constant_adu == 500
    assert by_number.flat.pixels.mean() == pytest.approx(1, abs=1e-6)


def test_a_folder_with_one_master_is_that_master(calibration, tmp_path):
    folder = tmp_path / "library"
    folder.mkdir()
    write(build(Kind.DARK, [calibration["dark"]]), folder / "dark_60s.fits")
    assert open_master(folder, Kind.DARK).file.name == "dark_60s.fits"
    write(build(Kind.DARK, [calibration["dark"]]), folder / "dark_300s.fits")
    with pytest.raises(MasterMismatch, match="finished masters: name the dark"):
        open_master(folder, Kind.DARK)


def test_masters_that_do_not_fit_the_lights_are_refused(calibration):
    with pytest.raises(MasterMismatch, match=r"60 s.*300 s"):
        load_masters(dark=calibration["dark"], lights=Facts(SHAPE, Exposure(seconds=300.0, gain=100.0)))


def test_a_flat_folder_needs_a_bias(calibration):
    with pytest.raises(MasterMissing, match="--bias"):
        load_masters(flat=calibration["flat"])


def test_a_single_raw_frame_is_no_master(calibration):
    with pytest.raises(MasterMissing, match="single dark frame"):
        open_master(calibration["dark"] / "frame_000.fits", Kind.DARK)


def test_only_a_bias_can_be_a_number():
    with pytest.raises(MasterMismatch, match="a bias can be one"):
        open_master(500, Kind.DARK)
    with pytest.raises(MasterError, match="below zero"):
        constant_bias(-3)
    assert replace(constant_bias(7)).constant_adu == 7
