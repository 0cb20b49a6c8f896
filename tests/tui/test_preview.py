"""What part of a picture is shown, in which contrast, and how sixels are drawn over the cells."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starwell.remote.messages import Look, Stretch
from starwell.session import events as ev
from starwell.terminal.draw import Mode
from starwell_tui.app import StarwellApp
from starwell_tui.keys import table
from starwell_tui.panes import preview
from starwell_tui.view import View
from starwell_tui.viewpoint import Viewpoint, Window, pixels_of

RAMP = np.tile(np.arange(240, dtype=np.uint8), (120, 1))


def cut(view, width, height):
    return view.window(*RAMP.shape, width, height).of(RAMP)


def test_the_whole_picture_is_shown_first():
    assert np.array_equal(cut(Viewpoint(), 80, 40), RAMP)


def test_twice_as_near_shows_half_of_it_around_the_middle():
    part = cut(Viewpoint(zoom=2.0), 240, 120)
    assert part.shape == (60, 120)
    assert part[0, 0] == 60
    assert part[0, -1] == 179


def test_a_wide_pane_shows_more_of_the_sides_when_nearer():
    assert cut(Viewpoint(zoom=2.0), 480, 120).shape == (60, 240)


@given(
    zoom=st.floats(1, 40),
    moves=st.lists(
        st.tuples(st.sampled_from([-9999, -1, 0, 1, 9999]), st.sampled_from([-9999, -1, 1, 9999]))
    ),
    width=st.integers(1, 200),
    height=st.integers(1, 100),
)
def test_no_move_leaves_the_picture(zoom, moves, width, height):
    view = Viewpoint(zoom=zoom)
    for across, down in moves:
        view = view.panned(across, down)
    window = view.window(*RAMP.shape, width, height)
    assert window.within(Window(0, 0, 240, 120))
    assert 0 not in window.of(RAMP).shape
    assert 0.5 / zoom <= view.x <= 1 - 0.5 / zoom


def test_moving_to_the_end_shows_the_edge():
    assert cut(Viewpoint(zoom=4.0).panned(9999, 0), 240, 120)[0, -1] == 239


@given(st.lists(st.tuples(st.sampled_from(["black", "white"]), st.sampled_from([-1, 1])), max_size=80))
def test_black_and_white_stay_in_their_ranges_and_white_never_goes_up(steps):
    view = View()
    for end, step in steps:
        view.level(end, step)
    assert -5 <= view.curve.black <= 20
    assert 0 <= view.curve.white <= 0.95


def test_black_and_white_are_steps_of_the_noise_and_of_the_range():
    view = View(stretch="log")
    view.level("black", 3)
    view.level("white", -2)
    assert view.curve == Stretch("log", black=1.5, white=0.1)


def test_in_and_out_end_where_they_began():
    view = Viewpoint().zoomed(2**0.5, 9.0).zoomed(2**0.5, 9.0).zoomed(2**-0.5, 9.0).zoomed(2**-0.5, 9.0)
    assert view.zoom == 1.0


def test_colours_are_rows_by_columns_by_three():
    picture = ev.PreviewReady(of="sub", number=1, rows=2, columns=3, channels=3, pixels=bytes(range(18)))
    assert pixels_of(picture)[1, 2].tolist() == [15, 16, 17]


@pytest.fixture
def sixel_app(script, clock, monkeypatch):
    """A screen that draws sixels, in cells of 10 by 20 px."""
    monkeypatch.setattr(preview.sixel, "cell_px", lambda terminal: None)
    return StarwellApp(script, keys=table(engine=True), dots="sixel", clock=clock)


def pictures_in(app):
    strips = app.screen._compositor.render_strips()
    return [segment.text for strip in strips for segment in strip if "\x1bP" in segment.text]


async def test_sixels_come_once_at_the_picture_and_not_under_other_screens(
    sixel_app, told, answers, tell_night
):
    async with sixel_app.run_test(size=(100, 32)) as pilot:
        await told(pilot, sixel_app, answers(*tell_night(3)))
        [placed] = pictures_in(sixel_app)
        region = sixel_app.panes.preview.content_region
        row, column = (int(part) for part in placed.split("H")[0].removeprefix("\x1b7\x1b[").split(";"))
        assert region.y < row <= region.bottom
        assert region.x < column <= region.right
        assert placed.endswith("\x1b\\\x1b8")
        await pilot.press("question_mark")
        await pilot.pause()
        assert pictures_in(sixel_app) == []
        await pilot.press("q")
        await pilot.pause()
        assert pictures_in(sixel_app) == [placed]


async def test_sixels_are_red_at_night(sixel_app, told, answers, tell_night):
    async with sixel_app.run_test(size=(100, 32)) as pilot:
        await told(pilot, sixel_app, answers(*tell_night(3)))
        await pilot.press("r")
        await pilot.pause()
        [placed] = pictures_in(sixel_app)
        assert "#15;2;100;0;0" in placed
        await pilot.press("r")
        await pilot.pause()
        [dimmed] = pictures_in(sixel_app)
        assert "#15;2;50;0;0" in dimmed


async def test_only_another_picture_draws_the_preview_again(
    engine_app, told, answers, tell_night, monkeypatch
):
    drawn = []
    monkeypatch.setattr(preview, "draw", lambda *a, draw=preview.draw, **k: drawn.append(1) or draw(*a, **k))
    async with engine_app.run_test(size=(100, 32)) as pilot:
        night = tell_night(3)
        await told(pilot, engine_app, answers(*night))
        first = len(drawn)
        await told(pilot, engine_app, ev.ExposureStarted(number=4, seconds=60.0))
        assert len(drawn) == first
        picture = next(event for event in night if isinstance(event, ev.PreviewReady))
        await told(pilot, engine_app, msgspec.structs.replace(picture, number=4))
        assert len(drawn) == first + 1


async def test_the_views_go_round_ask_the_engine_and_take_the_histogram_along(
    engine_app, script, told, answers, tell_night, lines
):
    async with engine_app.run_test(size=(120, 40)) as pilot:
        counts = ev.HistogramReady(of="sub", number=3, low_adu=480, high_adu=4200, counts=(5, 900, 40, 3))
        await told(pilot, engine_app, answers(*tell_night(3), counts))
        views = []
        for _ in preview.VIEWS:
            await pilot.press("v")
            await pilot.pause()
            views.append(engine_app.desk.view.of)
            if views[-1] == "sub":
                assert any("5 Histogram  sub" in text for text in lines(engine_app))
                assert any("480" in text and "4200" in text for text in lines(engine_app))
        assert views == ["sub", "calibrated", "masked", "coverage", "reference", "stack"]
        assert script.asked == [Look(of) for of in views]


async def test_without_an_engine_there_are_the_views_that_were_told(app, script, told, tell_night):
    async with app.run_test(size=(120, 40)) as pilot:
        night = tell_night(3)
        picture = next(event for event in night if isinstance(event, ev.PreviewReady))
        await told(pilot, app, *night, msgspec.structs.replace(picture, of="sub"))
        views = []
        for _ in range(3):
            await pilot.press("v")
            views.append(app.desk.view.of)
        assert views == ["sub", "stack", "sub"]
        assert script.asked == []


async def test_zoom_stretch_and_contrast_are_in_the_title(engine_app, told, answers, tell_night, lines):
    async with engine_app.run_test(size=(120, 40)) as pilot:
        await told(pilot, engine_app, answers(*tell_night(3)))
        await pilot.press("plus", "plus", "s", "full_stop", "less_than_sign")
        await pilot.pause()
        title = "3 Preview  stack ▸ asinh black +0.5σ white -5% ▸ ×2.0"
        assert any(title in text for text in lines(engine_app))


async def test_dots_go_round_and_come_to_sixels_only_where_they_may(script, clock):
    for sixels, names in ((False, list(Mode)), (True, [*Mode, "sixel"])):
        app = StarwellApp(script, sixels=sixels, clock=clock)
        async with app.run_test(size=(80, 24)) as pilot:
            seen = []
            for _ in names:
                seen.append(app.desk.view.dots)
                await pilot.press("i")
            assert seen == names
