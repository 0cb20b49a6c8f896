"""The screen as the README shows it: SVG pictures, compared as the text snapshots are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from starwell.terminal.colours import ColourDepth
from starwell_tui.app import StarwellApp
from starwell_tui.keys import table
from starwell_tui.pace import Pace

FOLDER = Path(__file__).resolve().parents[2] / "snapshots" / "pictures"


def compare(app, name):
    """The picture must be as kept, to the last cell; STARWELL_UPDATE_SNAPSHOTS=1 writes it."""
    seen, file = app.export_screenshot(title="starwell", simplify=True), FOLDER / f"{name}.svg"
    if os.environ.get("STARWELL_UPDATE_SNAPSHOTS") == "1":
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(seen, encoding="utf-8")
    assert file.exists(), f"no snapshot {file}; STARWELL_UPDATE_SNAPSHOTS=1 writes it"
    # Not in the assertion: a difference of 100 KB helps nobody.
    same = seen == file.read_text(encoding="utf-8")
    assert same, f"{name} looks different: write it again, and look at it"


@pytest.mark.parametrize(
    ("name", "size", "keys"),
    [
        ("night", (120, 36), ()),
        ("noise", (100, 32), ("N",)),
        ("small", (80, 24), ()),
        ("red", (80, 24), ("r",)),
    ],
)
async def test_the_picture_is(name, size, keys, script, clock, told, answers, tell_night):
    app = StarwellApp(script, keys=table(engine=True), pace=Pace(0), clock=clock, depth=ColourDepth.INDEXED)
    async with app.run_test(size=size) as pilot:
        await told(pilot, app, answers(*tell_night(7)))
        for key in keys:
            await pilot.press(key)
        await pilot.pause()
        compare(app, name)
