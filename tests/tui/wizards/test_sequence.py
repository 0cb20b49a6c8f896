"""The sequence wizard by keys alone, against a scripted night."""

from __future__ import annotations

import pytest

from starwell import config
from starwell.remote.messages import Reply, Start, Stop
from starwell.session import events as ev
from starwell.session.plan_file import check_plan
from starwell_tui import remembered
from starwell_tui.attached import AttachedApp
from starwell_tui.keys import table
from starwell_tui.screens import running

SIZES = {"120x40": (120, 40), "80x24": (80, 24)}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
async def test_the_sequence_is(size, engine_app, told, idle, arrived, seen, matches_snapshot):
    async with engine_app.run_test(size=size) as pilot:
        await told(pilot, engine_app, idle())
        await pilot.press("n", "down", "enter", *"M 51", "down", "enter", *"L R G B", "enter")
        await arrived(pilot, lambda: seen(engine_app, "It needs 1.1 GB."))
        matches_snapshot(engine_app)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
async def test_the_sequence_while_it_runs_is(
    size, engine_app, told, answers, tell_night, tmp_path, matches_snapshot, monkeypatch
):
    for name, count in (("L", 8), ("R", 3)):
        folder = tmp_path / "lights" / name
        folder.mkdir(parents=True)
        for number in range(count):
            (folder / f"M51_{number:04d}.fits").touch()
    counted = running.on_disk(str(tmp_path))
    assert counted == {"L": 8, "R": 3}
    async with engine_app.run_test(size=size) as pilot:
        now = answers(*tell_night(7), gain=100.0, bin=1, ends="60 of 60 at 03:12", masters="dark+flat")
        await told(pilot, engine_app, now)
        monkeypatch.setattr(running, "on_disk", lambda folder: counted)
        await pilot.press("n")
        await pilot.pause()
        matches_snapshot(engine_app)


async def test_what_was_typed_is_what_the_engine_is_given(engine_app, script, told, idle, arrived):
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, idle())
        await pilot.press("n")
        await arrived(pilot, lambda: "zwo:1f2e" in engine_app.screen.form.chosen.options)
        await pilot.press("right", "left", "right")  # the camera: simulated, zwo, simulated, zwo
        chosen = engine_app.screen.form.typed["camera"]
        await pilot.press("j", "enter", *"M 51", "enter", "j", "enter", *"L R", "down", "right", "down")
        await pilot.press("1", "2", "0", "down", "1", "0", "0", "down", "5", "0", "down", "right", "down")
        await pilot.press("minus", "1", "0", "enter", "s")
        await pilot.pause()
        assert script.asked == []
        await pilot.press("y")
        await arrived(pilot, lambda: script.asked != [])
        await pilot.pause()
        assert engine_app.screen is engine_app.panes
    (start,) = script.asked
    assert isinstance(start, Start)
    assert not start.paused
    plan, mistakes = check_plan(start.text)
    assert mistakes == ()
    assert plan.camera == chosen
    (target,) = plan.targets
    assert (target.name, target.pattern) == ("M 51", ("L", "R"))
    assert {(s.exposure_s, s.gain, s.offset, s.bin, s.count) for s in target.series} == {
        (120, 100, 50, 2, 60)
    }
    assert plan.cooling.celsius == -10
    assert remembered.typed("sequence")["target"] == "M 51"


async def test_nothing_is_begun_without_y(engine_app, script, told, idle):
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, idle())
        for key in ("s", "p"):
            await pilot.press("n", key, "n")
            await pilot.pause()
            await pilot.press("escape")
            await pilot.pause()
    assert script.asked == []


async def test_prepare_opens_the_camera_and_waits(engine_app, script, told, idle, arrived):
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, idle())
        await pilot.press("n", "p", "y")
        await arrived(pilot, lambda: script.asked != [])
    assert script.asked[0].paused


