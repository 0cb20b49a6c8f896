"""What happened in a night, line by line; the order of the lines counts, never the clock's.

One JSON object a line, flushed to the disk before the call returns. A line torn by a power cut is the last
one, and is taken away when the journal is opened again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from starwell.errors import FileDamaged, StorageError
from starwell.files.atomic import writing
from starwell.kinds import Kind


class Record(msgspec.Struct, frozen=True, tag=True, kw_only=True, omit_defaults=True):
    """One line; `at` is the wall clock's word, for people."""

    at: str = ""


class Opened(Record, frozen=True, kw_only=True):
    """An engine took the night up: what it is, and which program; resumed: to go on with the plan before."""

    version: str
    camera: str | None = None
    resumed: bool = False


class FrameSaved(Record, frozen=True, kw_only=True):
    """Frame `number` is on disk: its path (below the night's folder, or absolute for a watched one).

    adu_shift and saturation_adu: what the camera knew, or many frames told, and one file alone does not.
    series: of the plan. A later line for the same frame replaces an earlier one.
    """

    number: int
    kind: Kind
    file: str
    size: int
    sha256: str
    seconds: float | None = None
    filter: str | None = None
    target: str | None = None
    series: str = ""
    adu_shift: int = 0
    saturation_adu: float | None = None


class StackCommand(Record, frozen=True, kw_only=True):
    """Something done to the stacks when `after` was the last sub they had been given."""

    after: int = 0


class RejectedByHand(StackCommand, frozen=True, kw_only=True):
    """The user took sub `number` out."""

    number: int


class RestoredByHand(StackCommand, frozen=True, kw_only=True):
    """The user put sub `number` back."""

    number: int


class MergedByHand(StackCommand, frozen=True, kw_only=True):
    """The user undid the newest split of a stack."""


class MastersChosen(StackCommand, frozen=True, kw_only=True):
    """The user chose masters for what follows, as a plan names them; restack: and for what came before."""

    masters: dict[str, str]
    restack: bool = False


class Restacked(StackCommand, frozen=True, kw_only=True):
    """The user had all lights stacked anew."""


class SeriesEnded(StackCommand, frozen=True, kw_only=True):
    """The subs so far were a whole series: a short one got its best stack."""


class SettingChanged(Record, frozen=True, kw_only=True):
    """A control was set to a value, as read back; or a setting of the lights, from this series on."""

    name: str
    value: float | str
    series: str = ""


class StateEntered(Record, frozen=True, kw_only=True):
    """The engine's state changed, and why."""

    state: str
    why: str = ""


class UserNote(Record, frozen=True, kw_only=True):
    """A line of the user's."""

    text: str


class ClockJumped(Record, frozen=True, kw_only=True):
    """The wall clock moved by this many seconds against the monotonic one."""

    seconds: float


AnyStackCommand = RejectedByHand | RestoredByHand | MergedByHand | MastersChosen | Restacked | SeriesEnded
AnyRecord = Opened | FrameSaved | AnyStackCommand | SettingChanged | StateEntered | UserNote | ClockJumped
_DECODER: msgspec.json.Decoder[AnyRecord] = msgspec.json.Decoder(AnyRecord)


class Journal:
    """The journal of a night, open for writing at its end; safe from any thread.

    records: every line so far. lights: the newest line of each light, by number. Opening raises FileDamaged,
    with the line's number, for a line that cannot be read and is not the last.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: list[AnyRecord] = []
        self.lights: dict[int, FrameSaved] = {}
        self._lock = threading.Lock()
        with writing(path):
            self._file = path.open("ab", buffering=0)
        try:
            self._take_up()
        except BaseException:
            self._file.close()
            raise

    def append(self, record: AnyRecord) -> None:
        """Write one line and wait until it is on the disk; raises DiskFull, and then wrote nothing."""
        line = msgspec.json.encode(record) + b"\n"
        with self._lock, writing(self.path):
            end = os.fstat(self._file.fileno()).st_size
            try:
                self._write(line)
            except BaseException:
                self._file.truncate(end)
                raise
            self._remember(record)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, line: bytes) -> None:
        while line:
            line = line[self._file.write(line) :]
        os.fdatasync(self._file.fileno())

    def _remember(self, record: AnyRecord) -> None:
        self.records.append(record)
        if isinstance(record, FrameSaved) and record.kind is Kind.LIGHT:
            self.lights[record.number] = record

    def _take_up(self) -> None:
        """Read what is there; a torn last line must not swallow the next one."""
        written = _bytes_of(self.path)
        records, whole = _decoded(self.path, written)
        for record in records:
            self._remember(record)
        with writing(self.path):
            if whole < len(written):
                self._file.truncate(whole)
            elif written and not written.endswith(b"\n"):
                self._write(b"\n")


def read(path: Path) -> list[AnyRecord]:
    """The records of a journal; a torn last line is passed by.

    Raises FileDamaged, with the line's number, for any other line that cannot be read.
    """
    return _decoded(path, _bytes_of(path))[0]


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StorageError(f"The journal {path} cannot be read: {error.strerror}.") from error


def _decoded(path: Path, written: bytes) -> tuple[list[AnyRecord], int]:
    """The records, and how many bytes hold them: fewer than there are where the last line is torn."""
    records: list[AnyRecord] = []
    start = 0
    for number, line in enumerate(_lines(written), start=1):
        try:
            if line.strip():
                records.append(_DECODER.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if written[start + len(line) :].strip():
                raise FileDamaged(
                    f"Line {number} of {path} is damaged. Take that line out and resume; the subs themselves "
                    "are untouched."
                ) from error
            return records, start
        start += len(line)
    return records, len(written)


def _lines(written: bytes) -> Iterable[bytes]:
    """Lines with their ends; the last may have none."""
    *whole, last = written.split(b"\n")
    return [*(line + b"\n" for line in whole), last]
