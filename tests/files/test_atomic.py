from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from starwell.errors import DiskFull, StorageError
from starwell.files import atomic, fits, pictures

PIXELS = np.random.default_rng(1).integers(0, 65536, (200, 200), dtype=np.uint16)
WRITERS: list[Callable[[Path, bool], None]] = [
    lambda path, over: fits.write(path, PIXELS, {}, overwrite=over),
    lambda path, over: fits.write_maps(path, {"WEIGHT": PIXELS}, {}, overwrite=over),
    lambda path, over: pictures.write_tiff32(path, PIXELS, overwrite=over),
    lambda path, over: pictures.write_tiff16(path, PIXELS, overwrite=over),
    lambda path, over: pictures.write_png(path, PIXELS, overwrite=over),
]


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 32 kB, where the machine lets this process mount one."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32k", "none", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system is not allowed here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("write", WRITERS)
def test_a_file_is_replaced_only_when_asked(tmp_path: Path, write: Callable[[Path, bool], None]) -> None:
    path = tmp_path / "stack"
    path.write_bytes(b"precious")
    with pytest.raises(StorageError, match="exists already"):
        write(path, False)
    assert path.read_bytes() == b"precious"
    write(path, True)
    assert path.stat().st_size > 1000
    assert [entry.name for entry in tmp_path.iterdir()] == ["stack"]


@pytest.mark.parametrize("write", WRITERS)
def test_a_full_disk_is_told_and_nothing_is_left(
    tiny_disk: Path, write: Callable[[Path, bool], None]
) -> None:
    with pytest.raises(DiskFull, match=r"no room left to write .*stack"):
        write(tiny_disk / "stack", False)
    assert list(tiny_disk.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_is_full_only_at_the_sync_is_told_and_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    path = tmp_path / "stack.fits"
    fits.write(path, PIXELS, {})

    def full(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull):
        fits.write(path, PIXELS * 0, {}, overwrite=True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["stack.fits"]
    assert np.array_equal(fits.read(path).pixels, PIXELS)


def test_nothing_stands_under_the_name_before_all_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[bool, list[str]]] = []
    monkeypatch.setattr(
        os,
        "fsync",
        lambda _: seen.append(((tmp_path / "a.fits").exists(), [entry.name for entry in tmp_path.iterdir()])),
    )
    fits.write(tmp_path / "a.fits", PIXELS, {})
    (before, names), (after, _) = seen
    assert (before, after) == (False, True)
    assert len(names) == 1
    assert names[0].startswith(".a.fits.")


def test_an_interrupted_write_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> None:
        with atomic.replacing(tmp_path / "a") as stream:
            stream.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"there is no folder .*nowhere"):
        fits.write(tmp_path / "nowhere" / "a.fits", PIXELS, {})


def test_a_name_as_long_as_the_disk_allows_can_be_written(tmp_path: Path) -> None:
    name = "n" * 250 + ".fits"
    fits.write(tmp_path / name, PIXELS, {})
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
