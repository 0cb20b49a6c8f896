"""One snap, watched from start to download; and video, with what is known of its stale and lost frames."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Event

from starwell.camera.protocol import Progress
from starwell.camera.zwo_link import Applied, ZwoLink
from starwell.camera.zwo_readout import is_torn
from starwell.camera.zwo_sdk import Status
from starwell.errors import Aborted, CameraGone, Transient
from starwell.frame import Exposure, Pixels

NewPixels = Callable[..., Pixels]
_END_S = 0.2
_END_POLL_S = 0.002
_POLL_S = 0.25
_LATE_POLL_S = 0.05
_BAD_ANSWERS = 10
_EARLY = 0.98
_VIDEO_SLICE_MS = 100
_BREATH_S = 0.0005  # lets telemetry have its turn
_STALE_FRAMES = 2
_RESTARTS = 3


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait: an exposure 2× its time and grace_s more (PHD2's rule), replug_s for an unplugged
    camera, asked for every look_s; attempts at one exposure.
    """

    factor: float = 2.0
    grace_s: float = 15.0
    replug_s: float = 60.0
    look_s: float = 0.5
    attempts: int = 3

    def limit_s(self, seconds: float) -> float:
        """When an exposure of this time counts as hung."""
        return self.factor * seconds + self.grace_s


@dataclass(frozen=True, slots=True)
class Shot:
    """Pixels and how they came: seconds from start to readiness, frames lost before."""

    applied: Applied
    pixels: Pixels
    elapsed_s: float
    dropped_before: int = 0


def snap(
    link: ZwoLink,
    applied: Applied,
    pixels: Pixels,
    cancel: Event,
    progress: Progress | None,
    patience: Patience,
) -> Shot:
    """One exposure; Aborted, Transient, CameraGone. The camera is left stopped."""
    link.drain(pixels)
    begun = time.monotonic()
    with link.lock:
        link.sdk.call("ASIStartExposure", link.camera_id, 0)
    try:
        _until_ready(link, applied.seconds, begun, cancel, progress, patience)
    except (Aborted, Transient):
        link.stop()
        raise
    elapsed = time.monotonic() - begun
    try:
        link.download(pixels)
    except Transient:  # the exposure is there all the same: a second try may save it
        link.download(pixels)
    if elapsed < _EARLY * applied.seconds:
        raise Transient(f"a frame came after {elapsed:.2f} s of {applied.seconds:g} s: it is an older one")
    if is_torn(pixels):
        raise Transient("the lower part of the frame did not come over the cable")
    return Shot(applied, pixels, elapsed)


def _until_ready(
    link: ZwoLink,
    seconds: float,
    begun: float,
    cancel: Event,
    progress: Progress | None,
    patience: Patience,
) -> None:
    bad_answers = 0
    told = begun - 1.0
    while True:
        elapsed = time.monotonic() - begun
        if progress and time.monotonic() - told > _POLL_S / 2:
            told = time.monotonic()
            progress(min(elapsed, seconds))
        if cancel.wait(_pause_s(seconds - elapsed)):
            raise Aborted("the exposure was ended on request")
        try:
            with link.lock:
                status = link.sdk.status(link.camera_id)
            bad_answers = 0
        except Transient:
            bad_answers += 1
            if bad_answers == _BAD_ANSWERS:
                raise
            continue
        if status is Status.SUCCESS:
            return
        if status is not Status.WORKING:
            raise Transient("the camera says that the exposure failed")
        if elapsed > patience.limit_s(seconds):
            raise Transient(
                f"no frame after {elapsed:.0f} s of a {seconds:g} s exposure (SDK {link.sdk.version}); known"
                " cures: a newer SDK, a powered hub or another cable, on a Pi 5 usb_max_current_enable=1"
            )


def _pause_s(left: float) -> float:
    """Coarse while the sensor collects light, tight around the end: some cameras want to be asked then."""
    if left > _END_S:
        return min(_POLL_S, left - _END_S)
    return _END_POLL_S if left > -1.0 else _LATE_POLL_S


def video(
    link: ZwoLink, exposure: Exposure, cancel: Event, new_pixels: NewPixels, grace_s: float
) -> Iterator[Shot]:
    """Frames as they come, none of older settings; Transient when the cable delivers nothing.

    The first frames after a start or a change of settings may have been exposed before it: the one in hand
    and two more are dropped (allsky #360, PHD2 #741).
    """
    applied = link.apply(exposure)
    changes, skip, restarts, lost_before = link.changes, _STALE_FRAMES, 0, 0
    _start(link)
    last = time.monotonic()
    try:
        while not cancel.is_set():
            pixels = new_pixels(applied.shape, applied.dtype)
            if not _next_frame(link, pixels, applied.seconds, cancel, grace_s):
                if cancel.is_set():
                    return
                restarts += 1
                _restart(link, restarts)
                skip, lost_before = _STALE_FRAMES, 0
                continue
            restarts = 0
            lost = link.dropped()
            if changes != link.changes:
                changes, skip, applied = link.changes, _STALE_FRAMES, link.applied(exposure)
            elif skip:
                skip -= 1
            elif is_torn(pixels):
                lost_before -= 1  # counts as lost before the next one
                continue
            else:
                arrived = time.monotonic()
                yield Shot(applied, pixels, arrived - last, lost - lost_before)
                last = arrived
            lost_before = lost
    finally:
        link.stop()


def _next_frame(link: ZwoLink, pixels: Pixels, seconds: float, cancel: Event, grace_s: float) -> bool:
    until = time.monotonic() + 2 * seconds + grace_s
    while not cancel.is_set() and time.monotonic() < until:
        with link.lock:
            if link.sdk.video_frame(link.camera_id, pixels, _VIDEO_SLICE_MS):
                return True
        cancel.wait(_BREATH_S)
    return False


def _start(link: ZwoLink) -> None:
    with link.lock:
        link.sdk.call("ASIStartVideoCapture", link.camera_id)


def _restart(link: ZwoLink, restarts: int) -> None:
    link.stop()
    if not link.is_listed():
        raise CameraGone("the camera is not connected any more")
    if restarts > _RESTARTS:
        raise Transient(
            "the video delivers no frames: lower usb_bandwidth, raise usbfs_memory_mb (`starwell doctor`"
            " tells how), or try another cable or port"
        )
    _start(link)
