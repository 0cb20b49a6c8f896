"""`starwell run` as an engine: reached by other commands, survived by nothing but what it is told to."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from starwell.cli.main import main
from starwell.errors import EngineError
from starwell.files.frames import open_frame
from starwell.remote.client import ask, status
from starwell.remote.messages import Quit, Reply, Start, Status, Stop
from starwell.session.events import State
from starwell.session.journal import FrameSaved, read

CAMERA = "simulated:size=256x200,speed={speed}"
LIGHTS = ("--exposure", "20", "--target", "M51", "--bias", "500")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STARWELL_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def programs() -> Iterator[list[subprocess.Popen[str]]]:
    running: list[subprocess.Popen[str]] = []
    yield running
    for program in running:
        program.kill()
        program.communicate()


def started(programs: list[subprocess.Popen[str]], *words: object, **streams: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "starwell_tui", *map(str, words)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    programs.append(subprocess.Popen(command, text=True, **streams))
    return programs[-1]


def shooting(programs: list[subprocess.Popen[str]], night: Path, *words: object, speed: int = 200) -> Any:
    camera = CAMERA.format(speed=speed)
    return started(programs, "run", "--camera", camera, *LIGHTS, "--folder", night, *words)


def until(holds: Any, timeout_s: float = 20.0) -> Status:
    """The status of the engine once it is like this."""
    end = time.monotonic() + timeout_s
    now = None
    while time.monotonic() < end:
        try:
            now = status()
        except EngineError:
            time.sleep(0.05)
            continue
        if holds(now):
            return now
        time.sleep(0.02)
    raise AssertionError(f"It never came: {now}")


def numbers(night: Path) -> list[int]:
    return sorted(int(path.stem[-4:]) for path in (night / "lights").rglob("*.fits"))


def test_a_second_engine_is_refused_with_the_place_of_the_first(
    tmp_path: Path, programs: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    first = shooting(programs, tmp_path / "night")
    until(lambda now: now.frame >= 1)
    assert main(["run", "--camera", CAMERA.format(speed=200), *LIGHTS, "--folder", str(tmp_path / "b")]) == 1
    said = capsys.readouterr().err
    assert f"pid {first.pid}" in said
    assert str(tmp_path / "night") in said
    assert not (tmp_path / "b").exists()
    assert ask(Stop()).ok
    assert first.wait(20) == 0
    assert fits.getheader(tmp_path / "night/stacks/M51_20s.fits")["STACKCNT"] == len(
        numbers(tmp_path / "night")
    )


def test_a_closed_terminal_ends_nothing_and_the_engine_stays_in_reach(tmp_path: Path, programs: Any) -> None:
    mine, its = pty.openpty()
    running = shooting_on(programs, its, tmp_path / "night")
    os.close(its)
    assert os.read(mine, 100)
    before = until(lambda now: now.frame >= 2)
    os.close(mine)
    later = until(lambda now: now.frame >= before.frame + 4)
    assert later.state is State.EXPOSING
    assert ask(Stop()).ok
    assert running.wait(20) == 0
    assert numbers(tmp_path / "night") == list(range(1, max(numbers(tmp_path / "night")) + 1))
    assert (tmp_path / "night/stacks/M51_20s.fits").exists()


def shooting_on(programs: Any, terminal: int, night: Path) -> Any:
    """A run in a session of its own whose terminal this is: it is hung up with the terminal."""
    camera = CAMERA.format(speed=200)
    script = (
        "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
        "os.execv(sys.executable, [sys.executable, '-m', 'starwell_tui', *sys.argv[1:]])"
    )
    words = ["run", "--camera", camera, *LIGHTS, "--folder", str(night), "--json"]
    programs.append(
        subprocess.Popen(
            [sys.executable, "-c", script, *words], stdin=terminal, stdout=terminal, stderr=terminal
        )
    )
    return programs[-1]


def test_an_engine_that_is_killed_goes_on_to_the_same_stack(tmp_path: Path, programs: Any) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert shooting(programs, whole, "--frames", 10).wait(30) == 0
    for count in (2, 5):
        words = ("--frames", 10) if count == 2 else ("--resume",)
        running = shooting(programs, broken, *words)
        until(lambda now, count=count: now.frame > count)
        running.kill()
        running.wait()
    assert shooting(programs, broken, "--resume").wait(30) == 0
    assert numbers(broken) == list(range(1, max(numbers(broken)) + 1))
    assert len(numbers(broken)) == 10
    recorded = [r.number for r in read(broken / "journal.jsonl") if isinstance(r, FrameSaved)]
    assert sorted(recorded) == numbers(broken)
    assert not list(broken.rglob(".*"))
    a, b = (fits.getdata(night / "stacks/M51_20s.fits") for night in (whole, broken))
    np.testing.assert_allclose(a, b, rtol=1e-5)


def test_a_service_takes_a_broken_night_up_and_waits_to_be_told(tmp_path: Path, programs: Any) -> None:
    night = tmp_path / "night"
    running = shooting(programs, night, "--frames", 6)
    until(lambda now: now.stacked >= 2)
    running.kill()
    running.wait()
    service = started(programs, "engine")
    paused = until(lambda now: now.state is State.PAUSED and now.stacked >= 2)
    assert paused.folder == str(night)
    assert "starwell start" in paused.why
    assert ask(Start()) == Reply(True, "Going on.")
    idle = until(lambda now: now.state is State.IDLE)
    assert idle.stacked >= 6
    assert ask(Quit()).ok
    assert service.wait(20) == 0


def test_a_plan_is_run_and_flags_win_over_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = tmp_path / "night.toml"
    plan.write_text(
        "camera = 'simulated'\n[[target]]\nname = 'M51'\n"
        "[[target.series]]\nexposure = 60\ncount = 50\nfilter = 'L'\n"
    )
    words = ("run", str(plan), "--camera", CAMERA.format(speed=900), "--exposure", "10", "--frames", "2")
    assert main([*words, "--folder", str(tmp_path / "night"), "--no-stack"]) == 0
    (first, _) = sorted((tmp_path / "night/lights/L").glob("*.fits"))
    assert fits.getheader(first)["EXPTIME"] == 10
    assert "It needs" in capsys.readouterr().err


def test_a_plan_with_mistakes_is_not_started(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = tmp_path / "night.toml"
    plan.write_text("camra = 'simulated'\n[[target]]\nname = 'M51'\n[[target.series]]\nexposure = 'long'\n")
    assert main(["run", str(plan)]) == 2
    said = capsys.readouterr().err
    assert f"{plan}:1: camra" in said
    assert f"{plan}:5: target[1].series[1].exposure" in said


def test_watch_stacks_what_arrives_until_it_is_interrupted(tmp_path: Path, programs: Any) -> None:
    source, inbox, night = tmp_path / "source", tmp_path / "inbox", tmp_path / "night"
    assert shooting(programs, source, "--frames", 3, "--no-stack").wait(30) == 0
    inbox.mkdir()
    running = started(programs, "watch", inbox, "--bias", 500, "--folder", night, "--json")
    for path in (source / "lights").glob("*.fits"):
        (inbox / path.name).write_bytes(path.read_bytes())
    until(lambda now: now.stacked == 3)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=20)
    assert running.returncode == 130
    assert json.loads(out.splitlines()[-1])["stacked"] == 3
    assert "Traceback" not in err
    assert fits.getheader(night / "stacks/M51_20s.fits")["STACKCNT"] == 3
    assert {path.name for path in inbox.iterdir()} == {p.name for p in (source / "lights").iterdir()}


def test_a_second_signal_does_not_wait_for_the_warm_up(tmp_path: Path, programs: Any) -> None:
    running = shooting(programs, tmp_path / "night", "--temperature", "19", "--json", speed=20)
    until(lambda now: now.frame >= 1)
    running.send_signal(signal.SIGTERM)
    warming = until(lambda now: "warming" in now.why)
    assert warming.state is State.STOPPING
    running.send_signal(signal.SIGTERM)
    out, _ = running.communicate(timeout=20)
    assert running.returncode == 143
    _, warming_up, then = out.rpartition('"warming the sensor up"')
    assert warming_up
    assert '"cooler"' not in then  # it is switched off when the sensor is warm
    assert all(
        open_frame(path).facts.shape == (200, 256) for path in (tmp_path / "night").rglob("M51*0*.fits")
    )


def test_masters_that_are_not_there_are_refused_before_anything_is_exposed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("run", "--camera", CAMERA.format(speed=900), "--exposure", "1", "--dark", str(tmp_path / "none"))
    assert main([*words, "--folder", str(tmp_path / "night")]) == 2
    assert "no master or folder" in capsys.readouterr().err
    assert not (tmp_path / "night").exists()
