from __future__ import annotations

import bz2
import gzip
import lzma
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits as astropy_fits
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from starwell.errors import StorageError
from starwell.files import fits
from starwell.files.keywords import keywords_of
from starwell.files.scale import SCALED
from starwell.frame import Bayer, Exposure, Facts, Kind, Roi

SHAPES = st.one_of(
    st.tuples(st.integers(2, 9), st.integers(2, 9)),
    st.tuples(st.just(3), st.integers(2, 9), st.integers(4, 9)),
)
STORED = st.sampled_from([np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.float32, np.float64])
PICTURES: st.SearchStrategy[Any] = STORED.flatmap(lambda dtype: npst.arrays(dtype, SHAPES))
TEXT = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="'"), min_size=4, max_size=90
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fits")


def _astropy(path: Path, hdu: int = 0) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return astropy_fits.getdata(path, hdu)


def _like_astropy(pixels: Any, path: Path) -> bool:
    theirs = _astropy(path)
    if theirs.dtype.kind == "f" and not np.any(np.abs(theirs) > 10):
        theirs = theirs.astype(theirs.dtype.newbyteorder("=")) * theirs.dtype.type(65535)
    same_type = pixels.dtype == theirs.dtype.newbyteorder("=") and pixels.dtype.isnative
    return bool(same_type and np.array_equal(pixels, theirs, equal_nan=theirs.dtype.kind == "f"))


@given(pixels=PICTURES)
def test_what_is_written_is_read_back_and_astropy_agrees(folder: Path, pixels: Any) -> None:
    path = folder / "written.fits"
    with np.errstate(over="ignore", invalid="ignore"):
        fits.write(path, pixels, {}, overwrite=True)
        frame = fits.read(path)
        assert np.array_equal(_astropy(path), pixels, equal_nan=pixels.dtype.kind == "f")
        if SCALED in frame.facts.flags:
            pixels = pixels * pixels.dtype.type(65535)
    assert np.array_equal(frame.pixels, pixels, equal_nan=pixels.dtype.kind == "f")
    assert frame.pixels.dtype == pixels.dtype
    assert frame.facts.shape == pixels.shape == fits.read_facts(path).shape
    assert path.stat().st_size % 2880 == 0


@given(
    pixels=st.sampled_from([np.uint8, np.int16, np.int32, np.int64]).flatmap(
        lambda d: npst.arrays(d, SHAPES)
    ),
    scale=st.sampled_from([1, 1.0, 0.5]),
    zero=st.sampled_from([0, 32768, 2**31, 2**63, -128, 100.5]),
    blank=st.sampled_from([None, 7, -32768]),
)
def test_integers_are_scaled_as_astropy_scales_them(
    folder: Path, pixels: Any, scale: float, zero: float, blank: int | None
) -> None:
    path = folder / "scaled.fits"
    header = astropy_fits.Header()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        astropy_fits.PrimaryHDU(pixels, header).writeto(path, overwrite=True)
        with astropy_fits.open(path, mode="update", do_not_scale_image_data=True) as units:
            units[0].header["BSCALE"] = scale
            units[0].header["BZERO"] = zero
            if blank is not None:
                units[0].header["BLANK"] = blank
    assert _like_astropy(fits.read(path).pixels, path)


def test_zero_is_a_value_even_where_blank_says_it_is_none(fits_file: Any) -> None:
    frame = fits.read(fits_file("BLANK   =                    0"))
    assert frame.pixels.dtype == np.int16
    assert frame.pixels[0, 0] == 0


