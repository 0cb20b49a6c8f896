"""The trial of speed ends in time, and says of other sizes what the line through the measured ones says."""

from __future__ import annotations

import numpy as np
import pytest

from starwell.frame import Bayer
from starwell.session import benchmark
from starwell.session.benchmark import Case, Line, cases, measured
from starwell.session.trial_frames import TrialFrames


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "SIZES", ((400, 480), (400, 640)))


def test_a_line_goes_through_both_cases() -> None:
    line = Line.through([Case((1000, 2000), False, 0.2, 5), Case((3000, 3000), False, 0.9, 5)])
    assert line is not None
    assert line.seconds(2) == pytest.approx(0.2)
    assert line.seconds(9) == pytest.approx(0.9)
    assert line.seconds(16) == pytest.approx(1.6)


def test_one_case_alone_goes_by_size_and_none_says_nothing() -> None:
    line = Line.through([Case((1000, 2000), False, 0.2, 5)])
    assert line is not None
    assert line.seconds(16) == pytest.approx(1.6)
    assert Line.through([]) is None


def test_a_disturbed_measurement_never_makes_large_subs_faster_than_small_ones() -> None:
    line = Line.through([Case((1000, 2000), False, 3.0, 5), Case((3000, 3000), False, 0.9, 5)])
    assert line is not None
    assert line.seconds(60) == pytest.approx(6.0)


def test_trial_frames_drift_and_stay_the_same(small: None) -> None:
    frames, again = TrialFrames((400, 480)), TrialFrames((400, 480))
    np.testing.assert_array_equal(frames.light(3).pixels, again.light(3).pixels)
    assert not np.array_equal(frames.light(3).pixels, frames.light(4).pixels)
    assert frames.light(13).pixels.dtype == np.uint16


def test_subs_of_both_kinds_are_measured(small: None) -> None:
    found = list(cases(600))
    assert [(case.size, case.colour) for case in found] == [
        ((400, 480), False),
        ((400, 480), True),
        ((400, 640), False),
        ((400, 640), True),
    ]
    assert all(case.seconds > 0 and case.subs == 6 for case in found)


def test_it_ends_when_its_time_is_over(small: None) -> None:
    now = iter(range(10_000))
    found = list(cases(60, clock=lambda: float(next(now))))
    assert len(found) < 4
    assert next(now) < 100
    assert measured(TrialFrames((400, 480), Bayer.RGGB), -1.0, lambda: 0.0) is None


def test_it_does_not_begin_what_does_not_fit_into_memory(small: None) -> None:
    assert list(cases(600, available=50_000_000)) == []
