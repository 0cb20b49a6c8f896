"""Where the pictures of a FITS file are, and their pixels: native-endian, contiguous, as the file's numbers.

Plain pictures are read straight into place; only compressed ones go through astropy.
"""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from starwell.errors import FileDamaged, StorageError
from starwell.files.header import BLOCK, Header, read_header
from starwell.files.scale import to_adu
from starwell.frame import Pixels

_DTYPES = {8: "u1", 16: "i2", 32: "i4", 64: "i8", -32: "f4", -64: "f8"}
_PIECE = 1 << 19
_ONE_READER = threading.Lock()  # the warnings filter belongs to all threads
_MOST_BYTES = 1 << 40


@dataclass(frozen=True, slots=True)
class Hdu:
    """A header and its data: its place in the file in bytes, and its picture's shape (None: no picture)."""

    index: int
    header: Header
    start: int
    length: int
    shape: tuple[int, ...] | None
    compressed: bool

    @property
    def end(self) -> int:
        """Where the next header begins."""
        return self.start + -(-self.length // BLOCK) * BLOCK


def walk(stream: BinaryIO, source: str, after: Hdu | None = None) -> Iterator[Hdu]:
    """Every HDU of the file, or after that one; raises FileDamaged where a header is cut off or broken."""
    index = after.index + 1 if after else 0
    stream.seek(after.end if after else 0)
    while (header := read_header(stream, source)) is not None:
        if index and "XTENSION" not in header.values:
            return  # what some programs leave behind the last HDU
        try:
            hdu = _hdu(index, header, stream.tell())
        except (KeyError, ValueError) as error:
            raise FileDamaged(f"{source}: the header makes no sense ({error}). Copy it again.") from error
        yield hdu
        stream.seek(hdu.end)
        index += 1


def _hdu(index: int, header: Header, start: int) -> Hdu:
    axes = [header.count(f"NAXIS{n + 1}") for n in range(header.count("NAXIS"))]
    bitpix = header.count("BITPIX")
    values = math.prod(axes) if axes else 0
    length = abs(bitpix) // 8 * header.count("GCOUNT", 1) * (header.count("PCOUNT") + values)
    if bitpix not in _DTYPES or any(axis < 0 for axis in axes) or not 0 <= length < _MOST_BYTES:
        raise ValueError(f"BITPIX = {bitpix}, axes {axes}")
    compressed = header.values.get("ZIMAGE") is True
    if compressed:
        axes = [header.count(f"ZNAXIS{n + 1}") for n in range(header.count("ZNAXIS"))]
    picture = compressed or header.values.get("XTENSION", "IMAGE") in {"IMAGE", "IUEIMAGE"}
    shape = tuple(reversed(axes)) if picture and len(axes) > 1 and all(axes) else None
    return Hdu(index, header, start, length, shape, compressed)


def arranged(shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """The shape a picture is handed on in, H×W or 3×H×W; None for what is neither."""
    while len(shape) > 2 and shape[0] == 1:
        shape = shape[1:]
    if len(shape) == 2 or (len(shape) == 3 and shape[0] == 3):
        return shape
    if len(shape) == 3 and shape[2] in {1, 3}:
        return shape[:2] if shape[2] == 1 else (3, *shape[:2])
    return None


def pixels(
    stream: BinaryIO, hdu: Hdu, source: str, room: Pixels | None = None
) -> tuple[Pixels, tuple[str, ...]]:
    """The picture of this HDU in its arranged shape, scaled as its header says; and what is worth a remark.

    room: a contiguous array whose end the stored values are put into where they fit.

    Raises FileDamaged where pixels are missing, StorageError where the cube is no frame.
    """
    shape = hdu.shape or ()
    wanted = arranged(shape)
    if wanted is None:
        raise StorageError(f"{source} holds a cube of {_times(shape)} values, which is no mono or RGB frame.")
    flags: tuple[str, ...] = ()
    if hdu.compressed:
        stream.seek(0)
        array, flags = _through_astropy(stream, hdu.index, shape, source)
    else:
        array = _plain(stream, hdu, shape, source, room)
    if wanted != shape:
        array = np.moveaxis(array, -1, 0) if shape[-1] == 3 and len(wanted) == 3 else array
        array = np.ascontiguousarray(array).reshape(wanted)
    if str(hdu.header.values.get("BUNIT", "")).strip():
        return array, flags
    array, scaled = to_adu(array)
    return array, flags + scaled


def _plain(stream: BinaryIO, hdu: Hdu, shape: tuple[int, ...], source: str, room: Pixels | None) -> Pixels:
    values = hdu.header.values
    code = _DTYPES[values["BITPIX"]]
    scale, zero = values.get("BSCALE", 1), values.get("BZERO", 0)
    if not all(isinstance(number, int | float) for number in (scale, zero)):
        raise FileDamaged(f"{source}: BSCALE = {scale!r}, BZERO = {zero!r} are not numbers.")
    stored, native, sign_bit = _types(code, scale, zero)
    try:
        array = _place(shape, native, room)
    except (MemoryError, ValueError) as error:
        raise FileDamaged(
            f"{source}: {_times(shape)} pixels, as the header says, are too many to be true."
        ) from error
    _fill(stream, hdu.start, array.reshape(-1).view(stored.newbyteorder("=")), stored, sign_bit, source)
    if sign_bit:
        return array
    blank = values.get("BLANK") if array.dtype.kind in "iu" else None
    return _scaled(array, scale, zero, blank if isinstance(blank, int) else None)


def _place(shape: tuple[int, ...], native: np.dtype[Any], room: Pixels | None) -> Pixels:
    """An array for these values, in the last bytes of the room where it is large enough."""
    size = math.prod(shape) * native.itemsize
    if room is None or room.nbytes < size or (room.nbytes - size) % native.itemsize:
        return np.empty(shape, native)
    return room.reshape(-1).view(np.uint8)[room.nbytes - size :].view(native).reshape(shape)


def _types(code: str, scale: float, zero: float) -> tuple[np.dtype[Any], np.dtype[Any], int]:
    """How values are stored, how they are handed on, and the bit to turn where BZERO moves but the sign."""
    bits = 8 * int(code[1])
    sign_bit = 1 << (bits - 1)
    if scale == 1 and code[0] == "i" and zero == sign_bit:
        return np.dtype(f">u{code[1]}"), np.dtype(f"u{code[1]}"), sign_bit
    if scale == 1 and code == "u1" and zero == -sign_bit:
        return np.dtype("u1"), np.dtype("i1"), sign_bit
    return np.dtype(f">{code}"), np.dtype(code), 0


def _fill(
    stream: BinaryIO, start: int, flat: Pixels, stored: np.dtype[Any], sign_bit: int, source: str
) -> None:
    """Reads the values in pieces that stay in the cache while they are turned into this machine's order."""
    stream.seek(start)
    piece = np.empty(min(_PIECE, flat.size), stored)
    for first in range(0, flat.size, _PIECE):
        out = flat[first : first + _PIECE]
        part = piece[: out.size]
        rest = memoryview(part.view(np.uint8).data)
        while len(rest):
            count = stream.readinto(rest)  # type: ignore[attr-defined]
            if not count:
                held = 100 * ((first + out.size) * stored.itemsize - len(rest)) // flat.nbytes
                raise FileDamaged(
                    f"{source} is cut off: only {held} % of its pixels are there. Copy it again."
                )
            rest = rest[count:]
        if sign_bit:
            np.bitwise_xor(part, stored.type(sign_bit), out=out)
        else:
            out[...] = part


def _scaled(array: Pixels, scale: float, zero: float, blank: int | None) -> Pixels:
    if scale == 1 and zero == 0 and not blank:
        return array
    empty = array == blank if blank else None
    if array.dtype.kind != "f":
        array = array.astype(np.float64 if array.dtype.itemsize > 2 else np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        array *= array.dtype.type(scale)
        array += array.dtype.type(zero)
    if empty is not None:
        array[empty] = np.nan
    return array


def _through_astropy(
    stream: BinaryIO, index: int, shape: tuple[int, ...], source: str
) -> tuple[Pixels, tuple[str, ...]]:
    # only compressed pixels need it: a tenth of a second and 27 MB
    from astropy.io import fits

    with _astropy(source) as said, fits.open(stream, memmap=False) as units:
        array = units[index].data
        if array.shape != shape or array.dtype.kind not in "iuf":
            raise ValueError(f"{array.dtype} pixels of shape {array.shape}")
        native = np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
    return native, tuple(dict.fromkeys(str(warning.message).splitlines()[0] for warning in said))


@contextmanager
def _astropy(source: str) -> Iterator[list[Any]]:
    """Translates astropy's errors into FileDamaged, and gathers what it warns of."""
    with _ONE_READER, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            yield said
        except Exception as error:  # its decoders raise types of their own
            raise FileDamaged(
                f"{source}: the compressed pixels cannot be read ({error}). Copy it again."
            ) from error


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(str(axis) for axis in shape)
