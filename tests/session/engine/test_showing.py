"""Pictures and figures asked for through the socket of an engine at work."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from starwell.kinds import Kind
from starwell.session.events import (
    BoxMeasured,
    FrameTaken,
    HistogramReady,
    PreviewReady,
    State,
    SubStacked,
)
from starwell.session.face import (
    Box,
    Look,
    Note,
    Reject,
    Restack,
    Restore,
    Save,
    Set,
    Stretch,
    UseMasters,
)
from starwell.session.journal import MastersChosen
from starwell.session.plan import Series

Lights = Callable[..., Any]


def picture(of: str, crop: Any = None) -> Callable[[Any], bool]:
    return lambda e: isinstance(e, PreviewReady) and e.of == of and e.crop == crop


def test_what_is_asked_for_is_shown(house: Any, plan_of_lights: Lights) -> None:
    heard = house.start(plan_of_lights(4), stay=True)
    ask = house.wire(heard)
    heard.state(State.IDLE)
    for of in ("sub", "calibrated", "masked", "coverage"):
        assert ask(Look(of)).message == f"The {of} is shown."
        heard.until(picture(of))
    assert ask(Look("stack", crop=(20, 30, 100, 80))).ok
    part = heard.until(picture("stack", (20, 30, 100, 80)))
    assert isinstance(part, PreviewReady)
    assert (part.rows, part.columns, part.full_rows, part.full_columns) == (80, 100, 200, 256)
    assert ask(Stretch("log", black=1.0, white=0.2)).ok
    brighter = heard.until(picture("stack", (20, 30, 100, 80)))
    assert isinstance(brighter, PreviewReady)
    assert brighter.pixels != part.pixels
    assert ask(Box(40, 40, 30, 20)).ok
    box = heard.until(lambda e: isinstance(e, BoxMeasured))
    assert isinstance(box, BoxMeasured)
    assert (box.stacked, box.snr is not None) == (4, True)
    assert {h.of for h in heard.of(HistogramReady)} == {"sub", "calibrated", "stack"}
    refused = [(Look("moon"), "choose one of"), (Look("reference"), "no earlier stack")]
    for wrong, said in (*refused, (Stretch("x"), "auto, asinh")):
        reply = ask(wrong)
        assert not reply.ok
        assert said in reply.message
    heard.quit()


def test_last_night_is_found_in_the_folder_of_nights(house: Any, plan_of_lights: Lights) -> None:
    house.run(plan_of_lights(3), folder=house.folder / "data" / "2026-11-18" / "M51")
    heard = house.start(plan_of_lights(2), stay=True)
    ask = house.wire(heard)
    heard.state(State.IDLE)
    assert ask(Look("reference")).ok
    assert heard.until(picture("reference"))
    heard.quit()


def test_commands_are_answered_at_once_while_a_stack_runs(
    house: Any, plan_of_lights: Lights, camera_of: Any
) -> None:
    heard = house.start(plan_of_lights(60), camera_of(speed=400.0, size=(600, 800)))
    ask = house.wire(heard)
    heard.until(lambda e: isinstance(e, SubStacked) and e.number == 2)
    spent = []
    commands = [Look("masked"), Stretch("asinh"), Box(9, 9, 20, 20), Note("hm"), Set("gain", 100.0)]
    commands += [Reject(1), Restore(1), Save(), Look("stack", (9, 9, 300, 200)), Set("frames", 50.0)]
    for command in commands * 2:
        began = time.perf_counter()
        assert ask(command).ok
        spent.append(time.perf_counter() - began)
    heard.quit()
    # The median: other programs on the machine are not the engine's time.
    assert sorted(spent)[len(spent) // 2] < 0.02, spent


@pytest.mark.parametrize("command", [Look("stack"), Box(1, 1, 5, 5), Stretch("auto"), Note("x")])
def test_without_a_night_there_is_nothing_to_show(house: Any, command: Any) -> None:
    heard = house.start(None, stay=True)
    reply = house.wire(heard)(command)
    assert not reply.ok
    assert reply.message.endswith(".")
    heard.quit()


def test_other_masters_restack_the_night_while_frames_go_on(
    house: Any, plan_of_lights: Lights, camera_of: Any
) -> None:
    house.run(
        plan_of_lights(0, series=(Series(kind=Kind.DARK, exposure_s=20.0, count=5),)),
        folder=house.folder / "darks",
    )
    heard = house.start(plan_of_lights(14), camera_of(speed=60.0), stay=True)
    ask = house.wire(heard)
    heard.until(lambda e: isinstance(e, SubStacked) and e.number == 6)
    assert heard.engine.status().masters == "bias"
    darks = str(house.folder / "darks" / "darks")
    assert "no dark /nowhere" in ask(UseMasters(dark="/nowhere")).message
    reply = ask(UseMasters(dark=darks, bias="none", restack=True))
    assert reply.message == "All subs so far, too, are calibrated with the masters chosen."
    again = len(heard.of(SubStacked))
    heard.until(lambda e: isinstance(e, SubStacked) and e.number == 1)
    assert heard.engine.status().masters == "dark"
    heard.until(lambda e: isinstance(e, FrameTaken))
    assert ask(Restack()).ok
    heard.until(lambda e: isinstance(e, SubStacked) and e.number == 1)
    heard.finished()
    numbers = [e.number for e in heard.of(SubStacked)[again:]]
    assert numbers.count(1) >= 2
    assert heard.engine.status().stacked == 14
    heard.quit()
    chosen = [r for r in house.records if isinstance(r, MastersChosen)]
    assert [(r.masters, r.restack) for r in chosen] == [({"dark": darks}, True)]