async def test_a_plan_file_wins_over_the_form(
    engine_app, script, told, idle, arrived, commands, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, idle())
        await pilot.press("n", "pagedown", "enter", *"m51.toml", "enter")
        await arrived(pilot, lambda: commands.of("plan", str(tmp_path / "m51.toml")) != [])
        await pilot.press("s", "y")
        await arrived(pilot, lambda: script.asked != [])
    assert script.asked == [Start(str(tmp_path / "m51.toml"))]


async def test_a_mistake_stands_next_to_its_field_and_nothing_is_begun(
    engine_app, script, told, idle, arrived, commands, seen
):
    commands.plan = {
        "mistakes": [{"line": 5, "key": "settings.gain", "message": "expected a number from 0 to 1000"}],
        "outlook": [],
    }
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, idle())
        await pilot.press("n")
        await arrived(pilot, lambda: seen(engine_app, "✗ expected a number from 0 to 1000"))
        await pilot.press("s")
        await pilot.pause()
        assert seen(engine_app, "Gain: expected a number from 0 to 1000.")
        assert engine_app.screen.form.chosen.name == "gain"
    assert script.asked == []


async def test_masters_from_an_empty_library_are_a_mistake(
    engine_app, told, idle, arrived, commands, seen, script
):
    commands.masters = []
    remembered.keep("sequence", {"dark": "auto"})
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, idle())
        await pilot.press("n")
        await arrived(pilot, lambda: seen(engine_app, "✗ the library has none"))
        await pilot.press("s", "y")
        await pilot.pause()
    assert script.asked == []


async def test_masters_that_are_there_are_used_from_the_first_night_on(engine_app, told, idle, arrived):
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, idle())
        await pilot.press("n")
        await arrived(pilot, lambda: engine_app.screen.form.typed["dark"] == "auto")
        typed = engine_app.screen.form.typed
        assert (typed["dark"], typed["flat"], typed["bias"]) == ("auto", "auto", "none")


async def test_a_refusal_of_the_engine_stays_on_the_sequence(engine_app, script, told, idle, arrived, seen):
    script.reply = Reply(False, "A series is running: `starwell stop` ends it, then start the plan.")
    async with engine_app.run_test(size=(120, 40)) as pilot:
        await told(pilot, engine_app, idle())
        await pilot.press("n", "s", "y")
        await arrived(pilot, lambda: seen(engine_app, "A series is running"))
        assert engine_app.screen is not engine_app.panes


async def test_settings_come_back_with_camera_and_target(home, engine_app, told, idle, arrived):
    config.Remembered(home.state).keep("1f2e", "M 51", config.Settings(90.0, 100, 50, 1, -10))
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, idle())
        await pilot.press("n")
        await arrived(pilot, lambda: "zwo:1f2e" in engine_app.screen.form.chosen.options)
        await pilot.press("left", "down", "enter", *"M 51", "enter")
        await pilot.pause()
        typed = engine_app.screen.form.typed
        assert (typed["camera"], typed["exposure"], typed["gain"]) == ("zwo:1f2e", "90", "100")
        assert typed["celsius"] == "-10"


async def test_what_runs_is_begun_and_ended_from_the_sequence(engine_app, script, told, answers, arrived):
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, answers(state=ev.State.PAUSED, why="ready", exposed_s=None))
        await pilot.press("n", "space")
        await arrived(pilot, lambda: script.asked == [Start()])
        await pilot.press("x", "n")
        await pilot.pause()
        await pilot.press("x", "y")
        await arrived(pilot, lambda: script.asked == [Start(), Stop()])


async def test_an_idle_engine_is_asked_what_to_take(script, clock, told, idle, arrived):
    app = AttachedApp(script, keys=table(engine=True), clock=clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await told(pilot, app, idle())
        await arrived(pilot, lambda: app.screen is not app.panes)
        assert app.screen.form.border_title == "Sequence"


async def test_an_engine_at_work_is_only_looked_at(script, clock, told, answers, tell_night, arrived):
    app = AttachedApp(script, keys=table(engine=True), clock=clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await told(pilot, app, answers(*tell_night(7)))
        await pilot.pause(0.5)
        assert app.screen is app.panes
