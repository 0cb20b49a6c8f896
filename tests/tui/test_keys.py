"""One table: every key of it works, is in the help and is in the footer."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import msgspec
import pytest

from starwell.errors import PlanError
from starwell.remote.messages import (
    Look,
    Pause,
    Reject,
    Reply,
    Restore,
    Save,
    Start,
    Stretch,
)
from starwell.session import events as ev
from starwell.terminal.draw import Mode
from starwell_tui.app import StarwellApp
from starwell_tui.keys import KEYS, entry_width, footer, table
from starwell_tui.wizards import WIZARDS


def chosen(number):
    return lambda app: app.panes.frames.chosen.number == number


def pane(name):
    return lambda app: app.panes.query_one(f"#{name}").has_class("-chosen")


def asked(command):
    return lambda app: command in app.link.asked


def seen(name, value):
    return lambda app: getattr(app.desk.view.viewpoint, name) == value


def over(name):
    return lambda app: type(app.screen).__name__ == name


def left(app):
    return app.return_value == 0


EFFECTS = {
    "space": asked(Start()),
    "p": asked(Pause()),
    "x": asked(Reject(12)),
    "u": asked(Restore(3)),
    "j": chosen(11),
    "down": chosen(11),
    "k": chosen(12),
    "up": chosen(12),
    "h": lambda app: app.desk.view.viewpoint.x < 0.5,
    "left": lambda app: app.desk.view.viewpoint.x < 0.5,
    "l": lambda app: app.desk.view.viewpoint.x > 0.5,
    "right": lambda app: app.desk.view.viewpoint.x > 0.5,
    "pagedown": chosen(2),
    "pageup": chosen(12),
    "end": chosen(1),
    "home": chosen(12),
    "plus": seen("zoom", 2**0.5),
    "minus": seen("zoom", 1.0),
    "0": seen("zoom", 1.0),
    "equals_sign": lambda app: app.desk.view.viewpoint.zoom > 1,
    "v": asked(Look("sub")),
    "s": asked(Stretch("asinh")),
    "comma": asked(Stretch("auto", black=-0.5)),
    "full_stop": asked(Stretch("auto", black=0.5)),
    "less_than_sign": asked(Stretch("auto", white=0.05)),
    "greater_than_sign": asked(Stretch("auto")),
    "z": over("Put"),
    "asterisk": lambda app: app.desk.view.crosshair,
    "B": asked(Look("reference")),
    "i": lambda app: app.desk.view.dots == Mode.HALF,
    "enter": over("SubDetails"),
    "slash": over("Entry"),
    "N": over("NoiseOfTheNight"),
    "G": over("Entry"),
    "L": over("Log"),
    "m": over("Entry"),
    "ctrl+t": lambda app: app.looks.theme == "high-contrast",
    "R": over("Question"),
    **{wizard.key: over(wizard.screen.split(":")[1]) for wizard in WIZARDS},
    "1": pane("camera"),
    "2": pane("frames"),
    "3": pane("preview"),
    "4": pane("noise"),
    "5": pane("histogram"),
    "tab": pane("preview"),
    "shift+tab": pane("camera"),
    "escape": lambda app: not app.panes.has_class("-alone"),
    "a": lambda app: not app.panes.night.alert,
    "r": lambda app: len(app.get_line_filters()) == 2,
    "w": asked(Save()),
    "S": over("Question"),
    "X": over("Question"),
    "Q": over("Question"),
    **dict.fromkeys("egobtcdf", over("Entry")),
    "ctrl+r": lambda app: True in app.redrawn,
    "colon": over("Palette"),
    "ctrl+p": over("Palette"),
    "question_mark": over("Help"),
    "q": left,
    "ctrl+c": left,
    "ctrl+q": left,
}
FIRST = {
    "u": ["pagedown", "k"],
    "k": ["j"],
    "up": ["down"],
    "pageup": ["pagedown"],
    "home": ["end"],
    **{key: ["3", "plus"] for key in ("h", "left", "l", "right")},
    "minus": ["plus"],
    "0": ["plus"],
    "greater_than_sign": ["less_than_sign"],
    "2": ["3"],
    "escape": ["3", "3"],
}
"""Keys pressed before, without which there would be no effect to see."""


def names(keys):
    return [name for key in keys for names in key.bindings for name in names.split(",")]


@pytest.mark.parametrize("key", names(KEYS))
async def test_every_key_of_the_table_works(key, engine_app, answers, told, tell_finished, monkeypatch):
    async def no_program(*words, **how):
        await asyncio.Event().wait()

    app = engine_app
    monkeypatch.setattr(asyncio, "create_subprocess_exec", no_program)
    app.redrawn = []
    async with app.run_test(size=(80, 24)) as pilot:
        picture = next(event for event in tell_finished() if isinstance(event, ev.PreviewReady))
        last_sub = msgspec.structs.replace(picture, of="sub")
        await told(pilot, app, answers(*tell_finished(), last_sub))
        monkeypatch.setattr(app.panes, "refresh", lambda *what, **how: app.redrawn.append(how.get("layout")))
        await pilot.press(*FIRST.get(key, []))
        app.redrawn.clear()
        assert not EFFECTS[key](app), "nothing to see"
        await pilot.press(key)
        await pilot.pause()
        assert EFFECTS[key](app)


@pytest.mark.parametrize("engine", [True, False])
async def test_every_key_is_in_the_help_of_every_pane_and_in_the_palette(script, clock, lines, engine):
    keys = table(engine=engine)
    app = StarwellApp(script, keys=keys, clock=clock)
    async with app.run_test(size=(100, 100)) as pilot:
        await pilot.press("colon")
        await pilot.pause()
        found = lines(app)
        await pilot.press("escape")
        for number in "12345":
            await pilot.press(number, "question_mark")
            await pilot.pause()
            page = lines(app)
            for key in keys:
                assert any(f"│ {key.shown} " in text and key.meaning[:40] in text for text in page)
            await pilot.press("q")
    for key in keys:
        assert key.word == "Palette" or any(key.word in text and key.meaning[:40] in text for text in found)


@pytest.mark.parametrize("width", [40, 60, 80, 100])
@pytest.mark.parametrize("pane", ["", "preview"])
def test_a_narrow_footer_is_whole_keeps_help_and_quit_and_begins_with_the_panes_keys(width, pane):
    shown = footer(KEYS, width, pane)
    assert sum(map(entry_width, shown)) <= width
    assert [key.shown for key in shown[-2:]] == ["?", "q"]
    assert shown[0].pane == pane
    assert len(shown) == len({key.word for key in shown})


def test_no_key_does_two_things():
    assert len(names(KEYS)) == len(set(names(KEYS)))


def test_the_demo_has_no_keys_for_an_engine():
    assert not any(key.engine for key in table(engine=False))
    assert table(engine=False)[-1].word == "Quit"
    assert table(engine=True)[-1].word == "Leave"


def test_a_user_may_have_another_key():
    keys = table(engine=True, own={"Reject": "y"})
    assert [key.bindings for key in keys if key.shown == "y"] == [{"y": "screen.reject"}]
    assert "x" not in names(keys)


@pytest.mark.parametrize(
    ("own", "why"),
    [({"shoot": "y"}, "no 'shoot'"), ({"choose": "y"}, "no 'choose'"), ({"reject": "u"}, "Undo's")],
)
def test_a_key_that_cannot_be_had_is_said(own, why):
    with pytest.raises(PlanError, match=why):
        table(engine=True, own=own)


async def test_a_sub_that_is_out_is_not_rejected_again_nor_one_that_is_in_restored(app, tell_finished, told):
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("x", "u")
        await told(pilot, app, *tell_finished())
        await pilot.press("u", "pagedown", "k", "x")
        assert app.link.asked == []


async def test_the_last_thing_done_by_hand_is_undone_and_then_the_one_before(engine_app, tell_finished, told):
    app = engine_app
    async with app.run_test(size=(120, 40)) as pilot:
        await told(pilot, app, *tell_finished())
        await pilot.press("x", "j", "x", "u", "u", "u")
        assert app.link.asked == [Reject(12), Reject(11), Restore(11), Restore(12)]


async def test_what_was_refused_is_not_undone(engine_app, script, tell_finished, told, lines):
    script.reply = Reply(False, "Sub 12 is not stacked.")
    async with engine_app.run_test(size=(120, 40)) as pilot:
        await told(pilot, engine_app, *tell_finished())
        await pilot.press("x", "u")
        await pilot.pause()
        assert script.asked == [Reject(12)]
        assert "Nothing to undo" in lines(engine_app)[-1]


async def test_the_cursor_stays_with_its_sub_while_newer_ones_arrive(app, tell_night, told):
    async with app.run_test(size=(120, 40)) as pilot:
        await told(pilot, app, *tell_night(5))
        await pilot.press("j", "j")
        await told(pilot, app, *tell_night(9))
        assert app.panes.frames.chosen.number == 3
        await pilot.press("home")
        await told(pilot, app, *tell_night(10))
        assert app.panes.frames.chosen.number == 10


async def test_any_key_leaves_the_help(app):
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("question_mark", "q")
        assert app.screen is app.panes
        assert app.return_value is None


def test_every_key_of_the_readme_s_tour_is_in_the_table():
    text = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    tour = text.partition("## Two minutes on the screen")[2].partition("\n## ")[0]
    pressed = set(re.findall(r"`(\S|enter|space)`", tour))
    of_sheets = {"y"}
    known = {word for key in KEYS for word in key.shown.split()} | {"h", "l"}
    assert pressed >= {"p", "F", "space", "x", "u", "=", "w", "q", "S", "D", "Q"}
    assert pressed - of_sheets <= known
