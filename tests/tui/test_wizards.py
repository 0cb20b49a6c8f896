"""The wizards by keys alone, against a scripted night: what they show, ask for, and do."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import msgspec
import pytest

from starwell import config
from starwell.errors import EngineError
from starwell.kinds import Kind
from starwell.remote.messages import Focus, Reply, Start, Stop, UseMasters
from starwell.session import events as ev
from starwell.session.plan_file import check_plan
from starwell.terminal.cells import SINGLE_WIDTH
from starwell_tui import first_config, jobs, remembered
from starwell_tui.attached import AttachedApp
from starwell_tui.guided import GuidedApp
from starwell_tui.keys import table
from starwell_tui.screens import running, sequence
from starwell_tui.screens.first_run import FirstRun
from starwell_tui.screens.tour import STEPS
from starwell_tui.wizards import WIZARDS

SIZES = {"120x40": (120, 40), "80x24": (80, 24)}
IDLE = {
    "state": ev.State.IDLE,
    "frame": 0,
    "frames": None,
    "exposed_s": None,
    "stacked": 0,
    "rejected": 0,
    "livetime_s": None,
}
CAMERAS = [
    {
        "driver": "zwo",
        "usable": True,
        "why": "",
        "cameras": [
            {"uid": "1f2e", "name": "ZWO ASI533MM Pro", "width": 3008, "height": 3008, "cooled": True}
        ],
    },
    {
        "driver": "simulated",
        "usable": True,
        "why": "",
        "cameras": [{"uid": "seed=1", "name": "Simulated", "width": 1200, "height": 800, "cooled": True}],
    },
]
MASTERS = [
    {
        "kind": "dark",
        "file": "/home/astro/library/Dark_60s_g100_-10C.fits",
        "camera": "ZWO ASI533MM Pro",
        "gain": 100,
        "offset": 50,
        "seconds": 60,
        "celsius": -10.1,
        "frames": 50,
        "age_days": 12.3,
    },
    {
        "kind": "flat",
        "file": "/home/astro/library/Flat_L_1.2s_g100.fits",
        "camera": "ZWO ASI533MM Pro",
        "gain": 100,
        "seconds": 1.2,
        "celsius": -10.0,
        "filter": "L",
        "frames": 25,
        "age_days": 0.4,
    },
]
OUTLOOK = {"mistakes": [], "outlook": ["The lights end at 02:31, everything at 02:46.", "It needs 1.1 GB."]}
BOXES = "╭╮╰╯│─▕▏▎▍▌▋▊▉█"
ALLOWED = SINGLE_WIDTH | set(BOXES) | set("●◌✓✗▸×…σ√°²~·") | {chr(code) for code in range(0x20, 0x7F)}
BRAILLE = {chr(code) for code in range(0x2800, 0x2900)}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty home, and a terminal of 256 colours."""
    env = os.environ | {"STARWELL_HOME": str(tmp_path), "TERM": "xterm-256color"}
    for name in ("COLORTERM", "NO_COLOR"):
        env.pop(name, None)
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(os, "environ", env)
    monkeypatch.setattr(config.home, "__defaults__", (env,))
    return config.home()


class Commands:
    """What `starwell …` says in place of itself; `ran` is what was asked of it."""

    def __init__(self):
        self.ran = []
        self.cameras, self.masters, self.plan = CAMERAS, MASTERS, OUTLOOK
        self.said, self.code = "Done it.", 0

    def command(self, words):
        self.ran.append(list(words))
        out = {
            "cameras": json.dumps(self.cameras),
            "plan": json.dumps(self.plan),
            "library": json.dumps(self.masters) if words[1:2] == ["list"] else self.said,
        }.get(words[0], self.said)
        code = self.code if words[0] in ("master", "library") and words[1:2] != ["list"] else 0
        return [sys.executable, "-S", "-E", "-c", f"import sys; print({out!r}); sys.exit({code})"]

    def of(self, *words):
        """The calls that begin with these words."""
        return [ran for ran in self.ran if ran[: len(words)] == list(words)]


