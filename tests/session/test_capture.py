"""Series from a camera into a night: whole files with full headers, whatever goes wrong."""

from __future__ import annotations

import errno
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from astropy.io import fits

from starwell.camera.folder import FolderCamera
from starwell.camera.plan import Scene, SkyPlan
from starwell.camera.simulated import Fault, SimulatedCamera
from starwell.errors import CameraError, CameraGone, DiskFull
from starwell.files.frames import open_frame
from starwell.frame import Exposure, Frame, Kind, Roi
from starwell.session.capture import Capture, Series
from starwell.session.events import CameraFault, Event, ExposureStarted, FrameTaken
from starwell.session.night_files import Night

PLAN = SkyPlan(size=(96, 128), scene=Scene(stars=30))
LIGHT = Exposure(Kind.LIGHT, 2.0, gain=100, offset=50, filter="L")
DARK = Exposure(Kind.DARK, 2.0, gain=100)
EPOCH = datetime(2026, 11, 19, 23, 15, 12, tzinfo=UTC)
RIG = {"TELESCOP": "Esprit", "FOCALLEN": 550.0, "APTDIA": 100.0, "SITELAT": 48.1, "SITELONG": 11.6}


@dataclass
class Session:
    """A capture into a temporary night, and what happened in it."""

    capture: Capture
    cancel: threading.Event
    events: list[Event] = field(default_factory=list)

    def run(self, series: Series) -> list[Path]:
        for event in self.capture.run(series):
            self.events.append(event)
        return self.files

    @property
    def files(self) -> list[Path]:
        folder = self.capture.night.folder
        return [folder / e.file for e in self.events if isinstance(e, FrameTaken) and e.file]

    @property
    def faults(self) -> list[CameraFault]:
        return [event for event in self.events if isinstance(event, CameraFault)]


@contextmanager
def session(
    folder: Path, faults: dict[int, Fault] | None = None, plan: SkyPlan = PLAN, **options: object
) -> Iterator[Session]:
    night = Night(folder)
    night.prepare()
    camera = SimulatedCamera(plan, speed=1000.0, faults=faults, epoch=EPOCH)
    camera.go_on_after(night.taken())
    camera.open()
    cancel = threading.Event()
    try:
        yield Session(Capture(camera, night, cancel, **options), cancel)  # type: ignore[arg-type]
    finally:
        camera.close()


