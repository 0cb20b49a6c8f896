"""TIFF and PNG in and out: 8, 16 and 32 bit, mono or RGB, whole or not at all.

imageio and tifffile are imported where they are used: FITS subs, which most are, do not need their 4 MB.
"""

from __future__ import annotations

import logging
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np

from starwell.errors import FileDamaged, StorageError
from starwell.files.atomic import replacing
from starwell.files.cards import ascii_of
from starwell.files.header import Header, parse
from starwell.files.keywords import facts_of
from starwell.files.scale import full_scale, to_adu
from starwell.frame import FULL_SCALE_ADU, Frame, Pixels

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_PLAIN_PNG = {(8, 0), (8, 2), (16, 0)}  # bit depth, colour type
_LARGEST_PX = 1 << 26
_FAST = 1  # compression: three times as fast as the usual for 7 % more bytes
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MORE_PAGES = "several pictures in the file: the first is read"


def read(path: Path | str) -> Frame:
    """One picture, H×W or 3×H×W, row 0 at the top; alpha is left out, float 0..1 becomes 0..65535 ADU.

    Raises FileDamaged where it is cut off or broken, StorageError where it is no frame.
    """
    path = Path(path)
    content = _content(path)
    description = ""
    flags: tuple[str, ...] = ()
    if content.startswith(_PNG_MAGIC):
        array = _read_png(content, path)
    elif content.startswith(_TIFF_MAGIC):
        array, description, flags = _read_tiff(content, path)
    else:
        raise FileDamaged(f"{path} is neither a TIFF nor a PNG file, whatever its name says.")
    pixels, scaled = to_adu(_native(array))
    highest = FULL_SCALE_ADU if scaled else full_scale(pixels)
    header = _described(description)
    facts = facts_of(header, pixels.shape, source=path, full_scale_adu=highest, flags=(*flags, *scaled))
    return Frame(facts, pixels)


def write_tiff32(path: Path | str, pixels: Pixels, *, overwrite: bool = False) -> None:
    """H×W or 3×H×W as 32-bit float TIFF, values as they are (programs expect 0..1)."""
    _write_tiff(Path(path), np.asarray(pixels, np.float32), overwrite)


def write_tiff16(path: Path | str, pixels: Pixels, *, overwrite: bool = False) -> None:
    """H×W or 3×H×W of 0..65535 as 16-bit TIFF, rounded and clipped."""
    _write_tiff(Path(path), _sixteen_bit(pixels), overwrite)


def write_png(path: Path | str, pixels: Pixels, *, overwrite: bool = False) -> None:
    """uint8 or uint16, H×W or H×W×3 (RGB), as PNG."""
    if pixels.dtype not in (np.uint8, np.uint16) or (pixels.ndim == 3 and pixels.shape[2] != 3):
        raise StorageError(f"{path} cannot be written: PNG takes no {pixels.dtype} of shape {pixels.shape}.")
    content: bytes | memoryview
    if pixels.ndim == 3 and pixels.dtype == np.uint16:  # Pillow, behind imageio, has no 16-bit colour
        content = cv2.imencode(".png", np.ascontiguousarray(pixels[..., ::-1]))[1].data
    else:
        import imageio.v3 as iio

        content = iio.imwrite("<bytes>", pixels, extension=".png", plugin="pillow", compress_level=_FAST)
    with replacing(Path(path), overwrite=overwrite) as stream:
        stream.write(content)


def _write_tiff(path: Path, pixels: Pixels, overwrite: bool) -> None:
    import imageio.v3 as iio

    colour = pixels.ndim == 3
    rows = np.moveaxis(pixels, 0, -1) if colour else pixels
    with replacing(path, overwrite=overwrite) as stream:
        iio.imwrite(
            stream,
            np.ascontiguousarray(rows),
            extension=".tif",
            plugin="tifffile",
            photometric="rgb" if colour else "minisblack",
            metadata=None,
            software="starwell",
        )


def _sixteen_bit(pixels: Pixels) -> Pixels:
    if pixels.dtype == np.uint16:
        return pixels
    whole = np.rint(np.nan_to_num(np.asarray(pixels, np.float64)))
    return np.clip(whole, 0, FULL_SCALE_ADU).astype(np.uint16)


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise StorageError(f"There is no file {path}.") from error
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not content:
        raise FileDamaged(f"{path} is empty: nothing was ever written to it. Copy it again.")
    return content


