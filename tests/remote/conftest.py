"""An engine that holds no camera: it tells what it is told to tell, and notes what it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from starwell.errors import StarwellError
from starwell.remote.messages import (
    HEAD_BYTES,
    TO_CLIENT_BYTES,
    AnyCommand,
    FromClient,
    FromEngine,
    Greeting,
    Hello,
    Pieces,
    Reply,
    Set,
    Snapshot,
    Status,
    body_length,
    from_engine,
    packed,
)
from starwell.remote.place import Place
from starwell.remote.server import serve_in_thread
from starwell.session.events import ControlChanged, Event, State
from starwell.session.subscription import Subscribers, Subscription


class FakeEngine:
    def __init__(self, folder: Path, **listening: int) -> None:
        self.now = Status(
            state=State.EXPOSING,
            frame=24,
            frames=60,
            stacked=21,
            rejected=2,
            livetime_s=1260.0,
            folder=str(folder),
            camera="Simulated 533",
            sensor_celsius=-10.04,
        )
        self.listeners = Subscribers(**listening)
        self.asked: list[AnyCommand] = []
        self.answers: Callable[[AnyCommand], Reply] = lambda command: Reply(
            True, f"{type(command).__name__} it is."
        )

    def status(self) -> Status:
        return self.now

    def subscribe(self) -> Subscription:
        return self.listeners.subscribe()

    def command(self, command: AnyCommand) -> Reply:
        self.asked.append(command)
        if isinstance(command, Set) and command.name == "gian":
            raise StarwellError("The camera has no setting 'gian'; did you mean gain?")
        if isinstance(command, Set) and isinstance(command.value, float):
            self.tell(ControlChanged(name=command.name, value=command.value))
        return self.answers(command)

    def tell(self, *events: Event) -> None:
        for event in events:
            self.listeners.publish(event)


class Line:
    """A client written by hand, which can be as slow and as rude as a test needs."""

    def __init__(self, place: Place) -> None:
        self.socket = place.connect(5.0)
        self.pieces = Pieces()

    def say(self, *messages: FromClient) -> None:
        self.socket.sendall(b"".join(map(packed, messages)))

    def hear(self) -> FromEngine:
        """The next message; EOFError at the end."""
        while (whole := self.pieces.whole(self.hear_piece())) is None:
            continue
        return whole

    def hear_piece(self) -> FromEngine:
        """The next message, or a piece of one."""
        return from_engine(self._exactly(body_length(self._exactly(HEAD_BYTES), TO_CLIENT_BYTES)))

    def follow(self) -> Snapshot:
        assert isinstance(self.hear(), Hello)
        self.say(Greeting(follow=True))
        snapshot = self.hear()
        assert isinstance(snapshot, Snapshot)
        return snapshot

    def _exactly(self, length: int) -> bytes:
        parts = bytearray()
        while len(parts) < length:
            part = self.socket.recv(min(length - len(parts), 1 << 20))
            if not part:
                raise EOFError
            parts += part
        return bytes(parts)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "state")


class Serving:
    """Starts an engine at a place, ends it, starts another."""

    def __init__(self, place: Place, folder: Path) -> None:
        self.place = place
        self.folder = folder
        self.ends = ExitStack()

    def start(self, **listening: int) -> FakeEngine:
        engine = FakeEngine(self.folder, **listening)
        claim = self.ends.enter_context(self.place.claim(engine.now.folder))
        self.server = serve_in_thread(engine, claim)
        self.ends.callback(self.server.close)
        return engine

    def end(self) -> None:
        self.ends.close()


@pytest.fixture
def serving(place: Place, tmp_path: Path) -> Iterator[Serving]:
    serving = Serving(place, tmp_path / "night")
    yield serving
    serving.end()


@pytest.fixture
def engine(serving: Serving) -> FakeEngine:
    return serving.start()


@pytest.fixture
def call(place: Place) -> Iterator[Callable[[], Line]]:
    """Opens connections by hand; closed with the test."""
    lines: list[Line] = []

    def connect() -> Line:
        lines.append(Line(place))
        return lines[-1]

    yield connect
    for line in lines:
        with suppress(OSError):
            line.socket.close()