def everything(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_series_is_written_frame_by_frame_with_its_events(tmp_path: Path) -> None:
    with session(tmp_path) as taking:
        files = taking.run(Series(LIGHT, 3, "M51"))
        assert taking.capture.why == "all frames taken"
    assert [path.name[-9:-5] for path in files] == ["0001", "0002", "0003"]
    assert files[0].parent == tmp_path / "lights" / "L"
    assert re.fullmatch(r"M51_L_2\.0s_g100_20C_20261119T23\d{4}_0001\.fits", files[0].name)
    started = [event.number for event in taking.events if isinstance(event, ExposureStarted)]
    assert started == [1, 2, 3]
    assert len(taking.events) == 6


def test_headers_say_everything_that_is_known_and_nothing_else(tmp_path: Path) -> None:
    with session(tmp_path, keywords=RIG) as taking:
        (path,) = taking.run(Series(replace(LIGHT, bin=2), 1, "M51"))
    header = fits.getheader(path)
    said = {
        "IMAGETYP": "Light",
        "EXPTIME": 2.0,
        "GAIN": 100.0,
        "OFFSET": 50.0,
        "EGAIN": 1.0,
        "CCD-TEMP": 20.0,
        "FILTER": "L",
        "OBJECT": "M51",
        "INSTRUME": "Simulated ASI2600",
        "XBINNING": 2,
        "XPIXSZ": 7.52,
        "BITDEPTH": 16,
        "DATE-OBS": "2026-11-19T23:",
    }
    for keyword, value in (said | RIG).items():
        stored = header[keyword]
        assert stored.startswith(value) if keyword == "DATE-OBS" else stored == value
    assert all(header.comments[keyword] for keyword in ("APTDIA", "BITDEPTH", "FOCALLEN"))
    assert not {"SET-TEMP", "SITEELEV", "DROPPED", "OBSERVER", "BAYERPAT"} & set(header)


def test_what_is_written_is_what_was_seen(tmp_path: Path) -> None:
    frames: list[Frame] = []

    def deliver(frame: Frame) -> list[Event]:
        assert frame.facts.source is not None
        assert frame.facts.source.exists()
        frames.append(frame)
        return []

    with session(tmp_path, deliver=deliver) as taking:
        files = taking.run(Series(replace(LIGHT, roi=Roi(8, 16, 64, 32)), 2))
    for frame, path in zip(frames, files, strict=True):
        again = open_frame(path)
        assert (again.pixels == frame.pixels).all()
        assert again.facts.exposure == frame.facts.exposure
        assert again.facts.egain == frame.facts.egain
        assert again.facts.saturation_adu == frame.facts.saturation_adu


def test_every_kind_goes_to_its_folder_without_target_and_without_filter(tmp_path: Path) -> None:
    for kind, folder in ((Kind.DARK, "darks"), (Kind.FLAT, "flats/L"), (Kind.DARK_FLAT, "darkflats")):
        with session(tmp_path) as taking:
            (path,) = taking.run(Series(replace(LIGHT, kind=kind, seconds=0.5), 1, "M51"))
        header = fits.getheader(path)
        assert path.parent == tmp_path / folder
        assert "OBJECT" not in header
        assert ("FILTER" in header) == (kind is Kind.FLAT)


def test_numbers_and_the_sky_go_on_after_a_restart(tmp_path: Path) -> None:
    with session(tmp_path) as taking:
        first = taking.run(Series(LIGHT, 2))
    with session(tmp_path) as taking:
        second = taking.run(Series(replace(LIGHT, filter="R"), 2))
    with session(tmp_path / "other") as taking:
        whole = taking.run(Series(LIGHT, 4))
    assert [path.stem[-4:] for path in second] == ["0003", "0004"]
    for path, same in zip([*first, *second], whole, strict=True):
        assert (open_frame(path).pixels == open_frame(same).pixels).all()


def test_failed_hung_and_foreign_ended_exposures_are_taken_again(tmp_path: Path) -> None:
    faults = {2: Fault.FAIL, 3: Fault.HANG, 4: Fault.ABORT}
    with session(tmp_path, faults) as taking:
        files = taking.run(Series(LIGHT, 2))
        assert taking.capture.lost == 3
    assert [path.stem[-4:] for path in files] == ["0001", "0002"]
    assert [fault.recovered for fault in taking.faults] == [True] * 3


def test_a_dropped_frame_is_noted_in_the_next_header(tmp_path: Path) -> None:
    with session(tmp_path, {2: Fault.DROP}) as taking:
        files = taking.run(Series(LIGHT, 3))
    assert [fits.getheader(path).get("DROPPED") for path in files] == [None, 1, None]


def test_exposures_that_keep_failing_end_the_series(tmp_path: Path) -> None:
    with session(tmp_path, dict.fromkeys(range(2, 20), Fault.FAIL)) as taking:
        with pytest.raises(CameraError, match="5 exposures in a row"):
            taking.run(Series(LIGHT, 9))
        assert [fault.recovered for fault in taking.faults] == [True] * 4 + [False]
    assert len(taking.files) == 1


def test_an_unplugged_camera_ends_the_series_with_whole_files(tmp_path: Path) -> None:
    with session(tmp_path, {3: Fault.UNPLUG}) as taking:
        with pytest.raises(CameraGone):
            taking.run(Series(LIGHT, 9))
        assert not taking.faults[-1].recovered
    assert [open_frame(path).facts.shape for path in taking.files] == [(96, 128)] * 2


def test_cancel_in_mid_exposure_ends_without_a_frame(tmp_path: Path) -> None:
    with session(tmp_path) as taking:
        timer = threading.Timer(0.05, taking.cancel.set)
        timer.start()
        assert taking.run(Series(replace(LIGHT, seconds=2000.0), 3)) == []
        assert taking.capture.why == "interrupted"
        timer.join()
    assert everything(tmp_path) == []


@pytest.mark.parametrize("at", ["fsync", "room"])
def test_a_full_disk_stops_clearly_and_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    calls = 0
    sync = os.fsync

    def full(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls > 4:  # two of each file: itself and its folder
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    room = iter([10**9, 10**9, 1000])
    if at == "fsync":
        monkeypatch.setattr("starwell.files.atomic.os.fsync", full)
    options = {"free_bytes": lambda folder: next(room)} if at == "room" else {}
    with session(tmp_path, **options) as taking, pytest.raises(DiskFull, match=r"room|space"):
        taking.run(Series(LIGHT, 9))
    assert everything(tmp_path) == [path.name for path in taking.files]
    assert len(taking.files) == 2
    assert all(open_frame(path).facts.shape == (96, 128) for path in taking.files)


def test_darks_that_light_gets_into_are_refused_after_two_frames(tmp_path: Path) -> None:
    class Leaky(SimulatedCamera):
        def expose(self, exposure: Exposure, *rest: object) -> Frame:  # type: ignore[override]
            light = super().expose(replace(exposure, kind=Kind.LIGHT), *rest)  # type: ignore[arg-type]
            return Frame(replace(light.facts, exposure=exposure), light.pixels)

    night = Night(tmp_path)
    night.prepare()
    camera = Leaky(replace(PLAN, size=(192, 256)), speed=1000.0)
    camera.open()
    taking = Session(Capture(camera, night, threading.Event()), threading.Event())
    with pytest.raises(CameraError, match="Put the cap on"):
        taking.run(Series(replace(DARK, seconds=30.0), 20))
    camera.close()
    assert len(taking.files) == 2
    assert len(list((tmp_path / "refused").iterdir())) == 2
    assert not night.frames(Kind.DARK)


def test_dark_darks_go_on(tmp_path: Path) -> None:
    with session(tmp_path) as taking:
        taking.run(Series(Exposure(Kind.BIAS, gain=100), 3))
        assert len(taking.run(Series(DARK, 4))) == 7
    assert len(Night(tmp_path).frames(Kind.DARK)) == 4


def test_files_are_delivered_where_they_are_and_damaged_ones_named(tmp_path: Path) -> None:
    with session(tmp_path / "night") as taking:
        files = taking.run(Series(LIGHT, 8))
    for path in files[1:7]:
        path.write_bytes(path.read_bytes()[:4000])
    before = everything(tmp_path)
    camera = FolderCamera(files[0].parent)
    camera.open()
    replayed = Session(Capture(camera, Night(tmp_path / "again"), threading.Event()), threading.Event())
    assert [path.name for path in replayed.run(Series(Exposure()))] == [files[0].name, files[7].name]
    assert len(replayed.faults) == 6
    assert "8 files" in replayed.capture.why
    assert everything(tmp_path) == before
