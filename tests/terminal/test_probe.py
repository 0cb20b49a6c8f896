from __future__ import annotations

import pytest

from starwell.terminal.colours import ColourDepth
from starwell.terminal.draw import Mode
from starwell.terminal.probe import colour_depth, mode


@pytest.mark.parametrize(
    ("env", "depth"),
    [
        ({}, "256"),
        ({"TERM": "xterm"}, "256"),
        ({"TERM": "screen"}, "256"),
        ({"TERM": "tmux-256color"}, "256"),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "24bit"),
        ({"TERM": "xterm-256color", "COLORTERM": "24bit"}, "24bit"),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor", "TERM_PROGRAM": "Apple_Terminal"}, "256"),
        ({"TERM": "xterm-256color", "COLORTERM": "yes"}, "256"),
        ({"TERM": "linux"}, "16"),
        ({"TERM": "vt100"}, "16"),
        ({"TERM": "ansi"}, "16"),
        ({"TERM": "dumb"}, "none"),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": "1"}, "none"),
        ({"TERM": "xterm", "NO_COLOR": ""}, "256"),
    ],
)
def test_the_depth_is_256_unless_the_environment_clearly_differs(env, depth):
    assert colour_depth(env) is ColourDepth(depth)


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, "quad"),
        ({"TERM": "xterm", "LANG": "de_DE.UTF-8"}, "quad"),
        ({"TERM": "xterm", "LANG": "C.UTF-8"}, "quad"),
        ({"TERM": "xterm", "LANG": "en_US.utf8"}, "quad"),
        ({"TERM": "xterm", "LANG": "sr_RS.UTF-8@latin"}, "quad"),
        ({"TERM": "xterm", "LANG": "C"}, "ascii"),
        ({"TERM": "xterm", "LANG": "de_DE.ISO-8859-1"}, "ascii"),
        ({"TERM": "xterm", "LANG": "de_DE.UTF-8", "LC_ALL": "POSIX"}, "ascii"),
        ({"TERM": "linux", "LANG": "de_DE.UTF-8"}, "ascii"),
        ({"TERM": "dumb"}, "ascii"),
    ],
)
def test_block_elements_are_used_where_they_can_be_shown(env, expected):
    assert mode(env) is Mode(expected)
