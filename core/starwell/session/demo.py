"""A simulated night as an engine runs one: shot to disk, calibrated, stacked, with the truth at hand."""

from __future__ import annotations

import queue
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from starwell.calibration.calibrate import Calibrator
from starwell.calibration.library import load_masters
from starwell.calibration.master import Master
from starwell.calibration.masters import build, write
from starwell.camera.sky import Sky, demo_plan
from starwell.errors import StarwellError
from starwell.files import fits
from starwell.files.frames import open_frame
from starwell.files.keywords import keywords_of
from starwell.frame import Bayer, Frame, Kind
from starwell.picture.debayer import bilinear
from starwell.picture.preview import Picture, developed, preview
from starwell.picture.stretch import StretchLock
from starwell.session.events import (
    Event,
    ExposureStarted,
    FrameTaken,
    PreviewReady,
    QualityAdvice,
    SeriesFinished,
    State,
    StateChanged,
    SubRejected,
    SubStacked,
)
from starwell.session.intake import Intake
from starwell.session.pipeline import Pipeline
from starwell.session.truth import compare

_MASTER_FRAMES = 20
_PREVIEW_PX = (360, 640)
_FOLDERS = {Kind.DARK: "darks", Kind.DARK_FLAT: "darkflats", Kind.FLAT: "flats"}

_Command = Callable[[], Iterator[Event]]