def _read_png(content: bytes, path: Path) -> Pixels:
    if not _is_whole_png(content):
        raise FileDamaged(f"{path} is cut off or broken: its PNG chunks do not add up. Copy it again.")
    if not _is_plain_png(content):
        return _through_opencv(content, path)
    import imageio.v3 as iio

    try:
        array = iio.imread(content, extension=".png", plugin="pillow")
    except (OSError, SyntaxError, ValueError) as error:
        raise FileDamaged(f"{path}: the pixels cannot be read ({error}). Copy it again.") from error
    return array if array.ndim == 2 else np.moveaxis(array, -1, 0)


def _is_plain_png(content: bytes) -> bool:
    """Whether imageio reads it right: 8-bit grey or RGB, or 16-bit grey, of a size Pillow takes.

    Pillow cuts 16-bit colours down to 8 bits, and takes pictures beyond 89 million px for an attack.
    """
    width, height, depth, colour = struct.unpack_from(">IIBB", content, len(_PNG_MAGIC) + 8)
    return (depth, colour) in _PLAIN_PNG and width * height <= _LARGEST_PX


def _is_whole_png(content: bytes) -> bool:
    """Whether every chunk is there with the right checksum; OpenCV hands out half pictures without a word."""
    if content[12:16] != b"IHDR":
        return False
    start = len(_PNG_MAGIC)
    while start + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, start)
        end = start + 8 + length
        if end + 4 > len(content):
            return False
        if zlib.crc32(memoryview(content)[start + 4 : end]) != struct.unpack_from(">I", content, end)[0]:
            return False
        if content[start + 4 : start + 8] == b"IEND":
            return True
        start = end + 4
    return False


def _through_opencv(content: bytes, path: Path) -> Pixels:
    log = cv2.utils.logging  # it would write on the terminal what the error below says better
    loudness = log.getLogLevel()
    log.setLogLevel(log.LOG_LEVEL_SILENT)
    try:
        array: Pixels | None = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        array = None
    finally:
        log.setLogLevel(loudness)
    if array is None:
        raise FileDamaged(
            f"{path}: the pixels cannot be read. Copy it again, or save it without compression."
        )
    if array.ndim == 2:
        return array
    return np.moveaxis(array[..., 2::-1], -1, 0) if array.shape[2] > 2 else array[..., 0]


def _read_tiff(content: bytes, path: Path) -> tuple[Pixels, str, tuple[str, ...]]:
    # imageio names neither the axes nor the compression, without which planes and pixels are confused
    with _tifffile(path) as tifffile, tifffile.TiffFile(BytesIO(content)) as tiff:
        page = tiff.pages.first
        flags = (_MORE_PAGES,) if len(tiff.pages) > 1 else ()
        description, axes = page.description, page.axes
        array = None if _is_beyond_tifffile(page) else page.asarray()
        if array is not None and (
            array.ndim != len(axes) or array.size == 0 or array.dtype.kind not in "iuf"
        ):
            raise ValueError(f"{array.dtype} pixels of shape {array.shape}")
    if array is None:
        return _through_opencv(content, path), description, flags
    if set(axes) - set("SYX") or not {"Y", "X"} <= set(axes):
        raise StorageError(f"{path} holds a TIFF of axes {axes}, which is no mono or RGB frame.")
    if "S" in axes:
        array = np.moveaxis(array, axes.index("S"), 0)
        array = array[:3] if len(array) > 2 else array[0]
    return array, description, flags


def _is_beyond_tifffile(page: Any) -> bool:
    """Whether the compression or predictor needs codecs that do not come with tifffile; OpenCV has them."""
    plain, deflate = 1, (8, 32946)
    return page.compression != plain and (page.compression not in deflate or page.predictor != plain)


@contextmanager
def _tifffile(path: Path) -> Iterator[ModuleType]:
    """The library, whose errors are translated into FileDamaged; they say what its log says."""
    import tifffile

    log = logging.getLogger("tifffile")
    if not log.handlers:
        log.addHandler(logging.NullHandler())
    try:
        yield tifffile
    except Exception as error:  # its decoders raise whatever they meet
        raise FileDamaged(f"{path}: the TIFF cannot be read ({error}). Copy it again.") from error


def _described(description: str) -> Header:
    """The FITS header some programs put into a TIFF's description; the rows of both formats run top down."""
    header = Header({}, {})
    if description.lstrip().startswith("SIMPLE"):
        lines = (ascii_of(line)[:80].ljust(80) for line in description.strip().splitlines())
        header = parse("".join(line for line in lines if line.strip() != "END").encode("ascii"))
    return Header({**header.values, "ROWORDER": "TOP-DOWN"}, header.comments, header.flags)


def _native(array: Pixels) -> Pixels:
    """The array for its own: contiguous, writable, in the byte order of this machine."""
    return np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