@pytest.fixture(autouse=True)
def commands(monkeypatch):
    made = Commands()
    monkeypatch.setattr(jobs, "command", made.command)
    monkeypatch.setattr(sequence, "CHECKED_AFTER_S", 0.01)
    return made


@pytest.fixture
def seen(lines):
    """Whether these words are on the screen."""
    return lambda app, words: words in "\n".join(lines(app))


def frame(number, kind, file, *, seconds=60.0, level=520.0):
    return ev.FrameTaken(
        number=number, kind=kind, file=file, seconds=seconds, celsius=-10.0, level_adu=level, full_adu=65535.0
    )


def darks(count):
    return [frame(n, Kind.DARK, f"darks/Dark_60.0s_{n:04d}.fits") for n in range(1, count + 1)]


def flats(count, *, kind=Kind.FLAT, name="flats/L/Flat", level=31000.0):
    return [frame(n, kind, f"{name}_{n:04d}.fits", seconds=1.25, level=level) for n in range(1, count + 1)]


OVER = ev.SeriesFinished(stacked=0, rejected=0, why="all frames taken")


# The sequence


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
async def test_the_sequence_is(size, engine_app, told, answers, arrived, seen, matches_snapshot):
    async with engine_app.run_test(size=size) as pilot:
        await told(pilot, engine_app, answers(**IDLE))
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


async def test_what_was_typed_is_what_the_engine_is_given(engine_app, script, told, answers, arrived):
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, answers(**IDLE))
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


async def test_nothing_is_begun_without_y(engine_app, script, told, answers):
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, answers(**IDLE))
        for key in ("s", "p"):
            await pilot.press("n", key, "n")
            await pilot.pause()
            await pilot.press("escape")
            await pilot.pause()
    assert script.asked == []


async def test_prepare_opens_the_camera_and_waits(engine_app, script, told, answers, arrived):
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, answers(**IDLE))
        await pilot.press("n", "p", "y")
        await arrived(pilot, lambda: script.asked != [])
    assert script.asked[0].paused


async def test_a_plan_file_wins_over_the_form(
    engine_app, script, told, answers, arrived, commands, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, answers(**IDLE))
        await pilot.press("n", "pagedown", "enter", *"m51.toml", "enter")
        await arrived(pilot, lambda: commands.of("plan", str(tmp_path / "m51.toml")) != [])
        await pilot.press("s", "y")
        await arrived(pilot, lambda: script.asked != [])
    assert script.asked == [Start(str(tmp_path / "m51.toml"))]


async def test_a_mistake_stands_next_to_its_field_and_nothing_is_begun(
    engine_app, script, told, answers, arrived, commands, seen
):
    commands.plan = {
        "mistakes": [{"line": 5, "key": "settings.gain", "message": "expected a number from 0 to 1000"}],
        "outlook": [],
    }
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, answers(**IDLE))
        await pilot.press("n")
        await arrived(pilot, lambda: seen(engine_app, "✗ expected a number from 0 to 1000"))
        await pilot.press("s")
        await pilot.pause()
        assert seen(engine_app, "Gain: expected a number from 0 to 1000.")
        assert engine_app.screen.form.chosen.name == "gain"
    assert script.asked == []


async def test_masters_from_an_empty_library_are_a_mistake(
    engine_app, told, answers, arrived, commands, seen, script
):
    commands.masters = []
    remembered.keep("sequence", {"dark": "auto"})
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, answers(**IDLE))
        await pilot.press("n")
        await arrived(pilot, lambda: seen(engine_app, "✗ the library has none"))
        await pilot.press("s", "y")
        await pilot.pause()
    assert script.asked == []


async def test_masters_that_are_there_are_used_from_the_first_night_on(engine_app, told, answers, arrived):
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, answers(**IDLE))
        await pilot.press("n")
        await arrived(pilot, lambda: engine_app.screen.form.typed["dark"] == "auto")
        typed = engine_app.screen.form.typed
        assert (typed["dark"], typed["flat"], typed["bias"]) == ("auto", "auto", "none")


