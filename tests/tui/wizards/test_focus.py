"""Focus by keys alone, against a scripted night."""

from __future__ import annotations

import msgspec
import pytest

from starwell.remote.messages import Focus, Reply
from starwell.session import events as ev

SIZES = {"120x40": (120, 40), "80x24": (80, 24)}


def focused(number, hfr):
    return ev.FocusMeasured(
        number=number,
        seconds=2.0,
        stars=87,
        hfr_px=hfr,
        fwhm_px=1.7 * hfr,
        best_hfr_px=2.31,
        low_px=2.31,
        high_px=2.52,
        corners=(2.9, 2.5, 2.8, 2.4, 2.3, 2.5, 3.0, 2.6, None),
        peak_adu=31000.0,
        saturated=False,
        celsius=-10.0,
    )


@pytest.fixture
def focusing(told, idle, tell_night, script):
    """Focus, after thirty frames through the best."""

    async def focus(pilot, app):
        await told(pilot, app, idle(*tell_night(7)))
        await pilot.press("F")
        await pilot.pause()
        star = next(e for e in tell_night(1) if isinstance(e, ev.PreviewReady))
        pictures = [msgspec.structs.replace(star, of=of) for of in ("focus", "corners")]
        await told(pilot, app, *(focused(n, 2.31 + 0.4 * abs(n - 20)) for n in range(1, 31)), *pictures)

    return focus


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
async def test_focus_is(size, engine_app, focusing, matches_snapshot):
    async with engine_app.run_test(size=size) as pilot:
        await focusing(pilot, engine_app)
        matches_snapshot(engine_app)


@pytest.mark.parametrize("key", ["escape", "F"])
async def test_focus_ends_where_it_began(key, engine_app, script, focusing):
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await focusing(pilot, engine_app)
        assert script.asked == [Focus(on=True)]
        await pilot.press(key)
        await pilot.pause()
        await pilot.pause()
        assert script.asked == [Focus(on=True), Focus(on=False)]
        assert engine_app.screen is engine_app.panes


async def test_the_focus_exposure_is_doubled_halved_or_typed(engine_app, script, focusing, arrived, seen):
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await focusing(pilot, engine_app)
        await pilot.press("plus")
        await arrived(pilot, lambda: len(script.asked) == 2)
        await pilot.press("minus")
        await arrived(pilot, lambda: len(script.asked) == 3)
        await pilot.press("e", *"0.5", "enter")
        await arrived(pilot, lambda: len(script.asked) == 4)
        assert [command.seconds for command in script.asked] == [None, 4.0, 2.0, 0.5]
        await pilot.press("e", *"900", "enter")
        await pilot.pause()
        assert len(script.asked) == 4
        assert seen(engine_app, "0.1 to 60 s, not '900'")


async def test_focus_is_red_all_over_when_the_screen_is(engine_app, focusing, colours):
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await focusing(pilot, engine_app)
        await pilot.press("r")
        await pilot.pause()
        assert {colour[1:] for colour in colours(engine_app)} == {(0, 0)}


async def test_focus_without_a_camera_says_how_to_open_one(engine_app, script, told, idle, seen):
    script.reply = Reply(False, "No camera is open.")
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, idle())
        await pilot.press("F")
        await pilot.pause()
        await pilot.pause()
        assert seen(engine_app, "No camera is open. On this screen")
        await pilot.press("escape")
        await pilot.pause()
        assert engine_app.screen is engine_app.panes
    assert script.asked == [Focus(on=True)]
