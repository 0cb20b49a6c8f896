"""`starwell` itself: help, version, unknown words, and what a command loads."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from starwell import __version__
from starwell.cli.main import COMMANDS

Make = Callable[..., Any]


@pytest.mark.parametrize("words", [("--help",), ("-h",), ("help",), ()])
def test_help_lists_every_command(words: tuple[str, ...], starwell: Make) -> None:
    told = starwell(*words)
    assert told.code == 0
    for name, line in COMMANDS.items():
        assert f"starwell {name}" in told.out
        assert line in told.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str], starwell: Make) -> None:
    with pytest.raises(SystemExit) as ended:
        starwell(name, "--help")
    assert ended.value.code == 0
    assert COMMANDS[name] in capsys.readouterr().out


def test_version_is_the_package_s(starwell: Make) -> None:
    assert starwell("--version").out == f"starwell {__version__}\n"


@pytest.mark.parametrize("word", ["stakc", "--frobnicate", "STACK"])
def test_an_unknown_command_is_a_wrong_call(word: str, starwell: Make) -> None:
    told = starwell(word)
    assert told.code == 2
    assert told.err == f"starwell: there is no command '{word}'; `starwell --help` lists them.\n"


@pytest.mark.parametrize(
    "words", [("stack",), ("stack", "x", "-o", "y.fits", "--kernel", "magic"), ("stack", "--no")]
)
def test_a_wrong_option_is_a_wrong_call(
    words: tuple[str, ...], starwell: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        starwell(*words)
    assert ended.value.code == 2
    assert "usage: starwell stack" in capsys.readouterr().err


def loaded(*words: str) -> set[str]:
    """The top-level modules that `starwell …` has loaded when it ends."""
    script = (
        "import sys, starwell_tui.__main__ as m; sys.argv = ['starwell', *sys.argv[1:]]\n"
        "try: m.main()\nexcept SystemExit: pass\n"
        "print('MODULES', *sorted({m.split('.')[0] for m in sys.modules}))"
    )
    told = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=True)
    return set(told.stdout.splitlines()[-1].split()[1:])


@pytest.mark.parametrize("name", COMMANDS)
def test_headless_commands_load_no_textual(name: str) -> None:
    assert not {"textual"} & loaded(name, "--help")


def test_a_headless_stack_of_fits_files_loads_what_it_needs_and_no_more(mono: Any, tmp_path: Path) -> None:
    modules = loaded("stack", str(mono.folder), "-o", str(tmp_path / "o.fits"))
    assert (tmp_path / "o.fits").exists()
    assert "cv2" in modules
    assert not {"textual", "imageio", "tifffile", "PIL", "astropy", "scipy", "matplotlib", "ssl"} & modules


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted where /proc tells them")
@pytest.mark.parametrize("name", ["stack", "run", "engine"])
def test_what_is_imported_starts_no_threads(name: str) -> None:
    script = (
        "import os, sys, starwell_tui.__main__ as m; sys.argv = ['starwell', sys.argv[1], '--help']\n"
        "try: m.main()\nexcept SystemExit: pass\n"
        "import starwell.session.pipeline, starwell.session.exact\n"
        "print(len(os.listdir('/proc/self/task')), 'numpy' in sys.modules)"
    )
    clean = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    call = [sys.executable, "-c", script, name]
    told = subprocess.run(call, capture_output=True, text=True, check=True, env=clean)
    assert told.stdout.splitlines()[-1] == "1 True"


@pytest.mark.parametrize("name", ["run", "engine", "stack", "watch"])
def test_a_night_without_a_simulated_sky_loads_no_scipy(name: str) -> None:
    assert not {"scipy", "astropy", "tifffile"} & loaded(name, "--help")


def test_help_and_version_load_no_numpy() -> None:
    assert not {"numpy", "textual", "rich"} & loaded("--version")
    assert not {"numpy", "textual", "rich"} & loaded("--help")


@pytest.mark.parametrize("words", [["--help"], ["stack", "--help"]])
def test_a_reader_that_goes_away_is_no_traceback(words: list[str]) -> None:
    call = [sys.executable, "-m", "starwell_tui", *words]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""
