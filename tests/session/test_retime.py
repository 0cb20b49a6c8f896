"""Times put right after a wrong clock: once, and without touching a pixel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from starwell.cli.main import main
from starwell.errors import FileDamaged, PlanError
from starwell.files import fits
from starwell.files.frames import open_frame
from starwell.files.keywords import keywords_of
from starwell.files.rewriting import rewrite
from starwell.frame import Exposure, Facts, Frame, Kind
from starwell.session.journal import ClockJumped, Journal, Opened
from starwell.session.journal import read as read_journal
from starwell.session.night_files import Night
from starwell.session.retime import correct, corrections, learnt_s
from starwell.session.saved_frames import saved_record, sha256_of

BOOT = datetime(1970, 1, 1, 0, 5, tzinfo=UTC)
YEARS = 1_790_000_000.25


def taken(night: Night, journal: Journal, number: int, kind: Kind = Kind.LIGHT) -> None:
    pixels = np.random.default_rng(number).integers(400, 600, (24, 32), np.uint16)
    started = BOOT + timedelta(seconds=60 * number)
    facts = Facts(pixels.shape, Exposure(kind, 30.0), number, target="M 51", started=started)
    path = night.path(facts, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.write(path, pixels, {**keywords_of(facts), "NOTE": "a note", "HISTORY": ["one", "two"]})
    journal.append(saved_record(night, Frame(replace(facts, source=path), pixels).facts))


@pytest.fixture
def night(tmp_path: Path) -> Night:
    """Light 1 of an engine that never learnt the time; 2, a dark and 3 before the clock jumped, 4 after."""
    night = Night(tmp_path / "night")
    night.prepare()
    with Journal(night.folder / "journal.jsonl") as journal:
        journal.append(Opened(version="1"))
        taken(night, journal, 1)
        journal.append(Opened(version="1"))
        taken(night, journal, 2)
        taken(night, journal, 1, Kind.DARK)
        journal.append(ClockJumped(seconds=YEARS - 2.0))
        taken(night, journal, 3)
        journal.append(ClockJumped(seconds=2.0))
        taken(night, journal, 4)
        journal.append(ClockJumped(seconds=0.01))
    return night


def times(night: Night) -> dict[int, datetime | None]:
    return {n: open_frame(path).facts.started for n, path in night.frames(Kind.LIGHT).items()}


def test_a_jump_puts_right_what_came_before_it_in_the_same_run(night: Night) -> None:
    behind = learnt_s(read_journal(night.folder / "journal.jsonl"))
    assert behind == pytest.approx(
        {(Kind.LIGHT, 2): YEARS + 0.01, (Kind.DARK, 1): YEARS + 0.01, (Kind.LIGHT, 3): 2.01}
    )


def test_times_are_put_right_once_and_no_pixel_changes(night: Night) -> None:
    paths = [path for kind in Kind for path in night.frames(kind).values()]
    before = {path: open_frame(path) for path in paths}
    was = times(night)
    correct(night, corrections(night))
    now = times(night)
    moved = {n: (now[n] - was[n]).total_seconds() for n in was}  # type: ignore[operator]
    assert moved == pytest.approx({1: 0, 2: YEARS + 0.01, 3: 2.01, 4: 0}, abs=1e-3)
    assert corrections(night) == []
    for path, frame in before.items():
        after = open_frame(path)
        np.testing.assert_array_equal(after.pixels, frame.pixels)
        theirs = {k: v for k, v in after.facts.header.items() if k not in {"DATE-OBS", "DATE-ORG"}}
        assert theirs == {k: v for k, v in frame.facts.header.items() if k != "DATE-OBS"}
    second = open_frame(night.frames(Kind.LIGHT)[2])
    assert second.facts.header["DATE-ORG"] == "1970-01-01T00:07:00.000"
    with Journal(night.folder / "journal.jsonl") as journal:
        for number, path in night.frames(Kind.LIGHT).items():
            assert journal.lights[number].sha256 == sha256_of(path)


def test_an_offset_by_hand_starts_from_the_first_time_however_often(night: Night) -> None:
    correct(night, corrections(night))
    correct(night, corrections(night, 100.0))
    correct(night, corrections(night, 3600.0))
    start = {n: BOOT + timedelta(seconds=60 * n + 3600) for n in range(1, 5)}
    assert times(night) == start
    assert corrections(night, 3600.0) == []


def test_without_anything_to_learn_from_an_offset_is_asked_for(night: Night) -> None:
    journal = night.folder / "journal.jsonl"
    journal.write_bytes(b"")
    with pytest.raises(PlanError, match=r"tells of no jump .* --by"):
        corrections(night)
    journal.unlink()
    with pytest.raises(PlanError, match="no journal to learn from"):
        corrections(night)
    assert len(corrections(night, 5.0)) == 5


def test_the_command_tells_first_and_writes_when_told(
    night: Night, capsys: pytest.CaptureFixture[str]
) -> None:
    was = times(night)
    assert main(["retime", str(night.folder)]) == 0
    told = capsys.readouterr().out
    assert "3 frames to correct; nothing was written" in told
    assert "1970-01-01T00:07:00.000 -> 2026-09-21T" in told
    assert times(night) == was
    assert main(["retime", str(night.folder), "--write"]) == 0
    assert "3 frames corrected" in capsys.readouterr().out
    assert times(night)[2].year == 2026  # type: ignore[union-attr]
    assert main(["retime", str(night.folder), "--write"]) == 0
    assert "right already" in capsys.readouterr().out
    assert main(["retime", str(night.folder / "nowhere")]) == 2


def test_what_is_no_fits_file_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "x.fits"
    path.write_bytes(b"no header here")
    with pytest.raises(FileDamaged, match="no FITS file whose header"):
        rewrite(path, {"DATE-OBS": "2026-01-01"})
    assert path.read_bytes() == b"no header here"


def test_a_stack_does_not_mind_the_time(saved_night: Callable[..., Any], night: Night) -> None:
    correct(night, corrections(night))
    taken_up = saved_night(night.folder.name)
    assert taken_up.stacking.drained(30)
    assert taken_up.stacking.tally.rejected == 4  # blank frames, in order and unharmed
