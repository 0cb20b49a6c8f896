"""Any frame by its path: what kind of file it is, which files a folder offers, what a set has in common."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from starwell.errors import StorageError
from starwell.files import fits, pictures
from starwell.files.levels import Cell, Levels, common_levels, seen_in
from starwell.frame import Facts, Float32, Frame, Pixels
from starwell.threads import Threads

_FITS = (".fits", ".fit", ".fts")
_PACKED = (".fz", ".gz", ".bz2", ".xz")
_PICTURES = (".tif", ".tiff", ".png")
FRAME_SUFFIXES: tuple[str, ...] = (
    *_FITS,
    *(suffix + packed for suffix in _FITS for packed in _PACKED),
    ".fz",
    *_PICTURES,
)
"""Endings, in lower case, of the files a folder is searched for."""

_PICTURE_MAGIC = (b"\x89PNG", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_REFUSED = {
    ".xisf": "XISF is PixInsight's own format, which starwell does not read: "
    "save the frame as FITS there, or set the capture program to FITS.",
    ".ser": "SER videos are not read: capture single FITS frames, or convert the video to FITS.",
    **dict.fromkeys(
        (".cr2", ".cr3", ".nef", ".arw", ".raf", ".dng", ".orf", ".rw2", ".pef"),
        "Camera raw files are not read: convert them to FITS first, undebayered.",
    ),
    **dict.fromkeys(
        (".jpg", ".jpeg"), "JPEG holds no linear light: capture FITS, or at least 16-bit TIFF or PNG."
    ),
}

REFUSED_SUFFIXES: tuple[str, ...] = tuple(_REFUSED)
"""Endings of files that hold frames in formats starwell does not read; open_frame says what to do."""


def open_frame(path: Path | str, room: Pixels | None = None) -> Frame:
    """The frame in this file, by what the file holds rather than by its name.

    room: a contiguous array its pixels may be put into, as fits.read says.
    Raises FileDamaged or StorageError with the file and its fault.
    """
    path = Path(path)
    return pictures.read(path) if _is_picture(path) else fits.read(path, room)


def open_facts(path: Path | str) -> Facts:
    """What the file says about its frame, without its pixels where the format allows that."""
    path = Path(path)
    return pictures.read(path).facts if _is_picture(path) else fits.read_facts(path)


def gather(paths: Iterable[Path | str]) -> list[Path]:
    """The frames among these files and folders, each once, in natural order (Light_2 before Light_10).

    A folder offers its own frames, or, where it has none, those of the folders in it. Dot-files are passed
    by. Raises StorageError for a path that is not there and for a folder without frames.
    """
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        if path.is_dir():
            found |= dict.fromkeys(_frames_in(path))
        elif path.exists():
            found[path] = None
        else:
            raise StorageError(f"There is no file or folder {path}.")
    return sorted(found, key=natural)


def natural(path: Path) -> tuple[tuple[tuple[int, int, str], ...], ...]:
    """A sorting key that takes digits for numbers and does not mind upper case."""
    return tuple(
        tuple((0, int(part), part) if part.isdigit() else (1, 0, part) for part in _parts(name))
        for name in path.parts
    )


def levels_of_set(frames: Sequence[Path | Pixels], sample: int = 4) -> Levels:
    """The levels of a set of raw frames (paths or pixels), learnt from up to sample of them."""
    count = min(sample, len(frames))
    chosen = [frames[index * (len(frames) - 1) // max(1, count - 1)] for index in range(count)]
    rooms: list[Float32] = []  # fresh memory takes longer than reading

    def taken(frame: Path) -> Float32:
        try:
            return rooms.pop()
        except IndexError:
            return np.empty(open_facts(frame).shape, np.float32)

    def look(frame: Path | Pixels) -> list[Cell]:
        if not isinstance(frame, Path):
            return seen_in(frame)
        try:
            seen = seen_in(open_frame(frame, room := taken(frame)).pixels)
        except StorageError:
            return []  # whoever reads the whole set reports it
        rooms.append(room)
        return seen

    return common_levels(Threads(2).each(look, chosen))


def _frames_in(folder: Path) -> list[Path]:
    own = [path for path in _visible(folder) if path.is_file()]
    frames = [path for path in own if path.name.lower().endswith(FRAME_SUFFIXES)]
    if not frames:
        frames = [
            path
            for inner in _visible(folder)
            if inner.is_dir()
            for path in inner.rglob("*")
            if path.name.lower().endswith(FRAME_SUFFIXES) and path.is_file() and not _hidden(path, folder)
        ]
    if not frames:
        others = Counter(path.suffix.lower() for path in own if path.suffix).most_common(1)
        held = f"; it holds {others[0][1]} {others[0][0]} files" if others else ""
        advice = _REFUSED.get(others[0][0], "") if others else ""
        raise StorageError(f"{folder} holds no FITS, TIFF or PNG frames{held}. {advice}".rstrip())
    return frames


def _visible(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError as error:
        raise StorageError(f"{folder} cannot be read: {error.strerror or error}.") from error


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _parts(name: str) -> list[str]:
    return [part for part in re.split(r"(\d+)", name.casefold()) if part]


def _is_picture(path: Path) -> bool:
    """Whether the file begins like a TIFF or PNG; refuses, with advice, what starwell does not read."""
    try:
        with path.open("rb") as stream:
            magic = stream.read(8)
    except OSError:
        magic = b""  # the reader says what is wrong
    suffix = ".xisf" if magic.startswith(b"XISF") else path.suffix.lower()
    if suffix in _REFUSED and not magic.startswith(b"SIMPLE"):
        raise StorageError(f"{path} cannot be read. {_REFUSED[suffix]}")
    return magic.startswith(_PICTURE_MAGIC) or (magic == b"" and suffix in _PICTURES)
