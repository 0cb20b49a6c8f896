"""The demo's command: its words, what Textual is told, and how it ends."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from starwell.errors import CameraGone, PlanError
from starwell_tui import app, demo


@pytest.fixture
def nights(monkeypatch):
    """The demo's night is a stand-in; returns with what it was made."""
    made = []

    class Night:
        truth_lines = ("flux 0.998 of the sky's",)

        def __init__(self, **plan):
            made.append(plan)

        def stop(self):
            made.append("stopped")

        def close(self):
            made.append("closed")

    monkeypatch.setattr("starwell.cli.demo.DemoNight", Night)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    return made


def test_the_words_reach_the_engine_and_the_truth_stays_after_the_screen(nights, monkeypatch, capsys):
    monkeypatch.setattr(app.StarwellApp, "run", lambda self: None)
    assert demo.main(["--subs", "9", "--size", "320x200", "--seed", "5", "--colour", "256"]) == 0
    assert nights == [
        {"subs": 9, "size": (200, 320), "seed": 5, "pace_s": 0.0, "colour": False, "folder": None},
        "stopped",
        "closed",
    ]
    assert os.environ["TEXTUAL_COLOR_SYSTEM"] == "256"
    assert capsys.readouterr().out == "flux 0.998 of the sky's\n"


@pytest.mark.parametrize(("error", "code"), [(PlanError("no subs"), 2), (CameraGone("gone"), 1)])
def test_an_error_is_a_sentence_and_an_exit_code(nights, monkeypatch, capsys, error, code):
    monkeypatch.setattr(app.StarwellApp, "run", lambda self: setattr(self, "failure", error))
    assert demo.main([]) == code
    assert capsys.readouterr().err == f"starwell: {error}\n"


@pytest.mark.parametrize("words", [["--size", "big"], ["--colour", "pink"], ["--subs", "many"]])
def test_a_wrong_call_says_so(nights, capsys, words):
    with pytest.raises(SystemExit) as raised:
        demo.main(words)
    assert raised.value.code == 2
    assert words[1] in capsys.readouterr().err


def test_the_environment_is_set_before_textual_is_loaded():
    code = "import sys, starwell_tui.demo, starwell_tui.attach; print('textual' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "False\n"
