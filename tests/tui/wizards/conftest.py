"""An engine at rest, and what its commands say, for the wizards."""

from __future__ import annotations

import json
import os
import sys

import pytest

from starwell import config
from starwell.session import events as ev
from starwell_tui import jobs
from starwell_tui.screens import sequence

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


@pytest.fixture
def idle(answers):
    """What an engine answers that has nothing to do."""
    return lambda *told, **more: answers(*told, **IDLE | more)
