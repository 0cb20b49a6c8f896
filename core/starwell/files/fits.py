"""FITS in, in every dialect, and FITS out, whole or not at all.

Pixels come as the file has them (native-endian, contiguous, read-only), rows never flipped; float files of
0..1 come as 0..65535 ADU, with a flag, unless BUNIT names their unit. Where a file holds several pictures the
first is read, and the flags say so.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from starwell.errors import FileDamaged, StorageError
from starwell.files import hdus
from starwell.files.atomic import replacing
from starwell.files.cards import header_bytes
from starwell.files.header import BLOCK, Header
from starwell.files.keywords import facts_of
from starwell.files.scale import SCALED, full_scale
from starwell.frame import FULL_SCALE_ADU, Facts, Frame, Pixels
from starwell.threads import one_ahead

_BAND_ROWS = 256
_STORED = {
    "b1": (8, "u1"),
    "u1": (8, "u1"),
    "i2": (16, ">i2"),
    "u2": (16, ">u2"),
    "i4": (32, ">i4"),
    "u4": (32, ">u4"),
    "f4": (-32, ">f4"),
    "f8": (-64, ">f8"),
}


@dataclass(frozen=True, slots=True)
class Banded:
    """A picture that is made while it is written, so that it is never in memory as a whole.

    rows: plane, first and end row to these pixels, asked for in the order of the file, one at a time and
    maybe in another thread; what it gives need only last until the next are asked for.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    rows: Callable[[int, int, int], Pixels]

    @staticmethod
    def of(pixels: Pixels) -> Banded:
        """A picture that is there."""
        planes = pixels.reshape(-1, *pixels.shape[-2:])
        return Banded(pixels.shape, pixels.dtype, lambda plane, y0, y1: planes[plane, y0:y1])

    def parts(self) -> Iterator[tuple[int, int, int]]:
        """What to ask of rows for all of them, a few at a time."""
        for plane in range(self.shape[0] if len(self.shape) == 3 else 1):
            for y in range(0, self.shape[-2], _BAND_ROWS):
                yield plane, y, min(y + _BAND_ROWS, self.shape[-2])

    def whole(self) -> Pixels:
        """The picture after all."""
        made = np.empty((int(np.prod(self.shape[:-1])), self.shape[-1]), self.dtype)
        first = 0
        for band in (self.rows(*part) for part in self.parts()):
            made[first : first + len(band)] = band
            first += len(band)
        return made.reshape(self.shape)


def read(path: Path | str, room: Pixels | None = None) -> Frame:
    """The first picture of a FITS file (plain, .gz, .bz2, .xz or tile-compressed), H×W or 3×H×W.

    room: a contiguous array that is free; plain pixels that fit lie in its last bytes then.
    Raises FileDamaged where the file is cut off, empty or broken, StorageError where it holds no frame.
    """
    path = Path(path)
    with _opened(path, whole=True) as stream:
        hdu, header, flags = _first_picture(stream, path)
        flags += _what_follows(stream, hdu, str(path))
        pixels, remarks = hdus.pixels(stream, hdu, str(path), room)
    flags += remarks
    highest = FULL_SCALE_ADU if SCALED in flags else full_scale(pixels)
    return Frame(facts_of(header, pixels.shape, source=path, full_scale_adu=highest, flags=flags), pixels)


def read_facts(path: Path | str) -> Facts:
    """What the header says, without reading pixels; raises as read does, but sees no missing pixels."""
    path = Path(path)
    with _opened(path) as stream:
        hdu, header, flags = _first_picture(stream, path)
    shape = hdus.arranged(hdu.shape or ()) or hdu.shape or ()
    bitpix = header.values.get("ZBITPIX", header.values.get("BITPIX"))
    scale = {8: 255.0, 16: FULL_SCALE_ADU if header.values.get("BZERO") else 32767.0}.get(
        bitpix, FULL_SCALE_ADU
    )
    return facts_of(header, shape, source=path, full_scale_adu=scale, flags=flags)


def write(
    path: Path | str,
    pixels: Pixels | Banded,
    keywords: Mapping[str, Any],
    *,
    overwrite: bool = False,
    comments: Mapping[str, str] | None = None,
) -> None:
    """One picture, H×W or 3×H×W, in one HDU in its own dtype; None among the keywords is left out.

    Raises DiskFull, or StorageError where path exists (unless overwrite) or cannot be written.
    """
    with replacing(Path(path), overwrite=overwrite) as stream:
        _put(stream, pixels, keywords, comments or {})


def write_maps(
    path: Path | str,
    maps: Mapping[str, Pixels | Banded],
    keywords: Mapping[str, Any],
    *,
    overwrite: bool = False,
    comments: Mapping[str, str] | None = None,
    unit: str | None = None,
) -> None:
    """Several pictures, each an image extension of its EXTNAME, after a primary HDU with the keywords.

    unit: what all their values are in (BUNIT); None says nothing.
    """
    with replacing(Path(path), overwrite=overwrite) as stream:
        stream.write(header_bytes({"SIMPLE": True, "BITPIX": 8, "NAXIS": 0, **keywords}, comments or {}))
        for name, pixels in maps.items():
            _put(stream, pixels, {"EXTNAME": name, "BUNIT": unit}, {}, extension=True)


