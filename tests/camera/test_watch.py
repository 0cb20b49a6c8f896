"""Frames picked up as other programs write them, whole and once."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from starwell.camera.arrivals import Arrivals, open_for_writing
from starwell.camera.protocol import Camera
from starwell.camera.watch import WatchCamera
from starwell.errors import Aborted, CameraNotFound, StorageError, Transient
from starwell.frame import Exposure, Frame

Written = Callable[..., Path]
ANY = Exposure()
LOOK_S = 0.005


def watching(folder: Path, **options: object) -> WatchCamera:
    camera = WatchCamera(folder, look_s=LOOK_S, **options)  # type: ignore[arg-type]
    camera.open()
    return camera


def seen_within(camera: WatchCamera, seconds: float = 0.05) -> list[str]:
    """The names of the files that come in this time."""
    cancel = threading.Event()
    timer = threading.Timer(seconds, cancel.set)
    timer.start()
    names = [frame.facts.source.name for frame in camera.stream(ANY, cancel) if frame.facts.source]
    timer.join()
    return names


def next_frame(camera: WatchCamera) -> Frame:
    cancel = threading.Event()
    timer = threading.Timer(2.0, cancel.set)
    timer.start()
    try:
        return camera.expose(ANY, cancel)
    finally:
        timer.cancel()
        timer.join()


def names(keys: list[object]) -> list[str]:
    return [key.path.name for key in keys]  # type: ignore[attr-defined]


def test_it_is_a_camera(tmp_path: Path) -> None:
    assert isinstance(WatchCamera(tmp_path), Camera)


def test_files_that_are_there_come_first_and_new_ones_as_they_come(tmp_path: Path, written: Written) -> None:
    for n in (2, 10, 1):
        os.utime(written(tmp_path / f"{n}.fits"), (1e9, 1e9))
    camera = watching(tmp_path)
    assert seen_within(camera) == ["1.fits", "2.fits", "10.fits"]
    written(tmp_path / "3.fits")
    assert next_frame(camera).facts.number == 4


def test_frames_written_while_waiting_are_found(tmp_path: Path, written: Written) -> None:
    camera = watching(tmp_path)
    timer = threading.Timer(0.03, written, (tmp_path / "late.fits",))
    timer.start()
    assert next_frame(camera).facts.source == tmp_path / "late.fits"
    timer.join()


def test_a_file_is_complete_when_it_stood_still_between_two_looks(tmp_path: Path, written: Written) -> None:
    arrivals = Arrivals(tmp_path)
    path = written(tmp_path / "a.fits")
    assert arrivals.look() == []
    os.truncate(path, 2880)
    assert arrivals.look() == []
    os.utime(path, ns=(1, 10**18))
    assert arrivals.look() == []
    assert names(arrivals.look()) == ["a.fits"]


def test_a_file_that_is_being_written_is_not_touched_however_long_it_stalls(
    tmp_path: Path, written: Written
) -> None:
    whole = written(tmp_path / "elsewhere" / "a.fits").read_bytes()
    shutil.rmtree(tmp_path / "elsewhere")
    path = tmp_path / "a.fits"
    with path.open("wb") as stream:
        stream.truncate(len(whole))  # as a Windows copy to a share does: full size at once
        stream.flush()
        if not open_for_writing(path):
            pytest.skip("this file system grants no leases")
        camera = watching(tmp_path)
        assert seen_within(camera) == []
        stream.write(whole)
    assert next_frame(camera).pixels[0, 0] == 100


def test_a_truncated_file_is_tried_again_then_reported_once_and_read_when_it_grows(
    tmp_path: Path, written: Written
) -> None:
    path = written(tmp_path / "a.fits")
    whole = path.read_bytes()
    path.write_bytes(whole[:3000])
    camera = watching(tmp_path)
    with pytest.raises(Transient, match=r"a\.fits"):
        next_frame(camera)
    assert seen_within(camera) == []
    assert len(camera.unreadable) == 1
    path.write_bytes(whole)
    assert next_frame(camera).facts.source == path


def test_a_file_given_up_is_tried_again_when_only_its_time_changes(tmp_path: Path, written: Written) -> None:
    arrivals = Arrivals(tmp_path)
    path = written(tmp_path / "a.fits")
    offers = 0
    for _ in range(40):
        for key in arrivals.look():
            offers += 1
            arrivals.failed(key)
    assert offers == 4
    os.utime(path, ns=(1, 10**18))
    arrivals.look()
    assert names(arrivals.look()) == ["a.fits"]


def test_nothing_is_read_twice_touched_moved_or_linked(tmp_path: Path, written: Written) -> None:
    path = written(tmp_path / "a.fits")
    camera = watching(tmp_path)
    assert seen_within(camera) == ["a.fits"]
    (tmp_path / "kept").mkdir()
    moved = path.rename(tmp_path / "kept" / "renamed.fits")
    os.link(moved, tmp_path / "linked.fits")
    assert seen_within(camera) == []
    os.utime(moved)
    assert seen_within(camera) == []


def test_renamed_files_and_those_in_subfolders_come_in(tmp_path: Path, written: Written) -> None:
    camera = watching(tmp_path)
    part = written(tmp_path / "x.fits").rename(tmp_path / "a.fits.part")
    assert seen_within(camera) == []
    part.rename(tmp_path / "a.fits")
    written(tmp_path / "night" / "L" / "b.fits")
    assert sorted(seen_within(camera)) == ["a.fits", "b.fits"]


@pytest.mark.parametrize("name", [".a.fits", "a.fits.tmp", "a.fits.part", ".hidden/a.fits", "a.txt"])
def test_dot_files_and_unfinished_names_are_passed_by(tmp_path: Path, written: Written, name: str) -> None:
    written(tmp_path / "x" / "a.fits").rename(tmp_path / "whole")
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / "whole").rename(tmp_path / name)
    assert seen_within(watching(tmp_path)) == []


def test_our_own_folders_are_passed_by(tmp_path: Path, written: Written) -> None:
    written(tmp_path / "stacks" / "stack.fits")
    written(tmp_path / "a.fits")
    assert seen_within(watching(tmp_path, passed_by=[tmp_path / "stacks"])) == ["a.fits"]


def test_formats_that_cannot_be_read_are_said_with_advice(tmp_path: Path) -> None:
    (tmp_path / "a.xisf").write_bytes(b"XISF0100")
    with pytest.raises(Transient, match="save the frame as FITS"):
        next_frame(watching(tmp_path))


def test_a_folder_that_goes_away_is_reported_once_and_waited_for(tmp_path: Path, written: Written) -> None:
    folder, aside = tmp_path / "share", tmp_path / "aside"
    written(folder / "a.fits")
    camera = watching(folder)
    assert seen_within(camera) == ["a.fits"]
    folder.rename(aside)
    with pytest.raises(Transient, match="Waiting for it"):
        next_frame(camera)
    assert seen_within(camera) == []
    aside.rename(folder)
    written(folder / "b.fits")
    assert seen_within(camera) == ["b.fits"]


def test_cancel_ends_the_wait_within_50_ms(tmp_path: Path) -> None:
    camera = WatchCamera(tmp_path, look_s=5.0)
    cancel = threading.Event()
    threading.Timer(0.02, cancel.set).start()
    with pytest.raises(Aborted):
        camera.expose(ANY, cancel)


def test_a_folder_that_is_not_there_is_said_on_opening(tmp_path: Path) -> None:
    with pytest.raises(CameraNotFound, match="mount"):
        WatchCamera(tmp_path / "none").open()
    with pytest.raises(StorageError):
        Arrivals(tmp_path / "none").look()