@pytest.mark.parametrize("shape", [(1000, 331), (3, 257, 300)])
def test_a_frame_longer_than_one_piece_is_read_as_astropy_reads_it(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    pixels = np.random.default_rng(4).integers(0, 65536, shape, dtype=np.uint16)
    astropy_fits.PrimaryHDU(pixels).writeto(tmp_path / "long.fits")
    read = fits.read(tmp_path / "long.fits").pixels
    assert np.array_equal(read, pixels)
    assert read.flags.c_contiguous
    assert not read.flags.writeable


@pytest.mark.parametrize("compression", ["RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1"])
def test_tile_compressed_frames_are_read_exactly(tmp_path: Path, compression: str) -> None:
    pixels = np.random.default_rng(5).integers(0, 4096, (64, 70)).astype(np.int16)
    unit = astropy_fits.CompImageHDU(pixels, compression_type=compression)
    unit.header["EXPTIME"] = 30.0
    unit.header["BAYERPAT"] = "GRBG"
    unit.writeto(tmp_path / "frame.fits.fz")
    frame = fits.read(tmp_path / "frame.fits.fz")
    assert np.array_equal(frame.pixels, pixels)
    assert (frame.facts.exposure.seconds, frame.facts.bayer) == (30.0, Bayer.GRBG)
    assert fits.read_facts(tmp_path / "frame.fits.fz") == frame.facts


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_packed_files_are_read_whatever_their_name_says(tmp_path: Path, pack: Any) -> None:
    fits.write(tmp_path / "frame.fits", np.eye(5, dtype=np.uint16), {"GAIN": 100})
    path = tmp_path / "odd.name"
    path.write_bytes(pack((tmp_path / "frame.fits").read_bytes()))
    assert np.array_equal(fits.read(path).pixels, np.eye(5))
    assert fits.read_facts(path).exposure.gain == 100


def test_float_of_unit_scale_becomes_adu_and_keeps_nan(tmp_path: Path) -> None:
    pixels = np.array([[0.0, 0.5], [np.nan, 1.25]], np.float32)
    fits.write(tmp_path / "unit.fits", pixels, {})
    frame = fits.read(tmp_path / "unit.fits")
    assert np.array_equal(frame.pixels, pixels * np.float32(65535), equal_nan=True)
    assert SCALED in frame.facts.flags
    assert frame.facts.saturation_adu == 65535


def test_float_in_adu_or_with_a_unit_is_left_alone(tmp_path: Path) -> None:
    adu = np.array([[0.5, 400.0]], np.float32)
    fits.write(tmp_path / "adu.fits", adu, {})
    fits.write(tmp_path / "electrons.fits", adu / 400, {"BUNIT": "electron"})
    assert np.array_equal(fits.read(tmp_path / "adu.fits").pixels, adu)
    assert np.array_equal(fits.read(tmp_path / "electrons.fits").pixels, adu / 400)
    assert fits.read(tmp_path / "adu.fits").facts.flags == ()


@pytest.mark.parametrize(
    ("stored", "handed_on"),
    [
        ((1, 5, 6), (5, 6)),
        ((1, 3, 5, 6), (3, 5, 6)),
        ((5, 6, 3), (3, 5, 6)),
        ((5, 6, 1), (5, 6)),
        ((3, 5, 3), (3, 5, 3)),
    ],
)
def test_axes_of_length_one_go_and_colour_comes_first(
    tmp_path: Path, stored: tuple[int, ...], handed_on: tuple[int, ...]
) -> None:
    pixels = np.arange(np.prod(stored), dtype=np.int16).reshape(stored)
    fits.write(tmp_path / "cube.fits", pixels, {})
    read = fits.read(tmp_path / "cube.fits").pixels
    assert read.shape == handed_on == fits.read_facts(tmp_path / "cube.fits").shape
    if stored == (5, 6, 3):
        assert np.array_equal(read[1], pixels[..., 1])


def test_a_cube_that_is_no_colour_is_refused(tmp_path: Path) -> None:
    fits.write(tmp_path / "cube.fits", np.zeros((4, 5, 6), np.uint16), {})
    with pytest.raises(StorageError, match=r"cube\.fits holds a cube of 4×5×6"):
        fits.read(tmp_path / "cube.fits")


def test_the_first_of_several_pictures_is_read_and_said(tmp_path: Path) -> None:
    path = tmp_path / "maps.fits"
    first, second = np.ones((4, 5), np.float32) * 20, np.arange(20, dtype=np.uint16).reshape(4, 5)
    fits.write_maps(path, {"WEIGHT": first, "COUNT": second}, {"OBJECT": "M 51"})
    frame = fits.read(path)
    assert np.array_equal(frame.pixels, first)
    assert frame.facts.target == "M 51"
    assert frame.facts.flags == ("2 pictures in the file: the first is read",)
    with astropy_fits.open(path) as units:
        assert [unit.name for unit in units] == ["PRIMARY", "WEIGHT", "COUNT"]
        assert np.array_equal(units["COUNT"].data, second)
        units.verify("exception")


@given(
    keywords=st.dictionaries(
        st.sampled_from(["OBJECT", "OBSERVER", "GAIN", "EXPTIME", "FILTER", "NOTE", "HISTORY"]),
        st.one_of(TEXT, st.integers(-(2**40), 2**40), st.floats(-1e9, 1e9), st.booleans(), st.none()),
    )
)
def test_keywords_of_any_value_are_read_back_by_astropy(folder: Path, keywords: dict[str, Any]) -> None:
    keywords = {key: str(value) if key == "HISTORY" else value for key, value in keywords.items()}
    path = folder / "keywords.fits"
    fits.write(path, np.zeros((2, 2), np.uint16), keywords, overwrite=True)
    header = astropy_fits.getheader(path)
    ours = fits.read_facts(path).header
    for key, value in keywords.items():
        if value is None:
            assert key not in header
        elif key == "HISTORY":
            assert "".join(header["HISTORY"]) == value
        else:
            assert header[key] == pytest.approx(value) if isinstance(value, float) else header[key] == value
            assert ours[key] == header[key]


def test_values_that_fits_cannot_say_are_left_out_or_made_safe(tmp_path: Path) -> None:
    path = tmp_path / "safe.fits"
    keywords = {
        "OBJECT": "NGC 7000 – Nordamérique β",
        "EGAIN": np.float32("nan"),
        "GAIN": np.int64(139),
        "DATE-OBS": datetime(2026, 11, 19, 23, 15, 12, 500000, tzinfo=UTC),
        "REFERENC": tmp_path / "Light_1.fits",
        "DARKSIZE": (3, 4),
        "longkeyword": 1.5,
        "HISTORY": ["one", "two"],
        "BITPIX": 8,
    }
    fits.write(path, np.zeros((2, 2), np.uint16), keywords)
    header = astropy_fits.getheader(path)
    assert header["OBJECT"] == "NGC 7000 ? Nordamerique ?"
    assert "EGAIN" not in header
    assert (header["GAIN"], header["BITPIX"]) == (139, 16)
    assert header["DATE-OBS"] == "2026-11-19T23:15:12.500"
    assert (header["REFERENC"], header["DARKSIZE"]) == ("Light_1.fits", "3, 4")
    assert header["longkeyword"] == 1.5
    assert list(header["HISTORY"]) == ["one", "two"]


@given(
    kind=st.sampled_from(Kind),
    seconds=st.one_of(st.none(), st.integers(0, 3600000).map(lambda ms: ms / 1000)),
    gain=st.one_of(st.none(), st.integers(0, 600)),
    celsius=st.one_of(st.none(), st.integers(-600, 400).map(lambda tenths: tenths / 10)),
    target=st.one_of(st.none(), st.sampled_from(["M 31", "NGC 7000", "O'Neil"])),
    bayer=st.one_of(st.none(), st.sampled_from(Bayer)),
    top_down=st.booleans(),
    height=st.integers(2, 7),
    roi=st.booleans(),
)
def test_facts_survive_the_file(
    folder: Path,
    kind: Kind,
    seconds: float | None,
    gain: int | None,
    celsius: float | None,
    target: str | None,
    bayer: Bayer | None,
    top_down: bool,
    height: int,
    roi: bool,
) -> None:
    exposure = Exposure(kind, seconds, gain, 10, 1, Roi(4, 8, 6, height) if roi else None, "Ha")
    moment = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    facts = Facts(
        (height, 6), exposure, target=target, camera="ZWO ASI1600MM Pro", started=moment, egain=0.25,
        sensor_celsius=celsius, setpoint_celsius=-10, bayer=bayer, top_down=top_down, pixel_um=3.8,
        focal_mm=1400, header={"TELESCOP": "C8", "SITELAT": "52 30 00", "SITELONG": "-13 15 00"},
    )  # fmt: skip
    path = folder / "facts.fits"
    fits.write(path, np.zeros(facts.shape, np.uint16), keywords_of(facts), overwrite=True)
    read = fits.read_facts(path)
    for name in ("exposure", "target", "camera", "started", "sensor_celsius", "setpoint_celsius", "bayer"):
        assert getattr(read, name) == getattr(facts, name), name
    assert (read.top_down, read.egain, read.pixel_um, read.focal_mm) == (top_down, 0.25, 3.8, 1400)
    assert (read.header["TELESCOP"], read.header["SITELAT"], read.header["SITELONG"]) == ("C8", 52.5, -13.25)
    assert read == fits.read(path).facts


def test_a_type_fits_does_not_know_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="complex64"):
        fits.write(tmp_path / "frame.fits", np.zeros((2, 2), np.complex64), {})
    assert list(tmp_path.iterdir()) == []
