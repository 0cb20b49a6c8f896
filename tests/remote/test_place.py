"""Where an engine is found, and that there is only one."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from starwell.errors import EngineError, EngineRunning, NoEngine, StorageError
from starwell.remote.client import status
from starwell.remote.place import Place

_OTHER = """
import sys, time
from pathlib import Path
from starwell.remote.place import Place
claim = Place(Path(sys.argv[1])).claim(sys.argv[2])
listening = claim.listen()
print("listening", flush=True)
time.sleep(60)
"""


@contextmanager
def other_engine(place: Place, night: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", _OTHER, str(place.folder), night], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "listening\n"
        try:
            yield other
        finally:
            other.send_signal(signal.SIGKILL)


def test_a_second_engine_is_refused_and_told_pid_and_folder_of_the_first(place: Place) -> None:
    with other_engine(place, "/nights/M51") as first, pytest.raises(EngineRunning) as refused:
        place.claim("/nights/M31")
    assert f"pid {first.pid}, its night in /nights/M51" in str(refused.value)


def test_what_an_engine_killed_leaves_behind_stops_no_other(place: Place) -> None:
    with other_engine(place, "/nights/M51") as first:
        first.send_signal(signal.SIGKILL)
        first.wait()
        assert stat.S_ISSOCK(place.socket_file.stat().st_mode)
        with pytest.raises(NoEngine):
            status(place)
        with place.claim("/nights/M31") as claim, claim.listen():
            place.connect(1.0).close()


def test_an_engine_whose_lock_file_was_deleted_keeps_its_socket(place: Place) -> None:
    with other_engine(place, "/nights/M51"):
        place.lock_file.unlink()
        with place.claim("/nights/M31") as claim, pytest.raises(EngineRunning, match="answers at"):
            claim.listen()


def test_the_night_can_move(place: Place) -> None:
    with place.claim("/nights/M51") as claim:
        claim.note("/n")
        with pytest.raises(EngineRunning, match="night in /n\\."):
            place.claim("/nights/M31")


def test_a_closed_claim_leaves_no_socket_and_lets_another_in(place: Place) -> None:
    with place.claim("/nights/M51") as claim, claim.listen():
        assert place.socket_file.exists()
    claim.close()
    assert not place.socket_file.exists()
    place.claim("/nights/M31").close()


def test_nobody_else_may_reach_socket_and_lock_whatever_the_umask(place: Place) -> None:
    before = os.umask(0)
    try:
        with place.claim("/nights/M51") as claim, claim.listen():
            modes = [p.stat().st_mode & 0o777 for p in (place.folder, place.socket_file, place.lock_file)]
    finally:
        os.umask(before)
    assert modes == [0o700, 0o600, 0o600]


def test_a_path_longer_than_a_socket_takes_works(tmp_path: Path) -> None:
    place = Place(tmp_path / ("long" * 30) / ("é" * 60))
    assert len(os.fsencode(place.socket_file)) > 200
    with place.claim("/nights/M51") as claim, claim.listen() as listening:
        with place.connect(1.0) as client:
            client.sendall(b"seen")
            with listening.accept()[0] as guest:
                assert guest.recv(4) == b"seen"
        assert stat.S_ISSOCK(place.socket_file.stat().st_mode)
    with pytest.raises(NoEngine):
        place.connect(1.0)


def test_a_file_in_the_way_is_named_and_kept(place: Place) -> None:
    place.folder.mkdir(parents=True)
    place.socket_file.write_text("not a socket")
    with (
        place.claim("/nights/M51") as claim,
        pytest.raises(StorageError, match=r"engine\.sock is in the way"),
    ):
        claim.listen()


def test_a_lock_that_leads_elsewhere_is_not_followed(place: Place, tmp_path: Path) -> None:
    place.folder.mkdir(parents=True)
    (tmp_path / "precious").write_text("keep me")
    place.lock_file.symlink_to(tmp_path / "precious")
    with pytest.raises(StorageError, match="cannot keep its lock"):
        place.claim("/nights/M51")
    assert (tmp_path / "precious").read_text() == "keep me"


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"STARWELL_HOME"):
        Place(tmp_path / "file" / "state").claim("/nights/M51")


def test_without_an_engine_the_message_says_how_to_start_one(place: Place) -> None:
    with pytest.raises(NoEngine, match=r"^No engine is running; `starwell run …` starts one\.$"):
        place.connect(1.0)


def test_an_engine_that_does_not_accept_is_given_up_on(place: Place) -> None:
    place.folder.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(place.socket_file))
        deaf.listen(0)
        with place.connect(1.0), pytest.raises(EngineError, match="does not answer"):
            place.connect(0.05)
