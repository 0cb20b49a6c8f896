"""A ZWO camera: snaps for deep sky, video for short subs, and coming back from every fault it can.

It runs in a child process (isolated.py); nothing here knows that, and tests run it as it is.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import numpy as np

from starwell import config
from starwell.camera import zwo_library
from starwell.camera.protocol import CameraFacts, Control, ControlRange, Progress, Telemetry
from starwell.camera.zwo_exposing import NewPixels, Patience, Shot, snap, video
from starwell.camera.zwo_finding import Registry, candidates, labels, take
from starwell.camera.zwo_link import ZwoLink
from starwell.camera.zwo_readout import roi_step, shift_seen
from starwell.camera.zwo_sdk import Listed, Sdk
from starwell.errors import (
    Aborted,
    CameraBusy,
    CameraGone,
    CameraNotFound,
    Transient,
)
from starwell.frame import Exposure, Facts, Frame

SNAP_FROM_S = 1.0
"""Streams of this exposure time and more are made of snaps: video may hand out older frames."""

_VIDEO_GRACE_S = 0.5


def discover(library: str | None = None) -> list[CameraFacts]:
    """The ZWO cameras connected, as "name#n"; opens none. CameraNotFound without the SDK."""
    return [facts_of(camera, label) for label, camera in labels(zwo_library.load(library).listed()).items()]


def connect(
    uid: str | None = None,
    library: str | None = None,
    locks: str | None = None,
    patience: Patience | None = None,
) -> ZwoCamera:
    """The camera of this uid, name or label, or the only one; not opened yet."""
    registry = Registry(Path(locks) if locks else config.home().state / "cameras")
    return ZwoCamera(zwo_library.load(library), uid, registry, patience or Patience())


def facts_of(camera: Listed, uid: str) -> CameraFacts:
    """What a listed camera is, in the words of all cameras."""
    return CameraFacts(
        driver="zwo",
        uid=uid,
        name=camera.name,
        width=camera.width,
        height=camera.height,
        pixel_um=camera.pixel_um,
        bayer=camera.bayer,
        adc_bits=camera.bits,
        bins=camera.bins,
        cooled=camera.cooled,
        usb3=camera.usb3,
        roi_step=roi_step(camera),
    )


class ZwoCamera:
    """One camera through the SDK in this process.

    new_pixels(shape, dtype) gives the array a frame is read into; it may be replaced from outside.
    """

    def __init__(self, sdk: Sdk, uid: str | None, registry: Registry, patience: Patience) -> None:
        self.new_pixels: NewPixels = np.empty
        self._sdk = sdk
        self._registry = registry
        self._patience = patience
        self._link: ZwoLink | None = None
        self._wanted = False
        self._kept: dict[Control, float] = {}
        self._number = 0
        label, camera = next(iter(candidates(uid, sdk.listed(), registry).items()))
        self._uid = uid or label
        self._facts = facts_of(camera, label)
        self._siblings = 0

    @property
    def facts(self) -> CameraFacts:
        """What it is; its uid is the serial number once it was open."""
        return self._facts

    def open(self) -> None:
        """Take the camera; CameraNotFound, CameraBusy, CameraGone."""
        if self._link is None:
            self._take()
        self._wanted = True

    def close(self) -> None:
        """Let it go. The cooler stays as it is."""
        self._wanted = False
        self._kept.clear()
        self._release()

    def controls(self) -> Mapping[Control, ControlRange]:
        """What can be set, and how far."""
        return self._opened().controls()

    def get(self, control: Control) -> float:
        """Read a control back."""
        return self._opened().get(control)

    def set(self, control: Control, value: float) -> float:
        """Set a control; it is set again when the camera comes back after unplugging."""
        taken = self._opened().set(control, value)
        self._kept[control] = value
        return taken

    def telemetry(self) -> Telemetry:
        """What it says of itself; nothing while it is away."""
        try:
            return self._opened().telemetry()
        except (CameraGone, Transient):
            return Telemetry()

    def expose(self, exposure: Exposure, cancel: Event, progress: Progress | None = None) -> Frame:
        """One snap, tried again after a fault; Transient when all attempts failed."""
        self._ready(cancel, progress)
        faults: list[str] = []
        for attempt in range(1, self._patience.attempts + 1):
            try:
                return self._attempt(exposure, cancel, progress, attempt, faults)
            except Transient as fault:
                faults.append(str(fault))
                self._recover(cancel, progress, thoroughly=attempt > 1)
            except CameraGone as fault:
                faults.append(str(fault))
                self._reopen(cancel, progress)
        raise Transient(f"{len(faults)} attempts at this exposure failed; the last: {faults[-1]}")

    def stream(self, exposure: Exposure, cancel: Event) -> Iterator[Frame]:
        """Frames until cancelled: video below a second, snaps from there on."""
        if (exposure.seconds or 0.0) < SNAP_FROM_S:
            yield from self._video(exposure, cancel)
            return
        while not cancel.is_set():
            try:
                yield self.expose(exposure, cancel)
            except Aborted:
                return

    def _attempt(
        self, exposure: Exposure, cancel: Event, progress: Progress | None, attempt: int, faults: list[str]
    ) -> Frame:
        if cancel.is_set():
            raise Aborted("the exposure was ended on request")
        link = self._opened()
        applied = link.apply(exposure)
        pixels = self.new_pixels(applied.shape, applied.dtype)
        started = datetime.now(UTC)
        shot = snap(link, applied, pixels, cancel, progress, self._patience)
        return self._frame(link, shot, started, attempt, faults)

    def _video(self, exposure: Exposure, cancel: Event) -> Iterator[Frame]:
        while not cancel.is_set():
            link = self._ready(cancel, None)
            try:
                for shot in video(link, exposure, cancel, self.new_pixels, _VIDEO_GRACE_S):
                    started = datetime.now(UTC) - timedelta(seconds=shot.applied.seconds)
                    yield self._frame(link, shot, started, 1, [])
            except CameraGone:
                self._reopen(cancel, None)

    def _frame(self, link: ZwoLink, shot: Shot, started: datetime, attempt: int, faults: list[str]) -> Frame:
        self._number += 1
        now, applied = link.telemetry(), shot.applied
        shift, depth_flags = _depth(shot, link.camera)
        extras = {"BITDEPTH": link.camera.bits, "SDKVER": self._sdk.version, "SERIAL": self._facts.uid}
        facts = Facts(
            shape=applied.shape,
            exposure=applied.exposure,
            number=self._number,
            camera=link.camera.name,
            started=started,
            sensor_celsius=now.sensor_celsius,
            setpoint_celsius=now.target_celsius if now.cooler_on else None,
            bayer=applied.bayer,
            top_down=True,
            adu_shift=shift,
            saturation_adu=applied.scale.saturation_adu,
            egain=applied.scale.egain,
            pixel_um=link.camera.pixel_um * applied.exposure.bin,
            dropped_before=shot.dropped_before,
            attempts=attempt,
            flags=(*link.flags, *depth_flags, *(f"tried again: {fault}" for fault in faults)),
            header=extras | {"ELAPSED": round(shot.elapsed_s, 3), "COOLPOWR": now.cooler_percent},
        )
        return Frame(facts, shot.pixels)

    def _take(self) -> None:
        connected = self._sdk.listed()
        same = sum(camera.name == self._facts.name for camera in connected)
        if "#" in self._uid and same < self._siblings:  # its number may now be another camera's
            raise CameraNotFound(
                f"one {self._facts.name} of {self._siblings} is missing, and they have no serial number"
            )
        taken = take(self._uid, self._sdk, self._registry)
        self._link = ZwoLink(self._sdk, taken)
        self._siblings = same
        self._uid = taken.uid
        self._facts = facts_of(self._link.camera, taken.uid)

    def _release(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None

    def _opened(self) -> ZwoLink:
        if self._link is None:
            raise CameraGone(f"{self._facts.name} is not open")
        return self._link

    def _ready(self, cancel: Event, progress: Progress | None) -> ZwoLink:
        """The open camera; looked for again where an earlier exposure ended while it was away."""
        if self._wanted and self._link is None:
            self._reopen(cancel, progress)
        return self._opened()

    def _recover(self, cancel: Event, progress: Progress | None, *, thoroughly: bool) -> None:
        """Make ready for another attempt: a failed exposure can be an unplugged camera, so look first."""
        link = self._opened()
        link.stop()
        if thoroughly or not link.is_listed():
            self._reopen(cancel, progress)

    def _reopen(self, cancel: Event, progress: Progress | None) -> None:
        """Close, wait for the camera to be there, open it whatever its id is now, and set it as before."""
        self._release()
        until = time.monotonic() + self._patience.replug_s
        while True:
            try:
                self._take()
                self._restore()
            except (CameraNotFound, CameraBusy, CameraGone, Transient) as fault:
                self._release()
                if time.monotonic() > until:
                    raise CameraGone(
                        f"{self._facts.name} did not come back within {self._patience.replug_s:g} s: {fault}"
                    ) from fault
            else:
                return
            if progress:
                progress(0.0)
            if cancel.wait(self._patience.look_s):
                raise Aborted("the exposure was ended on request while the camera was away")

    def _restore(self) -> None:
        link = self._opened()
        for control, value in self._kept.items():
            link.set(control, value)


def _depth(shot: Shot, camera: Listed) -> tuple[int, tuple[str, ...]]:
    """How many low bits carry nothing, as the pixels say; and a flag where the camera says otherwise."""
    expected, seen = shot.applied.scale.shift, shift_seen(shot.pixels)
    if seen is None or seen == expected:
        return expected, ()
    bits, stated = 16 - seen, 16 - expected
    return seen, (f"the pixels carry {bits} bits where {camera.name} states {stated}",)