class DemoNight:
    """One simulated night.

    size: height, width. pace_s: the least time between two subs, so that a human can follow. folder: where
    the night goes, and stays; a temporary one that `close` removes when None. `events` is read by one
    thread; reject, restore, set_stretch and stop may be called from any other.
    """

    def __init__(
        self,
        *,
        subs: int = 40,
        size: tuple[int, int] = (800, 1200),
        seed: int = 1,
        pace_s: float = 0.0,
        colour: bool = False,
        folder: Path | None = None,
    ) -> None:
        bayer = Bayer.RGGB if colour else None
        self.subs = subs
        self.sky = Sky(demo_plan(size=size, subs=subs, seed=seed, bayer=bayer))
        self.folder = folder or Path(tempfile.mkdtemp(prefix="starwell-demo-"))
        self.pipeline: Pipeline | None = None
        self.truth_lines: list[str] = []
        self._temporary = folder is None
        self._pace_s = pace_s
        self._stretch = "auto"
        self._points = 0.0, 0.0
        self._lock = StretchLock()
        self._commands: queue.Queue[_Command | None] = queue.Queue()
        self._stopping = False

    def reject(self, number: int) -> None:
        """Take a sub out of the stack, at the next frame boundary."""
        self._commands.put(lambda: self._by_hand(number, keep=False))

    def restore(self, number: int) -> None:
        """Put it back."""
        self._commands.put(lambda: self._by_hand(number, keep=True))

    def set_stretch(self, name: str, black: float = 0.0, white: float = 0.0) -> None:
        """Stretch the pictures from now on: auto, asinh, linear or log; black and white moved as asked."""

        def change() -> Iterator[Event]:
            self._stretch, self._points, self._lock = name, (black, white), StretchLock()
            yield from self._picture()

        self._commands.put(change)

    def stop(self) -> None:
        """End the night at the next frame boundary; events end."""
        self._stopping = True
        self._commands.put(None)

    def close(self) -> None:
        """Remove the night where it was only borrowed room."""
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def events(self) -> Iterator[Event]:
        """The night from dusk to dawn, then the answers to commands until `stop`."""
        yield StateChanged(state=State.EXPOSING, why="calibration frames")
        yield from self._calibration_frames()
        if not self._stopping:
            self.pipeline = self._new_pipeline()
            yield StateChanged(state=State.EXPOSING, why="lights")
            for number in range(1, self.subs + 1):
                yield from self._sub(number)
                yield from self._pending()
                if self._stopping:
                    break
            yield from self._end()
        while not self._stopping:
            command = self._commands.get()
            if command is not None:
                yield from self._carried_out(command)

    def before(self) -> PreviewReady | None:
        """The first sub as it came from the camera, for a picture beside the stack."""
        files = sorted((self.folder / "lights").glob("*.fits"))
        return self._drawn(open_frame(files[0]), 1) if files else None

    def light_file(self, number: int) -> Path:
        """Where sub `number` is."""
        return self.folder / "lights" / f"demo_{self.sky.plan.seconds:g}s_{number:04d}.fits"

    def _calibration_frames(self) -> Iterator[Event]:
        """Shoot darks, dark flats and flats, and combine each into a master."""
        shutter = {Kind.DARK: self.sky.dark, Kind.DARK_FLAT: self.sky.dark_flat, Kind.FLAT: self.sky.flat}
        made: dict[Kind, Master] = {}
        for kind, name in _FOLDERS.items():
            folder = self.folder / name
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(1, _MASTER_FRAMES + 1):
                if self._stopping:
                    return
                frame = shutter[kind](number - 1)
                yield ExposureStarted(number=number, seconds=frame.facts.exposure.seconds or 0.0, kind=kind)
                path = folder / f"{name}_{number:04d}.fits"
                self._save(frame, path)
                yield FrameTaken(number=number, kind=kind, file=path.name)
            made[kind] = build(kind, [folder], dark_flat=made.get(Kind.DARK_FLAT))
            write(made[kind], self.folder / f"master_{name}.fits")

    def _new_pipeline(self) -> Pipeline:
        facts = self.sky.light(0).facts
        masters = load_masters(
            dark=self.folder / "master_darks.fits", flat=self.folder / "master_flats.fits", lights=facts
        )
        (self.folder / "lights").mkdir(exist_ok=True)
        return Pipeline(Intake(Calibrator(masters, facts), masters), self._reread)

    def _reread(self, number: int) -> Frame:
        frame = open_frame(self.light_file(number))
        return Frame(replace(frame.facts, number=number), frame.pixels)

    def _sub(self, number: int) -> Iterator[Event]:
        """Expose, save, stack."""
        assert self.pipeline is not None
        begun = time.monotonic()
        seconds = self.sky.plan.seconds
        yield ExposureStarted(number=number, seconds=seconds)
        path = self.light_file(number)
        self._save(self.sky.light(number - 1), path)
        yield FrameTaken(number=number, file=path.name, seconds=seconds, celsius=self.sky.plan.chip.celsius)
        changed = False
        for event in self.pipeline.feed(self._reread(number)):
            changed = changed or isinstance(event, SubStacked)
            yield event
        if changed:
            yield from self._picture()
        self._wait(begun + self._pace_s - time.monotonic())

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._stopping and self._commands.empty() and time.monotonic() < end:
            time.sleep(0.02)

    def _end(self) -> Iterator[Event]:
        assert self.pipeline is not None
        yield from self.pipeline.finish()
        yield from self._picture()
        yield from self._told_truth()
        stacked = self.pipeline.members.count()
        yield SeriesFinished(
            stacked=stacked,
            rejected=len(self.pipeline.members.by_number) - stacked,
            livetime_s=self.pipeline.members.livetime_s(),
            why="all subs taken",
        )
        yield StateChanged(state=State.IDLE, why="the night is over")

    def _told_truth(self) -> Iterator[Event]:
        assert self.pipeline is not None
        found = compare(self.sky, self.pipeline)
        self.truth_lines = found.lines() if found else []
        if self.truth_lines:
            yield QualityAdvice(subject="truth", advice="\n".join(self.truth_lines))

    def _pending(self) -> Iterator[Event]:
        while not self._commands.empty():
            command = self._commands.get()
            if command is not None:
                yield from self._carried_out(command)

    def _carried_out(self, command: _Command) -> Iterator[Event]:
        try:
            yield from command()
        except StarwellError as error:
            yield QualityAdvice(subject="command", advice=str(error))

    def _by_hand(self, number: int, *, keep: bool) -> Iterator[Event]:
        if self.pipeline is None:
            return
        over = number in self.pipeline.members and self.pipeline.members.count() > 0
        for event in self.pipeline.restore(number) if keep else self.pipeline.reject(number):
            yield event
            if isinstance(event, SubStacked | SubRejected):
                yield from self._picture()
        if over and self.truth_lines:
            yield from self._told_truth()

    def _picture(self) -> Iterator[Event]:
        pipeline = self.pipeline
        if pipeline is None or pipeline.stack is None:
            return
        stack = pipeline.stack
        step = max(1, min(stack.size[0] // _PREVIEW_PX[0], stack.size[1] // _PREVIEW_PX[1]))
        mean = stack.mean(step=step)
        picture, _ = developed(
            mean,
            max_px=_PREVIEW_PX,
            stretch=self._stretch,
            points=self._points,
            lock=self._lock,
            white_adu=65535.0,
        )
        yield _event("stack", pipeline.members.count(), picture)

    def _drawn(self, frame: Frame, number: int) -> PreviewReady:
        bayer = frame.facts.bayer
        seen = bilinear(frame.pixels, bayer) if bayer else frame.pixels
        picture = preview(seen, max_px=_PREVIEW_PX, stretch=self._stretch)
        return _event("sub", number, picture)

    def _save(self, frame: Frame, path: Path) -> None:
        fits.write(path, frame.pixels, keywords_of(frame.facts), overwrite=True)


def _event(of: str, number: int, picture: Picture) -> PreviewReady:
    rows, columns = picture.shape[:2]
    channels = picture.shape[2] if picture.ndim == 3 else 1
    return PreviewReady(
        of=of, number=number, rows=rows, columns=columns, channels=channels, pixels=picture.tobytes()
    )
