"""What happened in a night, line by line; the order of the lines counts, never the clock's.

One JSON object a line, flushed to the disk before the call returns. A line torn by a power cut is the last
one, and is passed by.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from starwell.errors import FileDamaged, StorageError
from starwell.files.atomic import writing
from starwell.frame import Kind


class Record(msgspec.Struct, frozen=True, tag=True, kw_only=True, omit_defaults=True):
    """One line; `at` is the wall clock's word, for people."""

    at: str = ""


class Opened(Record, frozen=True, kw_only=True):
    """An engine took the night up: what it is, and which program."""

    version: str
    target: str | None = None
    camera: str | None = None


class FrameSaved(Record, frozen=True, kw_only=True):
    """Frame `number` is on disk: its path (below the night's folder, or absolute for a watched one)."""

    number: int
    kind: Kind
    file: str
    size: int
    sha256: str
    seconds: float | None = None
    filter: str | None = None
    target: str | None = None


class RejectedByHand(Record, frozen=True, kw_only=True):
    """The user took sub `number` out."""

    number: int


class RestoredByHand(Record, frozen=True, kw_only=True):
    """The user put sub `number` back."""

    number: int


class SettingChanged(Record, frozen=True, kw_only=True):
    """A control was set to a value, as read back."""

    name: str
    value: float


class StateEntered(Record, frozen=True, kw_only=True):
    """The engine's state changed, and why."""

    state: str
    why: str = ""


class ClockJumped(Record, frozen=True, kw_only=True):
    """The wall clock moved by this many seconds against the monotonic one."""

    seconds: float


AnyRecord = (
    Opened | FrameSaved | RejectedByHand | RestoredByHand | SettingChanged | StateEntered | ClockJumped
)
_DECODER: msgspec.json.Decoder[AnyRecord] = msgspec.json.Decoder(AnyRecord)


class Journal:
    """The journal of a night, open for writing at its end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with writing(path):
            self._file = path.open("ab")
            self._mend()

    def append(self, record: Record) -> None:
        """Write one line and wait until it is on the disk; raises DiskFull."""
        with writing(self.path):
            self._file.write(msgspec.json.encode(record) + b"\n")
            self._file.flush()
            os.fdatasync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _mend(self) -> None:
        """A torn last line must not swallow the next one."""
        size = self.path.stat().st_size
        if size:
            with self.path.open("rb") as text:
                text.seek(-1, os.SEEK_END)
                if text.read(1) != b"\n":
                    self._file.write(b"\n")


def read(path: Path) -> Iterator[AnyRecord]:
    """The records of a journal; a torn line is passed by where it is the last or followed by an Opened.

    Raises FileDamaged, with the line's number, for any other line that cannot be read.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise StorageError(f"The journal {path} cannot be read: {error.strerror}.") from error
    torn: int | None = None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = _DECODER.decode(line)
        except msgspec.DecodeError:
            if torn is not None:
                raise _damaged(path, torn) from None
            torn = number
            continue
        if torn is not None and not isinstance(record, Opened):
            raise _damaged(path, torn)
        torn = None
        yield record


def _damaged(path: Path, line: int) -> FileDamaged:
    return FileDamaged(
        f"Line {line} of {path} is damaged. Take that line out and resume; the subs themselves are untouched."
    )
