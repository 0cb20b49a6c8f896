"""One table: every key of it works, is in the help and is in the footer."""

from __future__ import annotations

import pytest

from starwell_tui.keys import KEYS, bindings, entry_width, footer
from starwell_tui.messages import Happened


def chosen(number):
    return lambda app: app.panes.frames.chosen.number == number


def pane(name):
    return lambda app: app.panes.query_one(f"#{name}").has_class("-chosen")


def asked(command, *words):
    return lambda app: (command, *words) in app.engine.asked


def left(app):
    return app.return_value == 0


EFFECTS = {
    "x": asked("reject", 12),
    "u": asked("restore", 3),
    "j": chosen(11),
    "down": chosen(11),
    "k": chosen(12),
    "up": chosen(12),
    "pagedown": chosen(2),
    "pageup": chosen(12),
    "end": chosen(1),
    "home": chosen(12),
    "s": asked("set_stretch", "asinh"),
    "2": pane("frames"),
    "3": pane("preview"),
    "4": pane("noise"),
    "tab": pane("preview"),
    "shift+tab": pane("noise"),
    "escape": lambda app: not app.panes.has_class("-alone"),
    "a": lambda app: not app.panes.night.alert,
    "r": lambda app: len(app.get_line_filters()) == 2,
    "ctrl+r": lambda app: app.redrawn,
    "question_mark": lambda app: app.screen is not app.panes,
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
    "2": ["3"],
    "escape": ["3", "3"],
}
"""Keys pressed before, without which there would be no effect to see."""


@pytest.mark.parametrize("key", [key for binding in bindings() for key in binding.key.split(",")])
async def test_every_key_of_the_table_works(key, app, tell_finished, monkeypatch):
    app.redrawn = []
    async with app.run_test(size=(120, 40)) as pilot:
        for event in tell_finished():
            app.panes.post_message(Happened(event))
        await pilot.pause()
        monkeypatch.setattr(app.panes, "refresh", lambda **how: app.redrawn.append(how))
        await pilot.press(*FIRST.get(key, []))
        assert not EFFECTS[key](app), "nothing to see"
        await pilot.press(key)
        assert EFFECTS[key](app)


async def test_every_key_is_in_the_help_and_in_the_footer(app, lines):
    async with app.run_test(size=(120, 40)) as pilot:
        last = lines(app)[-1]
        await pilot.press("question_mark")
        await pilot.pause()
        page = lines(app)
    for key in KEYS:
        assert f" {key.shown} {key.word} " in last
        assert any(f"│ {key.shown} " in text and key.meaning[:40] in text for text in page)


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_a_narrow_footer_is_whole_and_keeps_help_and_quit(width):
    shown = footer(width)
    assert sum(map(entry_width, shown)) <= width
    assert [key.shown for key in shown[-2:]] == ["?", "q"]
    assert shown[:-2] == list(KEYS[: len(shown) - 2])


def test_no_key_does_two_things():
    keys = [key for binding in bindings() for key in binding.key.split(",")]
    assert len(keys) == len(set(keys))


async def test_a_sub_that_is_out_is_not_rejected_again_nor_one_that_is_in_restored(app, tell_finished):
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("x", "u")
        for event in tell_finished():
            app.panes.post_message(Happened(event))
        await pilot.pause()
        await pilot.press("u", "pagedown", "k", "x")
        assert app.engine.asked == []


async def test_the_cursor_stays_with_its_sub_while_newer_ones_arrive(app, tell_night):
    async with app.run_test(size=(120, 40)) as pilot:
        for event in tell_night(5):
            app.panes.post_message(Happened(event))
        await pilot.pause()
        await pilot.press("j", "j")
        for event in tell_night(9):
            app.panes.post_message(Happened(event))
        await pilot.pause()
        assert app.panes.frames.chosen.number == 3
        await pilot.press("home")
        for event in tell_night(10):
            app.panes.post_message(Happened(event))
        await pilot.pause()
        assert app.panes.frames.chosen.number == 10


async def test_any_key_leaves_the_help(app):
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("question_mark", "q")
        assert app.screen is app.panes
        assert app.return_value is None
