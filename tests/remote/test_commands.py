"""The commands that reach a running engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from starwell.cli.main import main
from starwell.cli.status import described
from starwell.remote.messages import (
    Abort,
    Pause,
    Reject,
    Reply,
    Restore,
    Save,
    Set,
    Start,
    Status,
    Stop,
    events,
)
from starwell.remote.place import Place


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Place:
    monkeypatch.setenv("STARWELL_HOME", str(tmp_path))
    return Place()


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["start"], Start()),
        (["pause"], Pause()),
        (["stop"], Stop()),
        (["abort"], Abort()),
        (["save"], Save()),
        (["reject", "12"], Reject(12)),
        (["restore", "12"], Restore(12)),
        (["set", "gain", "120"], Set("gain", 120.0)),
        (["set", "target_celsius", "-10"], Set("target_celsius", -10.0)),
        (["set", "cooler", "on"], Set("cooler", "on")),
    ],
)
def test_a_command_reaches_the_engine_and_its_reply_the_user(
    engine: Any, words: list[str], command: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 0
    assert engine.asked == [command]
    assert capsys.readouterr().out == f"{type(command).__name__} it is.\n"


def test_a_plan_is_named_so_that_the_engine_finds_it(
    engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m51.toml").touch()
    assert main(["start", "m51.toml"]) == 0
    assert engine.asked == [Start(str(tmp_path / "m51.toml"))]
    assert main(["start", "m51.toml", "--paused"]) == 0
    assert engine.asked[1:] == [Start(str(tmp_path / "m51.toml"), paused=True)]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["start", "nowhere.toml"], 2, "There is no plan nowhere.toml."),
        (["start", "--paused"], 2, "Only a plan can be made ready"),
        (["set", "gain", "nan"], 2, "'nan' is no value"),
        (["set", "gian", "5"], 1, "did you mean gain?"),
    ],
)
def test_what_cannot_be_asked_is_said_and_ends_with_its_code(
    engine: Any, words: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == code
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("number", ["-3", "1.5", "first"])
def test_a_sub_has_a_number(engine: Any, number: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["reject", number])
    assert engine.asked == []


def test_a_refusal_is_an_error_with_the_engines_reason(
    engine: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.answers = lambda command: Reply(False, "There is no sub 12 in this stack.")
    assert main(["reject", "12"]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "starwell: There is no sub 12 in this stack.\n")


def test_without_an_engine_every_command_says_so(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["status"], ["status", "--json"], ["pause"], ["reject", "1"]):
        assert main(words) == 1
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err == "starwell: No engine is running; `starwell run …` starts one.\n"


def test_status_for_machines_has_the_fields_it_promises(
    engine: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "--json"]) == 0
    fields = json.loads(capsys.readouterr().out)
    assert list(fields.items())[:9] == [
        ("state", "exposing"),
        ("frame", 24),
        ("frames", 60),
        ("stacked", 21),
        ("rejected", 2),
        ("livetime_s", 1260.0),
        ("folder", engine.now.folder),
        ("camera", "Simulated 533"),
        ("sensor_celsius", -10.04),
    ]


def test_status_for_people_leaves_out_what_is_not_known() -> None:
    bare = Status(
        state=events.State.IDLE,
        frame=0,
        frames=None,
        stacked=0,
        rejected=0,
        livetime_s=None,
        folder="/n",
        camera="",
        sensor_celsius=None,
    )
    assert described(bare) == [
        "idle, frame 0",
        "stack   0 subs, 0 rejected",
        "camera  none",
        "folder  /n",
    ]


def test_status_for_people_says_all_that_is_known() -> None:
    full = Status(
        state=events.State.PAUSED,
        why="guide star lost",
        frame=24,
        frames=60,
        stacked=121,
        rejected=2,
        livetime_s=7260.0,
        folder="/n",
        camera="ASI533",
        sensor_celsius=-9.96,
        setpoint_celsius=-10,
        cooler_percent=61.7,
        target="M 51",
        filter="L",
        seconds=60,
        exposed_s=22.4,
        free_bytes=181_000_000_000,
        guide_rms_arcsec=0.634,
        ends="60 of 60 at 03:12",
    )
    assert described(full) == [
        "paused (guide star lost), frame 24 of 60: M 51 L 22 of 60 s",
        "stack   121 subs = 2 h 1 min, 2 rejected",
        "camera  ASI533, -10.0 °C (setpoint -10 °C), cooler 62 %",
        "folder  /n, 181 GB free",
        "ends    60 of 60 at 03:12",
        "guiding 0.63″ RMS",
    ]


def test_status_takes_half_a_second_at_most_and_loads_no_numpy(engine: Any) -> None:
    script = (
        "import sys; from starwell_tui.__main__ import main; sys.argv[1:] = ['status']; code = main(); "
        "print(*sorted({'numpy', 'textual', 'asyncio', 'rich'} & set(sys.modules)), file=sys.stderr); "
        "sys.exit(code)"
    )
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=os.environ)
        seconds.append(time.perf_counter() - started)
        assert said.returncode == 0
        assert said.stdout.startswith("exposing, frame 24 of 60")
        assert said.stderr == "\n"
    # The least of five: other programs on the machine are not status's time.
    assert min(seconds) < 0.5
