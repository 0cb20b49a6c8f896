"""The stacking thread: the same stack however the subs come, and nothing that goes wrong ends it."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from starwell.camera.sky import Cloud, Mount, Scene, Sky, SkyPlan, Trail, Weather
from starwell.errors import MasterMismatch, PlanError
from starwell.files.frames import open_frame
from starwell.frame import Facts, Frame, Kind
from starwell.session.events import (
    PreviewReady,
    QualityAdvice,
    StackSaved,
    StackStarted,
    SubRejected,
    SubStacked,
)
from starwell.session.intake import Intake
from starwell.session.journal import RejectedByHand, SeriesEnded
from starwell.session.resume import Tally
from starwell.session.saved_frames import saved_record
from starwell.stack.running import RunningStack

Make = Callable[..., Any]
PLAN = SkyPlan(
    size=(160, 208),
    subs=16,
    seconds=20.0,
    scene=Scene(stars=60, faintest_e=3000.0, brightest_e=80_000.0),
    mount=Mount(drift_px=(0.2, 0.1), dither_px=6.0),
    trails=(Trail(0, peak_sigma=15.0), Trail(9, peak_sigma=10.0, angle_deg=-50.0)),
)
SKY, OTHER = Sky(PLAN), Sky(replace(PLAN, seed=99))
LIGHTS = {n: SKY.light(n - 1) for n in range(1, 13)}
ELSEWHERE = {n: OTHER.light(n - 1) for n in range(1, 8)}
LABEL = "Simulated_nebula_20s"


def assert_same(one: dict[str, Any], other: dict[str, Any], *, exactly: bool = True) -> None:
    """Bit for bit; but for the sums of the noise model where subs were taken out and put back."""
    assert one.keys() == other.keys()
    for label, arrays in one.items():
        assert arrays.keys() == other[label].keys()
        for name, array in arrays.items():
            if exactly or name != "model":
                np.testing.assert_array_equal(array, other[label][name], err_msg=f"{label} {name}")
            else:
                np.testing.assert_allclose(array, other[label][name], rtol=1e-9, atol=1e-9)


def reasons(night: Any) -> dict[int, str]:
    return {event.number: event.reason for event in night.told(SubRejected)}


def retold(frame: Frame, **facts: Any) -> Frame:
    return Frame(replace(frame.facts, **facts), frame.pixels)


def test_live_replayed_and_watched_the_night_gives_the_same_stack(saved_night: Make) -> None:
    live, replayed = saved_night(), saved_night()
    live.feed(LIGHTS)
    replayed.feed(LIGHTS, in_memory=False)
    watched = saved_night()
    for number, path in live.night.frames(Kind.LIGHT).items():
        frame = retold(open_frame(path), number=number)
        watched.journal.append(saved_record(watched.night, frame.facts))
        watched.stacking.put(number, frame if number % 2 else None)
    assert live.stacked() == {LABEL: list(LIGHTS)}
    assert_same(live.sums(), replayed.sums())
    assert_same(live.sums(), watched.sums())
    assert not (watched.night.folder / "lights").exists()
    assert live.told(SubStacked) == replayed.told(SubStacked) == watched.told(SubStacked)


def test_a_name_that_a_header_cannot_spell_is_one_target_in_memory_and_on_disk(saved_night: Make) -> None:
    night = saved_night()
    named = {n: retold(frame, target="Großer Nebel µ°") for n, frame in LIGHTS.items() if n < 4}
    night.feed({1: named[1]}, in_memory=False)
    night.feed({n: named[n] for n in (2, 3)})
    assert list(night.stacked().values()) == [[1, 2, 3]]


def test_an_interleaved_night_gives_four_right_stacks(saved_night: Make) -> None:
    night, alone = saved_night(), {f: saved_night() for f in "LRGB"}
    filters = {n: "LRGB"[(n - 1) % 4] for n in LIGHTS}
    shot = {
        n: Frame(
            replace(frame.facts, exposure=replace(frame.facts.exposure, filter=filters[n])), frame.pixels
        )
        for n, frame in LIGHTS.items()
    }
    night.feed(shot)
    assert night.stacked() == {
        f"Simulated_nebula_{f}_20s": [i, i + 4, i + 8] for i, f in enumerate("LRGB", 1)
    }
    for name, one in alone.items():
        one.feed({n: frame for n, frame in shot.items() if filters[n] == name})
        label = f"Simulated_nebula_{name}_20s"
        assert_same(one.sums(), {label: night.sums()[label]})
    night.stacking.close(finish=True)
    saved = sorted(path.name for path in (night.night.folder / "stacks").iterdir())
    assert saved == sorted(
        f"Simulated_nebula_{f}_20s{end}" for f in "LRGB" for end in (".fits", ".maps.fits")
    )


def test_another_target_in_the_header_begins_a_stack_at_once(saved_night: Make) -> None:
    night = saved_night().feed({n: LIGHTS[n] for n in (1, 2)})
    night.feed({3: retold(ELSEWHERE[1], target="M 33")}).feed({4: LIGHTS[4]})
    assert night.stacked() == {LABEL: [1, 2, 4], "M_33_20s": [3]}


def test_another_field_that_nothing_tells_of_begins_a_stack_after_three_subs(saved_night: Make) -> None:
    night = saved_night().feed({n: LIGHTS[n] for n in range(1, 9)})
    night.feed({8 + n: ELSEWHERE[n] for n in (1, 2)})
    assert night.stacked() == {LABEL: list(range(1, 9))}
    night.feed({11: ELSEWHERE[3], 12: ELSEWHERE[4]})
    assert night.stacked() == {LABEL: list(range(1, 9)), f"{LABEL}-2": [9, 10, 11, 12]}
    assert any("begin" in advice.advice for advice in night.told(QualityAdvice))
    alone = saved_night().feed({8 + n: ELSEWHERE[n] for n in (1, 2, 3, 4)})
    assert_same({LABEL: night.sums()[f"{LABEL}-2"]}, alone.sums())


def test_five_clouded_subs_begin_no_stack(saved_night: Make) -> None:
    clouded = Sky(replace(PLAN, weather=Weather(clouds=(Cloud(range(20), 0.02, 4.0),))))
    night = saved_night().feed({n: LIGHTS[n] for n in range(1, 9)})
    night.feed({n: clouded.light(n) for n in range(9, 14)}).feed({14: SKY.light(13)})
    assert night.stacked() == {LABEL: [*range(1, 9), 14]}
    assert list(reasons(night)) == [9, 10, 11, 12, 13]


def test_merge_undoes_a_split_for_good(saved_night: Make) -> None:
    night = saved_night().feed({n: LIGHTS[n] for n in range(1, 9)})
    night.feed({8 + n: ELSEWHERE[n] for n in (1, 2, 3)})
    night.stacking.merge()
    night.feed({11 + n: ELSEWHERE[3 + n] for n in (1, 2, 3)}).feed({15: LIGHTS[9]})
    assert night.stacked() == {LABEL: [*range(1, 9), 15]}
    assert night.stacking.tally.rejected == 6
    again = night.again()
    assert_same(night.sums(), again.sums())
    assert again.stacked() == night.stacked()
    again.close()


def test_merging_what_was_never_split_is_refused(saved_night: Make) -> None:
    night = saved_night().feed({1: LIGHTS[1]})
    night.stacking.merge()
    assert night.stacking.drained(60)
    assert [a.advice for a in night.told(QualityAdvice)] == [
        "No stack was begun by itself: there is nothing to merge."
    ]
    assert len(night.journal.records) == 1


def test_reject_then_restore_returns_the_stack_bit_for_bit(saved_night: Make) -> None:
    night = saved_night().feed(LIGHTS)
    before = night.sums()
    for number in (1, 10, 7):
        night.stacking.reject(number)
    without = night.sums()
    assert night.stacking.tally.stacked == 9
    assert not np.array_equal(without[LABEL]["sum"], before[LABEL]["sum"])
    for number in (10, 7, 1):
        night.stacking.restore(number)
    assert_same(night.sums(), before, exactly=False)
    assert [record.after for record in night.journal.records if isinstance(record, RejectedByHand)] == [
        12
    ] * 3


def test_what_cannot_be_done_by_hand_is_answered_and_not_written_down(saved_night: Make) -> None:
    night = saved_night().feed({1: LIGHTS[1]})
    night.stacking.reject(9)
    night.stacking.restore(1)
    assert night.stacking.drained(60)
    said = [advice.advice for advice in night.told(QualityAdvice)]
    assert [words.split(" ")[:5] for words in said] == [
        ["There", "is", "no", "sub", "9"],
        ["Sub", "1", "was", "not", "rejected"],
    ]
    assert len(night.journal.records) == 1


def test_two_hundred_subs_in_a_hurry_are_all_stacked_in_bounded_memory(saved_night: Make) -> None:
    small = Sky(replace(PLAN, size=(96, 128), scene=replace(PLAN.scene, stars=40), trails=()))
    shot = [small.light(i) for i in range(8)]
    night = saved_night(memory_frames=3)
    frames = {n: night.take(n, shot[n % 8]) for n in range(1, 201)}
    held = []
    for number, frame in frames.items():
        night.stacking.put(number, frame)
        held.append(night.stacking.held)
    assert night.stacking.backlog > 100
    assert max(held) == 3
    assert night.stacking.drained(120)
    assert night.stacking.held == night.stacking.backlog == 0
    assert sum(len(numbers) for numbers in night.stacked().values()) == 200
    assert night.stacking.tally.livetime_s == 4000.0


def test_numbers_have_to_rise(saved_night: Make) -> None:
    night = saved_night().feed({3: LIGHTS[3]})
    with pytest.raises(PlanError, match="Sub 3 comes after sub 3: numbers have to rise"):
        night.stacking.put(3)


@pytest.mark.parametrize("fault", ["gone", "damaged"])
def test_a_sub_that_cannot_be_read_is_left_out_with_its_reason(fault: str, saved_night: Make) -> None:
    night = saved_night(memory_frames=0)
    taken = {n: night.take(n, frame) for n, frame in LIGHTS.items()}
    bad = taken[5].facts.source
    bad.unlink() if fault == "gone" else bad.write_bytes(bad.read_bytes()[:5000])
    for number in taken:
        night.stacking.put(number)
    assert night.stacking.drained(60)
    assert reasons(night) == {5: "unreadable"}
    assert str(bad) in night.told(SubRejected)[0].detail
    assert night.stacking.tally == Tally(stacked=11, unreadable=1, livetime_s=220.0)


def test_subs_that_vanish_before_the_stack_is_begun_anew_are_left_out_of_it(saved_night: Make) -> None:
    night = saved_night().feed({n: LIGHTS[n] for n in range(1, 7)})
    for number in (2, 4):
        night.night.frames(Kind.LIGHT)[number].unlink()
    night.feed({n: LIGHTS[n] for n in range(7, 12)})
    assert reasons(night) == {2: "unreadable", 4: "unreadable"}
    assert night.stacked() == {LABEL: [1, 3, 5, 6, 7, 8, 9, 10, 11]}
    assert night.sums()[LABEL]["count"].max() == 9


def test_a_sub_whose_file_is_gone_stays_as_it_is_when_it_is_rejected_by_hand(saved_night: Make) -> None:
    night = saved_night().feed(LIGHTS)
    before = night.sums()
    night.night.frames(Kind.LIGHT)[9].unlink()
    night.stacking.reject(9)
    assert_same(night.sums(), before)
    assert "There is no file" in night.told(QualityAdvice)[0].advice


def test_masters_that_do_not_fit_keep_subs_out_and_the_thread_alive(saved_night: Make) -> None:
    night = saved_night()
    stacks = night.stacks
    make = stacks._make

    def picky(facts: Facts) -> Any:
        if facts.exposure.filter == "Ha":
            raise MasterMismatch("The flat was taken through another filter.")
        return make(facts)

    stacks._make = picky
    through = replace(LIGHTS[2].facts.exposure, filter="Ha")
    night.feed({1: LIGHTS[1], 2: retold(LIGHTS[2], exposure=through), 3: LIGHTS[3]})
    assert reasons(night) == {2: "masters do not fit"}
    assert night.stacking.tally.stacked == 2


def test_a_fault_in_one_sub_leaves_no_trace_in_the_stack(
    saved_night: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    night, without = saved_night(), saved_night()
    without.feed({n: frame for n, frame in LIGHTS.items() if n != 9})
    add = RunningStack.add

    def torn(self: RunningStack, calibrated: Any, entry: Any) -> Any:
        added = add(self, calibrated, entry)
        if entry.number == 9:
            raise RuntimeError("nobody thought of this")
        return added

    monkeypatch.setattr(RunningStack, "add", torn)
    night.feed(LIGHTS)
    assert reasons(night) == {9: "fault"}
    assert "RuntimeError: nobody thought of this" in night.told(SubRejected)[0].detail
    assert_same(night.sums(), without.sums())


def test_a_fault_while_measuring_costs_that_sub_only(
    saved_night: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = Intake.prepare

    def torn(self: Intake, frame: Frame, *room: Any) -> Any:
        if frame.facts.number == 4:
            raise ValueError("no such luck")
        return prepare(self, frame, *room)

    monkeypatch.setattr(Intake, "prepare", torn)
    night = saved_night().feed({n: LIGHTS[n] for n in range(1, 7)})
    assert reasons(night) == {4: "fault"}
    assert night.stacked() == {LABEL: [1, 2, 3, 5, 6]}


def test_a_full_disk_is_told_and_stacking_goes_on(saved_night: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    night = saved_night(memory_frames=0)
    taken = {n: night.take(n, frame) for n, frame in LIGHTS.items()}
    for number in range(1, 9):
        night.stacking.put(number)
    night.stacking.save()
    night.stacking.checkpoint()
    assert night.stacking.drained(60)
    kept = {path: path.read_bytes() for path in night.night.folder.rglob("*.*") if path.is_file()}

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    night.stacking.save()
    night.stacking.checkpoint()
    for number in range(9, len(taken) + 1):
        night.stacking.put(number)
    assert night.stacking.drained(60)
    serious = [advice for advice in night.told(QualityAdvice) if advice.serious]
    assert [advice.subject for advice in serious] == ["disk", "disk"]
    assert all("no room left" in advice.advice for advice in serious)
    assert night.stacked() == {LABEL: list(LIGHTS)}
    monkeypatch.undo()
    assert {path: path.read_bytes() for path in kept} == kept
    assert [path.name for path in night.night.folder.rglob(".*")] == []


def test_the_end_of_a_series_saves_stack_maps_and_picture(saved_night: Make) -> None:
    night = saved_night().feed({n: LIGHTS[n] for n in (1, 2, 3)})
    night.stacking.finish()
    assert night.stacking.drained(60)
    assert [(s.file, s.stacked, s.livetime_s, s.stack) for s in night.told(StackSaved)] == [
        (f"stacks/{LABEL}.fits", 3, 60.0, LABEL)
    ]
    assert night.told(StackStarted)[-1].why == "the series is over"
    assert night.night.latest_picture.exists()
    assert isinstance(night.journal.records[-1], SeriesEnded)
    night.stacking.close(finish=True)
    assert sum(isinstance(record, SeriesEnded) for record in night.journal.records) == 1


def test_pictures_come_at_their_own_pace_and_the_last_one_always(saved_night: Make) -> None:
    night = saved_night(preview_every_s=0.05, preview_px=(40, 52))
    seen = threading.Event()
    seen.wait(0.1)  # the picture of the empty night is past, and the first sub's due
    night.feed({n: LIGHTS[n] for n in range(1, 7)})
    for _ in range(100):
        if any(p.of == "stack" and p.number == 6 for p in night.told(PreviewReady)):
            break
        seen.wait(0.05)
    else:
        pytest.fail("the last picture never came")
    assert {(p.of, p.rows, p.columns, p.channels) for p in night.told(PreviewReady)} == {
        ("sub", 40, 52, 1),
        ("stack", 40, 52, 1),
    }
    with pytest.raises(PlanError, match="no stretch called 'loud'"):
        night.stacking.showing.stretch("loud")
    many = len(night.told(PreviewReady))
    night.stacking.showing.stretch("linear")
    assert night.stacking.drained(10)
    assert len(night.told(PreviewReady)) > many


def test_a_night_closed_in_a_hurry_leaves_the_waiting_subs_for_the_next_start(saved_night: Make) -> None:
    night, whole = saved_night(memory_frames=0), saved_night().feed(LIGHTS)
    for number, frame in LIGHTS.items():
        night.take(number, frame)
        night.stacking.put(number)
    night.stacking.close(finish=False)
    assert night.stacking.backlog > 0
    again = night.again()
    assert_same(again.sums(), whole.sums())
    again.close()


def test_a_journal_that_cannot_take_a_command_says_so(
    saved_night: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = saved_night().feed({n: LIGHTS[n] for n in (1, 2)})

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = Path(night.journal.path).read_bytes()
    monkeypatch.setattr(os, "fdatasync", full)
    night.stacking.reject(1)
    assert night.stacking.drained(60)
    monkeypatch.undo()
    assert reasons(night) == {1: "rejected by hand"}
    assert "journal.jsonl" in night.told(QualityAdvice)[0].advice
    assert Path(night.journal.path).read_bytes() == before
