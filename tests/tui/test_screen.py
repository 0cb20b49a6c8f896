"""The screen as a whole, at the sizes it is made for, from scripted events."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from starwell.errors import CameraGone
from starwell.session import events as ev
from starwell.terminal.cells import SINGLE_WIDTH
from starwell.terminal.colours import ColourDepth
from starwell_tui.app import StarwellApp
from starwell_tui.messages import Happened

SIZES = {"200x60": (200, 60), "120x40": (120, 40), "80x24": (80, 24), "39x9": (39, 9)}
BOXES = "╭╮╰╯─│▏▎▍▌▋▊▉▕"
ALLOWED = SINGLE_WIDTH | set(BOXES) | set("●◌✓✗▸×…σ√°²") | {chr(code) for code in range(0x20, 0x7F)}
BRAILLE = {chr(0x2800 + bits) for bits in range(256)}


@pytest.fixture(params=SIZES)
def size(request: pytest.FixtureRequest) -> tuple[int, int]:
    return SIZES[request.param]


async def test_before_the_first_sub(app, size, matches_snapshot, told):
    async with app.run_test(size=size) as pilot:
        await told(pilot, app)
        matches_snapshot(app)


async def test_in_the_middle_with_a_rejected_and_a_masked_sub(app, size, matches_snapshot, tell_night, told):
    async with app.run_test(size=size) as pilot:
        await told(pilot, app, *tell_night(7))
        matches_snapshot(app)


async def test_finished(app, size, matches_snapshot, tell_finished, told):
    async with app.run_test(size=size) as pilot:
        await told(pilot, app, *tell_finished())
        matches_snapshot(app)


async def test_night_red(app, size, matches_snapshot, tell_night, colours, told):
    async with app.run_test(size=size) as pilot:
        await told(pilot, app, *tell_night(7))
        await pilot.press("r")
        await pilot.pause()
        assert all(green == blue == 0 for _, green, blue in colours(app))
        bright = max(red for red, _, _ in colours(app))
        matches_snapshot(app)
        await pilot.press("r")
        await pilot.pause()
        assert max(red for red, _, _ in colours(app)) < bright
        await pilot.press("r")
        await pilot.pause()
        assert any(blue for _, _, blue in colours(app))


async def test_the_help(app, matches_snapshot, tell_night, told):
    async with app.run_test(size=(80, 24)) as pilot:
        await told(pilot, app, *tell_night(3))
        await pilot.press("question_mark")
        await pilot.pause()
        matches_snapshot(app)


async def test_a_pane_that_fills_the_screen(app, matches_snapshot, tell_finished, told):
    async with app.run_test(size=(80, 24)) as pilot:
        await told(pilot, app, *tell_finished())
        await pilot.press("4", "4")
        await pilot.pause()
        matches_snapshot(app)


async def test_every_line_is_as_wide_as_the_screen_and_of_allowed_characters(app, lines, tell_finished, told):
    async with app.run_test(size=(120, 40)) as pilot:
        await told(pilot, app, *tell_finished())
        for columns, rows in itertools.product((1, 39, 40, 59, 60, 99, 100, 140), (9, 17, 31, 40)):
            await pilot.resize_terminal(columns, rows)
            await pilot.pause()
            shown = lines(app)
            assert [len(text) for text in shown] == [columns] * rows
            assert set("".join(shown)) <= ALLOWED | BRAILLE


async def test_first_frame_is_red_when_asked_for(script, colours, clock):
    app = StarwellApp(script, red=True, clock=clock)
    async with app.run_test(size=(80, 24)):
        assert all(green == blue == 0 for _, green, blue in colours(app))


async def test_a_screen_without_colours_sends_none(script, cells, clock, tell_night, told):
    app = StarwellApp(script, depth=ColourDepth.MONO, clock=clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await told(pilot, app, *tell_night(7))
        looks = [look for _, look in cells(app)]
        assert all(look.color is None and look.bgcolor is None for look in looks)
        assert any(look.reverse for look in looks)


async def test_a_newer_preview_replaces_one_that_waits_and_nothing_else(tell_night):
    old, new = (Happened(event) for event in tell_night(2) if isinstance(event, ev.PreviewReady))
    other = Happened(ev.PreviewReady(of="sub", number=2, rows=1, columns=1, channels=1, pixels=b"0"))
    event = Happened(ev.StateChanged(state=ev.State.IDLE))
    assert old.can_replace(new)
    assert not old.can_replace(other)
    assert not old.can_replace(event)
    assert not event.can_replace(event)


async def test_three_rejected_subs_in_a_row_colour_the_status_line(app, cells, told):
    def grounds():
        return {look.bgcolor.name for _, look in cells(app)[:20] if look.bgcolor}

    async with app.run_test(size=(80, 24)) as pilot:
        await told(pilot, app, *(ev.SubRejected(number=n, reason="clouds") for n in (1, 2)))
        assert "#ffaf00" not in grounds()
        await told(pilot, app, ev.SubRejected(number=3, reason="clouds"))
        assert "#ffaf00" in grounds()


async def test_an_alert_stays_until_it_is_acknowledged(app, lines, tell_night, told):
    async with app.run_test(size=(80, 24)) as pilot:
        await told(pilot, app, ev.CameraFault(message="does not answer", recovered=False), *tell_night(4))
        assert " ! camera: does not answer" in lines(app)[1]
        await pilot.press("a")
        await pilot.pause()
        assert not any("does not answer" in text for text in lines(app))


async def test_events_of_the_engine_reach_the_panes(app, script, lines, arrived):
    async with app.run_test(size=(80, 24)) as pilot:
        script.tell(ev.SubRejected(number=41, reason="clouds"))
        await arrived(pilot, lambda: 41 in app.panes.night.subs)
        assert any("41 ✗" in text and "clouds" in text for text in lines(app))


async def test_an_error_of_the_engine_ends_the_screen_and_is_kept_for_the_caller(script, clock, arrived):
    script.tell(ev.StateChanged(state=ev.State.EXPOSING), CameraGone("The camera does not answer any more."))
    app = StarwellApp(script, clock=clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await arrived(pilot, lambda: app.failure is not None)
    assert isinstance(app.failure, CameraGone)
    assert app.return_value == 1


async def test_noise_is_shown_over_the_blocks_it_is_judged_by(app, told, tell_night, lines):
    fine = next(event for event in reversed(tell_night(5)) if isinstance(event, ev.StackMeasured))
    coarse = msgspec.structs.replace(
        fine, efficiency_block_px=16, reached_e=(6.0, 7.0, 8.0, 9.0, 9.5), efficiency_error_percent=1.6
    )
    async with app.run_test(size=(120, 40)) as pilot:
        await told(pilot, app, coarse)
        assert any("9.50 e-    at 16 px" in text for text in lines(app))
        assert any("96 ± 2 %   at 16 px" in text for text in lines(app))
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert any("reached 9.50 e-" in text for text in lines(app))
