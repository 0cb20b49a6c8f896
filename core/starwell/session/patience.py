"""What becomes of an exposure that failed: another try, the camera opened again, or an end."""

from __future__ import annotations

from starwell.errors import Aborted, CameraError, CameraGone, ControlRefused
from starwell.session.events import CameraFault
from starwell.session.shooting_room import Room

_PATIENCE = 5
"""After so many failed exposures in a row, the driver's own retries not counted, the camera is reopened."""

_ROUNDS = 2
"""And so often, before it is given up."""


class Patience:
    """Counts failures in a row. from_files: frames are read, and one that cannot be is passed by."""

    def __init__(self, room: Room, *, from_files: bool) -> None:
        self._room = room
        self._from_files = from_files
        self._failures = 0

    def rest(self) -> None:
        """An exposure came out well."""
        self._failures = 0

    def survive(self, error: CameraError) -> None:
        """Whatever went wrong with one exposure; raises it when the camera has to be given up."""
        if isinstance(error, ControlRefused):
            raise error
        if isinstance(error, Aborted) and self._room.wishes.cancel.is_set():
            return
        if self._from_files:
            self._room.night.lost += 1
            self._tell(error, recovered=True)
        elif isinstance(error, CameraGone):
            self._room.kept.open_again(error)
        else:
            self._room.night.lost += 1
            self._failures += 1
            self._try_again(error)

    def _try_again(self, error: CameraError) -> None:
        if self._failures % _PATIENCE:
            self._tell(error, recovered=True)
            return
        failed = CameraError(f"{self._failures} exposures in a row failed. The last time: {error}")
        if self._failures >= _ROUNDS * _PATIENCE:
            self._tell(failed, recovered=False)
            raise failed
        self._room.kept.open_again(failed)

    def _tell(self, error: CameraError, *, recovered: bool) -> None:
        self._room.telling.publish(CameraFault(message=str(error), recovered=recovered))
