"""Frames from a camera into a night: whole, numbered, with all that is known in their headers."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from starwell import __version__
from starwell.camera.folder import FileCamera
from starwell.camera.protocol import Camera, Progress
from starwell.errors import DiskFull, StorageError
from starwell.files import fits
from starwell.files.atomic import writing
from starwell.files.keywords import keywords_of
from starwell.frame import Exposure, Facts, Frame, Kind
from starwell.session.events import Event, ExposureStarted, QualityAdvice
from starwell.session.night_files import Night

_FRAMES_TO_SPARE = 3
_STACKING_FRAMES = 16
"""A stack's pictures, maps and checkpoint, as frames of its size."""

_WARN_FRAMES = 50
_COMMENTS = {
    "ADUSHIFT": "low bits that carry nothing",
    "DROPPED": "frames lost before this one",
    "ATTEMPTS": "tries it took",
    "REMARKS": "by the camera's driver",
    "GUIDERMS": "[arcsec] of the guide star, both axes",
}
_THROUGH_FILTER = (Kind.LIGHT, Kind.FLAT)


@dataclass(frozen=True, slots=True)
class Shot:
    """One frame to be taken. target: of a light."""

    exposure: Exposure
    target: str | None = None


class Capture:
    """Takes frames, each whole on disk before anything else is done with it.

    publish: hears of exposures as they start, and of a disk that fills. keywords: of rig and site, for every
    header. cancel ends an exposure without a frame. stacks: room to leave for so many stacks. free_bytes: of
    the disk a folder is on.
    """

    def __init__(
        self,
        camera: Camera,
        night: Night,
        cancel: threading.Event,
        publish: Callable[[Event], None],
        *,
        keywords: Mapping[str, Any] | None = None,
        progress: Progress | None = None,
        stacks: int = 0,
        free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    ) -> None:
        self.camera = camera
        self.from_files = isinstance(camera, FileCamera)
        self._night = night
        self._cancel = cancel
        self._publish = publish
        self._keywords = dict(keywords or {})
        self._progress = progress
        self._spared = _FRAMES_TO_SPARE + stacks * _STACKING_FRAMES
        self._free_bytes = free_bytes
        self._warned = False

    def take(
        self, shot: Shot, number_of: Callable[[Kind], int], more: Mapping[str, Any] | None = None
    ) -> Frame:
        """The next frame, on disk under the number of its kind. more: keywords of this frame.

        Raises what the camera's `expose` raises, and DiskFull before light is gathered that nothing could
        hold, or another StorageError; no half-written file is left by any of them.
        """
        if self.from_files:
            frame = self.camera.expose(shot.exposure, self._cancel, self._progress)
            number = number_of(frame.facts.exposure.kind)
            return Frame(replace(frame.facts, number=number), frame.pixels)
        self._check_room(shot.exposure)
        number = number_of(shot.exposure.kind)
        self._publish(
            ExposureStarted(number=number, seconds=shot.exposure.seconds or 0.0, kind=shot.exposure.kind)
        )
        frame = self.trial(shot.exposure)
        return self._safe(self._told(frame, shot, number), more or {})

    def trial(self, exposure: Exposure) -> Frame:
        """A frame that is not kept."""
        return self.camera.expose(exposure, self._cancel, self._progress)

    def _check_room(self, exposure: Exposure) -> None:
        """DiskFull before there is none; a warning in time."""
        self._check_folder()
        facts = self.camera.facts
        one = max(1, 2 * facts.width * facts.height // exposure.bin**2)
        with writing(self._night.folder):
            free = self._free_bytes(self._night.folder)
        left = free // one - self._spared
        if left < 0:
            raise DiskFull(
                f"There is room for {free / 1e6:.0f} MB in {self._night.folder}, too little for more frames. "
                "Free some space; everything taken so far is whole."
            )
        if left < _WARN_FRAMES and not self._warned:
            advice = f"There is room for {left} more frames in {self._night.folder}: free some space."
            self._publish(QualityAdvice(subject="disk", advice=advice, serious=True))
        self._warned = left < _WARN_FRAMES

    def _check_folder(self) -> None:
        """StorageError where the night's folder has gone: a new one might be made on another disk."""
        if not self._night.folder.is_dir():
            raise gone(self._night.folder)

    def _told(self, frame: Frame, shot: Shot, number: int) -> Frame:
        """The frame with what the camera cannot know."""
        facts, asked = frame.facts, shot.exposure
        shot_through = asked.filter if asked.kind in _THROUGH_FILTER else None
        told = replace(
            facts,
            number=number,
            target=(shot.target or facts.target) if asked.kind is Kind.LIGHT else None,
            exposure=replace(facts.exposure, kind=asked.kind, filter=shot_through),
            focal_mm=self._keywords.get("FOCALLEN", facts.focal_mm),
        )
        return Frame(told, frame.pixels)

    def _safe(self, frame: Frame, more: Mapping[str, Any]) -> Frame:
        """The frame on disk."""
        self._check_folder()
        path = self._night.path(frame.facts, frame.facts.number)
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        fits.write(path, frame.pixels, {**self._header(frame.facts), **more}, comments=_COMMENTS)
        return Frame(replace(frame.facts, source=path), frame.pixels)

    def _header(self, facts: Facts) -> dict[str, Any]:
        own = {
            "BITDEPTH": self.camera.facts.adc_bits,
            "SATURATE": facts.saturation_adu,
            "ADUSHIFT": facts.adu_shift or None,
            "SWCREATE": f"starwell {__version__}",
            "DROPPED": facts.dropped_before or None,
            "ATTEMPTS": facts.attempts if facts.attempts > 1 else None,
            "REMARKS": "; ".join(facts.flags) or None,
        }
        return {**keywords_of(facts), **self._keywords, **own}


def gone(folder: Path) -> StorageError:
    """What is said of a night's folder that went away."""
    return StorageError(
        f"The folder {folder} is gone: was its disk unplugged? Nothing can be saved; everything taken so far "
        "is where the folder is now."
    )
