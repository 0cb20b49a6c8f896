from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image

from starwell.errors import FileDamaged, StorageError
from starwell.files import pictures
from starwell.files.scale import SCALED
from starwell.frame import Bayer, Kind

SHAPES = st.one_of(
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.tuples(st.just(3), st.integers(1, 9), st.integers(1, 9)),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


def _rows(pixels: Any) -> Any:
    return np.moveaxis(pixels, 0, -1) if pixels.ndim == 3 else pixels


@given(pixels=st.sampled_from([np.uint8, np.uint16]).flatmap(lambda dtype: npst.arrays(dtype, SHAPES)))
def test_png_is_read_as_it_was_written(folder: Path, pixels: Any) -> None:
    pictures.write_png(folder / "a.png", _rows(pixels), overwrite=True)
    frame = pictures.read(folder / "a.png")
    assert np.array_equal(frame.pixels, pixels)
    assert frame.pixels.dtype == pixels.dtype
    assert frame.facts.saturation_adu == np.iinfo(pixels.dtype).max
    assert frame.facts.top_down


@given(pixels=npst.arrays(np.uint16, SHAPES))
def test_16_bit_tiff_is_read_as_it_was_written(folder: Path, pixels: Any) -> None:
    pictures.write_tiff16(folder / "a.tif", pixels, overwrite=True)
    assert np.array_equal(pictures.read(folder / "a.tif").pixels, pixels)
    assert np.array_equal(tifffile.imread(folder / "a.tif"), _rows(pixels))


@given(pixels=npst.arrays(np.float32, SHAPES, elements=st.floats(0, 1, width=32)))
def test_32_bit_float_tiff_holds_the_values_and_is_read_in_adu(folder: Path, pixels: Any) -> None:
    pictures.write_tiff32(folder / "a.tif", pixels, overwrite=True)
    assert np.array_equal(tifffile.imread(folder / "a.tif"), _rows(pixels))
    frame = pictures.read(folder / "a.tif")
    assert np.array_equal(frame.pixels, pixels * np.float32(65535))
    assert SCALED in frame.facts.flags


def test_16_bit_tiff_rounds_and_clips_and_takes_nan_for_black(tmp_path: Path) -> None:
    pixels = np.array([[-3.0, 0.6, 65534.5, 7e4, np.nan]], np.float32)
    pictures.write_tiff16(tmp_path / "a.tif", pixels)
    assert pictures.read(tmp_path / "a.tif").pixels.tolist() == [[0, 1, 65534, 65535, 0]]


@pytest.mark.parametrize("compression", [1, 5, 8, 32773])  # none, LZW, deflate, PackBits
@pytest.mark.parametrize("predictor", [1, 2])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_compressions_other_programs_use_are_read(
    tmp_path: Path, compression: int, predictor: int, channels: int
) -> None:
    pixels = np.random.default_rng(3).integers(0, 65536, (17, 23, channels), dtype=np.uint16)
    rows = pixels[..., 0] if channels == 1 else pixels[..., ::-1]
    options = [cv2.IMWRITE_TIFF_COMPRESSION, compression, cv2.IMWRITE_TIFF_PREDICTOR, predictor]
    assert cv2.imwrite(str(tmp_path / "a.tif"), np.ascontiguousarray(rows), options)
    read = pictures.read(tmp_path / "a.tif").pixels
    assert np.array_equal(read, pixels[..., 0] if channels == 1 else np.moveaxis(pixels, -1, 0))


def test_planes_stored_apart_big_endian_and_alpha_are_understood(tmp_path: Path) -> None:
    planes = np.random.default_rng(3).integers(0, 65536, (3, 6, 7), dtype=np.uint16)
    tifffile.imwrite(
        tmp_path / "apart.tif", planes, photometric="rgb", planarconfig="separate", byteorder=">"
    )
    assert np.array_equal(pictures.read(tmp_path / "apart.tif").pixels, planes)
    alpha = np.concatenate([planes, planes[:1]])
    tifffile.imwrite(
        tmp_path / "alpha.tif", np.moveaxis(alpha, 0, -1), photometric="rgb", extrasamples=["unassalpha"]
    )
    assert np.array_equal(pictures.read(tmp_path / "alpha.tif").pixels, planes)
    cv2.imwrite(str(tmp_path / "alpha.png"), np.moveaxis(alpha[[2, 1, 0, 3]], 0, -1))
    assert np.array_equal(pictures.read(tmp_path / "alpha.png").pixels, planes)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(7, 9), (7, 9, 3)])
def test_other_programs_read_the_png_as_it_was_written(tmp_path: Path, dtype: Any, shape: Any) -> None:
    rows = np.random.default_rng(3).integers(0, np.iinfo(dtype).max, shape, dtype=dtype)
    pictures.write_png(tmp_path / "a.png", rows)
    read = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)
    assert read is not None
    assert np.array_equal(read[..., ::-1] if read.ndim == 3 else read, rows)


