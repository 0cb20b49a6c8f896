"""How the night is looked at: true pixels, blinking, the target box, and how often pictures are sent."""

from __future__ import annotations

import io
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from starwell.remote.messages import Box, Look, Note, Reply, Set, Stretch
from starwell.session import events as ev
from starwell_tui.app import StarwellApp
from starwell_tui.keys import table
from starwell_tui.looks import THEMES, Looks
from starwell_tui.marks import crosshair, outline
from starwell_tui.pace import Pace, Timed
from starwell_tui.parts import MOST_PX, wanted
from starwell_tui.screens.panes import Panes
from starwell_tui.viewpoint import Viewpoint, Window

FULL = 3008
GREY = np.full((40, 60), 7, np.uint8)


@pytest.fixture
def large(tell_night):
    """A stack of 3008 by 3008 px, shown in 180 by 180."""
    picture = next(event for event in tell_night(1) if isinstance(event, ev.PreviewReady))
    shown = {"rows": 180, "columns": 180, "pixels": bytes(180 * 180), "full_rows": FULL, "full_columns": FULL}
    return msgspec.structs.replace(picture, **shown)


def crop_of(picture, look, level=255):
    _, _, width, height = look.crop
    shown = {"rows": height, "columns": width, "crop": look.crop, "pixels": bytes([level]) * width * height}
    return msgspec.structs.replace(picture, **shown)


def bright(app):
    """How many cells of the preview show anything but black."""
    region = app.panes.preview.content_region
    strips = app.screen._compositor.render_strips()[region.y : region.bottom]
    looks = [
        s.style
        for strip in strips
        for s in strip.crop(region.x, region.right)
        if s.text.strip(" ") or s.style
    ]
    return sum(1 for look in looks if look and look.bgcolor and look.bgcolor.get_truecolor().red > 200)


async def test_at_one_to_one_the_part_is_asked_for_and_the_whole_is_magnified_until_it_comes(
    engine_app, script, told, answers, tell_night, large, lines
):
    async with engine_app.run_test(size=(120, 40)) as pilot:
        await told(pilot, engine_app, answers(*tell_night(3), large))
        await pilot.press("equals_sign")
        await pilot.pause()
        [look] = script.asked
        x, y, width, height = look.crop
        pane = engine_app.panes.preview.content_size
        assert look.of == "stack"
        assert width == round(1.5 * 2 * pane.width)
        assert height == round(1.5 * 4 * pane.height)
        assert abs(x + width / 2 - FULL / 2) <= 1
        assert abs(y + height / 2 - FULL / 2) <= 1
        assert any("stack ▸ auto ▸ 1:1" in text for text in lines(engine_app))
        assert bright(engine_app) == 0
        await told(pilot, engine_app, crop_of(large, look))
        assert bright(engine_app) >= pane.height


async def test_panning_stays_in_the_part_for_a_quarter_and_asks_for_another_beyond(
    engine_app, script, told, answers, tell_night, large
):
    async with engine_app.run_test(size=(120, 40)) as pilot:
        await told(pilot, engine_app, answers(*tell_night(3), large))
        await pilot.press("3", "equals_sign", "right")
        await pilot.pause()
        assert len(script.asked) == 1
        await pilot.press("right", "right")
        await pilot.pause()
        first, *_, last = script.asked
        assert last.crop[0] > first.crop[0]
        await pilot.press("0")
        await pilot.pause()
        assert script.asked[-1] == Look("stack")


async def test_the_crop_of_a_stack_does_not_take_the_place_of_the_whole(engine_app, told, answers, large):
    async with engine_app.run_test(size=(120, 40)) as pilot:
        await told(pilot, engine_app, answers(large, crop_of(large, Look("stack", (0, 0, 300, 200)))))
        assert engine_app.night.pictures["stack"].columns == 180
        assert engine_app.night.crops["stack"].columns == 300


def test_a_window_larger_than_an_engine_sends_is_not_asked_for(large):
    assert wanted("stack", large, Window(0, 0, MOST_PX[0] + 1, 900), Look()) == Look("stack")
    assert wanted("stack", large, Window(0, 0, MOST_PX[0], 900), Look()).crop[2:] == (1600, 1200)


