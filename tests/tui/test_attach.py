"""`starwell` alone: which terminal it sees, what it remembers, and what it says when it leaves."""

from __future__ import annotations

import os

import pytest

from starwell import config
from starwell.errors import EngineError, EngineRefused
from starwell.terminal.colours import ColourDepth
from starwell.terminal.draw import Mode
from starwell_tui import __main__, app, attach, starting, terminal
from starwell_tui.night import Night
from starwell_tui.screens import first_run


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "environ", os.environ | {"STARWELL_HOME": str(tmp_path)})
    monkeypatch.setattr(config.home, "__defaults__", (os.environ,))
    monkeypatch.setattr(starting, "answers", lambda place: True)
    (tmp_path / "config.toml").touch()
    return config.home()


@pytest.fixture
def screens(monkeypatch):
    """The screens that were opened, each left at once."""
    opened = []
    monkeypatch.setattr(app.StarwellApp, "run", lambda self: opened.append(self))
    return opened


def test_leaving_without_an_engine_says_how_to_start_one(screens, capsys):
    assert attach.main([]) == 0
    assert capsys.readouterr().out.startswith("No engine answers. `starwell run")


def test_leaving_an_engine_says_that_it_goes_on(stands):
    night = Night(status=stands())
    assert attach.how_to_come_back(night) == (
        "The engine goes on (exposing, frame 8 of 60, 6 stacked): `starwell` brings the screen back, "
        "`starwell stop` ends the series."
    )


def test_a_refusal_is_a_sentence_and_an_exit_code(monkeypatch, capsys):
    refusal = EngineRefused("The engine belongs to the user ann.")
    monkeypatch.setattr(app.StarwellApp, "run", lambda self: setattr(self, "failure", refusal))
    assert attach.main([]) == 1
    assert capsys.readouterr().err == "starwell: The engine belongs to the user ann.\n"


def test_options_win_over_the_configuration(screens, home):
    (home.config / "config.toml").write_text(
        '[screen]\npreview = "half"\nred = true\nkeys = {reject = "y"}\n'
    )
    attach.main([])
    attach.main(["--preview", "ascii", "--red", "--colour", "24bit"])
    one, other = screens
    assert (one.desk.view.dots, one.red) == (Mode.HALF, True)
    assert (other.desk.view.dots, other.red) == (Mode.ASCII, True)
    assert [key.shown for key in one.desk.keys if key.word == "Reject"] == ["y"]


def test_a_wrong_key_in_the_configuration_is_a_wrong_call(screens, home, capsys):
    (home.config / "config.toml").write_text('[screen]\nkeys = {reject = "u"}\n')
    assert attach.main([]) == 2
    assert "Undo" in capsys.readouterr().err


def test_red_stays_red_the_next_time(screens, home):
    terminal.remember(home, terminal.Memory(red=True))
    attach.main([])
    assert screens[0].red
    assert terminal.remembered(home).red


def test_what_was_remembered_badly_is_forgotten(home):
    home.state.mkdir()
    (home.state / "screen.json").write_text("{")
    assert terminal.remembered(home) == terminal.Memory()


@pytest.mark.parametrize(
    ("env", "sized", "sixels"),
    [
        ({}, (20, 10), True),
        ({}, None, False),
        ({"TMUX": "/tmp/tmux"}, (20, 10), False),
        ({"STY": "1"}, (20, 10), False),
    ],
)
def test_the_key_comes_to_sixels_only_outside_tmux_and_where_cells_have_a_size(
    env, sized, sixels, monkeypatch
):
    monkeypatch.setattr(terminal.sixel, "cell_px", lambda number: sized)
    seen = terminal.of_environment(None, None, {"TERM": "xterm-256color", "LANG": "C.UTF-8", **env})
    assert seen == terminal.Terminal(ColourDepth.INDEXED, Mode.QUAD, sixels)


def test_sixels_come_in_tmux_when_they_are_asked_for():
    assert terminal.of_environment(None, "sixel", {"TERM": "tmux", "TMUX": "1"}).sixels


@pytest.mark.parametrize(
    ("words", "opened"),
    [
        ([], "attach"),
        (["--red"], "attach"),
        (["demo"], "demo"),
        (["status"], "cli"),
        (["--help"], "cli"),
        (["demo", "--headless"], "cli"),
        (["--version"], "cli"),
    ],
)
def test_a_screen_opens_only_for_what_has_one(words, opened, monkeypatch):
    called = []
    for name, module in (("attach", attach), ("demo", "starwell_tui.demo"), ("cli", "starwell.cli.main")):
        target = f"{module}.main" if isinstance(module, str) else "starwell_tui.attach.main"
        monkeypatch.setattr(target, lambda words, name=name: called.append(name) or 0)
    monkeypatch.setattr("sys.argv", ["starwell", *words])
    for stream in ("stdin", "stderr"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True, raising=False)
    assert __main__.main() == 0
    assert called == [opened]


def test_without_an_engine_one_is_started_and_its_log_is_named(screens, home, monkeypatch, capsys):
    monkeypatch.setattr(starting, "answers", lambda place: False)
    monkeypatch.setattr(starting, "start", lambda place: 4711)
    assert attach.main([]) == 0
    assert f"engine 4711 answers; its log is {home.state / 'engine.log'}" in capsys.readouterr().err
    assert len(screens) == 1


def test_an_engine_that_cannot_be_started_is_a_sentence_and_no_screen(screens, monkeypatch, capsys):
    def fails(place):
        raise EngineError("The engine could not be started: no room on the disk.")

    monkeypatch.setattr(starting, "answers", lambda place: False)
    monkeypatch.setattr(starting, "start", fails)
    assert attach.main([]) == 1
    assert capsys.readouterr().err.endswith(
        "starwell: The engine could not be started: no room on the disk.\n"
    )
    assert screens == []


def test_none_is_started_where_none_is_wanted(screens, monkeypatch):
    monkeypatch.setattr(starting, "answers", lambda place: pytest.fail("it was looked for"))
    assert attach.main(["--no-engine"]) == 0
    assert len(screens) == 1


def test_the_first_run_asks_and_the_program_begins_anew_with_the_answers(home, screens, monkeypatch):
    class Anew(Exception):
        pass

    def exec_(program, words):
        raise Anew(words)

    asked = []
    (home.config / "config.toml").unlink()
    monkeypatch.setattr(first_run, "ask", lambda data: asked.append(data) or home.config / "config.toml")
    monkeypatch.setattr(os, "execv", exec_)
    with pytest.raises(Anew) as anew:
        attach.main(["--red"])
    assert anew.value.args[0][1:] == ["-m", "starwell_tui", "--red"]
    assert asked == [home.data]
    assert screens == []


def test_a_first_run_that_is_left_goes_on_without(home, screens, monkeypatch):
    (home.config / "config.toml").unlink()
    monkeypatch.setattr(first_run, "ask", lambda data: None)
    assert attach.main([]) == 0
    assert len(screens) == 1
