"""Checkpoints: whole or passed by, never trusted with more than values."""

from __future__ import annotations

import errno
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from starwell.camera.sky import Mount, Scene, Sky, SkyPlan
from starwell.errors import DiskFull
from starwell.session import checkpoint as room
from starwell.session.checkpoint import Checkpoint, Position

Make = Callable[..., Any]
PLAN = SkyPlan(
    size=(160, 208),
    subs=16,
    seconds=20.0,
    scene=Scene(stars=60, faintest_e=3000.0, brightest_e=80_000.0),
    mount=Mount(drift_px=(0.2, 0.1), dither_px=6.0),
)
LIGHTS = {n: Sky(PLAN).light(n - 1) for n in range(1, 9)}
POSITION = Position(frozenset(LIGHTS), 0)


@pytest.fixture
def night(saved_night: Make) -> Any:
    return saved_night().feed(LIGHTS)


def kept(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def is_usable(folder: Path, saved_night: Make) -> bool:
    return Checkpoint(folder).load(saved_night().stacks) == POSITION


def test_a_checkpoint_brings_back_every_array_and_every_member(
    night: Any, saved_night: Make, tmp_path: Path
) -> None:
    Checkpoint(tmp_path / "c").save(night.stacks, POSITION)
    other = saved_night()
    assert Checkpoint(tmp_path / "c").load(other.stacks) == POSITION
    (label,) = night.sums()
    for name, array in night.sums()[label].items():
        np.testing.assert_array_equal(array, other.sums()[label][name])
    mine, theirs = (n.stacks.all[0].pipeline for n in (night, other))
    assert theirs.members.records() == mine.members.records()
    assert theirs.admission.gates == mine.admission.gates
    assert theirs.reference.number == mine.reference.number
    assert theirs.intake.findings == mine.intake.findings


def test_only_what_changed_is_written_again(saved_night: Make, tmp_path: Path) -> None:
    night = saved_night().feed({n: LIGHTS[n] for n in (1, 2)})
    checkpoint = Checkpoint(tmp_path / "c")
    checkpoint.save(night.stacks, POSITION)
    (sums,) = (tmp_path / "c").rglob("sum.npy")
    first = sums.stat().st_ino
    checkpoint.save(night.stacks, POSITION)
    assert sums.stat().st_ino == first
    night.feed({3: LIGHTS[3]})
    checkpoint.save(night.stacks, POSITION)
    assert sums.stat().st_ino != first
    np.testing.assert_array_equal(np.load(sums), night.stacks.all[0].pipeline.stack.sums.sum)


def test_where_nothing_can_be_linked_all_is_written(
    night: Any, saved_night: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(there: Path, here: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    checkpoint = Checkpoint(tmp_path / "c")
    checkpoint.save(night.stacks, POSITION)
    checkpoint.save(night.stacks, POSITION)
    assert is_usable(tmp_path / "c", saved_night)


@pytest.mark.parametrize("moment", range(4))
def test_a_crash_at_any_moment_of_writing_leaves_a_checkpoint(
    moment: int, night: Any, saved_night: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = Checkpoint(tmp_path / "c")
    checkpoint.save(night.stacks, POSITION)
    # As a process killed at this step leaves it: nothing tidies up after it.
    steps = {0: (room, "_write_bytes"), 1: (Path, "rename"), 2: (Path, "rename"), 3: (shutil, "rmtree")}
    where, name = steps[moment]
    done = getattr(where, name)
    calls = iter(range(100))

    def crash(*args: Any, **how: Any) -> Any:
        if next(calls) == {0: 0, 1: 0, 2: 1, 3: 2}[moment]:
            monkeypatch.setattr(shutil, "rmtree", lambda *a, **k: None)
            raise KeyboardInterrupt
        return done(*args, **how)

    monkeypatch.setattr(where, name, crash)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(night.stacks, POSITION)
    monkeypatch.undo()
    assert is_usable(tmp_path / "c", saved_night)
    Checkpoint(tmp_path / "c").save(night.stacks, POSITION)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_full_disk_leaves_the_checkpoint_before(
    night: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = Checkpoint(tmp_path / "c")
    checkpoint.save(night.stacks, POSITION)
    before = kept(tmp_path)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull, match="no room left"):
        checkpoint.save(night.stacks, Position())
    monkeypatch.undo()
    assert kept(tmp_path) == before


@pytest.mark.parametrize("damage", ["state cut", "state gone", "array cut", "array gone", "array swapped"])
def test_a_torn_checkpoint_is_passed_by(damage: str, night: Any, saved_night: Make, tmp_path: Path) -> None:
    Checkpoint(tmp_path / "c").save(night.stacks, POSITION)
    assert is_usable(tmp_path / "c", saved_night)
    state, (sums,) = tmp_path / "c" / "state", (tmp_path / "c").rglob("sum.npy")
    what = state if damage.startswith("state") else sums
    if damage.endswith("cut"):
        what.write_bytes(what.read_bytes()[: what.stat().st_size // 2])
    elif damage.endswith("gone"):
        what.unlink()
    else:
        np.save(sums, np.zeros((1, 5, 5)))
    other = saved_night()
    assert Checkpoint(tmp_path / "c").load(other.stacks) is None
    assert other.stacks.all == []


class Evil:
    def __init__(self, call: Any, *words: Any) -> None:
        self.reduced = call, words

    def __reduce__(self) -> Any:
        return self.reduced


@pytest.mark.parametrize("where", ["os.system", "journal", "builtins"])
def test_a_foreign_checkpoint_runs_nothing(where: str, saved_night: Make, tmp_path: Path) -> None:
    from starwell.session.journal import Journal

    trap = tmp_path / "trap"
    evil = {
        "os.system": Evil(os.system, f"touch {trap}"),
        "journal": Evil(Journal, trap),
        "builtins": Evil(eval, f"open({str(trap)!r}, 'w')"),
    }[where]
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "state").write_bytes(pickle.dumps((evil, POSITION, {}, None)))
    assert Checkpoint(tmp_path / "c").load(saved_night().stacks) is None
    assert not trap.exists()


def test_a_checkpoint_of_another_version_is_passed_by(
    night: Any, saved_night: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Checkpoint(tmp_path / "c").save(night.stacks, POSITION)
    monkeypatch.setattr(room, "_FORMAT", (2, "99.0"))
    assert not is_usable(tmp_path / "c", saved_night)