@pytest.mark.parametrize("middle", [0.0, 0.3, 1.0])
def test_a_part_lies_within_the_picture_and_has_the_window(large, middle):
    window = Viewpoint(zoom=9.0, x=middle, y=1 - middle).window(FULL, FULL, 80, 60)
    look = wanted("sub", large, window, Look())
    assert window.within(Window(*look.crop))
    assert Window(*look.crop).within(Window(0, 0, FULL, FULL))
    assert wanted("sub", large, window, look) is look


async def test_an_engine_that_comes_back_is_asked_for_the_view_anew(engine_app, script, told, answers):
    async with engine_app.run_test(size=(120, 40)) as pilot:
        await told(pilot, engine_app, answers())
        await pilot.press("v")
        await told(pilot, engine_app, answers())
        assert script.asked == [Look("sub"), Look("sub")]


async def test_blinking_shows_the_reference_then_the_last_sub_and_ends_with_the_stack(
    engine_app, script, told, answers, tell_night, lines
):
    async with engine_app.run_test(size=(120, 40)) as pilot:
        await told(pilot, engine_app, answers(*tell_night(3)))
        view, preview = engine_app.desk.view, engine_app.panes.preview
        await pilot.press("B")
        await pilot.pause()
        assert any("3 Preview  reference (blinking with stack)" in text for text in lines(engine_app))
        seen = []
        for _ in range(4):
            preview.turn()
            seen.append(view.shown)
        assert seen == ["stack", "reference", "stack", "reference"]
        await pilot.press("B", "B")
        await pilot.pause()
        assert script.asked == [Look("reference"), Look("sub"), Look("stack")]
        assert view.shown == "stack"
        assert preview._blinking is None


async def test_where_there_is_no_reference_it_blinks_with_the_last_sub(
    engine_app, script, told, answers, tell_night, lines
):
    async with engine_app.run_test(size=(120, 40)) as pilot:
        await told(pilot, engine_app, answers(*tell_night(3)))
        script.replies[Look("reference")] = Reply(False, "There is no earlier stack.")
        await pilot.press("B")
        await pilot.pause()
        assert engine_app.desk.view.blink == "sub"
        assert script.asked == [Look("reference"), Look("sub")]
        assert "There is no earlier stack." in lines(engine_app)[-1]


async def test_a_screen_that_leaves_has_the_stack_drawn_again(engine_app, script, told, answers):
    async with engine_app.run_test(size=(120, 40)) as pilot:
        await told(pilot, engine_app, answers())
        await pilot.press("v", "q")
        await pilot.pause()
    assert script.asked == [Look("sub"), Look()]


async def test_a_part_that_another_screen_asked_for_is_given_back(engine_app, script, told, answers, large):
    async with engine_app.run_test(size=(120, 40)) as pilot:
        await told(pilot, engine_app, answers(crop_of(large, Look("stack", (9, 9, 50, 40)))))
        assert script.asked == [Look("stack")]


async def test_a_box_is_moved_sized_and_put_by_keys(engine_app, script, told, answers, large, lines):
    async with engine_app.run_test(size=(120, 40)) as pilot:
        await told(pilot, engine_app, answers(large))
        await pilot.press("z", "right", "down", "plus")
        await pilot.pause()
        assert "Target box" in lines(engine_app)[-1]
        assert bright(engine_app) > 0
        assert script.asked == []
        await pilot.press("enter")
        await pilot.pause()
        [box] = script.asked
        # An eighth of the stack, moved by a quarter of itself, grown by a quarter about its middle.
        assert (box.width, box.height) == (471, 471)
        assert abs(box.x + box.width / 2 - (FULL / 2 + 94)) <= 1
        assert abs(box.y + box.height / 2 - (FULL / 2 + 94)) <= 1
        measured = ev.BoxMeasured(
            x=box.x, y=box.y, width=471, height=471, snr=14.2, signal_e=3.3, noise_e=0.23, stacked=7
        )
        await told(pilot, engine_app, measured)
        assert any("stack ▸ auto ▸ fit ▸ box SNR 14.2" in text for text in lines(engine_app))
        assert any("Box SNR    14.2" in text for text in lines(engine_app))


