"""Frames from a camera into a night: whole files with full headers, whatever goes wrong."""

from __future__ import annotations

import errno
import os
import re
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits

from starwell.camera.folder import FolderCamera
from starwell.camera.plan import Scene, SkyPlan
from starwell.camera.simulated import Fault, SimulatedCamera
from starwell.errors import (
    Aborted,
    CameraError,
    CameraGone,
    DiskFull,
    NoMoreFrames,
    StorageError,
    Transient,
)
from starwell.files.frames import open_frame
from starwell.frame import Exposure, Kind, Roi
from starwell.session.capture import Capture, Shot
from starwell.session.events import Event, ExposureStarted, QualityAdvice
from starwell.session.night_files import Night

PLAN = SkyPlan(size=(96, 128), scene=Scene(stars=30))
LIGHT = Exposure(Kind.LIGHT, 2.0, gain=100, offset=50, filter="L")
EPOCH = datetime(2026, 11, 19, 23, 15, 12, tzinfo=UTC)
RIG = {"TELESCOP": "Esprit", "FOCALLEN": 550.0, "APTDIA": 100.0, "SITELAT": 48.1, "SITELONG": 11.6}


@dataclass
class Session:
    """A capture into a temporary night, and what was told of it."""

    capture: Capture
    cancel: threading.Event
    events: list[Event]
    taken: Counter[Kind]

    def take(self, shot: Exposure, frames: int = 1, target: str | None = None) -> list[Path]:
        return [self.one(shot, target) for _ in range(frames)]

    def one(self, shot: Exposure, target: str | None = None) -> Path:
        frame = self.capture.take(Shot(shot, target), lambda kind: self.taken[kind] + 1)
        self.taken[frame.facts.exposure.kind] = frame.facts.number
        assert frame.facts.source is not None
        return frame.facts.source


@contextmanager
def session(
    folder: Path,
    faults: dict[int, Fault] | None = None,
    plan: SkyPlan = PLAN,
    free_bytes: Callable[[Path], int] = lambda folder: 10**9,
    **options: Any,
) -> Iterator[Session]:
    night = Night(folder)
    night.prepare()
    camera = SimulatedCamera(plan, speed=1000.0, faults=faults, epoch=EPOCH)
    camera.go_on_after(night.taken())
    camera.open()
    cancel, events = threading.Event(), list[Event]()
    capture = Capture(camera, night, cancel, events.append, free_bytes=free_bytes, **options)
    try:
        yield Session(capture, cancel, events, Counter(night.taken()))
    finally:
        camera.close()


