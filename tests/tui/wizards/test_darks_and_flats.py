"""The wizards of darks and flats by keys alone, against a scripted night."""

from __future__ import annotations

import pytest

from starwell.kinds import Kind
from starwell.remote.messages import UseMasters
from starwell.session import events as ev
from starwell.session.plan_file import check_plan
from starwell_tui import remembered

SIZES = {"120x40": (120, 40), "80x24": (80, 24)}


def frame(number, kind, file, *, seconds=60.0, level=520.0):
    return ev.FrameTaken(
        number=number, kind=kind, file=file, seconds=seconds, celsius=-10.0, level_adu=level, full_adu=65535.0
    )


def darks(count):
    return [frame(n, Kind.DARK, f"darks/Dark_60.0s_{n:04d}.fits") for n in range(1, count + 1)]


def flats(count, *, kind=Kind.FLAT, name="flats/L/Flat", level=31000.0):
    return [frame(n, kind, f"{name}_{n:04d}.fits", seconds=1.25, level=level) for n in range(1, count + 1)]


OVER = ev.SeriesFinished(stacked=0, rejected=0, why="all frames taken")


# Darks


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
async def test_the_darks_wizard_is(size, engine_app, told, idle, tell_night, matches_snapshot):
    async with engine_app.run_test(size=size) as pilot:
        await told(pilot, engine_app, idle(*tell_night(7), gain=100.0, offset=50.0))
        await pilot.press("D")
        await pilot.pause()
        matches_snapshot(engine_app)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
async def test_darks_as_they_come_are(size, engine_app, told, idle, tell_night, matches_snapshot, arrived):
    async with engine_app.run_test(size=size) as pilot:
        await told(pilot, engine_app, idle(*tell_night(7)))
        await pilot.press("D", "s", "y")
        await arrived(pilot, lambda: engine_app.screen.stage.value == 1)
        await told(pilot, engine_app, ev.StateChanged(state=ev.State.EXPOSING), *darks(3))
        matches_snapshot(engine_app)


async def test_darks_become_a_master_in_the_library_that_is_used(
    engine_app, script, told, idle, tell_night, arrived, commands, seen, tmp_path
):
    (tmp_path / "lights").mkdir()
    for number in range(6):
        (tmp_path / "lights" / f"M51_{number:04d}.fits").touch()
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, idle(*tell_night(7), folder=str(tmp_path), gain=100.0, offset=50.0))
        await pilot.press("D", "s", "n")
        await pilot.pause()
        assert script.asked == []
        await pilot.press("s", "y")
        await arrived(pilot, lambda: script.asked != [])
        plan, mistakes = check_plan(script.asked[0].text)
        assert mistakes == ()
        (series,) = plan.targets[0].series
        assert (series.kind, series.exposure_s, series.gain, series.count) == (Kind.DARK, 60, 100, 20)
        assert plan.cooling.celsius == -10
        assert not plan.cooling.warm_up
        assert plan.folder == str(tmp_path)
        await told(pilot, engine_app, *darks(20), OVER)
        await arrived(pilot, lambda: seen(engine_app, "Done."))
        files = [str(tmp_path / f"darks/Dark_60.0s_{n:04d}.fits") for n in range(1, 21)]
        out = str(tmp_path / "masters" / "dark_60s_-10C.fits")
        assert commands.of("master") == [["master", "dark", *files, "-o", out, "--overwrite"]]
        await pilot.press("enter")
        await arrived(pilot, lambda: seen(engine_app, "Use the dark for the lights that follow?"))
        assert commands.of("library", "add") == [["library", "add", out]]
        await pilot.press("y")
        await arrived(pilot, lambda: seen(engine_app, "stack tonight's 6 lights anew"))
        await pilot.press("y")
        await arrived(pilot, lambda: len(script.asked) == 2)
    assert script.asked[1] == UseMasters(dark="auto", restack=True)
    assert remembered.typed("sequence")["dark"] == "auto"


async def test_light_in_the_darks_is_told_in_full_and_makes_no_master(
    engine_app, told, idle, tell_night, arrived, commands, seen
):
    leak = "Light gets into this Dark: its level rises by 31.0 ADU across the middle. Put the cap on."
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, idle(*tell_night(7)))
        await pilot.press("D", "s", "y")
        await arrived(pilot, lambda: engine_app.screen.stage.value == 1)
        assert seen(engine_app, "held back until both are known to be dark")
        await told(pilot, engine_app, ev.SeriesFinished(stacked=0, rejected=0, why=leak))
        assert seen(engine_app, "Put the cap on.")
    assert commands.of("master") == []


async def test_a_master_that_fails_says_all_of_why(
    engine_app, told, idle, tell_night, arrived, commands, seen, tmp_path
):
    commands.said, commands.code = "starwell: 3 of the 20 darks are of another gain.\n" * 3, 1
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, idle(*tell_night(7), folder=str(tmp_path)))
        await pilot.press("D", "s", "y")
        await arrived(pilot, lambda: engine_app.screen.stage.value == 1)
        await told(pilot, engine_app, *darks(20), OVER)
        await arrived(pilot, lambda: seen(engine_app, "It failed (exit code 1)"))
        assert seen(engine_app, "3 of the 20 darks are of another gain.")
        await pilot.press("enter")
        await pilot.pause()
        assert seen(engine_app, "m Make the master")
    assert commands.of("library", "add") == []


async def test_darks_wait_for_the_series_that_runs(engine_app, script, told, answers, tell_night, seen):
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, answers(*tell_night(7)))
        await pilot.press("D", "s")
        await pilot.pause()
        assert seen(engine_app, "A series is running")
    assert script.asked == []