async def test_a_box_that_is_left_stays_and_x_takes_it_away(engine_app, script, told, answers, large):
    known = ev.BoxMeasured(x=9, y=8, width=70, height=60, snr=3.0, signal_e=1.0, noise_e=0.3, stacked=7)
    async with engine_app.run_test(size=(120, 40)) as pilot:
        await told(pilot, engine_app, answers(large, known))
        await pilot.press("z", "right", "escape")
        await pilot.pause()
        assert engine_app.panes.preview.box == Box(9, 8, 70, 60)
        await pilot.press("z", "x")
        await pilot.pause()
        assert script.asked == [Box()]
        assert engine_app.panes.preview.box is None


async def test_no_box_leaves_the_stack(engine_app, told, answers, large):
    async with engine_app.run_test(size=(60, 18)) as pilot:
        small = msgspec.structs.replace(large, full_rows=40, full_columns=40)
        await told(pilot, engine_app, answers(small))
        await pilot.press("z", *["left"] * 12, *["plus"] * 10, *["up"] * 3)
        box = engine_app.desk.view.box
        assert (box.x, box.y, box.width, box.height) == (0, 0, 40, 40)
        await pilot.press(*["minus"] * 10)
        assert engine_app.desk.view.box.width >= 4


def test_a_crosshair_leaves_its_middle_free():
    drawn = crosshair(GREY, 30, 20, 1)
    assert (drawn[20, :20] == 255).all()
    assert drawn[20, 30] == 7
    assert (drawn[:10, 30] == 255).all()
    assert (GREY == 7).all()


def test_a_box_is_a_frame_whose_inside_can_be_seen():
    drawn = outline(GREY, 10, 5, 30, 25, 2)
    assert (drawn[5:7, 10:30] == 255).all()
    assert (drawn[7:23, 12:28] == 7).all()
    assert (drawn == 255).sum() == 20 * 20 - 16 * 16


def test_a_box_beyond_the_part_is_cut_off():
    assert (outline(GREY, -10, -10, 100, 100, 3) == 7).all()


class Hours:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize(("wrote_s", "wait_s"), [(0.01, 2.0), (0.5, 2.0), (0.6, 2.4), (3.0, 12.0)])
def test_pictures_come_every_two_seconds_or_four_times_what_one_takes(wrote_s, wait_s):
    clock = Hours()
    pace = Pace(clock=clock)
    assert pace.wait_s == 0
    pace.drew()
    pace.wrote(wrote_s)
    pace.wrote(0.001)
    assert pace.wait_s == pytest.approx(wait_s)
    clock.now = wait_s
    assert pace.wait_s == 0


def test_the_terminals_own_slowness_is_what_counts(monkeypatch):
    clock = Hours()

    class Slow(io.StringIO):
        def flush(self):
            clock.now += 0.75

    monkeypatch.setattr("starwell_tui.pace.time.monotonic", clock)
    pace = Pace(clock=clock)
    pace.drew()
    file = Slow()
    Timed(file, pace).write("picture")
    assert file.getvalue() == "picture"
    assert pace.wait_s == pytest.approx(4 * 0.75 - 0.75)


async def test_the_next_picture_waits_the_newest_is_drawn_and_the_user_never_waits(
    script, clock, told, answers, tell_night
):
    hours = Hours()
    app = StarwellApp(script, keys=table(engine=True), pace=Pace(clock=hours), clock=clock)
    async with app.run_test(size=(100, 32)) as pilot:
        night = tell_night(3)
        picture = next(event for event in night if isinstance(event, ev.PreviewReady))
        await told(pilot, app, answers(*night))
        preview = app.panes.preview
        first = preview._drawn[0]
        for number in (4, 5, 6):
            await told(pilot, app, msgspec.structs.replace(picture, number=number))
            assert preview._drawn[0] is first
        hours.now = 2.0
        preview._come()
        await pilot.pause()
        assert preview._drawn[0].number == 6
        await told(pilot, app, msgspec.structs.replace(picture, number=7))
        assert preview._drawn[0].number == 6
        await pilot.press("plus")
        await pilot.pause()
        assert preview._drawn[0].number == 7


