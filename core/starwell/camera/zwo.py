"""ZWO cameras: each in a child process of its own; the SDK is never loaded into the engine's."""

from __future__ import annotations

from pathlib import Path

from starwell.camera.isolated import Deadlines, IsolatedCamera, run_apart
from starwell.camera.protocol import Availability, Camera, CameraFacts
from starwell.camera.zwo_exposing import Patience
from starwell.errors import CameraError, CameraNotFound


class ZwoDriver:
    """The kind "zwo". library: the SDK's file, else $ZWO_ASI_LIB, else the usual places; locks: the folder
    of the files that tell who holds which camera, else in the state folder.
    """

    name = "zwo"

    def __init__(
        self,
        library: Path | str | None = None,
        locks: Path | str | None = None,
        patience: Patience | None = None,
        deadlines: Deadlines | None = None,
    ) -> None:
        self._library = str(library) if library else None
        self._locks = str(locks) if locks else None
        self._patience = patience
        self._deadlines = deadlines

    def available(self) -> Availability:
        """The SDK's version and file, or what to install."""
        try:
            usable, why = run_apart("starwell.camera.zwo_library:available", self._library)
        except CameraError as fault:
            return Availability(False, f"ZWO's library does not load: {fault}")
        return Availability(usable, why)

    def discover(self) -> list[CameraFacts]:
        """The cameras connected, as "name#n", none of them opened; none without the SDK."""
        try:
            return list(run_apart("starwell.camera.zwo_camera:discover", self._library))
        except CameraNotFound:
            return []

    def connect(self, uid: str | None = None) -> Camera:
        """The camera of this serial number, flash id, "name#n" or name, or the only one; CameraNotFound."""
        return IsolatedCamera(
            "starwell.camera.zwo_camera:connect",
            {"uid": uid, "library": self._library, "locks": self._locks, "patience": self._patience},
            self._deadlines,
        )