def read_map(path: Path | str, name: str) -> Pixels:
    """The picture of this EXTNAME; StorageError where there is none, FileDamaged as read."""
    path = Path(path)
    with _opened(path, whole=True) as stream:
        for hdu in hdus.walk(stream, str(path)):
            if hdu.shape is not None and hdu.header.values.get("EXTNAME") == name:
                return hdus.pixels(stream, hdu, str(path))[0]
    raise StorageError(f"{path} holds no map called {name}: it was cut, or another program rewrote it.")


def _put(
    stream: BinaryIO,
    pixels: Pixels | Banded,
    keywords: Mapping[str, Any],
    comments: Mapping[str, str],
    *,
    extension: bool = False,
) -> None:
    code = pixels.dtype.str[1:]
    if code not in _STORED:
        raise StorageError(
            f"Pixels of type {pixels.dtype} cannot be stored as FITS: make them float32 or uint16."
        )
    bitpix, stored = _STORED[code]
    first = {"XTENSION": "IMAGE"} if extension else {"SIMPLE": True}
    axes = {f"NAXIS{n + 1}": length for n, length in enumerate(reversed(pixels.shape))}
    structure: dict[str, Any] = {**first, "BITPIX": bitpix, "NAXIS": len(axes), **axes}
    structure |= {"PCOUNT": 0, "GCOUNT": 1} if extension else {}
    unsigned = stored in {">u2", ">u4"}
    structure |= {"BZERO": 1 << (bitpix - 1), "BSCALE": 1} if unsigned else {}
    own = {keyword: value for keyword, value in keywords.items() if keyword.upper() not in structure}
    stream.write(header_bytes({**structure, **own}, comments))
    picture = pixels if isinstance(pixels, Banded) else Banded.of(pixels)

    def as_stored(part: tuple[int, int, int]) -> Pixels:
        band = picture.rows(*part)
        signed = band ^ band.dtype.type(1 << (bitpix - 1)) if unsigned else band
        # a copy, for the next rows may take the place of these before they are written
        return np.array(signed, dtype=stored, order="C", copy=None if picture is not pixels else True)

    with closing(one_ahead(as_stored, picture.parts())) as bands:
        written = sum(stream.write(band.data) for band in bands)
    stream.write(bytes(-written % BLOCK))


def _first_picture(stream: BinaryIO, path: Path) -> tuple[hdus.Hdu, Header, tuple[str, ...]]:
    primary: Header | None = None
    for hdu in hdus.walk(stream, str(path)):
        primary = primary or hdu.header
        if hdu.shape is not None:
            return hdu, hdu.header.over(primary), ()
    raise StorageError(f"{path} holds no picture, only a header or tables: it is no frame.")


def _what_follows(stream: BinaryIO, first: hdus.Hdu, source: str) -> tuple[str, ...]:
    """Remarks on whatever stands behind the first picture, which is read whatever follows."""
    try:
        more = sum(hdu.shape is not None for hdu in hdus.walk(stream, source, first))
    except FileDamaged:
        return ("what follows the first picture is broken",)
    return (f"{more + 1} pictures in the file: the first is read",) if more else ()


@contextmanager
def _opened(path: Path, *, whole: bool = False) -> Iterator[BinaryIO]:
    """The file's bytes, unpacked (whole: at once, to be read back and forth); translates system errors."""
    try:
        with path.open("rb", buffering=0) as plain:
            magic = plain.read(6)
            plain.seek(0)
            if not magic:
                raise FileDamaged(f"{path} is empty: nothing was ever written to it. Copy it again.")
            unpack = _UNPACKERS.get(magic[:2])
            with cast(BinaryIO, unpack(plain) if unpack else plain) as stream:
                if stream.read(6) != b"SIMPLE":
                    raise FileDamaged(f"{path} is not a FITS file: it does not begin with SIMPLE.")
                stream.seek(0)
                yield BytesIO(stream.read()) if unpack and whole else stream
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise FileDamaged(
            f"{path}: the packed file is cut off or broken ({error}). Copy it again."
        ) from error
    except FileNotFoundError as error:
        raise StorageError(f"There is no file {path}.") from error
    except IsADirectoryError as error:
        raise StorageError(f"{path} is a folder, not a frame.") from error
    except OSError as error:
        if error.errno is None:  # how bz2 says that its stream is broken
            raise FileDamaged(f"{path}: the packed file is broken ({error}). Copy it again.") from error
        raise StorageError(f"{path} cannot be read: {error.strerror or error}.") from error


_UNPACKERS: Mapping[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}
