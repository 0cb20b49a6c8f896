"""A folder that another capture program writes to, as a camera: frames come when their files are complete."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Collection
from pathlib import Path

from starwell.camera.arrivals import Arrivals, Key
from starwell.camera.folder import FileCamera
from starwell.camera.protocol import Progress
from starwell.errors import Aborted, CameraNotFound, StorageError, Transient
from starwell.files.frames import open_frame
from starwell.files.levels import Levels, levels
from starwell.frame import Exposure, Frame

_TICK_S = 0.04
_REST = 10
"""A look that takes long is followed by so many times as long without one."""


class WatchCamera(FileCamera):
    """Waits for frames, for ever; those that are there already come first.

    look_s: seconds between two looks. passed_by: folders whose files are not frames to come.
    """

    driver = "watch"

    def __init__(self, folder: Path, *, look_s: float = 0.5, passed_by: Collection[Path] = ()) -> None:
        super().__init__(folder)
        self._arrivals = Arrivals(folder, passed_by)
        self._ready: deque[Key] = deque()
        self._levels: dict[tuple[int, ...], Levels] = {}
        self._look_s = look_s
        self._next_look = 0.0
        self._away = False

    def open(self) -> None:
        """CameraNotFound where there is no such folder."""
        if not self.folder.is_dir():
            raise CameraNotFound(f"There is no folder {self.folder} to watch: create it, or mount its disk.")

    def expose(self, exposure: Exposure, cancel: threading.Event, progress: Progress | None = None) -> Frame:
        """The next frame, whenever it comes; Transient once for each file that stays unreadable.

        A folder that goes away is reported as Transient once, and waited for.
        """
        del exposure
        waiting_since = time.monotonic()
        while not cancel.is_set():
            while self._ready:
                frame = self._read(self._ready.popleft())
                if frame is not None:
                    return frame
            if time.monotonic() >= self._next_look:
                self._look()
                continue
            if progress is not None:
                progress(time.monotonic() - waiting_since)
            cancel.wait(min(_TICK_S, max(self._next_look - time.monotonic(), 0.001)))
        raise Aborted("The watch was ended.")

    def _look(self) -> None:
        begun = time.monotonic()
        try:
            self._ready.extend(self._arrivals.look())
        except StorageError as error:
            if not self._away:
                self._away = True
                raise Transient(f"{error} Waiting for it to come back.") from error
        else:
            self._away = False
        finally:
            taken = time.monotonic() - begun
            self._next_look = time.monotonic() + max(self._look_s, _REST * taken)

    def _read(self, key: Key) -> Frame | None:
        try:
            frame = open_frame(key.path)
        except StorageError as error:
            if self._arrivals.failed(key):
                raise self._lost(key.path, error) from error
            return None
        self._arrivals.done(key)
        shape = frame.pixels.shape
        if shape not in self._levels:
            self._levels[shape] = levels([frame.pixels])
        return self._numbered(frame, self._levels[shape])
