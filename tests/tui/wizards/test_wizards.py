"""What all wizards have in common, the first run, and the tour."""

from __future__ import annotations

from pathlib import Path

import pytest

from starwell import config
from starwell.errors import EngineError
from starwell.terminal.cells import SINGLE_WIDTH
from starwell_tui import first_config
from starwell_tui.guided import GuidedApp
from starwell_tui.screens.first_run import FirstRun
from starwell_tui.screens.tour import STEPS
from starwell_tui.wizards import WIZARDS

SIZES = {"120x40": (120, 40), "80x24": (80, 24)}
BOXES = "╭╮╰╯│─▕▏▎▍▌▋▊▉█"
ALLOWED = SINGLE_WIDTH | set(BOXES) | set("●◌✓✗▸×…σ√°²~·") | {chr(code) for code in range(0x20, 0x7F)}
BRAILLE = {chr(code) for code in range(0x2800, 0x2900)}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
async def test_the_first_run_is(size, arrived, lines, matches_snapshot, tmp_path, monkeypatch):
    monkeypatch.setattr(first_config, "room", lambda folder: 181_000_000_000)
    app = FirstRun(Path("/home/astro/nights"))
    async with app.run_test(size=size) as pilot:
        await arrived(pilot, lambda: app.form.typed["camera"] == "zwo:1f2e")
        await pilot.pause()
        matches_snapshot(app)
        assert {len(line) for line in lines(app)} == {size[0]}


async def test_the_first_run_sends_each_row_in_its_own_codes_and_keeps_what_was_chosen(
    home, arrived, cells, tmp_path, monkeypatch
):
    app = FirstRun(tmp_path / "nights")
    async with app.run_test(size=(80, 24)) as pilot:
        await arrived(pilot, lambda: app.form.typed["camera"] == "zwo:1f2e")
        kinds = {look.bgcolor.type.name for text, look in cells(app) if look.bgcolor and text == " "}
        assert kinds >= {"TRUECOLOR", "EIGHT_BIT"}
        await pilot.press(*["j"] * 3, "4", "8", "0", "down", "9", "9", "enter", "s")
        await pilot.pause()
        assert app.form.chosen.name == "latitude"
        assert not (home.config / "config.toml").exists()
        await pilot.press("4", "8", "enter", "j", "1", "1", "enter", "j", "left", "j", "right", "s")
        await pilot.pause()
    kept = config.load(home.config)
    assert (kept.rig.camera, kept.rig.focal_mm) == ("zwo:1f2e", 480)
    assert (kept.site.latitude, kept.site.longitude) == (48, 11)
    assert (kept.screen.colour, kept.screen.preview) == ("24bit", "half")
    assert app.return_value


async def test_a_first_run_that_is_left_keeps_nothing(home, tmp_path):
    app = FirstRun(tmp_path / "nights")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("escape")
        await pilot.pause()
    assert app.written is None
    assert not (home.config / "config.toml").exists()


@pytest.mark.parametrize("name", [wizard.name for wizard in WIZARDS])
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
async def test_every_line_is_as_wide_as_the_screen_and_of_allowed_characters(
    size, name, engine_app, told, idle, tell_night, lines
):
    async with engine_app.run_test(size=size) as pilot:
        await told(pilot, engine_app, idle(*tell_night(7)))
        engine_app.action_open(name)
        await pilot.pause()
        for line in lines(engine_app):
            assert len(line) == size[0]
            assert not set(line) - ALLOWED - BRAILLE


@pytest.mark.parametrize("name", [wizard.name for wizard in WIZARDS])
async def test_an_engine_that_does_not_answer_is_a_sentence(name, engine_app, script, told, idle, seen):
    async def unheard(command):
        raise EngineError("The engine does not answer at the moment.")

    script.ask = unheard
    async with engine_app.run_test(size=(120, 40)) as pilot:
        await told(pilot, engine_app, idle())
        engine_app.action_open(name)
        await pilot.press("s", "y")
        await pilot.pause()
        await pilot.pause()
        if name not in ("library",):
            assert seen(engine_app, "does not answer")


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
async def test_the_tour_is(size, script, clock, tell_night, told, matches_snapshot):
    app = GuidedApp(script, planned=12, clock=clock)
    async with app.run_test(size=size) as pilot:
        await told(pilot, app, *tell_night(7))
        await pilot.press("enter")
        await pilot.pause()
        matches_snapshot(app)


async def test_the_tour_is_out_of_the_way_and_over_when_all_was_said(script, clock, tell_night, told, seen):
    app = GuidedApp(script, planned=12, clock=clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await told(pilot, app, *tell_night(7))
        await pilot.press("3")
        assert app.panes.chosen.id == "preview"
        for number in range(len(STEPS)):
            assert seen(app, f"{number + 1}/{len(STEPS)}")
            await pilot.press("enter")
            await pilot.pause()
        assert not app.query("Tour")


async def test_the_tour_ends_with_escape_which_then_is_the_panes_again(script, clock, told, tell_night):
    app = GuidedApp(script, planned=12, clock=clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await told(pilot, app, *tell_night(3))
        await pilot.press("escape")
        await pilot.pause()
        assert not app.query("Tour")
        await pilot.press("3", "3", "escape")
        await pilot.pause()
        assert not app.panes.has_class("-alone")


async def test_no_tour_where_none_is_wanted(script, clock):
    app = GuidedApp(script, tour=False, planned=12, clock=clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert not app.query("Tour")