async def test_smaller_and_larger_again_loses_nothing(engine_app, told, answers, tell_night, lines):
    async with engine_app.run_test(size=(200, 60)) as pilot:
        await told(pilot, engine_app, answers(*tell_night(7)))
        await pilot.press("j", "j", "3", "plus", "plus", "right", "asterisk", "slash", *"stacked", "enter")
        await pilot.pause()
        before = lines(engine_app)
        for size in ((80, 24), (40, 10), (39, 9), (200, 60)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        assert lines(engine_app) == before


async def test_night_and_view_are_all_that_the_panes_remember(
    engine_app, script, clock, told, answers, tell_night, lines
):
    async with engine_app.run_test(size=(120, 40)) as pilot:
        await told(pilot, engine_app, answers(*tell_night(7)))
        await pilot.press("1", "down", "down", "2", "j", "j", "3", "i", "plus", "right", "s", "full_stop")
        await pilot.pause()
        before = lines(engine_app)
        kept = engine_app.desk
    other = StarwellApp(script, keys=table(engine=True), pace=Pace(0), clock=clock)
    other.desk = desk = replace(other.desk, night=kept.night, view=kept.view)
    other.panes = Panes(desk, type(other.panes.preview)(
        kept.night, kept.view, other.panes.preview._depth, other.looks, other.pace, sixels=False
    ))  # fmt: skip
    async with other.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert lines(other) == before


def test_themes_go_round_and_red_keeps_what_is_below():
    looks = Looks("256", theme="high-contrast")
    seen = []
    for _ in THEMES:
        looks.next_theme()
        seen.append(looks.theme)
    assert seen == ["night", "dark256", "high-contrast"]
    looks.redder()
    assert (looks.theme, looks.below, looks.brightness) == ("night", "high-contrast", 1.0)
    looks.redder()
    assert looks.brightness == 0.5
    looks.redder()
    assert looks.theme == "high-contrast"


async def test_high_contrast_takes_every_letter_off_grey_but_not_the_picture(
    engine_app, told, answers, tell_night, cells
):
    async with engine_app.run_test(size=(120, 40)) as pilot:
        await told(pilot, engine_app, answers(*tell_night(3)))
        await pilot.press("ctrl+t")
        await pilot.pause()
        labels = [look for text, look in cells(engine_app) if text.strip().startswith("Exposure")]
        assert {look.color.get_truecolor().hex for look in labels} == {"#dadada"}
        assert {look.bgcolor.get_truecolor().hex for look in labels} == {"#000000"}


async def test_what_is_looked_at_is_said_only_when_it_is_refused(engine_app, script, told, answers, lines):
    script.reply = Reply(True, "The sub is shown.")
    async with engine_app.run_test(size=(120, 40)) as pilot:
        await told(pilot, engine_app, answers())
        await pilot.press("v")
        await pilot.pause()
        assert "is shown" not in lines(engine_app)[-1]
        script.reply = Reply(False, "No sub was calibrated yet.")
        await pilot.press("v")
        await pilot.pause()
        assert "No sub was calibrated yet." in lines(engine_app)[-1]
        assert script.asked == [Look("sub"), Look("calibrated")]


async def test_dew_frames_and_notes_need_no_y(engine_app, script, told, answers):
    async with engine_app.run_test(size=(120, 40)) as pilot:
        await told(pilot, engine_app, answers())
        await pilot.press("d", "5", "5", "enter")
        await pilot.press("m", *"wind", "space", *"up", "enter")
        await pilot.press("1", "home", *["down"] * 6, "enter", *"80", "enter")
        await pilot.pause()
        assert script.asked == [Set("dew_heater", 55.0), Note("wind up"), Set("frames", 80.0)]


async def test_a_filter_is_spelt_as_the_wheel_spells_it(engine_app, script, told, answers, lines):
    async with engine_app.run_test(size=(120, 40)) as pilot:
        await told(pilot, engine_app, answers())
        await pilot.press("f", *"oiii", "enter")
        await pilot.pause()
        assert "Filter is one of L, R, G, B, Ha, not 'oiii'." in lines(engine_app)[-1]
        await pilot.press("f", *"ha", "enter", "y")
        await pilot.pause()
        assert script.asked == [Set("filter", "Ha")]


async def test_a_stretch_begins_with_its_own_black_and_white(engine_app, script, told, answers):
    async with engine_app.run_test(size=(120, 40)) as pilot:
        await told(pilot, engine_app, answers())
        await pilot.press("comma", "s", "s", "s", "s")
        await pilot.pause()
        names = [command.name for command in script.asked[1:]]
        assert script.asked[0] == Stretch("auto", black=-0.5)
        assert names == ["asinh", "linear", "log", "auto"]
        assert all(command.black == command.white == 0 for command in script.asked[1:])
