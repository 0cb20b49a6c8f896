"""Files replayed as a camera."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from starwell.camera.folder import FolderCamera
from starwell.camera.protocol import Camera, Control
from starwell.errors import Aborted, ControlRefused, NoMoreFrames, StorageError, Transient
from starwell.files import fits
from starwell.frame import Exposure, Kind

Written = Callable[..., Path]
ANY = Exposure()
GO = threading.Event()


def test_it_is_a_camera(tmp_path: Path) -> None:
    assert isinstance(FolderCamera(tmp_path), Camera)


def test_files_come_in_natural_order_with_their_own_settings_and_then_it_ends(
    tmp_path: Path, written: Written
) -> None:
    for n in (10, 2, 1):
        written(tmp_path / f"M51_{n}.fits", level=100 * n, EXPTIME=float(n), OBJECT="M51", INSTRUME="ASI")
    camera = FolderCamera(tmp_path)
    camera.open()
    frames = [camera.expose(Exposure(Kind.DARK, 99.0), GO) for _ in range(3)]
    assert [frame.facts.exposure.seconds for frame in frames] == [1.0, 2.0, 10.0]
    assert [frame.facts.number for frame in frames] == [1, 2, 3]
    assert all(frame.facts.exposure.kind is Kind.LIGHT for frame in frames)
    assert frames[2].facts.source == tmp_path / "M51_10.fits"
    assert (camera.facts.name, camera.target, camera.facts.width) == ("ASI", "M51", 24)
    with pytest.raises(NoMoreFrames, match="All 3 files"):
        camera.expose(ANY, GO)


def test_the_stream_ends_with_the_files_and_lists_what_it_could_not_read(
    tmp_path: Path, written: Written
) -> None:
    paths = [written(tmp_path / f"{n}.fits") for n in range(4)]
    paths[1].write_bytes(paths[1].read_bytes()[:3000])
    camera = FolderCamera(tmp_path)
    camera.open()
    assert [frame.facts.source for frame in camera.stream(ANY, GO)] == [paths[0], paths[2], paths[3]]
    assert [path for path, _ in camera.unreadable] == [paths[1]]


def test_a_damaged_file_is_transient_and_named(tmp_path: Path, written: Written) -> None:
    written(tmp_path / "a.fits").write_bytes(b"SIMPLE  =")
    written(tmp_path / "b.fits")
    camera = FolderCamera(tmp_path)
    camera.open()
    with pytest.raises(Transient, match=r"a\.fits"):
        camera.expose(ANY, GO)
    assert camera.expose(ANY, GO).facts.source == tmp_path / "b.fits"


def test_the_values_of_all_files_decide_their_shift(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for n in range(3):
        pixels = rng.integers(10, 4000, (16, 16)).astype(np.uint16) << 4
        fits.write(tmp_path / f"{n}.fits", pixels, {})
    camera = FolderCamera(tmp_path)
    camera.open()
    assert camera.expose(ANY, GO).facts.adu_shift == 4


def test_nothing_can_be_set(tmp_path: Path) -> None:
    camera = FolderCamera(tmp_path)
    assert camera.controls() == {}
    with pytest.raises(ControlRefused):
        camera.set(Control.GAIN, 100)
    with pytest.raises(ControlRefused):
        camera.get(Control.GAIN)


def test_an_empty_folder_and_a_missing_one_are_said_on_opening(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(StorageError):
            FolderCamera(folder).open()


def test_cancel_ends_the_replay(tmp_path: Path, written: Written) -> None:
    written(tmp_path / "a.fits")
    camera = FolderCamera(tmp_path)
    camera.open()
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Aborted):
        camera.expose(ANY, cancel)