async def test_darks_that_run_already_are_watched(engine_app, told, answers, tell_night, seen):
    async with engine_app.run_test(size=(80, 24)) as pilot:
        others = frame(9, Kind.DARK, "darks/Dark_5.0s_0009.fits", seconds=5.0)
        await told(pilot, engine_app, answers(*tell_night(7), others, *darks(4), kind=Kind.DARK))
        await pilot.press("D")
        await pilot.pause()
        assert seen(engine_app, "4 of 20 darks")


# Flats


@pytest.mark.parametrize("what", ["bright", "same"])
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
async def test_the_flats_wizard_is(size, what, engine_app, told, idle, tell_night, matches_snapshot):
    async with engine_app.run_test(size=size) as pilot:
        await told(pilot, engine_app, idle(*tell_night(7)))
        await pilot.press("T", "down", *(["right"] if what == "same" else []))
        await pilot.pause()
        matches_snapshot(engine_app)


async def test_flats_get_their_dark_flats_at_once_and_a_master_for_each_filter(
    engine_app, script, told, idle, tell_night, arrived, commands, seen, tmp_path
):
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, idle(*tell_night(7), folder=str(tmp_path)))
        await pilot.press("T", "down", "down", "enter", *"L Ha", "enter", "s", "y")
        await arrived(pilot, lambda: script.asked != [])
        plan, mistakes = check_plan(script.asked[0].text)
        assert mistakes == ()
        series = [(s.kind, s.filter, s.exposure_s, s.count) for t in plan.targets for s in t.series]
        assert series == [(Kind.FLAT, "L", None, 25), (Kind.FLAT, "Ha", None, 25)]
        assert plan.flats.level == 0.5
        await told(pilot, engine_app, *flats(25))
        assert seen(engine_app, "25 of 50 bright flats")
        assert seen(engine_app, "Its level: 47% of full scale")
        await told(pilot, engine_app, *flats(25, name="flats/Ha/Flat", level=60000.0))
        assert seen(engine_app, "92% of full scale: less light")
        await told(pilot, engine_app, OVER)
        await arrived(pilot, lambda: seen(engine_app, "Dark flats: light off, telescope covered?"))
        await pilot.press("y")
        await arrived(pilot, lambda: len(script.asked) == 2)
        plan, mistakes = check_plan(script.asked[1].text)
        assert mistakes == ()
        series = [(s.kind, s.exposure_s, s.count) for t in plan.targets for s in t.series]
        assert series == [(Kind.DARK_FLAT, 1.25, 25)] * 2
        over = ev.SeriesFinished(stacked=0, rejected=0, why="all frames taken", livetime_s=0.0)
        await told(pilot, engine_app, *flats(25, kind=Kind.DARK_FLAT, name="darkflats/DarkFlat"), over)
        for _ in range(4):
            await arrived(pilot, lambda: seen(engine_app, "Done."))
            await pilot.press("enter")
            await pilot.pause()
        await arrived(pilot, lambda: seen(engine_app, "Use the flat"))
    built = [(ran[1], ran[ran.index("-o") + 1]) for ran in commands.of("master")]
    dark = str(tmp_path / "masters" / "dark_flat_1.25s.fits")
    assert built == [
        ("dark-flat", dark),
        ("flat", str(tmp_path / "masters" / "flat_L.fits")),
        ("dark-flat", dark),
        ("flat", str(tmp_path / "masters" / "flat_Ha.fits")),
    ]
    assert all(["--dark-flat", dark] == ran[-3:-1] for ran in commands.of("master", "flat"))


async def test_same_condition_flats_are_held_against_the_sub_s_sky_and_divide_only_on_request(
    engine_app, script, told, idle, tell_night, arrived, commands, seen, tmp_path
):
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, idle(*tell_night(7), folder=str(tmp_path)))
        await pilot.press("T", "down", "right", "s", "y")
        await arrived(pilot, lambda: script.asked != [])
        plan, _ = check_plan(script.asked[0].text)
        (series,) = plan.targets[0].series
        assert (series.exposure_s, series.count) == (60, 300)
        assert plan.folder.endswith("same-condition")
        sky_adu = 512 + 246 / 0.8

        def dim(number, level):
            return frame(number, Kind.FLAT, f"flats/Flat_{number:04d}.fits", level=level)

        await told(pilot, engine_app, dim(1, sky_adu), dim(2, sky_adu))
        assert seen(engine_app, "246.0 e-/px, and a sub's sky has 246.0 e-/px: as it should be")
        await told(pilot, engine_app, dim(3, 512 + 123 / 0.8))
        assert seen(engine_app, "make the light 2.00 times")
        await told(pilot, engine_app, OVER)
        await arrived(pilot, lambda: seen(engine_app, "Done."))
        await pilot.press("enter")
        await arrived(pilot, lambda: seen(engine_app, "Use the low-light map in the next sequence?"))
        await pilot.press("y")
        await arrived(pilot, lambda: "low_light" in remembered.typed("sequence"))
    assert len(script.asked) == 1
    (ran,) = commands.of("master")
    assert ran[1] == "low-light"
    assert ran[-5:-1] == ["--flat", commands.masters[1]["file"], "--dark", commands.masters[0]["file"]]


async def test_a_low_light_map_says_what_else_it_takes(
    engine_app, script, told, idle, tell_night, arrived, commands, seen
):
    commands.masters = commands.masters[1:]
    async with engine_app.run_test(size=(120, 40)) as pilot:
        await told(pilot, engine_app, idle(*tell_night(7)))
        await pilot.press("T", "down", "right", "s", "y")
        await arrived(pilot, lambda: script.asked != [])
        await told(pilot, engine_app, *flats(2, name="flats/Flat"), OVER)
        await arrived(pilot, lambda: seen(engine_app, "also takes a dark: T, D."))
    assert commands.of("master") == []
