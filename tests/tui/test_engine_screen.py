"""The screen of an engine: its states, what it is asked, and what happens when it goes."""

from __future__ import annotations

import pytest

from starwell.errors import EngineError, EngineRefused
from starwell.kinds import Kind
from starwell.remote.live import Lost
from starwell.remote.messages import Abort, Quit, Reply, Set, Stop
from starwell.session import events as ev

SIZES = {"200x60": (200, 60), "120x40": (120, 40), "80x24": (80, 24), "40x10": (40, 10)}
DISK = "There is room for 37 more frames in /home/astro/nights/2026-10-17/M 51: free some space."
STATES = {
    "idle": {
        "state": ev.State.IDLE,
        "frame": 0,
        "frames": None,
        "stacked": 0,
        "rejected": 0,
        "livetime_s": None,
    }
    | {"target": None, "filter": None, "seconds": None, "exposed_s": None, "guide_rms_arcsec": None}
    | {"ends": "", "masters": ""}
    | {"sensor_celsius": 14.2, "setpoint_celsius": None, "cooler_percent": 0.0},
    "cooling": {"state": ev.State.COOLING, "frame": 0, "stacked": 0, "rejected": 0, "livetime_s": None}
    | {"sensor_celsius": 3.4, "cooler_percent": 88.0, "exposed_s": None, "guide_rms_arcsec": None},
    "exposing": {},
    "paused": {"state": ev.State.PAUSED, "exposed_s": None, "why": "by hand"},
    "fault": {"state": ev.State.FAULT, "exposed_s": None, "why": "the camera is gone"}
    | {"sensor_celsius": None, "cooler_percent": None},
    "disk_low": {"free_bytes": 37 * 18_096_128},
    "clouds": {"frame": 8, "stacked": 3, "rejected": 4, "livetime_s": 180.0},
    "no_stars": {"frame": 3, "stacked": 0, "rejected": 3, "livetime_s": None},
}
MORE = {
    "fault": [
        ev.CameraFault(message="The camera does not answer any more: look at its cable.", recovered=False)
    ],
    "disk_low": [ev.QualityAdvice(subject="disk", advice=DISK, serious=True)],
}


def clouded(night):
    """Three more subs lost to clouds; the third in a row rings."""
    lost = [
        ev.SubRejected(number=n, reason="clouds", detail=f"transparency {t:.2f}", alarm=n == 7)
        for n, t in ((5, 0.31), (6, 0.22), (7, 0.18))
    ]
    return [*night, *lost]


def starless():
    return [
        event
        for n in (1, 2, 3)
        for event in (
            ev.FrameTaken(number=n, seconds=60.0),
            ev.SubRejected(number=n, reason="too few stars", detail=f"{n + 3} stars", alarm=n == 3),
        )
    ]


def recent(name, tell_night):
    if name in ("idle", "cooling"):
        return []
    if name == "no_stars":
        return starless()
    if name == "clouds":
        return clouded(tell_night(4))
    exposing = [ev.ExposureStarted(number=8, seconds=60.0)] if name in ("exposing", "disk_low") else []
    return [*tell_night(7), *exposing, *MORE.get(name, [])]


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("name", STATES)
async def test_the_state_is(name, size, engine_app, script, told, answers, tell_night, matches_snapshot):
    async with engine_app.run_test(size=size) as pilot:
        now = answers(*recent(name, tell_night), **STATES[name])
        script.now = now.status
        await told(pilot, engine_app, now)
        matches_snapshot(engine_app)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
async def test_an_engine_that_goes(size, engine_app, told, answers, tell_night, matches_snapshot):
    async with engine_app.run_test(size=size) as pilot:
        await told(pilot, engine_app, answers(*tell_night(7)))
        await told(pilot, engine_app, Lost("The engine ended without a farewell; its journal has the night."))
        matches_snapshot(engine_app)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
async def test_no_engine_at_all(size, engine_app, told, matches_snapshot):
    async with engine_app.run_test(size=size) as pilot:
        await told(pilot, engine_app, Lost("No engine is running; `starwell run …` starts one."))
        matches_snapshot(engine_app)


async def test_an_engine_that_comes_back_is_believed_anew(engine_app, told, answers, tell_night, lines):
    async with engine_app.run_test(size=(120, 40)) as pilot:
        await told(pilot, engine_app, answers(*tell_night(7)))
        await told(pilot, engine_app, Lost("The engine ended."))
        assert "ENGINE GONE" in lines(engine_app)[0]
        await told(pilot, engine_app, answers(*tell_night(2), stacked=2, rejected=0, frame=3))
        assert "EXPOSING" in lines(engine_app)[0]
        assert sorted(engine_app.night.subs) == [1, 2]
        assert engine_app.night.noise.keys() == {2}


async def test_an_alert_that_was_read_stays_read_when_the_engine_comes_back(engine_app, told, answers):
    serious = ev.QualityAdvice(subject="disk", advice=DISK, serious=True)
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, answers(serious))
        assert engine_app.night.alert == (f"disk: {DISK}", True)
        await pilot.press("a")
        await told(pilot, engine_app, Lost("The engine ended."), answers(serious))
        assert engine_app.night.alert is None


async def test_an_engine_that_refuses_ends_the_screen_with_its_reason(engine_app, script, arrived):
    async with engine_app.run_test(size=(80, 24)) as pilot:
        script.tell(EngineRefused("This engine belongs to another user."))
        await arrived(pilot, lambda: engine_app.failure is not None)
    assert engine_app.return_value == 1


