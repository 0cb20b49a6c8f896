"""Garbage, half messages and strangers on the socket."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from starwell.errors import EngineRefused
from starwell.remote.client import status
from starwell.remote.messages import Farewell, Greeting, Hello, Pause, Report, Request, packed
from starwell.remote.place import Place

WHOLE = [packed(Greeting()), packed(Greeting(follow=True)), packed(Request(1, Report()))]
RUDE = st.lists(
    st.one_of(
        st.binary(max_size=300),
        st.sampled_from(WHOLE),
        st.sampled_from(WHOLE).flatmap(lambda m: st.integers(0, len(m) - 1).map(lambda n: m[:n])),
        st.binary(max_size=300).map(lambda noise: len(noise).to_bytes(4, "big") + noise),
        st.just(b"\xff\xff\xff\xff"),
    ),
    max_size=6,
).map(b"".join)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(noise=RUDE, patient=st.booleans())
def test_nothing_sent_to_the_engine_harms_it(engine: Any, place: Place, noise: bytes, patient: bool) -> None:
    connection = place.connect(5.0)
    with connection:
        if patient:
            connection.recv(1 << 16)
        try:
            connection.sendall(noise)
        except BrokenPipeError:
            assert patient
    assert status(place) == engine.now
    assert engine.asked == []


def test_halves_of_a_message_are_put_together(engine: Any, call: Any) -> None:
    line = call()
    line.hear()
    for byte in packed(Greeting()) + packed(Request(5, Pause())):
        line.socket.sendall(bytes([byte]))
    assert line.hear().id == 5


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"\x00\x00\x00\x03abc", "no message of starwell"),
        (b"\x7f\xff\xff\xff", "2,147,483,647 bytes was announced"),
        (packed(Request(1, Pause())), "Request came before the Greeting"),
        (packed(Greeting()) * 2, "second Greeting"),
        (packed(Greeting(protocol=0, program="0.0")), "starwell 0.0) is older than the running engine"),
        (packed(Greeting(protocol=99, program="9.9")), "older than this program (starwell 9.9)"),
        (packed(Greeting(protocol=99)) + packed(Request(1, Pause())), "older than this program"),
    ],
)
def test_whoever_is_not_understood_hears_why(engine: Any, call: Any, said: bytes, why: str) -> None:
    line = call()
    assert isinstance(line.hear(), Hello)
    line.socket.sendall(said)
    farewell = line.hear()
    assert isinstance(farewell, Farewell)
    assert why in farewell.why
    assert not farewell.again
    with pytest.raises((EOFError, ConnectionResetError)):
        line.hear()
    assert engine.asked == []


# Everything is imported first: the interpreter may lie where a stranger cannot read.
_BECOME_STRANGER = """
import os, socket, sys
from pathlib import Path
from starwell.remote.client import ask
from starwell.remote.messages import Greeting, Pause, Request, packed
from starwell.remote.place import Place
os.setgroups([]); os.setgid(65534); os.setuid(65534)
place = Place(Path(sys.argv[1]))
"""

_ASK = """
try:
    print(ask(Pause(), place))
except Exception as error:
    print(f"{type(error).__name__}: {error}")
"""

_TALK = """
line = socket.socket(socket.AF_UNIX)
line.connect(str(place.socket_file))
try:
    line.sendall(packed(Greeting()) + packed(Request(1, Pause())))
except BrokenPipeError:
    pass
while part := line.recv(65536):
    print(part, flush=True)
"""

_PRETEND = """
line = socket.socket(socket.AF_UNIX)
line.bind(str(place.socket_file))
line.listen()
print("here", flush=True)
line.accept()[0].recv(9)
"""


def stranger(place: Place, script: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _BECOME_STRANGER + script, str(place.folder)],
        cwd="/",
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def open_place() -> Iterator[Place]:
    """A place that every user can look into."""
    if os.geteuid() != 0:
        pytest.skip("another user can be played by root only")
    with tempfile.TemporaryDirectory(prefix="starwell-") as folder:
        Path(folder).chmod(0o755)
        yield Place(Path(folder))


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if "open_place" in request.fixturenames:
        return request.getfixturevalue("open_place")
    return Place(tmp_path / "state")


def test_another_user_cannot_reach_the_socket(open_place: Place, engine: Any) -> None:
    with stranger(open_place, _ASK) as child:
        said, _ = child.communicate()
    assert said == f"EngineRefused: The engine at {open_place.socket_file} belongs to another user.\n"
    assert engine.asked == []


def test_another_user_who_reaches_the_socket_is_turned_away(open_place: Place, engine: Any) -> None:
    open_place.socket_file.chmod(0o777)
    with stranger(open_place, _TALK) as child:
        said, _ = child.communicate()
    assert "Farewell" in said
    assert "belongs to another user" in said
    assert "Hello" not in said
    assert engine.asked == []
    assert status(open_place) == engine.now


def test_an_engine_of_another_user_is_not_believed(open_place: Place) -> None:
    open_place.folder.chmod(0o777)
    with stranger(open_place, _PRETEND) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "here\n"
        with pytest.raises(EngineRefused, match="belongs to the user"):
            status(open_place)
