"""The journal: whole lines or none, whatever happens to its end."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starwell.errors import DiskFull, FileDamaged, StorageError
from starwell.frame import Kind
from starwell.session.journal import (
    ClockJumped,
    FrameSaved,
    Journal,
    MergedByHand,
    Opened,
    RejectedByHand,
    RestoredByHand,
    SeriesEnded,
    SettingChanged,
    StateEntered,
    read,
)

numbers = st.integers(0, 10_000)
names = st.text(st.characters(codec="utf-8"), max_size=12)
records = st.one_of(
    st.builds(Opened, version=names, camera=st.none() | names),
    st.builds(
        FrameSaved,
        number=numbers,
        kind=st.sampled_from(Kind),
        file=names,
        size=numbers,
        sha256=names,
        saturation_adu=st.none() | st.floats(0, 1e6),
        at=names,
    ),
    st.builds(RejectedByHand, number=numbers, after=numbers),
    st.builds(RestoredByHand, number=numbers, after=numbers),
    st.builds(MergedByHand, after=numbers),
    st.builds(SeriesEnded, after=numbers),
    st.builds(SettingChanged, name=names, value=st.floats(allow_nan=False, allow_infinity=False)),
    st.builds(StateEntered, state=names, why=names),
    st.builds(ClockJumped, seconds=st.floats(-1e9, 1e9)),
)
nights = st.lists(records, max_size=8)


def frame(number: int, file: str = "f.fits", kind: Kind = Kind.LIGHT) -> FrameSaved:
    return FrameSaved(number=number, kind=kind, file=file, size=1, sha256="0")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journal") / "journal.jsonl"


def written(path: Path, night: list[Any]) -> bytes:
    path.unlink(missing_ok=True)
    with Journal(path) as journal:
        for record in night:
            journal.append(record)
    return path.read_bytes()


@given(night=nights)
def test_a_journal_says_what_it_was_told(night: list[Any], path: Path) -> None:
    assert written(path, night).count(b"\n") == len(night)
    assert read(path) == night
    with Journal(path) as journal:
        assert journal.records == night


@given(night=nights, more=records, data=st.data())
def test_a_line_torn_anywhere_is_lost_alone(night: list[Any], more: Any, data: Any, path: Path) -> None:
    whole = written(path, [*night, more])
    before = len(b"".join(whole.splitlines(keepends=True)[:-1])) if night else 0
    cut = data.draw(st.integers(before, len(whole)))
    path.write_bytes(whole[:cut])
    kept = [*night, more] if cut >= len(whole) - 1 else night
    assert read(path) == kept
    with Journal(path) as journal:
        journal.append(more)
    assert read(path) == [*kept, more]


@given(night=nights, rest=st.binary(min_size=1, max_size=64))
def test_blocks_that_a_power_cut_left_empty_or_wild_are_taken_away(
    night: list[Any], rest: bytes, path: Path
) -> None:
    whole = written(path, night)
    tail = b"\0" * 40 + rest.replace(b"\n", b"")
    path.write_bytes(whole + tail)
    with Journal(path) as journal:
        journal.append(frame(7))
    assert read(path) == [*night, frame(7)]


@given(night=nights.filter(bool), data=st.data())
def test_garbage_in_the_middle_is_named_by_its_line(night: list[Any], data: Any, path: Path) -> None:
    lines = written(path, [*night, frame(1)]).splitlines(keepends=True)
    which = data.draw(st.integers(0, len(night) - 1))
    lines[which] = b'{"type":"FrameSaved","number":"a\xff lot"}\n'
    path.write_bytes(b"".join(lines))
    for opening in (read, Journal):
        with pytest.raises(FileDamaged, match=f"Line {which + 1} of .*journal.jsonl is damaged. Take that"):
            opening(path)
    assert path.read_bytes() == b"".join(lines)


def test_the_newest_line_of_a_light_counts_and_darks_have_numbers_of_their_own(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:
        for record in (frame(1), frame(2), frame(1, kind=Kind.DARK), frame(1, "moved.fits")):
            journal.append(record)
        assert {n: r.file for n, r in journal.lights.items()} == {1: "moved.fits", 2: "f.fits"}


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal(tmp_path / "j") as journal:
        journal.append(frame(1))

        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fdatasync", full)
        with pytest.raises(DiskFull, match="no room left"):
            journal.append(frame(2))
        monkeypatch.undo()
        assert list(journal.lights) == [1]
        journal.append(frame(3))
    assert read(tmp_path / "j") == [frame(1), frame(3)]


def test_lines_from_many_threads_do_not_mix(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:

        def write(first: int) -> None:
            for number in range(first, first + 20):
                journal.append(frame(number, "x" * 300))

        threads = [threading.Thread(target=write, args=(100 * i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(record.number for record in read(tmp_path / "j")) == sorted(  # type: ignore[union-attr]
        100 * i + k for i in range(4) for k in range(20)
    )


def test_a_journal_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"journal .*nowhere cannot be read: No such file"):
        read(tmp_path / "nowhere")
