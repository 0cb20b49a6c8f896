"""The lights of a night by number, as the journal has them: always read the same, whoever brings them.

What a stack makes of a sub may depend on its facts. They are therefore taken from the file even where the
camera's frame is still at hand: a header says some of them with fewer digits or without accents.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from starwell.errors import FileDamaged, StorageError
from starwell.files.frames import open_facts, open_frame
from starwell.frame import Facts, Float32, Frame, Kind
from starwell.session.journal import FrameSaved, Journal
from starwell.session.night_files import Night

_CHUNK = 1 << 20


class SavedFrames:
    """Reads lights again; called with a number it is the `reread` of a pipeline."""

    def __init__(self, night: Night, journal: Journal) -> None:
        self._night = night
        self._journal = journal
        self._unchanged: set[int] = set()

    def __call__(self, number: int, room: Float32 | None = None) -> Frame:
        """The frame on disk, in the last bytes of this room where it is given.

        Raises StorageError when it is not there any more, FileDamaged when a file outside of the night's
        folder is not the one that it was: it may by now be another sub under the same name.
        """
        record = self._record(number)
        path = self.path(record)
        if Path(record.file).is_absolute() and number not in self._unchanged:
            if not path.exists():
                raise StorageError(f"{path} is gone: it was there when the sub was taken.")
            if path.stat().st_size != record.size or sha256_of(path) != record.sha256:
                raise FileDamaged(f"{path} was changed since: it may show another sub by now.")
            self._unchanged.add(number)
        return _told(open_frame(path, room), record)

    def seen(self, number: int, frame: Frame | None) -> Frame:
        """The frame that is still in memory, with the facts that its file gives; read again for None."""
        if frame is None:
            return self(number)
        record = self._record(number)
        self._unchanged.add(number)
        facts = frame.facts if Path(record.file).is_absolute() else open_facts(self.path(record))
        return _told(Frame(facts, frame.pixels), record)

    def path(self, record: FrameSaved) -> Path:
        """Where the file of a record is."""
        return self._night.folder / record.file

    def gone(self) -> list[Path]:
        """The files that are not there any more, in the order of their numbers."""
        paths = (self.path(record) for _, record in sorted(self._journal.lights.items()))
        return [path for path in paths if not path.exists()]

    def adopt(self) -> list[int]:
        """Enter into the journal the lights that were written when their line was not, and tell which.

        Raises DiskFull.
        """
        unknown = {
            number: path
            for number, path in self._night.frames(Kind.LIGHT).items()
            if number not in self._journal.lights
        }
        for number, path in sorted(unknown.items()):
            try:
                facts = open_facts(path)
            except StorageError:
                facts = Facts(shape=(0, 0), source=path)  # told when it is its turn
            shift = int(facts.header.get("ADUSHIFT", 0))
            self._journal.append(saved_record(self._night, replace(facts, number=number, adu_shift=shift)))
        return sorted(unknown)

    def _record(self, number: int) -> FrameSaved:
        if number not in self._journal.lights:
            raise StorageError(f"The journal knows of no sub {number}.")
        return self._journal.lights[number]


def saved_record(night: Night, facts: Facts, at: str = "") -> FrameSaved:
    """The journal's line for a frame that is on disk as facts.source; StorageError when it is not."""
    path = facts.source
    if path is None:
        raise StorageError(f"Frame {facts.number} is in no file: there is nothing to enter into the journal.")
    inside = path.is_relative_to(night.folder)
    try:
        size, sha256 = path.stat().st_size, sha256_of(path)
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}.") from error
    return FrameSaved(
        at=at,
        number=facts.number,
        kind=facts.exposure.kind,
        file=str(path.relative_to(night.folder) if inside else path.absolute()),
        size=size,
        sha256=sha256,
        seconds=facts.exposure.seconds,
        filter=facts.exposure.filter,
        target=facts.target,
        adu_shift=facts.adu_shift,
        saturation_adu=facts.saturation_adu,
    )


def sha256_of(path: Path) -> str:
    """Of a file's bytes; raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _told(frame: Frame, record: FrameSaved) -> Frame:
    facts = frame.facts
    saturation = facts.saturation_adu if record.saturation_adu is None else record.saturation_adu
    told = replace(facts, number=record.number, adu_shift=record.adu_shift, saturation_adu=saturation)
    return Frame(told, frame.pixels)
