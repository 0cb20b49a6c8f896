import threading
from dataclasses import replace

import numpy as np
import pytest

from starwell.calibration.calibrate import Calibrator
from starwell.camera.plan import Mount, SkyPlan
from starwell.errors import StorageError
from starwell.files import fits
from starwell.files.frames import open_frame
from starwell.session.ahead import ahead
from starwell.session.build import Method
from starwell.session.intake import Prepared, Unfit

PLAN = SkyPlan(size=(200, 240), subs=9, mount=Mount((0.3, 0.1), dither_px=3.0))


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_items_come_in_their_order_whatever_they_cost(threads):
    gates = [threading.Event() for _ in range(8)]
    for gate in reversed(gates):
        gate.set()

    def work(item, room):
        gates[item].wait()
        return item * item

    assert list(ahead(work, range(8), (1, 1), count=threads)) == [n * n for n in range(8)]


@pytest.mark.parametrize("threads", [1, 3])
def test_a_room_is_not_touched_before_the_next_item_is_asked_for(threads):
    def work(item, room):
        room[...] = item
        return room

    for count, room in enumerate(ahead(work, range(40), (50, 60), count=threads)):
        for _ in range(20):
            assert (room == count).all()


def test_the_next_item_is_made_while_one_is_used():
    begun = [threading.Event() for _ in range(3)]

    def work(item, room):
        begun[item].set()

    made = ahead(work, range(3), (1, 1))
    next(made)
    assert begun[1].wait(10)
    assert not begun[2].is_set()
    made.close()


def test_a_fault_comes_at_its_own_turn():
    def work(item, room):
        if item == 2:
            raise ValueError("two")
        return item

    made = ahead(work, range(5), (1, 1), count=2)
    assert [next(made), next(made)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        next(made)


def test_pixels_are_read_into_the_end_of_a_room_and_calibrated_over_themselves(night, tmp_path):
    one = night(PLAN)
    shot = one.frame(3)
    fits.write(tmp_path / "sub.fits", shot.pixels, {"BAYERPAT": None})
    room = np.full(PLAN.size, np.nan, np.float32)
    frame = open_frame(tmp_path / "sub.fits", room)
    assert np.shares_memory(frame.pixels, room)
    assert np.array_equal(frame.pixels, shot.pixels)
    calibrator = Calibrator(one.masters, shot.facts)
    apart = calibrator.calibrate(shot)
    together = calibrator.calibrate(replace(frame, facts=shot.facts), room)
    assert together.pixels is room
    assert np.array_equal(together.pixels, apart.pixels)


def test_pixels_that_need_more_than_the_room_are_read_all_the_same(tmp_path):
    wide = np.random.default_rng(1).normal(300, 5, (40, 50))
    fits.write(tmp_path / "wide.fits", wide, {})
    assert np.array_equal(open_frame(tmp_path / "wide.fits", np.empty((40, 50), np.float32)).pixels, wide)


def test_subs_prepared_ahead_make_the_same_stack_bit_for_bit(night):
    fed, prepared = night(PLAN).live(9), night(PLAN)
    for sub in prepared.pipeline.intake.prepared(range(1, 10), prepared.frame):
        prepared.events += prepared.pipeline.feed(sub)
    prepared.finish()
    assert prepared.events == fed.events
    for name, sums in fed.pipeline.stack.sums.arrays().items():
        assert np.array_equal(prepared.pipeline.stack.sums.arrays()[name], sums), name


def test_an_exact_stack_does_not_depend_on_threads(night):
    runs = [night(PLAN, method=Method(threads=n)) for n in (1, 4)]
    one, four = (run.exact(range(1, 10)).stack.mean() for run in runs)
    assert np.array_equal(one, four)
    assert runs[0].events == runs[1].events


def test_each_sub_that_cannot_be_prepared_comes_as_its_reason(night):
    one = night(PLAN)

    def read(number, room=None):
        if number == 2:
            raise StorageError("gone")
        frame = one.frame(number)
        return replace(frame, pixels=np.full_like(frame.pixels, 7)) if number == 3 else frame

    kinds = [type(sub) for sub in one.pipeline.intake.prepared(range(1, 5), read)]
    assert kinds == [Prepared, StorageError, Unfit, Prepared]
