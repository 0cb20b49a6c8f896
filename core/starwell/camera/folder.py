"""Files as a camera: a folder replayed in order. Nothing is copied; every frame names its file."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from starwell.camera.protocol import CameraFacts, Control, ControlRange, Progress, Telemetry
from starwell.errors import Aborted, ControlRefused, NoMoreFrames, StarwellError, StorageError, Transient
from starwell.files.frames import gather, levels_of_set, open_facts, open_frame
from starwell.files.levels import Levels, with_levels
from starwell.frame import Exposure, Facts, Frame


class FileCamera:
    """What all cameras made of files have in common: settings belong to the files, and none can be set.

    unreadable: the files that could not be read, with their faults.
    """

    driver: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.unreadable: list[tuple[Path, str]] = []
        self._first: Facts | None = None
        self._number = 0

    @property
    def facts(self) -> CameraFacts:
        """What the first file says of the camera; 0×0 px before there is one."""
        first = self._first
        height, width = first.size if first else (0, 0)
        return CameraFacts(
            driver=self.driver,
            uid=str(self.folder),
            name=(first.camera if first else None) or f"files in {self.folder.name}",
            width=width,
            height=height,
            pixel_um=first.pixel_um if first else None,
            bayer=first.bayer if first else None,
        )

    @property
    def target(self) -> str | None:
        """What the first file says it shows."""
        return self._first.target if self._first else None

    def close(self) -> None:
        """Nothing is held."""

    def controls(self) -> Mapping[Control, ControlRange]:
        """None."""
        return {}

    def get(self, control: Control) -> float:
        """Always ControlRefused."""
        raise ControlRefused(f"Files have no {control}: it is what it was when they were taken.")

    def set(self, control: Control, value: float) -> float:
        """Always ControlRefused."""
        raise ControlRefused(f"{control} cannot be set to {value:g}: the frames come from files.")

    def telemetry(self) -> Telemetry:
        """Nothing."""
        return Telemetry()

    def expose(self, exposure: Exposure, cancel: threading.Event, progress: Progress | None = None) -> Frame:
        """The next frame, exposed as its file says; Transient for a file that cannot be read."""
        raise NotImplementedError

    def stream(self, exposure: Exposure, cancel: threading.Event) -> Iterator[Frame]:
        """The frames to come; unreadable files are passed over, and listed in `unreadable`."""
        while True:
            try:
                yield self.expose(exposure, cancel)
            except Transient:
                continue
            except (Aborted, NoMoreFrames):
                return

    def _lost(self, path: Path, error: StarwellError) -> Transient:
        self.unreadable.append((path, str(error)))
        return Transient(str(error))

    def _numbered(self, frame: Frame, levels: Levels) -> Frame:
        self._number += 1
        self._first = self._first or frame.facts
        return Frame(replace(with_levels(frame.facts, levels), number=self._number), frame.pixels)


class FolderCamera(FileCamera):
    """Replays the frames of a folder in natural order of their names, as fast as asked for; then ends."""

    driver = "folder"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._files: list[Path] = []
        self._levels = Levels(0, None)
        self._next = 0

    @property
    def count(self) -> int:
        """How many files there are."""
        return len(self._files)

    def open(self) -> None:
        """List the files; StorageError where there is no folder, or none with frames."""
        self._files = gather([self.folder])
        self._levels = levels_of_set(self._files)
        self._next = self._number = 0
        for path in self._files:
            with contextlib.suppress(StorageError):  # reported when it is its turn
                self._first = open_facts(path)
                break

    def expose(self, exposure: Exposure, cancel: threading.Event, progress: Progress | None = None) -> Frame:
        """The next file's frame; NoMoreFrames after the last."""
        del exposure, progress  # the file was exposed long ago
        if cancel.is_set():
            raise Aborted("The replay was ended.")
        if self._next >= len(self._files):
            raise NoMoreFrames(f"All {len(self._files)} files of {self.folder} have been replayed.")
        path = self._files[self._next]
        self._next += 1
        try:
            return self._numbered(open_frame(path), self._levels)
        except StorageError as error:
            raise self._lost(path, error) from error
