"""The list of smoke tests names tests that are there, some of every room of the core."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent


def test_every_smoke_test_is_there_and_every_room_has_one() -> None:
    named = (HERE / "smoke.txt").read_text().split()
    rooms = set()
    for name in named:
        path, _, test = name.partition("::")
        assert re.search(rf"^(async )?def {test}\(", (HERE.parent / path).read_text(), re.MULTILINE), name
        rooms.add(Path(path).parts[1])
    assert rooms >= {folder.name for folder in HERE.iterdir() if folder.is_dir() and folder.name in _ROOMS}
    assert len(named) == len(set(named)) >= 25


_ROOMS = {
    *("align", "calibration", "camera", "cli", "files", "flatlab", "measure"),
    *("picture", "remote", "sensor", "session", "stack", "terminal"),
}