async def test_a_refusal_of_the_engine_stays_on_the_sequence(
    engine_app, script, told, answers, arrived, seen
):
    script.reply = Reply(False, "A series is running: `starwell stop` ends it, then start the plan.")
    async with engine_app.run_test(size=(120, 40)) as pilot:
        await told(pilot, engine_app, answers(**IDLE))
        await pilot.press("n", "s", "y")
        await arrived(pilot, lambda: seen(engine_app, "A series is running"))
        assert engine_app.screen is not engine_app.panes


async def test_settings_come_back_with_camera_and_target(home, engine_app, told, answers, arrived):
    config.Remembered(home.state).keep("1f2e", "M 51", config.Settings(90.0, 100, 50, 1, -10))
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, answers(**IDLE))
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


async def test_an_idle_engine_is_asked_what_to_take(script, clock, told, answers, arrived):
    app = AttachedApp(script, keys=table(engine=True), clock=clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await told(pilot, app, answers(**IDLE))
        await arrived(pilot, lambda: app.screen is not app.panes)
        assert app.screen.form.border_title == "Sequence"


async def test_an_engine_at_work_is_only_looked_at(script, clock, told, answers, tell_night, arrived):
    app = AttachedApp(script, keys=table(engine=True), clock=clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await told(pilot, app, answers(*tell_night(7)))
        await pilot.pause(0.5)
        assert app.screen is app.panes


# Darks


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
async def test_the_darks_wizard_is(size, engine_app, told, answers, tell_night, matches_snapshot):
    async with engine_app.run_test(size=size) as pilot:
        await told(pilot, engine_app, answers(*tell_night(7), **IDLE | {"gain": 100.0, "offset": 50.0}))
        await pilot.press("D")
        await pilot.pause()
        matches_snapshot(engine_app)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
async def test_darks_as_they_come_are(size, engine_app, told, answers, tell_night, matches_snapshot, arrived):
    async with engine_app.run_test(size=size) as pilot:
        await told(pilot, engine_app, answers(*tell_night(7), **IDLE))
        await pilot.press("D", "s", "y")
        await arrived(pilot, lambda: engine_app.screen.stage.value == 1)
        await told(pilot, engine_app, ev.StateChanged(state=ev.State.EXPOSING), *darks(3))
        matches_snapshot(engine_app)


async def test_darks_become_a_master_in_the_library_that_is_used(
    engine_app, script, told, answers, tell_night, arrived, commands, seen, tmp_path
):
    (tmp_path / "lights").mkdir()
    for number in range(6):
        (tmp_path / "lights" / f"M51_{number:04d}.fits").touch()
    async with engine_app.run_test(size=(80, 24)) as pilot:
        said = IDLE | {"folder": str(tmp_path), "gain": 100.0, "offset": 50.0}
        await told(pilot, engine_app, answers(*tell_night(7), **said))
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
    engine_app, told, answers, tell_night, arrived, commands, seen
):
    leak = "Light gets into this Dark: its level rises by 31.0 ADU across the middle. Put the cap on."
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, answers(*tell_night(7), **IDLE))
        await pilot.press("D", "s", "y")
        await arrived(pilot, lambda: engine_app.screen.stage.value == 1)
        assert seen(engine_app, "held back until both are known to be dark")
        await told(pilot, engine_app, ev.SeriesFinished(stacked=0, rejected=0, why=leak))
        assert seen(engine_app, "Put the cap on.")
    assert commands.of("master") == []


