from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from starwell.session.alerts import ALERT_KINDS, Commands, is_alarm, sentence
from starwell.session.events import (
    CameraFault,
    Event,
    PreviewReady,
    QualityAdvice,
    SeriesFinished,
    State,
    StateChanged,
    SubRejected,
)
from starwell.session.plan import Alerts

SOON_S = 30.0
FINISHED = SeriesFinished(stacked=3, rejected=1)
CLOUDS = QualityAdvice(subject="cloud", advice='Wait: $HOME `x` "y"; rm', serious=True)


class Told(Queue[QualityAdvice]):
    def next(self) -> QualityAdvice:
        return self.get(timeout=SOON_S)


def commands(told: Told, timeout_s: float = SOON_S, bell: tuple[str, ...] = (), **by_kind: str) -> Commands:
    named = {kind.replace("_", "-"): command for kind, command in by_kind.items()}
    return Commands(Alerts(commands=named, bell=bell, timeout_s=timeout_s), told.put)


def python(code: str) -> str:
    return f"{sys.executable} -I -S -c '{code}'"


def eventually(holds: Callable[[], Any]) -> Any:
    until = time.monotonic() + SOON_S
    while not (found := holds()):
        assert time.monotonic() < until, "it never came"
        time.sleep(0.01)
    return found


def test_a_command_gets_the_event_on_its_input_in_its_surroundings_and_in_its_words(tmp_path: Path):
    out = tmp_path / "out"
    code = (
        'import os,sys,json; w=[sys.stdin.read(), os.environ[chr(83)+"TARWELL_EVENT"], *sys.argv[1:]]; '
        f'open("{out}.part", "w").write(json.dumps(w)); os.rename("{out}.part", "{out}")'
    )
    told = Told()
    commands(told, quality_advice=python(code) + ' "$STARWELL_TEXT" ${STARWELL_EVENT} $HOME').tell(CLOUDS)
    eventually(out.exists)
    line, kind, *words = json.loads(out.read_text())
    assert json.loads(line)["subject"] == "cloud"
    assert kind == "quality-advice"
    # No shell has read the words: neither the event's text nor other variables are expanded.
    assert words == ['cloud: Wait: $HOME `x` "y"; rm', "quality-advice", "$HOME"]
    assert told.empty()


def test_serious_events_run_the_alarm_as_well(tmp_path: Path):
    both = commands(Told(), quality_advice=f"touch {tmp_path}/advice", alarm=f"touch {tmp_path}/alarm")
    both.tell(QualityAdvice(subject="focus", advice="Refocus."))
    eventually((tmp_path / "advice").exists)
    assert not (tmp_path / "alarm").exists()
    both.tell(CLOUDS)
    eventually((tmp_path / "alarm").exists)


def test_events_without_a_command_start_nothing():
    told = Told()
    commands(told, series_finished="no-such-command").tell(CLOUDS)
    assert told.empty()


def test_telling_never_waits_for_the_command(tmp_path: Path):
    told, gate = Told(), tmp_path / "gate"
    slow = commands(told, series_finished=f"sh -c 'while ! test -e {gate}; do sleep 0.02; done'")
    slow.tell(FINISHED)
    gate.touch()  # had telling waited, the command would have been ended for want of this, and aloud
    assert slow.wait(SOON_S)
    assert told.empty()


def test_a_command_that_hangs_is_ended_with_all_it_started(tmp_path: Path):
    told, pid = Told(), tmp_path / "pid"
    hangs = commands(told, timeout_s=1.5, series_finished=f"sh -c 'sleep 61 & echo $! > {pid}; wait'")
    hangs.tell(FINISHED)
    assert "took more than 1.5 s and was ended" in told.next().advice
    child = Path("/proc") / pid.read_text().strip()
    eventually(lambda: not child.exists() or "Z" in (child / "stat").read_text().rpartition(")")[2][:3])


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("no-such-command-anywhere", "No such file"),
        ("'never closed", "No closing quotation"),
        (python('import sys; sys.exit("no network")'), "it ended with 1: no network"),
    ],
)
def test_a_failure_becomes_one_advice_however_often_it_happens(command: str, said: str):
    told = Told()
    failing = commands(told, series_finished=command)
    failing.tell(FINISHED)
    advice = told.next()
    assert said in advice.advice
    assert "series-finished" in advice.advice
    assert not advice.serious
    failing.tell(FINISHED)
    assert failing.wait(SOON_S)
    assert told.empty()


def test_a_command_that_works_again_may_fail_again_aloud(tmp_path: Path):
    told, works = Told(), tmp_path / "works"
    fickle = commands(told, series_finished=f"test -e {works}")
    fickle.tell(FINISHED)
    told.next()
    works.touch()
    assert fickle.wait(SOON_S)
    fickle.tell(FINISHED)
    assert fickle.wait(SOON_S)
    works.unlink()
    fickle.tell(FINISHED)
    assert "ended with 1" in told.next().advice


def test_a_flood_of_events_does_not_become_a_flood_of_commands(tmp_path: Path):
    told, gate = Told(), tmp_path / "gate"
    waits = f"sh -c 'echo x >> {tmp_path}/started; while ! test -e {gate}; do sleep 0.02; done'"
    flood = commands(told, series_finished=waits)
    for _ in range(50):
        flood.tell(FINISHED)
    assert "running already" in told.next().advice
    gate.touch()
    assert flood.wait(SOON_S)
    assert (tmp_path / "started").read_text().count("x") == 4
    assert told.empty()


def test_advice_about_alerts_runs_no_command(tmp_path: Path):
    told = Told()
    loop = commands(told, quality_advice="no-such-command-anywhere")
    loop.tell(CLOUDS)
    loop.tell(told.next())
    assert told.empty()


def test_the_bell_rings_for_what_the_plan_names():
    rings = commands(Told(), bell=("alarm", "series-finished")).rings
    assert rings(FINISHED)
    assert rings(CLOUDS)
    assert not rings(QualityAdvice(subject="focus", advice="Refocus."))


@pytest.mark.parametrize(
    ("event", "alarms"),
    [
        (CameraFault(message="It is gone.", recovered=False), True),
        (CameraFault(message="It is back.", recovered=True), False),
        (SubRejected(number=3, reason="clouds", alarm=True), True),
        (StateChanged(state=State.FAULT), True),
        (StateChanged(state=State.EXPOSING), False),
        (FINISHED, False),
    ],
)
def test_an_alarm_is_what_needs_a_person(event: Event, alarms: bool):
    assert is_alarm(event) is alarms
    assert sentence(event)


def test_pictures_are_no_alert():
    assert "preview-ready" not in ALERT_KINDS
    assert "quality-advice" in ALERT_KINDS
    picture = PreviewReady(of="stack", number=1, rows=1, columns=1, channels=1, pixels=b"0")
    assert not commands(Told(), bell=ALERT_KINDS).rings(picture)
