"""The library wizard by keys alone, against a scripted night."""

from __future__ import annotations

import sys

import pytest

from starwell.remote.messages import UseMasters
from starwell_tui import jobs

SIZES = {"120x40": (120, 40), "80x24": (80, 24)}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
async def test_the_library_is(size, engine_app, told, answers, tell_night, arrived, seen, matches_snapshot):
    async with engine_app.run_test(size=size) as pilot:
        await told(pilot, engine_app, answers(*tell_night(7)))
        await pilot.press("M")
        await arrived(pilot, lambda: seen(engine_app, "12 d"))
        matches_snapshot(engine_app)


async def test_a_master_is_used_for_what_follows_and_for_what_is_there_on_y(
    engine_app, script, told, answers, tell_night, arrived, seen, commands
):
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, answers(*tell_night(7)))
        await pilot.press("M")
        await arrived(pilot, lambda: seen(engine_app, "12 d"))
        await pilot.press("u", "n")
        await pilot.pause()
        assert script.asked == []
        await pilot.press("j", "u", "y")
        await pilot.pause()
        await pilot.press("n")
        await arrived(pilot, lambda: script.asked != [])
        await pilot.press("o", "y")
        await pilot.pause()
        await pilot.press("y")
        await arrived(pilot, lambda: len(script.asked) == 2)
    flat = commands.masters[1]["file"]
    assert script.asked == [UseMasters(flat=flat), UseMasters("none", "none", "none", "none", restack=True)]


async def test_a_master_is_built_from_a_folder_and_the_library_audited(
    engine_app, told, answers, tell_night, arrived, seen, commands, tmp_path
):
    (tmp_path / "darks").mkdir()
    (tmp_path / "lights").mkdir()
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, answers(*tell_night(7), folder=str(tmp_path)))
        await pilot.press("M")
        await arrived(pilot, lambda: seen(engine_app, "12 d"))
        await pilot.press("b")
        await pilot.pause()
        await pilot.press("s")
        await arrived(pilot, lambda: seen(engine_app, "Done."))
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("i")
        await arrived(pilot, lambda: commands.of("library", "audit") != [])
    assert commands.of("library", "add") == [["library", "add", str(tmp_path / "darks"), "--kind", "dark"]]
    assert commands.of("library", "audit") == [["library", "audit", str(tmp_path / "lights")]]


async def test_an_empty_library_says_how_to_fill_it(engine_app, told, idle, arrived, commands, seen):
    commands.masters = []
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, idle())
        await pilot.press("M")
        await arrived(pilot, lambda: seen(engine_app, "No masters yet. D takes darks"))


async def test_a_job_is_ended_after_y_only(engine_app, told, answers, tell_night, arrived, seen, monkeypatch):
    sleeping = [sys.executable, "-c", "print('at it', flush=True); import time; time.sleep(60)"]
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, answers(*tell_night(7)))
        await pilot.press("M")
        await arrived(pilot, lambda: seen(engine_app, "12 d"))
        monkeypatch.setattr(jobs, "command", lambda words: sleeping)
        await pilot.press("i")
        await arrived(pilot, lambda: seen(engine_app, "at it"))
        await pilot.press("escape")
        await pilot.pause()
        assert seen(engine_app, "It is running: x ends it.")
        await pilot.press("x", "n")
        await pilot.pause()
        assert seen(engine_app, "It is running.")
        await pilot.press("x", "y")
        await arrived(pilot, lambda: seen(engine_app, "It was ended."))