def test_a_png_larger_than_pillow_takes_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.arange(4000, dtype=np.uint16).reshape(40, 100)
    pictures.write_png(tmp_path / "a.png", pixels)
    monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", 1000)
    monkeypatch.setattr(pictures, "_LARGEST_PX", 1000)
    assert np.array_equal(pictures.read(tmp_path / "a.png").pixels, pixels)


def test_palettes_and_transparent_grey_are_understood(tmp_path: Path) -> None:
    colours = Image.new("P", (4, 3))
    colours.putpalette([0, 0, 0, 250, 20, 10])
    colours.paste(1, (0, 0, 2, 3))
    colours.save(tmp_path / "palette.png")
    assert pictures.read(tmp_path / "palette.png").pixels[:, 0].tolist() == [
        [250, 250, 0, 0],
        [20, 20, 0, 0],
        [10, 10, 0, 0],
    ]
    Image.new("LA", (4, 3), (77, 9)).save(tmp_path / "grey.png")
    assert np.unique(pictures.read(tmp_path / "grey.png").pixels).tolist() == [77]


def test_the_first_of_several_pages_is_read_and_said(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "pages.tif") as tiff:
        tiff.write(np.full((4, 5), 7, np.uint16))
        tiff.write(np.full((4, 5), 9, np.uint16))
    frame = pictures.read(tmp_path / "pages.tif")
    assert np.unique(frame.pixels).tolist() == [7]
    assert frame.facts.flags == ("several pictures in the file: the first is read",)


def test_the_fits_header_in_a_tiff_is_understood(tmp_path: Path) -> None:
    cards = [
        "SIMPLE  = T",
        "EXPTIME = 30.0 / s",
        "IMAGETYP= 'Dark Frame'",
        "BAYERPAT= 'RGGB'",
        "ROWORDER= 'BOTTOM-UP'",
        "END",
    ]
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 6), np.uint16), description="\n".join(cards))
    facts = pictures.read(tmp_path / "a.tif").facts
    assert (facts.exposure.kind, facts.exposure.seconds) == (Kind.DARK, 30.0)
    assert (facts.bayer, facts.top_down) == (Bayer.RGGB, True)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.6, 0.99])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_a_picture_cut_off_is_refused_by_name(tmp_path: Path, ending: str, share: float) -> None:
    pixels = np.random.default_rng(3).integers(0, 65536, (40, 40), dtype=np.uint16)
    path = tmp_path / f"Light_7.{ending}"
    (pictures.write_png if ending == "png" else pictures.write_tiff16)(path, pixels)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(FileDamaged, match=r"Light_7"):
        pictures.read(path)


@pytest.mark.parametrize("compression", [5, 8])
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_a_compressed_tiff_cut_off_is_refused_quietly(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], compression: int, share: float
) -> None:
    pixels = np.random.default_rng(3).integers(0, 65536, (90, 90), dtype=np.uint16)
    content = cv2.imencode(".tif", pixels, [cv2.IMWRITE_TIFF_COMPRESSION, compression])[1].tobytes()
    (tmp_path / "Light_7.tif").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(FileDamaged, match=r"Light_7\.tif"):
        pictures.read(tmp_path / "Light_7.tif")
    assert capfd.readouterr().err == ""


def test_a_png_with_a_wrong_byte_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    pictures.write_png(path, np.arange(1600, dtype=np.uint16).reshape(40, 40))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(FileDamaged, match="chunks do not add up"):
        pictures.read(path)


@pytest.mark.parametrize("depth", [8, 16, 99])
def test_a_png_whose_checksums_are_right_but_not_its_pixels_is_refused(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "a.png"

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, depth, 0, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", b"xxxx") + chunk(b"IEND", b""))
    with pytest.raises(FileDamaged, match=r"a\.png"):
        pictures.read(path)


@given(content=st.binary(max_size=300))
def test_junk_behind_the_beginning_of_a_tiff_is_refused(folder: Path, content: bytes) -> None:
    (folder / "junk.tif").write_bytes(b"II*\0" + content)
    with pytest.raises(StorageError, match=r"junk\.tif"):
        pictures.read(folder / "junk.tif")


def test_a_png_of_nothing_but_its_end_is_refused(tmp_path: Path) -> None:
    end = b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 0) + end)
    with pytest.raises(FileDamaged, match="chunks do not add up"):
        pictures.read(tmp_path / "a.png")


def test_what_png_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="PNG takes no float64"):
        pictures.write_png(tmp_path / "a.png", np.zeros((4, 4)))
    assert list(tmp_path.iterdir()) == []
