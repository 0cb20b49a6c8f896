"""Which ZWO camera is meant, and who has it: nothing is opened that was not chosen.

A camera is known by its serial number, else by the id in its flash memory, else as "name#n". The first two
can only be read from an open camera, so before its first opening every camera is "name#n"; the lock file
written then remembers which model a serial number belongs to, and only that model is looked into later.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from starwell.camera.zwo_sdk import Listed, Sdk
from starwell.errors import CameraBusy, CameraError, CameraGone, CameraNotFound

_LOCK_TRIES = 10
_LOCK_PAUSE_S = 0.02


class Held(msgspec.Struct, frozen=True):
    """What a lock file says: whose camera, which, and by which id the owner's SDK knows it."""

    uid: str
    name: str
    camera_id: int
    pid: int


class Claim:
    """A camera taken by this process; the operating system ends it with the process."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Let others have it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Registry:
    """Lock files, one for each camera ever opened on this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def model_of(self, uid: str) -> str | None:
        """The model this serial number or flash id belongs to, if it was opened here before."""
        return next((held.name for held in self._files() if held.uid == uid), None)

    def in_use(self, name: str) -> set[int]:
        """The ids of the cameras of this model that somebody holds."""
        same = [held for held in self._files() if held.name == name]
        return {held.camera_id for held in same if self._is_locked(held)}

    def claim(self, uid: str, camera: Listed) -> Claim:
        """Take a camera for this process; CameraBusy when another one has it."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path(uid), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as fault:
            raise CameraError(f"the camera's lock file cannot be written: {fault}") from fault
        for _ in range(_LOCK_TRIES):  # somebody may only be looking whether it is free
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(_LOCK_PAUSE_S)
        else:
            os.close(descriptor)
            owner = next((held.pid for held in self._files() if held.uid == uid), None)
            raise CameraBusy(
                f"{camera.name} ({uid}) is in use by process {owner or 'unknown'}: stop that first"
            )
        text = msgspec.json.encode(Held(uid, camera.name, camera.camera_id, os.getpid()))
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text, 0)
        return Claim(descriptor)

    def _path(self, uid: str) -> Path:
        return self._folder / (re.sub(r"[^\w#.-]+", "_", uid) + ".lock")

    def _files(self) -> Iterator[Held]:
        for path in sorted(self._folder.glob("*.lock")):
            try:
                yield msgspec.json.decode(path.read_bytes(), type=Held)
            except (msgspec.DecodeError, OSError):  # being written just now, or not ours
                continue

    def _is_locked(self, held: Held) -> bool:
        try:
            with self._path(held.uid).open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False


class Taken(NamedTuple):
    """An open camera and who it turned out to be."""

    camera: Listed
    uid: str
    claim: Claim


def labels(cameras: Iterable[Listed]) -> dict[str, Listed]:
    """The cameras as "name#n", n counting those of one model from 1."""
    found: dict[str, Listed] = {}
    counts: dict[str, int] = {}
    for camera in cameras:
        counts[camera.name] = counts.get(camera.name, 0) + 1
        found[f"{camera.name}#{counts[camera.name]}"] = camera
    return found


def candidates(uid: str | None, cameras: list[Listed], registry: Registry) -> dict[str, Listed]:
    """The cameras, by label, that may be the one meant; CameraNotFound where there is none."""
    known = labels(cameras)
    if not known:
        raise CameraNotFound("no ZWO camera is connected: look at cable and power, and `lsusb | grep 03c3`")
    if uid is None:
        if len(known) > 1:
            raise CameraNotFound(f"{len(known)} ZWO cameras are connected, choose one: {', '.join(known)}")
        return known
    if exact := {label: one for label, one in known.items() if _spelt(uid) == _spelt(label)}:
        return exact
    if model := registry.model_of(uid):
        if same := {label: one for label, one in known.items() if one.name == model}:
            return same
    elif named := {label: one for label, one in known.items() if _spelt(uid) == _spelt(one.name)}:
        if len(named) > 1:
            raise CameraNotFound(f"{len(named)} cameras are called {uid}, choose one: {', '.join(named)}")
        return named
    meaning = f"{uid}, a {model}, is" if model else f"{uid} was never opened here or is"
    raise CameraNotFound(f"camera {meaning} not connected; connected: {', '.join(known)}")


def take(uid: str | None, sdk: Sdk, registry: Registry) -> Taken:
    """Open the camera meant, and only cameras of its model that nobody holds until it is found."""
    fault: CameraError | None = None
    for label, camera in candidates(uid, sdk.listed(), registry).items():
        if camera.camera_id in registry.in_use(camera.name):
            fault = CameraBusy(f"{label} is in use by another starwell: stop that first")
            continue
        try:
            sdk.open(camera.camera_id)
        except (CameraBusy, CameraGone) as refused:
            fault = refused
            continue
        try:
            found = identity(sdk, camera.camera_id) or label
            if uid in (None, found) or _spelt(uid) in (_spelt(label), _spelt(camera.name)):
                return Taken(sdk.opened(camera.camera_id), found, registry.claim(found, camera))
        except CameraError:
            sdk.close(camera.camera_id)
            raise
        sdk.close(camera.camera_id)
    raise fault or CameraNotFound(f"camera {uid} is not among those connected")


def identity(sdk: Sdk, camera_id: int) -> str | None:
    """What an open camera can be told by for ever."""
    if serial := sdk.serial(camera_id):
        return serial
    flash = sdk.flash_id(camera_id)
    return f"flash-{flash}" if flash else None


def _spelt(text: str | None) -> str:
    return (text or "").casefold().removeprefix("zwo").replace(" ", "")
