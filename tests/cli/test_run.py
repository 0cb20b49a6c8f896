"""`starwell run` without a plan, as it is called."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest
from astropy.io import fits

from starwell.cli.main import main
from starwell.files.frames import open_frame
from starwell.session.event_lines import AnyEvent
from starwell.session.events import SeriesFinished, StackSaved

SMALL = "simulated:size=192x128,speed=200"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STARWELL_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def run(*words: object, camera: str = SMALL) -> int:
    return main(["run", "--camera", camera, *map(str, words)])


def lights(night: Path) -> list[Path]:
    return sorted((night / "lights").rglob("*.fits"))


def test_frames_land_in_the_night_folder_with_names_and_headers(tmp_path: Path, home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text(
        "[rig]\ntelescope = 'Newton'\nfocal_mm = 800\n[site]\nlatitude = 51.5\n"
    )
    code = run(
        "--exposure", 5, "--gain", 120, "--filter", "Ha", "--target", "NGC 7000", "--frames", 2, "--no-stack"
    )
    assert code == 0
    (night,) = (home / "nights").glob("*/NGC_7000")
    first, _ = lights(night)
    assert first.name.startswith("NGC_7000_Ha_5.0s_g120_20C_")
    header = fits.getheader(first)
    assert (header["OBJECT"], header["FILTER"], header["GAIN"]) == ("NGC 7000", "Ha", 120)
    assert (header["TELESCOP"], header["FOCALLEN"], header["SITELAT"]) == ("Newton", 800, 51.5)
    assert not (night / "stacks").exists()


def test_the_same_seed_gives_the_same_frames(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        assert (
            run("--exposure", 2, "--frames", 2, "--no-stack", "--seed", 3, "--folder", tmp_path / folder) == 0
        )
    assert run("--exposure", 2, "--frames", 2, "--no-stack", "--seed", 4, "--folder", tmp_path / "c") == 0
    a, b, c = ([open_frame(path).pixels for path in lights(tmp_path / folder)] for folder in "abc")
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_a_second_run_goes_on_counting_and_overwrites_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        assert run("--exposure", 2, "--frames", 2, "--no-stack", "--folder", tmp_path) == 0
    numbers = [path.stem[-4:] for path in lights(tmp_path)]
    pixels = [open_frame(path).pixels for path in lights(tmp_path)]
    assert sorted(numbers) == ["0001", "0002", "0003", "0004"]
    assert len({p.tobytes() for p in pixels}) == 4


def test_events_come_as_json_lines_and_the_stack_is_saved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    camera = "simulated:size=400x300,speed=1000"
    words = ("--exposure", 20, "--frames", 4, "--filter", "L", "--target", "M51", "--folder", tmp_path)
    assert run(*words, "--json", camera=camera) == 0
    told = capsys.readouterr()
    events = [msgspec.json.decode(line, type=AnyEvent) for line in told.out.splitlines()]
    finished = events[-1]
    assert isinstance(finished, SeriesFinished)
    assert (finished.stacked, finished.livetime_s) == (4, 80.0)
    assert [event.file for event in events if isinstance(event, StackSaved)] == ["stacks/M51_L_20s.fits"]
    header = fits.getheader(tmp_path / "stacks" / "M51_L_20s.fits")
    assert (header["STACKCNT"], header["LIVETIME"]) == (4, 80.0)
    assert (tmp_path / "stacks" / "M51_L_20s.maps.fits").exists()
    assert (tmp_path / "latest.png").exists()
    assert "4 frames" in told.err


def test_a_folder_is_replayed_and_stays_as_it_is(tmp_path: Path) -> None:
    source = tmp_path / "source"
    words = ("--exposure", 20, "--frames", 3, "--no-stack", "--target", "M51", "--folder", source)
    assert run(*words, camera="simulated:size=400x300,speed=1000") == 0
    before = {path: path.stat().st_mtime_ns for path in source.rglob("*")}
    night = tmp_path / "night"
    assert run("--folder", night, camera=f"folder:{source / 'lights'}") == 0
    assert fits.getheader(night / "stacks" / "M51_20s.fits")["STACKCNT"] == 3
    assert not (night / "lights").exists()
    assert {path: path.stat().st_mtime_ns for path in source.rglob("*")} == before


def test_a_watched_folder_is_stacked_as_files_arrive(tmp_path: Path) -> None:
    source, inbox = tmp_path / "source", tmp_path / "inbox"
    inbox.mkdir()
    words = ("--exposure", 20, "--frames", 2, "--no-stack", "--folder", source)
    assert run(*words, camera="simulated:size=400x300,speed=1000") == 0

    def arrive() -> None:
        for path in lights(source):
            (inbox / path.name).write_bytes(path.read_bytes())

    timer = threading.Timer(0.05, arrive)
    timer.start()
    assert run("--frames", 2, "--folder", tmp_path / "night", camera=f"watch:{inbox}") == 0
    timer.join()
    (stack,) = [p for p in (tmp_path / "night" / "stacks").glob("*.fits") if ".maps" not in p.name]
    assert fits.getheader(stack)["STACKCNT"] == 2


def test_settings_come_back_for_camera_and_target(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--exposure", 4, "--gain", 200, "--target", "M51", "--frames", 1, "--no-stack") == 0
    capsys.readouterr()
    assert run("--target", "M51", "--frames", 1, "--no-stack", "--folder", tmp_path / "b") == 0
    assert "as last time: exposure 4 s, gain 200" in capsys.readouterr().err
    (path,) = lights(tmp_path / "b")
    assert (fits.getheader(path)["EXPTIME"], fits.getheader(path)["GAIN"]) == (4.0, 200.0)
    assert run("--target", "M31", "--frames", 1, "--no-stack") == 2


def test_every_kind_can_be_taken(tmp_path: Path) -> None:
    for kind, folder in (
        ("dark", "darks"),
        ("bias", "biases"),
        ("flat", "flats"),
        ("dark-flat", "darkflats"),
    ):
        assert run("--kind", kind, "--exposure", 0.5, "--frames", 2, "--folder", tmp_path) == 0
        assert len(list((tmp_path / folder).glob("*.fits"))) == 2
    assert not (tmp_path / "stacks").exists()


def test_cooling_is_part_of_the_run(tmp_path: Path) -> None:
    camera = "simulated:size=64x64,speed=5000"
    assert (
        run(
            "--exposure",
            2,
            "--frames",
            1,
            "--temperature",
            -10,
            "--no-stack",
            "--folder",
            tmp_path,
            camera=camera,
        )
        == 0
    )
    (path,) = lights(tmp_path)
    assert "_-10C_" in path.name
    assert fits.getheader(path)["SET-TEMP"] == -10


@pytest.mark.parametrize(
    ("words", "camera", "code", "said"),
    [
        (["--frames", "1"], SMALL, 2, "--exposure"),
        (["--exposure", "1"], "nikon", 2, "no kind of camera"),
        (["--exposure", "1", "--gain", "9999", "--frames", "1"], SMALL, 1, "out of range"),
        (["--exposure", "1", "--roi", "0,0,9000,8"], SMALL, 1, "edge"),
        (["--exposure", "1"], "folder:/nowhere/at/all", 1, "/nowhere/at/all"),
        (["--exposure", "1", "--frames", "9"], "simulated:size=64x64,speed=900,2=unplug", 1, "unplugged"),
    ],
)
def test_calls_that_cannot_work_end_with_a_sentence(
    words: list[str], camera: str, code: int, said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(*words, "--no-stack", "--folder", tmp_path, camera=camera) == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["--exposure", "-1"], ["--roi", "1,2,3"], ["--frames", "0"], ["--kind", "x"]]
)
def test_options_that_mean_nothing_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        run(*words)
    assert exited.value.code == 2


def test_a_filter_the_rig_does_not_have_is_refused_and_its_wheel_turned(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home.mkdir()
    wheel = f"touch {tmp_path}/slot-{{slot}}-{{filter}}"
    (home / "config.toml").write_text(f"[rig]\nfilters = ['L', 'Ha']\nwheel = '{wheel}'\n")
    words = ("--exposure", 1, "--frames", 1, "--no-stack", "--folder", tmp_path / "night")
    assert run(*words, "--filter", "Lum") == 2
    assert "its filters are L, Ha" in capsys.readouterr().err
    assert run(*words, "--filter", "Ha") == 0
    assert (tmp_path / "slot-2-Ha").exists()


def started(folder: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "starwell_tui", "run", "--camera", "simulated:size=192x128", "--json"]
    command += ["--folder", str(folder), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_in_mid_exposure_ends_within_two_seconds_with_whole_files(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    running = started(tmp_path, "--exposure", "0.05")
    assert running.stdout is not None
    taken = 0
    for line in running.stdout:
        taken += json.loads(line)["type"] == "FrameTaken"
        if taken == 2:
            break
    begun = time.monotonic()
    running.send_signal(number)
    out, _ = running.communicate(timeout=10)
    assert time.monotonic() - begun < 2
    assert running.returncode == code
    assert json.loads(out.splitlines()[-1])["type"] == "SeriesFinished"
    assert not list(tmp_path.rglob(".*"))
    frames = [open_frame(path) for path in lights(tmp_path)]
    assert len(frames) >= 2
    assert all(frame.facts.shape == (128, 192) for frame in frames)


def test_a_terminal_that_goes_away_ends_nothing(tmp_path: Path) -> None:
    running = started(tmp_path, "--exposure", "0.05", "--frames", "4", "--no-stack")
    assert running.stdout is not None
    running.stdout.readline()
    os.kill(running.pid, signal.SIGHUP)
    running.communicate(timeout=20)
    assert running.returncode == 0
    assert len(lights(tmp_path)) == 4
