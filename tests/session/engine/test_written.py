"""What a night writes and needs: cards live on little writing, small computers on little memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from starwell.files.frames import open_frame
from starwell.frame import Facts, Kind, Planes
from starwell.sensor.model import SensorModel
from starwell.session import turns
from starwell.session.checkpoint import wear_s
from starwell.session.events import QualityAdvice, SubStacked
from starwell.session.night_files import Night
from starwell.session.turns import Chore
from starwell.stack.running import RunningStack

Lights = Callable[..., Any]
_IO = Path("/proc/self/io")


def written_bytes() -> int:
    """By all threads of this process so far, wherever to."""
    return int(next(line.split()[1] for line in _IO.read_text().splitlines() if line.startswith("wchar")))


@pytest.mark.skipif(not _IO.exists(), reason="this kernel does not count what a process writes")
def test_nothing_is_written_for_a_sub_but_the_sub_and_a_line_of_the_journal(
    house: Any, plan_of_lights: Lights, camera_of: Any
) -> None:
    heard = house.start(plan_of_lights(30), camera_of(speed=200.0))

    def stacked(number: int) -> int:
        heard.until(lambda event: isinstance(event, SubStacked) and event.number == number)
        return written_bytes()

    # The stack is begun anew with sub 7; one picture is written at the beginning, the next after 20 s.
    before, after = stacked(12), stacked(24)
    names = [path for _, path in sorted(Night(house.night).frames(Kind.LIGHT).items())]
    size = names[0].stat().st_size
    assert open_frame(names[0]).pixels.nbytes < size
    subs = 12
    per_sub = (after - before) / subs
    # The camera is a sub ahead or behind at either end.
    assert size * (1 - 2 / subs) < per_sub < (size + 2000) * (1 + 2 / subs)
    heard.end()
    journal = (house.night / "journal.jsonl").stat().st_size
    assert journal / 30 < 1000


def test_large_stacks_are_written_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(turns.time, "monotonic", lambda: now)
    done: list[float] = []
    chore = Chore(600.0, lambda: done.append(now), rests_s=lambda: 2900.0)
    assert chore.left_s == 600.0
    now = 600.0
    chore.run()
    assert chore.left_s == 2900.0
    assert done == [600.0]


def test_a_disk_rests_a_second_for_every_megabyte_of_the_stacks() -> None:
    running = RunningStack((1000, 1200), Planes.of(Facts((1000, 1200))), SensorModel(1.0, 1.0), threads=1)
    stacks: Any = SimpleNamespace(
        all=[SimpleNamespace(pipeline=SimpleNamespace(stack=one)) for one in (running, None, running)]
    )
    # 15 bytes a pixel, and the half-stacks' tiles
    assert 2 * 18 < wear_s(stacks) < 2 * 24


def test_too_little_memory_for_a_stack_costs_no_frame(
    house: Any, plan_of_lights: Lights, camera_of: Any
) -> None:
    heard = house.run(plan_of_lights(3), camera_of(), available_bytes=lambda: 50_000_000)
    said = [event for event in heard.of(QualityAdvice) if event.subject == "memory"]
    assert [event.serious for event in said] == [True]
    assert "A live stack of 256×200 px takes 0.1 GB of memory, and 0.1 GB can be had" in said[0].advice
    assert "--no-stack takes 0.1 GB" in said[0].advice
    assert said[0].advice.endswith("Frames are taken and saved; nothing is stacked tonight.")
    assert sorted(Night(house.night).frames(Kind.LIGHT)) == [1, 2, 3]
    assert not heard.of(SubStacked)


def test_a_night_that_was_too_large_is_stacked_when_it_is_resumed_with_more_memory(
    house: Any, plan_of_lights: Lights, camera_of: Any
) -> None:
    house.run(plan_of_lights(3), camera_of(), available_bytes=lambda: 50_000_000)
    heard = house.run(plan_of_lights(4), camera_of(), resume=True, available_bytes=lambda: 8 * 10**9)
    assert {event.number for event in heard.of(SubStacked)} >= {1, 2, 3, 4}
    assert [event.serious for event in heard.of(QualityAdvice) if event.subject == "memory"] == [False]
