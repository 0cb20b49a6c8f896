"""Stacks that processes fill together."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import numpy as np
import pytest

from starwell.errors import TooLittleMemory
from starwell.frame import Bayer
from starwell.stack import running
from starwell.stack.exact import second_pass
from starwell.stack.running import RunningStack

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]
SUBS = 12


@pytest.fixture
def worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes even for small frames."""
    monkeypatch.setattr(running, "WORTH_IT_PX", 1)
    monkeypatch.setattr(running, "may_fork", lambda: True)


def same(one: RunningStack, other: RunningStack) -> bool:
    theirs = other.sums.arrays()
    return all(np.array_equal(mine, theirs[name]) for name, mine in one.sums.arrays().items())


@pytest.mark.parametrize("bayer", [None, Bayer.RGGB])
def test_processes_make_the_same_stack_bit_for_bit(
    worth_it: None, make_field: Any, stack_up: Any, dithers: Any, trail_e: Any, bayer: Bayer | None
) -> None:
    stars = np.array([[40.0, 50.0, 3e4], [90.0, 30.0, 8e3], [60.0, 120.0, 2e4]])
    field, moves = make_field(size=(192, 176), stars=stars, bayer=bayer), dithers(SUBS)
    trail = trail_e(field.size, 60.0, (0, 20), (175, 150), 3.0)

    def sub(i: int) -> Any:
        return field.sub(i, moves[i], added=trail if i in (9, 10) else None)

    made = []
    for threads in (1, 2, 3):
        stack, live = stack_up(field, moves, sub, threads=threads, processes=True, band_rows=16)
        assert len(stack.partners.pids if stack.partners else ()) == threads - 1
        stack.remove(sub(8), live[8].entry)
        again = stack.add(sub(8), live[8].entry)
        exact = list(second_pass(stack, [a.entry for a in live], sub))
        stack.close()
        made.append((stack, live, again, exact))
    alone = made[0]
    assert alone[1][9].trails
    for stack, *told in made[1:]:
        assert same(stack, alone[0])
        assert told == list(alone[1:])


def test_a_process_that_was_ended_is_told_as_what_it_most_likely_was(
    worth_it: None, make_field: Any, stack_up: Any, dithers: Any
) -> None:
    field, moves = make_field(size=(128, 128)), dithers(9)
    stack, _ = stack_up(
        field, moves, lambda i: field.sub(i, moves[i]), threads=2, processes=True, band_rows=16
    )
    os.kill(stack.partners.pids[0], signal.SIGKILL)
    with pytest.raises(TooLittleMemory, match="--threads 1"):
        stack.add(field.sub(9), field.entry(9))
    stack.close()
