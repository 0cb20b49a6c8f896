"""A night taken up again: after a crash at any moment the same stack as if nothing had happened."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from starwell.calibration.master import Masters, constant_bias
from starwell.camera.sky import Mount, Scene, Sky, SkyPlan, Trail
from starwell.files.frames import open_frame
from starwell.frame import Bayer, Frame, Kind
from starwell.session.events import QualityAdvice, StackStarted, SubMeasured, SubRejected, SubStacked
from starwell.session.journal import FrameSaved, SeriesEnded
from starwell.session.resume import commands_of
from starwell.session.saved_frames import saved_record

Make = Callable[..., Any]
PLAN = SkyPlan(
    size=(160, 208),
    subs=16,
    seconds=20.0,
    scene=Scene(stars=60, faintest_e=3000.0, brightest_e=80_000.0),
    mount=Mount(drift_px=(0.2, 0.1), dither_px=6.0),
    trails=(Trail(0, peak_sigma=15.0), Trail(9, peak_sigma=10.0, angle_deg=-50.0)),
)
SKIES = {"mono": Sky(PLAN), "colour": Sky(replace(PLAN, bayer=Bayer.RGGB))}
LIGHTS = {n: SKIES["mono"].light(n - 1) for n in range(1, 13)}
LABEL = "Simulated_nebula_20s"


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for label, arrays in one.items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, other[label][name], err_msg=f"{label} {name}")


def chosen(first: int, last: int) -> dict[int, Frame]:
    return {n: LIGHTS[n] for n in range(first, last + 1)}


@pytest.mark.parametrize("colour", ["mono", "colour"])
@pytest.mark.parametrize("checkpoint", [True, False], ids=["checkpoint", "journal alone"])
def test_a_night_broken_off_at_several_points_is_the_same_night(
    colour: str, checkpoint: bool, saved_night: Make
) -> None:
    lights = {n: SKIES[colour].light(n - 1) for n in LIGHTS}
    whole = saved_night(masters=Masters()).feed(lights)
    night = saved_night(masters=Masters())
    for first, last in ((1, 3), (4, 8), (9, 12)):
        night.feed({n: lights[n] for n in range(first, last + 1)})
        night.close()
        if not checkpoint:
            shutil.rmtree(night.night.folder / "checkpoint")
        night = night.again()
        measured = {event.number for event in night.told(SubMeasured)}
        assert night.stacking.drained(60)
        measured |= {event.number for event in night.told(SubMeasured)}
        assert measured == (set() if checkpoint else set(range(1, last + 1)))
    assert_same(night.sums(), whole.sums())
    assert night.stacked() == whole.stacked() == {LABEL: list(LIGHTS)}
    assert {e.number for e in night.told(SubStacked)} == set(LIGHTS)
    night.close()


def test_what_was_done_by_hand_is_done_again_in_its_place(saved_night: Make) -> None:
    nights = [saved_night(), saved_night()]
    for night in nights:
        night.feed(chosen(1, 4))
        night.stacking.reject(2)
        night.feed(chosen(5, 9))
        night.stacking.reject(6)
        night.stacking.restore(2)
        night.feed(chosen(10, 12))
    whole, night = nights
    night.close()
    shutil.rmtree(night.night.folder / "checkpoint")
    again = night.again()
    assert_same(again.sums(), whole.sums())
    assert again.stacked() == {LABEL: [n for n in LIGHTS if n != 6]}
    assert [command.after for command in commands_of(again.journal.records)] == [4, 9, 9]
    again.close()


def test_a_command_given_while_subs_are_fed_again_keeps_its_place_ever_after(saved_night: Make) -> None:
    night = saved_night().feed(chosen(1, 9))
    night.stacking.reject(3)
    night.close()
    shutil.rmtree(night.night.folder / "checkpoint")
    again = night.again()
    again.stacking.reject(1)  # while all nine are fed again, before or after any of them
    first = again.sums()
    again.close()
    shutil.rmtree(night.night.folder / "checkpoint")
    once_more = again.again()
    assert_same(once_more.sums(), first)
    once_more.close()


def test_a_short_series_that_ended_goes_on_where_it_ended(saved_night: Make) -> None:
    nights = [saved_night(), saved_night()]
    for night in nights:
        night.feed(chosen(1, 3))
        night.stacking.finish()
        assert night.stacking.drained(60)
    whole, night = nights
    night.close()
    shutil.rmtree(night.night.folder / "checkpoint")
    again = night.again().feed(chosen(4, 12))
    whole.feed(chosen(4, 12))
    assert_same(again.sums(), whole.sums())
    assert "the series is over" in [event.why for event in again.told(StackStarted)]
    assert sum(isinstance(r, SeriesEnded) for r in again.journal.records) == 1
    again.close()


def test_lights_without_a_line_in_the_journal_are_adopted_in_order(saved_night: Make) -> None:
    whole, night = saved_night().feed(LIGHTS), saved_night().feed(chosen(1, 9))
    for number in (11, 12, 10):
        night.write(number, LIGHTS[number])
    again = night.again()
    assert_same(again.sums(), whole.sums())
    lines = [record.number for record in again.journal.records if isinstance(record, FrameSaved)]
    assert lines == list(LIGHTS)
    again.close()


def test_an_adopted_light_that_is_damaged_is_told_when_it_is_its_turn(saved_night: Make) -> None:
    night = saved_night().feed(chosen(1, 3))
    written = night.write(4, LIGHTS[4])
    written.facts.source.write_bytes(b"SIMPLE  = nothing of the kind")
    again = night.again()
    assert again.stacking.drained(60)
    assert [(e.number, e.reason) for e in again.told(SubRejected)] == [(4, "unreadable")]
    assert again.stacked() == {LABEL: [1, 2, 3]}
    again.close()


def watched(saved_night: Make, folder: Path) -> Any:
    """A night of files that another program wrote to this folder."""
    captured = saved_night("captured").feed(chosen(1, 9))
    captured.close()
    shutil.copytree(captured.night.folder / "lights", folder)
    night = saved_night("watched")
    for number, path in enumerate(sorted(folder.iterdir()), start=1):
        frame = open_frame(path)
        frame = Frame(replace(frame.facts, number=number, adu_shift=1), frame.pixels)
        night.journal.append(saved_record(night.night, frame.facts))
        night.stacking.put(number, frame)
    assert night.stacking.drained(60)
    return night


def test_a_watched_night_copies_nothing_and_names_its_files(saved_night: Make, tmp_path: Path) -> None:
    night = watched(saved_night, tmp_path / "theirs")
    before = night.sums()
    night.close()
    lines = [json.loads(line) for line in night.journal.path.read_text().splitlines()]
    assert all(line["file"].startswith(str(tmp_path / "theirs")) for line in lines)
    assert all(len(line["sha256"]) == 64 and line["size"] > 60_000 for line in lines)
    assert not (night.night.folder / "lights").exists()
    shutil.rmtree(night.night.folder / "checkpoint")
    again = night.again()
    assert_same(again.sums(), before)
    again.close()


def test_watched_files_that_vanished_or_changed_are_reported(saved_night: Make, tmp_path: Path) -> None:
    night = watched(saved_night, tmp_path / "theirs")
    night.close()
    shutil.rmtree(night.night.folder / "checkpoint")
    files = sorted((tmp_path / "theirs").iterdir())
    files[3].unlink()
    shutil.copy(files[7], files[5])  # the same size, another sub
    again = night.again()
    assert again.stacking.drained(60)
    assert [(e.number, e.reason) for e in again.told(SubRejected)] == [(4, "unreadable"), (6, "unreadable")]
    details = [event.detail for event in again.told(SubRejected)]
    assert "is gone" in details[0]
    assert "was changed since" in details[1]
    advice = again.told(QualityAdvice)[0]
    assert advice.serious
    assert str(files[3]) in advice.advice
    assert again.stacked() == {LABEL: [1, 2, 3, 5, 7, 8, 9]}
    again.close()


def test_what_a_checkpoint_holds_stays_although_its_files_are_gone(saved_night: Make) -> None:
    night = saved_night().feed(chosen(1, 9))
    before = night.sums()
    night.close()
    shutil.rmtree(night.night.folder / "lights")
    again = night.again()
    assert_same(again.sums(), before)
    assert "9 subs of this night whose file is gone" in again.told(QualityAdvice)[0].advice
    again.close()


def test_a_checkpoint_of_another_journal_or_other_masters_is_passed_by(saved_night: Make) -> None:
    night = saved_night().feed(chosen(1, 9))
    night.close()
    night.journal.path.write_bytes(b"".join(night.journal.path.read_bytes().splitlines(True)[:4]))
    for number, path in night.night.frames(Kind.LIGHT).items():
        if number > 4:
            path.unlink()
    again = night.again()
    assert again.stacking.drained(60)
    assert again.stacked() == {LABEL: [1, 2, 3, 4]}
    again.close()
    again.masters = Masters(bias=constant_bias(480))
    other = again.again()
    assert other.stacking.drained(60)
    assert {e.number for e in other.told(SubMeasured)} == {1, 2, 3, 4}
    other.close()


def test_a_sub_rejected_in_an_earlier_life_is_told_so(saved_night: Make) -> None:
    night = saved_night().feed(chosen(1, 8))
    night.stacking.reject(5)
    night.close()
    again = night.again()
    told = [(e.number, e.by_hand) for e in again.told(SubRejected)]
    assert told == [(5, True)]
    assert [e.number for e in again.told(SubStacked)] == [1, 2, 3, 4, 6, 7, 8]
    assert again.stacking.tally.stacked == 7
    again.stacking.restore(5)
    assert again.stacking.drained(60)
    assert again.stacking.tally.stacked == 8
    again.close()


def test_a_process_killed_again_and_again_ends_with_the_same_stack() -> None:
    program = Path(__file__).parents[2] / "bench" / "kill_resume.py"
    said = subprocess.run(
        [sys.executable, program, "--subs", "12", "--kills", "4", "--pace", "0.3", "--seed", "5"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(said.stdout)
    assert found["kills"] >= 2
    assert found["stacks"] == 2
    assert found["subs"] == 12
    assert found["journal"]
    assert found["counts"] == 0
    assert found["pixels"] <= 1e-5
    assert found["torn"] == []
