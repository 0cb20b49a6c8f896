"""What goes wrong with files, masters and disks: named in a sentence, never a traceback."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits as astropy_fits

from starwell.files import atomic, fits
from starwell.files.keywords import keywords_of

Make = Callable[..., Any]


@pytest.fixture
def good(mono: Any, tmp_path: Path) -> Path:
    """A folder of six good lights to spoil."""
    folder = tmp_path / "lights"
    folder.mkdir()
    for path in mono.files[:6]:
        shutil.copy(path, folder)
    return folder


def spoilt(mono: Any, path: Path, pixels: Any) -> None:
    fits.write(path, np.asarray(pixels), keywords_of(mono.sky.light(0).facts))


def damaged(folder: Path, mono: Any, fault: str) -> Path:
    """A bad file called bad.fits among the lights."""
    path = folder / "light_bad.fits"
    shape = mono.plan.size
    whole = mono.files[0].read_bytes()
    match fault:
        case "truncated":
            path.write_bytes(whole[: len(whole) * 6 // 10])
        case "empty":
            path.write_bytes(b"")
        case "not a picture":
            path.write_bytes(b"These are the voyages" * 200)
        case "header only":
            path.write_bytes(whole[:2880])
        case "smaller":
            spoilt(mono, path, np.ones((50, 60), np.uint16))
        case "black":
            spoilt(mono, path, np.zeros(shape, np.uint16))
        case "saturated":
            spoilt(mono, path, np.full(shape, 65535, np.uint16))
        case "nan":
            spoilt(mono, path, np.full(shape, np.nan, np.float32))
        case "noise":
            spoilt(mono, path, np.random.default_rng(1).normal(740, 30, shape).astype(np.uint16))
    return path


FAULTS = {
    "truncated": ("unreadable", "truncated|cut off|incomplete|short"),
    "empty": ("unreadable", "empty"),
    "not a picture": ("unreadable", "FITS"),
    "header only": ("unreadable", "cut off|truncated|header|pixels"),
    "smaller": ("rejected", "different size"),
    "black": ("rejected", "black"),
    "saturated": ("rejected", "saturated"),
    "nan": ("rejected", "not a number"),
    "noise": ("rejected", "too few stars|no match"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_bad_file_is_named_with_its_fault_and_the_rest_stacked(
    fault: str, good: Path, mono: Any, starwell: Make, report_of: Make, tmp_path: Path
) -> None:
    path = damaged(good, mono, fault)
    status, reason = FAULTS[fault]
    out, report = tmp_path / "o.fits", tmp_path / "r.json"
    told = starwell("stack", good, *mono.masters(tmp_path / "m"), "-o", out, "--report", report)
    assert told.code == 0
    assert path.name in told.err
    assert re.search(reason, told.err, re.IGNORECASE)
    assert "6 of 7 subs stacked" in told.out
    assert astropy_fits.getheader(out)["STACKCNT"] == 6
    found = report_of(report)
    assert found["stacked"] == 6
    assert found[status] == 1
    bad = next(frame for frame in found["frames"] if frame["file"] == path.name)
    assert bad["status"] == status
    assert re.search(reason, bad["reason"], re.IGNORECASE)
    assert bad["transform"] is None
    assert bad["weight"] is None


def test_every_kind_of_bad_file_at_once(good: Path, mono: Any, starwell: Make, tmp_path: Path) -> None:
    names = [f"bad_[{fault.replace(' ', '_')}].fits" for fault in FAULTS]
    for fault, name in zip(FAULTS, names, strict=True):
        damaged(good, mono, fault).rename(good / name)
    told = starwell("stack", good, "-o", tmp_path / "o.fits")
    assert told.code == 0
    assert f"6 of {6 + len(FAULTS)} subs stacked" in told.out
    assert all(name in told.err for name in names)


@pytest.mark.parametrize("fault", ["truncated", "black", "saturated", "nan", "noise"])
def test_nothing_but_bad_files_ends_with_one_sentence(
    fault: str, mono: Any, starwell: Make, tmp_path: Path
) -> None:
    folder = tmp_path / "lights"
    folder.mkdir()
    for i in range(3):
        damaged(folder, mono, fault).rename(folder / f"bad{i}.fits")
    told = starwell("stack", folder, "-o", tmp_path / "o.fits")
    assert told.code == 1
    last = told.err.strip().splitlines()[-1]
    assert last.startswith("starwell: None of the 3")
    assert not list(tmp_path.glob("o.*"))


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda p: p.mkdir(), "holds no FITS, TIFF or PNG frames"),
        (lambda p: None, "There is no file or folder"),
    ],
    ids=["empty folder", "missing"],
)
def test_lights_that_are_not_there(make: Make, expected: str, starwell: Make, tmp_path: Path) -> None:
    make(tmp_path / "lights")
    told = starwell("stack", tmp_path / "lights", "-o", tmp_path / "o.fits")
    assert told.code == 1
    assert expected in told.err
    assert told.err.count("\n") == 1


def test_a_call_without_output_is_wrong(mono: Any, starwell: Make) -> None:
    with pytest.raises(SystemExit) as ended:
        starwell("stack", mono.folder)
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"EXPTIME": 60.0}, "a dark of 60 s, the lights are exposed 20 s"),
        ({"CCD-TEMP": 5.0}, "taken at 5.0 °C, the lights at -10.0 °C"),
        ({"GAIN": 300.0}, "taken at gain 300, the lights at gain 100"),
        ({"XBINNING": 2}, "binned 2"),
    ],
)
def test_a_dark_of_other_lights_is_refused_with_both_figures(
    changes: dict[str, Any], expected: str, mono: Any, starwell: Make, tmp_path: Path
) -> None:
    mono.masters(tmp_path)
    with astropy_fits.open(tmp_path / "dark.fits", mode="update") as hdus:
        hdus[0].header.update(changes)
    told = starwell("stack", mono.folder, "--dark", tmp_path / "dark.fits", "-o", tmp_path / "o.fits")
    assert told.code == 1
    assert expected in told.err
    assert "dark.fits" in told.err
    assert not (tmp_path / "o.fits").exists()


@pytest.mark.parametrize("kind", ["dark", "flat"])
def test_a_master_of_another_size_is_refused(
    kind: str, mono: Any, lights: Make, starwell: Make, tmp_path: Path
) -> None:
    lights(tmp_path / "l", 0, size=(100, 120)).masters(tmp_path)
    told = starwell("stack", mono.folder, f"--{kind}", tmp_path / f"{kind}.fits", "-o", tmp_path / "o.fits")
    assert told.code == 1
    assert "120×100 pixels, the lights are 256×200" in told.err


def test_a_warm_dark_and_a_flat_alone_earn_warnings(mono: Any, starwell: Make, tmp_path: Path) -> None:
    mono.masters(tmp_path)
    with astropy_fits.open(tmp_path / "dark.fits", mode="update") as hdus:
        hdus[0].header["CCD-TEMP"] = -7.0
    told = starwell("stack", mono.folder, "--dark", tmp_path / "dark.fits", "-o", tmp_path / "o.fits")
    assert told.code == 0
    assert "hot pixels will remain" in told.err
    told = starwell("stack", mono.folder, "--flat", tmp_path / "flat.fits", "-o", tmp_path / "p.fits")
    assert told.code == 0
    assert "neither dark nor bias" in told.err


@pytest.mark.parametrize("words", [("--dark", "12"), ("--bias", "nowhere.fits"), ("--flat", "nowhere")])
def test_masters_that_are_none(words: tuple[str, str], mono: Any, starwell: Make, tmp_path: Path) -> None:
    told = starwell("stack", mono.folder, *words, "-o", tmp_path / "o.fits")
    assert told.code == 1
    assert words[1] in told.err


def test_a_reference_that_cannot_be_one_is_named(
    good: Path, mono: Any, starwell: Make, tmp_path: Path
) -> None:
    path = damaged(good, mono, "black")
    told = starwell("stack", good, "--reference", path, "-o", tmp_path / "o.fits")
    assert told.code == 1
    assert "cannot be one: black" in told.err


def test_a_full_disk_is_told_and_leaves_nothing_behind(
    mono: Any, starwell: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic.os, "fsync", full)
    told = starwell("stack", mono.folder, "-o", tmp_path / "o.fits")
    assert told.code == 1
    assert "There is no room left to write" in told.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can mount")
def test_a_really_full_disk_leaves_nothing_half_written(mono: Any, starwell: Make, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"tmpfs cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        told = starwell("stack", mono.folder, "-o", small / "o.fits")
        assert told.code == 1
        assert "There is no room left to write" in told.err
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_the_stack_may_lie_beside_the_lights_but_only_where_it_was_asked_for(
    good: Path, starwell: Make, tmp_path: Path
) -> None:
    before = set(good.iterdir())
    assert starwell("stack", good, "-o", tmp_path / "o.fits").code == 0
    assert set(good.iterdir()) == before


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter and write to, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


def as_nobody(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """`starwell …` without rights; loaded before the uid is given up, for Python may lie where root reads."""
    loads = "import os, sys; from starwell.cli import main, stack; main.main(['--version']); "
    script = loads + "os.setuid(65534); sys.exit(main.main(sys.argv[1:]))"
    call = [sys.executable, "-c", script, *map(str, words)]
    told = subprocess.run(call, capture_output=True, text=True, check=False)
    assert "Traceback" not in told.stderr
    return told


needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user"
)


@needs_root
def test_lights_one_may_not_read_are_named(mono: Any, open_folder: Path) -> None:
    lights = open_folder / "lights"
    shutil.copytree(mono.folder, lights)
    lights.chmod(0o755)
    (lights / "light_0003.fits").chmod(0)
    told = as_nobody("stack", lights, "-o", open_folder / "o.fits")
    assert told.returncode == 0, told.stderr
    assert "light_0003.fits cannot be read" in told.stderr
    assert "9 of 10 subs stacked" in told.stdout


@needs_root
@pytest.mark.parametrize("closed", ["lights", "output"])
def test_a_folder_one_may_not_enter_is_named(closed: str, mono: Any, open_folder: Path) -> None:
    shutil.copytree(mono.folder, open_folder / "lights")
    (open_folder / "lights").chmod(0o755)
    (open_folder / "output").mkdir()
    (open_folder / closed).chmod(0)
    one = open_folder / "lights" / "light_0001.fits"
    told = as_nobody("stack", one, open_folder / "lights", "-o", open_folder / "output" / "o.fits")
    assert told.returncode == 1
    assert f"{open_folder / closed}" in told.stderr
    assert told.stderr.count("\n") == 1


def test_lights_that_share_nothing_are_not_forced_together(
    lights: Make, starwell: Make, tmp_path: Path
) -> None:
    made = lights(tmp_path / "lights", 3)
    other = lights(tmp_path / "other", 1, seed=77)
    shutil.copy(other.files[0], made.folder / "light_9.fits")
    told = starwell("stack", made.folder, "-o", tmp_path / "o.fits")
    assert told.code == 0
    assert "3 of 4 subs stacked" in told.out
    assert "light_9.fits: no match" in told.err


def test_an_interrupt_leaves_nothing_half_written(
    mono: Any, starwell: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(atomic.os, "fsync", interrupted)
    told = starwell("stack", mono.folder, "-o", tmp_path / "o.fits")
    assert told.code == 130
    assert "interrupted" in told.err
    assert list(tmp_path.iterdir()) == []
