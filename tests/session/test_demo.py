"""A whole simulated night as the demo shows it: shot to disk, calibrated, stacked, held against its truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import pytest

from starwell.files.frames import open_frame
from starwell.frame import Kind
from starwell.session.demo import DemoNight
from starwell.session.events import (
    Event,
    FrameTaken,
    PreviewReady,
    QualityAdvice,
    SeriesFinished,
    StackMeasured,
    State,
    StateChanged,
    SubRejected,
    SubStacked,
)
from starwell.session.truth import compare

SUBS = 9


@dataclass
class Seen:
    night: DemoNight
    events: list[Event]

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture(scope="module", params=[False, True], ids=["mono", "colour"])
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    folder = tmp_path_factory.mktemp("demo")
    night = DemoNight(subs=SUBS, size=(320, 480), colour=request.param, folder=folder)
    events: list[Event] = []
    for event in night.events():
        events.append(event)
        if isinstance(event, StateChanged) and event.state is State.IDLE:
            night.stop()
    yield Seen(night, events)
    night.close()


def test_every_frame_is_on_disk_before_it_is_spoken_of(seen: Seen) -> None:
    folder = seen.night.folder
    taken = seen.of(FrameTaken)
    lights = [e for e in taken if e.kind is Kind.LIGHT]
    assert [e.number for e in lights] == list(range(1, SUBS + 1))
    assert all((folder / "lights" / e.file).is_file() for e in lights)
    assert {e.kind for e in taken} == {Kind.DARK, Kind.DARK_FLAT, Kind.FLAT, Kind.LIGHT}
    assert {p.name for p in folder.glob("master_*.fits")} == {
        "master_darks.fits",
        "master_darkflats.fits",
        "master_flats.fits",
    }
    assert open_frame(seen.night.light_file(1)).facts.exposure.kind is Kind.LIGHT


def test_every_sub_is_stacked_or_told_why_not_and_the_count_agrees(seen: Seen) -> None:
    stacked = {e.number for e in seen.of(SubStacked)}
    rejected = {e.number for e in seen.of(SubRejected)}
    assert stacked | rejected == set(range(1, SUBS + 1))
    (end,) = seen.of(SeriesFinished)
    assert end.stacked == len(stacked - rejected)
    assert end.rejected == SUBS - end.stacked
    assert end.livetime_s == 20.0 * end.stacked
    assert seen.events[-1] == StateChanged(state=State.IDLE, why="the night is over")


def test_the_night_comes_close_to_what_physics_allows(seen: Seen) -> None:
    noise = seen.of(StackMeasured)[-1]
    assert noise.efficiency_percent == pytest.approx(100.0, abs=25.0)
    assert noise.egain == pytest.approx(0.25, rel=0.05)
    assert noise.read_noise_e == pytest.approx(1.5, rel=0.15)
    advice = [e for e in seen.of(QualityAdvice) if e.subject == "truth"]
    assert len(advice) == 1
    found = compare(seen.night.sky, seen.night.pipeline)
    assert found is not None
    assert found.corner_px[1] < 0.3  # stars dance by 0.05 px of their own in the demo
    assert 0.9 < found.noise_ratio < 1.1
    assert found.lines() == seen.night.truth_lines
    assert seen.night.truth_lines == advice[0].advice.splitlines()


def test_pictures_come_with_every_change_of_the_stack(seen: Seen) -> None:
    pictures = seen.of(PreviewReady)
    assert len(pictures) >= len(seen.of(SubStacked))
    for picture in pictures:
        assert len(picture.pixels) == picture.rows * picture.columns * picture.channels
    before = seen.night.before()
    assert before is not None
    assert (before.of, before.number) == ("sub", 1)
    assert before.channels == pictures[-1].channels


def test_commands_given_during_the_night_are_carried_out_at_frame_boundaries(tmp_path: Path) -> None:
    night = DemoNight(subs=5, size=(240, 320), folder=tmp_path)
    told: list[Event] = []
    for event in night.events():
        told.append(event)
        if isinstance(event, SubStacked) and event.number == 3 and event.stacked == 3:
            night.reject(2)
            night.reject(77)
            night.set_stretch("asinh")
        if isinstance(event, StateChanged) and event.state is State.IDLE:
            night.stop()
    by_hand = [e for e in told if isinstance(e, SubRejected) and e.by_hand]
    assert [e.number for e in by_hand] == [2]
    assert any(isinstance(e, QualityAdvice) and "There is no sub 77" in e.advice for e in told)
    (end,) = [e for e in told if isinstance(e, SeriesFinished)]
    assert (end.stacked, end.rejected) == (4, 1)


def test_commands_after_the_end_bring_back_the_truth_lines(tmp_path: Path) -> None:
    night = DemoNight(subs=4, size=(240, 320), folder=tmp_path)
    told: list[Event] = []
    rest = iter(night.events())
    for event in rest:
        if isinstance(event, StateChanged) and event.state is State.IDLE:
            break
    night.reject(2)
    for event in rest:
        told.append(event)
        if isinstance(event, QualityAdvice) and event.subject == "truth":
            night.stop()
    assert [type(e) for e in told[:2]] == [SubRejected, PreviewReady]
    assert "such subs" in told[-1].advice
    assert " 3 such subs" in told[-1].advice


def test_a_night_can_be_stopped_from_another_thread_and_its_folder_goes(tmp_path: Path) -> None:
    night = DemoNight(subs=500, size=(240, 320), pace_s=30.0)
    told: list[Event] = []
    walk = Thread(target=lambda: told.extend(night.events()))
    walk.start()
    night.stop()
    walk.join(timeout=20)
    assert not walk.is_alive()
    assert night.folder.is_dir()
    night.close()
    assert not night.folder.exists()
