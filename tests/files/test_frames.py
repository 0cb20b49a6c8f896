from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from starwell.errors import StorageError
from starwell.files import fits, frames, pictures

PIXELS = np.arange(20, dtype=np.uint16).reshape(4, 5)


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def _names(found: list[Path], folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in found]


def test_a_folder_offers_its_frames_in_natural_order(tmp_path: Path) -> None:
    _touch(
        tmp_path, "Light_10.fits", "Light_2.FIT", "light_1.fits.gz", "Light_3.fz", "a.tif", ".Light_4.fits"
    )
    _touch(tmp_path, "notes.txt", "Light_5.xisf", "b.PNG", "Light_6.fits.part", "inner/Light_0.fits")
    expected = ["a.tif", "b.PNG", "light_1.fits.gz", "Light_2.FIT", "Light_3.fz", "Light_10.fits"]
    assert _names(frames.gather([tmp_path]), tmp_path) == expected


def test_files_and_folders_are_gathered_once_each(tmp_path: Path) -> None:
    _touch(tmp_path, "b/1.fits", "a/2.fits", "odd.name")
    given = [tmp_path / "odd.name", tmp_path / "b", tmp_path / "a", tmp_path / "b/1.fits"]
    assert _names(frames.gather(given), tmp_path) == ["a/2.fits", "b/1.fits", "odd.name"]


def test_a_folder_of_folders_offers_what_is_in_them(tmp_path: Path) -> None:
    _touch(tmp_path, "lights/L/1.fits", "lights/Ha/2.fits", "lights/.trash/3.fits", "lights/Ha/.cache/4.fits")
    assert _names(frames.gather([tmp_path / "lights"]), tmp_path) == ["lights/Ha/2.fits", "lights/L/1.fits"]


def test_a_folder_without_frames_says_what_it_holds_instead(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    _touch(tmp_path, "xisf/1.xisf", "xisf/2.xisf", "xisf/notes.txt")
    with pytest.raises(StorageError, match=r"empty holds no FITS, TIFF or PNG frames\.$"):
        frames.gather([tmp_path / "empty"])
    with pytest.raises(StorageError, match=r"it holds 2 \.xisf files\. XISF is PixInsight's own format"):
        frames.gather([tmp_path / "xisf"])


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"no file or folder .*nowhere"):
        frames.gather([tmp_path / "nowhere"])


def test_frames_are_known_by_what_they_hold_not_by_their_name(tmp_path: Path) -> None:
    fits.write(tmp_path / "a.png", PIXELS, {"GAIN": 5})
    pictures.write_png(tmp_path / "b.fits", PIXELS)
    pictures.write_tiff16(tmp_path / "c", PIXELS)
    for name in ("a.png", "b.fits", "c"):
        assert np.array_equal(frames.open_frame(tmp_path / name).pixels, PIXELS)
        assert frames.open_facts(tmp_path / name).shape == (4, 5)
    assert frames.open_facts(tmp_path / "a.png").exposure.gain == 5


@pytest.mark.parametrize(
    ("name", "content", "advice"),
    [
        ("a.xisf", b"XISF0100", "PixInsight's own format"),
        ("a.fits", b"XISF0100", "PixInsight's own format"),
        ("a.CR2", b"II*\0abcd", "Camera raw files"),
        ("a.jpg", b"\xff\xd8\xff", "JPEG holds no linear light"),
        ("a.ser", b"LUCAM-RECORDER", "SER videos"),
        ("a.fits", b"hello world", "not a FITS file"),
    ],
)
def test_what_cannot_be_read_is_refused_with_advice(
    tmp_path: Path, name: str, content: bytes, advice: str
) -> None:
    (tmp_path / name).write_bytes(content)
    for opened in (frames.open_frame, frames.open_facts):
        with pytest.raises(StorageError, match=advice) as caught:
            opened(tmp_path / name)
        assert name in str(caught.value)


@pytest.mark.parametrize("name", ["a.fits", "a.tif", "a.png"])
def test_missing_and_empty_files_are_told_apart(tmp_path: Path, name: str) -> None:
    with pytest.raises(StorageError, match=rf"no file .*{name}"):
        frames.open_frame(tmp_path / name)
    (tmp_path / name).touch()
    with pytest.raises(StorageError, match=rf"{name} is empty"):
        frames.open_frame(tmp_path / name)