@pytest.mark.parametrize(("key", "command"), [("S", Stop()), ("X", Abort())])
async def test_what_ends_something_asks_for_y_and_nothing_else_will_do(key, command, engine_app, script):
    async with engine_app.run_test(size=(80, 24)) as pilot:
        for answer in ("n", "enter", "space", "Y", key, "escape"):
            await pilot.press(key, answer)
            await pilot.pause()
            assert engine_app.screen is engine_app.panes
            assert script.asked == []
        await pilot.press(key, "y")
        await pilot.pause()
        assert script.asked == [command]


async def test_the_engine_ends_after_y_and_the_screen_with_it(engine_app, script):
    script.reply = Reply(True, "The engine ends; the camera warms up until 22:31.")
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await pilot.press("Q", "y")
        await pilot.pause()
    assert script.asked == [Quit()]
    assert engine_app.farewell == script.reply.message
    assert engine_app.return_value == 0


async def test_a_refusal_is_said_and_the_screen_stays(engine_app, script, lines):
    script.reply = Reply(False, "Nothing is being exposed.")
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await pilot.press("Q", "y")
        await pilot.pause()
        assert "Nothing is being exposed." in lines(engine_app)[-1]
        await pilot.press("j")
        await pilot.pause()
        assert "Leave" in lines(engine_app)[-1]


async def test_a_command_without_an_engine_says_so(engine_app, script, lines):
    async def unheard(command):
        raise EngineError("The engine does not answer at the moment.")

    script.ask = unheard
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await pilot.press("p")
        await pilot.pause()
        assert "does not answer" in lines(engine_app)[-1]


async def test_a_gain_is_typed_checked_confirmed_and_sent(
    engine_app, script, told, answers, matches_snapshot
):
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, answers())
        await pilot.press("g", "1", "2", "x", "backspace", "0")
        await pilot.pause()
        matches_snapshot(engine_app)
        await pilot.press("enter")
        await pilot.pause()
        assert script.asked == []
        await pilot.press("y")
        await pilot.pause()
        assert script.asked == [Set("gain", 120.0)]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (["g", "7", "0", "0", "enter"], "Gain is 0 to 600, not '700'."),
        (["g", "l", "o", "w", "enter"], "Gain is 0 to 600, not 'low'."),
        (["t", "minus", "5", "0", "enter"], "Set to is -40 to 30 °C, not '-50'."),
        (["g", "1", "0", "0", "enter"], "Gain stays as it is."),
        (["c", "o", "f", "f", "enter", "n"], "Nothing was changed."),
        (["c", "o", "n", "enter"], "Cooler stays as it is."),
    ],
)
async def test_what_is_not_to_be_sent_is_not(keys, words, engine_app, script, told, answers, lines):
    async with engine_app.run_test(size=(120, 40)) as pilot:
        await told(pilot, engine_app, answers())
        await pilot.press(*keys)
        await pilot.pause()
        assert words in lines(engine_app)[-1]
        assert script.asked == []


async def test_the_chosen_setting_is_edited_from_its_pane(engine_app, script, told, answers):
    async with engine_app.run_test(size=(120, 40)) as pilot:
        await told(pilot, engine_app, answers())
        await pilot.press("1", "j", "enter", "H", "a", "enter", "y")
        await pilot.pause()
        await pilot.press("end", "k", "enter", *"off", "enter", "y")
        await pilot.pause()
        assert script.asked == [Set("filter", "Ha"), Set("cooler", 0.0)]


async def test_two_capitals_in_a_row_ask_for_caps_lock(engine_app, lines):
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await pilot.press("P")
        await pilot.pause()
        assert "CAPS?" not in lines(engine_app)[-1]
        await pilot.press("E")
        await pilot.pause()
        assert "CAPS?" in lines(engine_app)[-1]


async def test_the_palette_finds_and_does(engine_app, script, told, answers, matches_snapshot):
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, answers())
        await pilot.press("colon", *"the stack")
        await pilot.pause()
        matches_snapshot(engine_app)
        await pilot.press("ctrl+u", *"pau", "enter")
        await pilot.pause()
        assert [type(command).__name__ for command in script.asked] == ["Pause"]
        await pilot.press("colon", *"zzz", "enter")
        await pilot.pause()
        assert len(script.asked) == 1


@pytest.mark.parametrize("pane", ["camera", "noise", "histogram", "preview"])
async def test_a_pane_takes_its_side_where_there_is_little_room(
    pane, engine_app, told, answers, tell_night, matches_snapshot
):
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, answers(*tell_night(7)))
        engine_app.panes.action_pane(pane)
        await pilot.pause()
        matches_snapshot(engine_app)


async def test_the_status_follows_the_engine_between_events(engine_app, script, told, answers, stands, lines):
    async with engine_app.run_test(size=(120, 40)) as pilot:
        await told(pilot, engine_app, answers())
        script.now = stands(sensor_celsius=-9.2, guide_rms_arcsec=1.31)
        engine_app._look()
        await engine_app.workers.wait_for_complete([w for w in engine_app.workers if w.group == "look"])
        await pilot.pause()
        assert '-9.2°C 62%  guide 1.31"' in lines(engine_app)[0]


async def test_darks_are_counted_by_their_own_numbers(engine_app, told, answers, lines):
    async with engine_app.run_test(size=(120, 40)) as pilot:
        dark = ev.ExposureStarted(number=5, seconds=60.0, kind=Kind.DARK)
        await told(pilot, engine_app, answers(dark))
        assert "● DARK 5" in lines(engine_app)[0]


async def test_a_long_reason_leaves_room_for_the_rest(engine_app, told, answers, lines):
    why = "The camera does not answer any more, and neither does its hub: look at the power of both."
    async with engine_app.run_test(size=(120, 40)) as pilot:
        await told(pilot, engine_app, answers(state=ev.State.FAULT, why=why))
        assert "● FAULT  The camera does not answer any more, an…  L 60s 8/60" in lines(engine_app)[0]
        assert lines(engine_app)[0].endswith("22:14 ")