async def test_a_master_that_fails_says_all_of_why(
    engine_app, told, answers, tell_night, arrived, commands, seen, tmp_path
):
    commands.said, commands.code = "starwell: 3 of the 20 darks are of another gain.\n" * 3, 1
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, answers(*tell_night(7), **IDLE | {"folder": str(tmp_path)}))
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
async def test_the_flats_wizard_is(size, what, engine_app, told, answers, tell_night, matches_snapshot):
    async with engine_app.run_test(size=size) as pilot:
        await told(pilot, engine_app, answers(*tell_night(7), **IDLE))
        await pilot.press("T", "down", *(["right"] if what == "same" else []))
        await pilot.pause()
        matches_snapshot(engine_app)


async def test_flats_get_their_dark_flats_at_once_and_a_master_for_each_filter(
    engine_app, script, told, answers, tell_night, arrived, commands, seen, tmp_path
):
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, answers(*tell_night(7), **IDLE | {"folder": str(tmp_path)}))
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
    engine_app, script, told, answers, tell_night, arrived, commands, seen, tmp_path
):
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, answers(*tell_night(7), **IDLE | {"folder": str(tmp_path)}))
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
    assert ran[-5:-1] == ["--flat", MASTERS[1]["file"], "--dark", MASTERS[0]["file"]]


async def test_a_low_light_map_says_what_else_it_takes(
    engine_app, script, told, answers, tell_night, arrived, commands, seen
):
    commands.masters = MASTERS[1:]
    async with engine_app.run_test(size=(120, 40)) as pilot:
        await told(pilot, engine_app, answers(*tell_night(7), **IDLE))
        await pilot.press("T", "down", "right", "s", "y")
        await arrived(pilot, lambda: script.asked != [])
        await told(pilot, engine_app, *flats(2, name="flats/Flat"), OVER)
        await arrived(pilot, lambda: seen(engine_app, "also takes a dark: T, D."))
    assert commands.of("master") == []


# Focus


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
def focusing(told, answers, tell_night, script):
    """Focus, after thirty frames through the best."""

    async def focus(pilot, app):
        await told(pilot, app, answers(*tell_night(7), **IDLE))
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


async def test_focus_without_a_camera_says_how_to_open_one(engine_app, script, told, answers, seen):
    script.reply = Reply(False, "No camera is open.")
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, answers(**IDLE))
        await pilot.press("F")
        await pilot.pause()
        await pilot.pause()
        assert seen(engine_app, "No camera is open. On this screen")
        await pilot.press("escape")
        await pilot.pause()
        assert engine_app.screen is engine_app.panes
    assert script.asked == [Focus(on=True)]


# The library


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
async def test_the_library_is(size, engine_app, told, answers, tell_night, arrived, seen, matches_snapshot):
    async with engine_app.run_test(size=size) as pilot:
        await told(pilot, engine_app, answers(*tell_night(7)))
        await pilot.press("M")
        await arrived(pilot, lambda: seen(engine_app, "12 d"))
        matches_snapshot(engine_app)


async def test_a_master_is_used_for_what_follows_and_for_what_is_there_on_y(
    engine_app, script, told, answers, tell_night, arrived, seen
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
    flat = MASTERS[1]["file"]
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


async def test_an_empty_library_says_how_to_fill_it(engine_app, told, answers, arrived, commands, seen):
    commands.masters = []
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, answers(**IDLE))
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


# All of them


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
    size, name, engine_app, told, answers, tell_night, lines
):
    async with engine_app.run_test(size=size) as pilot:
        await told(pilot, engine_app, answers(*tell_night(7), **IDLE))
        engine_app.action_open(name)
        await pilot.pause()
        for line in lines(engine_app):
            assert len(line) == size[0]
            assert not set(line) - ALLOWED - BRAILLE


@pytest.mark.parametrize("name", [wizard.name for wizard in WIZARDS])
async def test_an_engine_that_does_not_answer_is_a_sentence(name, engine_app, script, told, answers, seen):
    async def unheard(command):
        raise EngineError("The engine does not answer at the moment.")

    script.ask = unheard
    async with engine_app.run_test(size=(120, 40)) as pilot:
        await told(pilot, engine_app, answers(**IDLE))
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
