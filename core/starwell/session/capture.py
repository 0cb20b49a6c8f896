"""Frames of one kind from a camera into a night: whole, numbered, with all that is known in their headers."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from starwell import __version__
from starwell.camera.folder import FileCamera
from starwell.camera.protocol import Camera, Progress
from starwell.errors import Aborted, CameraError, CameraGone, DiskFull, NoMoreFrames, Transient
from starwell.files import fits
from starwell.files.atomic import writing
from starwell.files.frames import open_frame
from starwell.files.keywords import keywords_of
from starwell.frame import Exposure, Facts, Frame, Kind
from starwell.session.events import CameraFault, Event, ExposureStarted, FrameTaken
from starwell.session.light_leak import light_leak
from starwell.session.night_files import Night

Delivered = Callable[[Frame], Iterable[Event]]
"""What is done with a frame once it is safe on disk."""

_PATIENCE = 5
"""So many exposures that fail in a row, retries of the driver's own not counted, end a series."""

_FRAMES_TO_SPARE = 3
_IN_THE_DARK = (Kind.DARK, Kind.DARK_FLAT, Kind.BIAS)
_COMMENTS = {
    "ADUSHIFT": "low bits that carry nothing",
    "DROPPED": "frames lost before this one",
    "ATTEMPTS": "tries it took",
    "REMARKS": "by the camera's driver",
}
_THROUGH_FILTER = (Kind.LIGHT, Kind.FLAT)


@dataclass(frozen=True, slots=True)
class Series:
    """So many frames alike; frames None: until cancelled. target: of lights."""

    exposure: Exposure
    frames: int | None = None
    target: str | None = None


class Capture:
    """Takes series; knows afterwards why the last one ended.

    keywords: of rig and site, for every header. cancel ends a series within an exposure, without a frame.
    free_bytes: of the disk a folder is on.
    """

    def __init__(
        self,
        camera: Camera,
        night: Night,
        cancel: threading.Event,
        *,
        keywords: Mapping[str, Any] | None = None,
        progress: Progress | None = None,
        deliver: Delivered | None = None,
        free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    ) -> None:
        self.camera = camera
        self.night = night
        self.taken = 0
        self.lost = 0
        self.why = ""
        self._cancel = cancel
        self._keywords = dict(keywords or {})
        self._progress = progress
        self._deliver = deliver
        self._free_bytes = free_bytes
        self._from_files = isinstance(camera, FileCamera)

    def run(self, series: Series) -> Iterator[Event]:
        """The frames of a series, each written before anything else is done with it.

        Raises CameraGone, DiskFull or another StorageError, and CameraError when exposures keep failing or
        light gets into darks; all frames written by then are whole.
        """
        number = self.night.taken()[series.exposure.kind]
        last = None if series.frames is None else number + series.frames
        first: Frame | None = None
        while not self._cancel.is_set() and (last is None or number < last):
            frame = yield from self._next(series, number + 1)
            if frame is None:
                return
            number += 1
            frame = self._safe(self._told(frame, series, number))
            self.taken += 1
            yield self._taken(frame)
            if series.exposure.kind in _IN_THE_DARK and not self._from_files:
                if first is not None:
                    self._refuse_light([first, frame])
                first = frame if self.taken == 1 else None
            if self._deliver is not None:
                yield from self._deliver(frame)
        self.why = "interrupted" if self._cancel.is_set() else "all frames taken"

    def _next(self, series: Series, number: int) -> Generator[Event, None, Frame | None]:
        """The next frame, whatever number of tries it takes; None when there is none to come."""
        failures = 0
        while True:
            self._check_room(series.exposure)
            if not self._from_files:
                seconds = series.exposure.seconds or 0.0
                yield ExposureStarted(number=number, seconds=seconds, kind=series.exposure.kind)
            try:
                return self.camera.expose(series.exposure, self._cancel, self._progress)
            except NoMoreFrames as end:
                self.why = str(end)
                return None
            except Aborted as aborted:
                if self._cancel.is_set():
                    self.why = "interrupted"
                    return None
                fault: CameraError = aborted
            except Transient as transient:
                fault = transient
            except CameraGone as gone:
                yield CameraFault(message=str(gone), recovered=False)
                raise
            self.lost += 1
            failures += 0 if self._from_files else 1
            yield CameraFault(message=str(fault), recovered=failures < _PATIENCE)
            if failures >= _PATIENCE:
                raise CameraError(f"{failures} exposures in a row failed. The last time: {fault}")

    def _check_room(self, exposure: Exposure) -> None:
        """DiskFull before light is gathered that nothing could hold."""
        if self._from_files:
            return
        facts = self.camera.facts
        needed = _FRAMES_TO_SPARE * 2 * facts.width * facts.height // exposure.bin**2
        free = self._free_bytes(self.night.folder)
        if free < needed:
            raise DiskFull(
                f"There is room for {free / 1e6:.0f} MB in {self.night.folder}, too little for more frames. "
                "Free some space; everything taken so far is whole."
            )

    def _told(self, frame: Frame, series: Series, number: int) -> Frame:
        """The frame with what the camera cannot know."""
        facts = frame.facts
        if self._from_files:
            return Frame(replace(facts, number=number), frame.pixels)
        light = series.exposure.kind is Kind.LIGHT
        shot_through = series.exposure.filter if series.exposure.kind in _THROUGH_FILTER else None
        told = replace(
            facts,
            number=number,
            target=(series.target or facts.target) if light else None,
            exposure=replace(facts.exposure, kind=series.exposure.kind, filter=shot_through),
            focal_mm=self._keywords.get("FOCALLEN", facts.focal_mm),
        )
        return Frame(told, frame.pixels)

    def _safe(self, frame: Frame) -> Frame:
        """The frame on disk; one that came from a file is there already."""
        if self._from_files:
            return frame
        path = self.night.path(frame.facts, frame.facts.number)
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        fits.write(path, frame.pixels, self._header(frame.facts), comments=_COMMENTS)
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

    def _taken(self, frame: Frame) -> FrameTaken:
        facts, source = frame.facts, frame.facts.source
        file = None
        if source is not None:
            inside = source.is_relative_to(self.night.folder)
            file = str(source.relative_to(self.night.folder) if inside else source)
        return FrameTaken(
            number=facts.number,
            kind=facts.exposure.kind,
            file=file,
            seconds=facts.exposure.seconds,
            celsius=facts.sensor_celsius,
        )

    def _refuse_light(self, frames: list[Frame]) -> None:
        """CameraError when the first darks of a series show light; they are moved to refused/."""
        exposure = frames[0].facts.exposure
        sign = light_leak(frames[0], frames[1], self._bias_adu(exposure))
        if sign is None:
            return
        refused = self.night.folder / "refused"
        refused.mkdir(exist_ok=True)
        for frame in frames:
            if frame.facts.source is not None:
                frame.facts.source.replace(refused / frame.facts.source.name)
        raise CameraError(
            f"Light gets into this {exposure.kind.value}: {sign}. Its frames went to {refused}. Put the cap "
            "on (plastic ones let infrared through: use metal foil), cover the focuser, turn lamps off, and "
            "try again."
        )

    def _bias_adu(self, exposure: Exposure) -> float | None:
        """The level of a bias of this night with the same settings, for what is no bias itself."""
        if exposure.kind is Kind.BIAS:
            return None
        for path in self.night.frames(Kind.BIAS).values():
            frame = open_frame(path)
            shot = frame.facts.exposure
            if (shot.gain, shot.offset, shot.bin) == (exposure.gain, exposure.offset, exposure.bin):
                return float(np.median(frame.pixels))
        return None