def everything(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_frame_is_written_with_its_name_and_told_of_when_it_starts(tmp_path: Path) -> None:
    with session(tmp_path) as taking:
        files = taking.take(LIGHT, 3, "M51")
    assert [path.name[-9:-5] for path in files] == ["0001", "0002", "0003"]
    assert files[0].parent == tmp_path / "lights" / "L"
    assert re.fullmatch(r"M51_L_2\.0s_g100_20C_20261119T23\d{4}_0001\.fits", files[0].name)
    assert taking.events == [ExposureStarted(number=n, seconds=2.0) for n in (1, 2, 3)]


def test_headers_say_everything_that_is_known_and_nothing_else(tmp_path: Path) -> None:
    with session(tmp_path, keywords=RIG) as taking:
        path = taking.one(replace(LIGHT, bin=2), "M51")
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
    with session(tmp_path) as taking:
        shot = Shot(replace(LIGHT, roi=Roi(8, 16, 64, 32)))
        frame = taking.capture.take(shot, lambda kind: 1, {"GUIDERMS": 0.61})
    assert frame.facts.source is not None
    again = open_frame(frame.facts.source)
    assert (again.pixels == frame.pixels).all()
    assert again.facts.exposure == frame.facts.exposure
    assert again.facts.egain == frame.facts.egain
    assert again.facts.saturation_adu == frame.facts.saturation_adu
    assert again.facts.header["GUIDERMS"] == 0.61


def test_every_kind_goes_to_its_folder_without_target_and_without_filter(tmp_path: Path) -> None:
    for kind, folder in ((Kind.DARK, "darks"), (Kind.FLAT, "flats/L"), (Kind.DARK_FLAT, "darkflats")):
        with session(tmp_path) as taking:
            path = taking.one(replace(LIGHT, kind=kind, seconds=0.5), "M51")
        header = fits.getheader(path)
        assert path.parent == tmp_path / folder
        assert "OBJECT" not in header
        assert ("FILTER" in header) == (kind is Kind.FLAT)


def test_numbers_and_the_sky_go_on_after_a_restart(tmp_path: Path) -> None:
    with session(tmp_path) as taking:
        first = taking.take(LIGHT, 2)
    with session(tmp_path) as taking:
        second = taking.take(replace(LIGHT, filter="R"), 2)
    with session(tmp_path / "other") as taking:
        whole = taking.take(LIGHT, 4)
    assert [path.stem[-4:] for path in second] == ["0003", "0004"]
    for path, same in zip([*first, *second], whole, strict=True):
        assert (open_frame(path).pixels == open_frame(same).pixels).all()


def test_a_dropped_frame_is_noted_in_the_next_header(tmp_path: Path) -> None:
    with session(tmp_path, {2: Fault.DROP}) as taking:
        files = taking.take(LIGHT, 3)
    assert [fits.getheader(path).get("DROPPED") for path in files] == [None, 1, None]


@pytest.mark.parametrize(
    ("fault", "error"),
    [(Fault.FAIL, Transient), (Fault.HANG, Transient), (Fault.ABORT, Aborted), (Fault.UNPLUG, CameraGone)],
)
def test_a_fault_leaves_no_file_behind(tmp_path: Path, fault: Fault, error: type[CameraError]) -> None:
    with session(tmp_path, {2: fault}) as taking:
        first = taking.one(LIGHT)
        with pytest.raises(error):
            taking.one(LIGHT)
    assert everything(tmp_path) == [first.name]


def test_cancel_in_mid_exposure_ends_without_a_frame(tmp_path: Path) -> None:
    with session(tmp_path) as taking:
        timer = threading.Timer(0.05, taking.cancel.set)
        timer.start()
        with pytest.raises(Aborted):
            taking.one(replace(LIGHT, seconds=2000.0))
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
    with session(tmp_path, free_bytes=lambda folder: next(room) if at == "room" else 10**9) as taking:
        files = taking.take(LIGHT, 2)
        with pytest.raises(DiskFull, match=r"room|space"):
            taking.one(LIGHT)
    assert everything(tmp_path) == [path.name for path in files]
    assert all(open_frame(path).facts.shape == (96, 128) for path in files)


def test_a_disk_that_fills_is_told_of_once_and_in_time(tmp_path: Path) -> None:
    frame_bytes = 2 * 96 * 128
    room = iter(n * frame_bytes for n in (100, 30, 29, 28, 100, 30))
    with session(tmp_path, free_bytes=lambda folder: next(room)) as taking:
        taking.take(LIGHT, 6)
    advice = [event for event in taking.events if isinstance(event, QualityAdvice)]
    assert [event.subject for event in advice] == ["disk", "disk"]
    assert "room for 27 more frames" in advice[0].advice


def test_a_folder_that_vanished_is_not_made_again(tmp_path: Path) -> None:
    with session(tmp_path / "night") as taking:
        taking.one(LIGHT)
        shutil.rmtree(tmp_path / "night")
        with pytest.raises(StorageError, match="is gone"):
            taking.one(LIGHT)
    assert not (tmp_path / "night").exists()


def test_files_stay_where_they_are_and_damaged_ones_are_named(tmp_path: Path) -> None:
    with session(tmp_path / "night") as taking:
        files = taking.take(LIGHT, 3)
    files[1].write_bytes(files[1].read_bytes()[:4000])
    before = everything(tmp_path)
    camera = FolderCamera(files[0].parent)
    camera.open()
    capture = Capture(camera, Night(tmp_path / "again"), threading.Event(), taking.events.append)
    assert capture.take(Shot(Exposure()), lambda kind: 7).facts.source == files[0]
    with pytest.raises(Transient, match=files[1].name):
        capture.take(Shot(Exposure()), lambda kind: 8)
    assert capture.take(Shot(Exposure()), lambda kind: 8).facts.number == 8
    with pytest.raises(NoMoreFrames, match="3 files"):
        capture.take(Shot(Exposure()), lambda kind: 9)
    assert everything(tmp_path) == before
