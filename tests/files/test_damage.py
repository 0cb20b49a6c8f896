from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits as astropy_fits
from hypothesis import given
from hypothesis import strategies as st

from starwell.errors import FileDamaged, StarwellError, StorageError
from starwell.files import fits, frames

HEADER, PIXELS = 2880, 40 * 50 * 2


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "whole.fits"
    pixels = np.random.default_rng(7).integers(0, 65536, (40, 50), dtype=np.uint16)
    fits.write(path, pixels, {"EXPTIME": 60.0})
    return path


@pytest.mark.parametrize(
    ("kept", "fault"),
    [
        (0, "is empty"),
        (3, "not a FITS file"),
        (80, "the header has no end"),
        (2879 - 2500, "the header has no end"),
        (HEADER, "only 0 % of its pixels"),
        (HEADER + 1, "only 0 % of its pixels"),
        (HEADER + PIXELS // 2, "only 50 % of its pixels"),
        (HEADER + PIXELS - 1, "only 99 % of its pixels"),
    ],
)
def test_a_file_cut_off_anywhere_is_refused_by_name_and_fault(
    tmp_path: Path, whole: Path, kept: int, fault: str
) -> None:
    path = tmp_path / "Light_7.fits"
    path.write_bytes(whole.read_bytes()[:kept])
    with pytest.raises(FileDamaged, match=rf"Light_7\.fits.*{fault}"):
        fits.read(path)


def test_a_file_without_its_last_padding_is_whole(tmp_path: Path, whole: Path) -> None:
    path = tmp_path / "short.fits"
    path.write_bytes(whole.read_bytes()[: HEADER + PIXELS])
    assert np.array_equal(fits.read(path).pixels, fits.read(whole).pixels)
    assert fits.read(path).facts.flags == ()


@pytest.mark.parametrize("packed", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
def test_a_packed_file_cut_off_is_refused(tmp_path: Path, whole: Path, packed: Any, share: float) -> None:
    content = packed(whole.read_bytes())
    path = tmp_path / "Light_7.fits.gz"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(FileDamaged, match=r"Light_7\.fits\.gz"):
        fits.read(path)


@pytest.mark.parametrize("share", [0.5, 0.8, 0.95])
def test_a_tile_compressed_file_cut_off_is_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "Light_7.fits.fz"
    pixels = np.random.default_rng(8).integers(0, 60000, (100, 100)).astype(np.int32)
    astropy_fits.CompImageHDU(pixels).writeto(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(FileDamaged, match=r"Light_7\.fits\.fz"):
        fits.read(path)


@pytest.mark.parametrize("wrong", range(0, 2000, 97))
def test_wrong_bytes_in_compressed_pixels_give_a_frame_or_a_clear_refusal(tmp_path: Path, wrong: int) -> None:
    path = tmp_path / "Light_7.fits.fz"
    pixels = np.random.default_rng(8).integers(0, 600, (30, 40)).astype(np.int16)
    astropy_fits.CompImageHDU(pixels).writeto(path)
    content = bytearray(path.read_bytes())
    start = 2 * 2880 + wrong
    content[start : start + 6] = b"\xff" * 6
    path.write_bytes(content)
    try:
        assert fits.read(path).pixels.shape == (30, 40)
    except FileDamaged as error:
        assert "Light_7.fits.fz" in str(error)  # noqa: PT017


@given(position=st.integers(0, 2879), byte=st.integers(0, 255))
def test_one_wrong_byte_in_the_header_gives_a_frame_or_a_clear_refusal(
    tmp_path_factory: pytest.TempPathFactory, whole: Path, position: int, byte: int
) -> None:
    content = bytearray(whole.read_bytes())
    content[position] = byte
    path = tmp_path_factory.getbasetemp() / "wrong_byte.fits"
    path.write_bytes(content)
    try:
        frame = frames.open_frame(path)
    except StarwellError as error:
        assert "wrong_byte.fits" in str(error)  # noqa: PT017
    else:
        assert frame.pixels.ndim == 2


@given(
    content=st.binary(max_size=6000),
    magic=st.sampled_from([b"SIMPLE  =   T", b"\x1f\x8b", b"BZh9", b"\xfd7zXZ"]),
)
def test_junk_behind_a_good_beginning_is_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, magic: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "junk.fits"
    path.write_bytes(magic + content)
    with pytest.raises(StorageError, match=r"junk\.fits"):
        frames.open_frame(path)


@pytest.mark.parametrize(
    "card",
    ["BITPIX  = 12", "NAXIS1  = -4", "NAXIS1  = 4.5", "NAXIS1  = 'four'", "BSCALE  = 'x'", "GCOUNT  = -1"],
)
def test_a_structure_that_makes_no_sense_is_refused(tmp_path: Path, whole: Path, card: str) -> None:
    content = whole.read_bytes()
    keyword = card.split()[0].encode()
    start = content.find(keyword) if keyword in content[:HEADER] else content.find(b"EXPTIME")
    path = tmp_path / "odd.fits"
    path.write_bytes(content[:start] + card.ljust(80).encode() + content[start + 80 :])
    with pytest.raises(FileDamaged, match=r"odd\.fits"):
        fits.read(path)


@pytest.mark.parametrize("length", [3_000_000, 99_999_999_999])
def test_more_pixels_than_any_memory_holds_are_refused(tmp_path: Path, whole: Path, length: int) -> None:
    content = whole.read_bytes()
    for axis in (b"NAXIS1", b"NAXIS2"):
        start = content.find(axis)
        card = f"{axis.decode()}  = {length}".ljust(80).encode()
        content = content[:start] + card + content[start + 80 :]
    path = tmp_path / "huge.fits"
    path.write_bytes(content)
    with pytest.raises(FileDamaged, match=r"huge\.fits.*(too many to be true|makes no sense|is cut off)"):
        fits.read(path)


def test_a_broken_extension_behind_a_good_picture_is_only_remarked(tmp_path: Path, whole: Path) -> None:
    path = tmp_path / "tail.fits"
    path.write_bytes(whole.read_bytes() + b"XTENSION= 'IMAGE   '".ljust(80) * 3)
    frame = fits.read(path)
    assert np.array_equal(frame.pixels, fits.read(whole).pixels)
    assert frame.facts.flags == ("what follows the first picture is broken",)


@pytest.mark.parametrize("tail", [bytes(2880), b" " * 2880, b"\0" * 17])
def test_padding_behind_the_last_hdu_is_nothing_to_remark(tmp_path: Path, whole: Path, tail: bytes) -> None:
    path = tmp_path / "padded.fits"
    path.write_bytes(whole.read_bytes() + tail)
    assert fits.read(path).facts.flags == ()


def test_a_header_alone_and_a_table_alone_are_no_frames(tmp_path: Path) -> None:
    astropy_fits.PrimaryHDU().writeto(tmp_path / "header.fits")
    columns = [astropy_fits.Column("x", "D", array=np.zeros(3))]
    astropy_fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "table.fits")
    for name in ("header.fits", "table.fits"):
        with pytest.raises(StorageError, match=rf"{name} holds no picture"):
            fits.read(tmp_path / name)
        with pytest.raises(StorageError, match=rf"{name} holds no picture"):
            fits.read_facts(tmp_path / name)


def test_a_missing_file_and_a_folder_are_named_as_such(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="There is no file"):
        fits.read(tmp_path / "none.fits")
    with pytest.raises(StorageError, match="is a folder"):
        fits.read(tmp_path)
