"""Asking once, and following through an engine's restarts."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from typing import Any

import pytest

from starwell.errors import EngineError, EngineRefused, Garbled, NoEngine
from starwell.remote.client import ask, status
from starwell.remote.live import Connected, LiveClient, Lost
from starwell.remote.messages import FromEngine, Hello, Pause, Reply, Set, packed
from starwell.remote.messages import events as ev
from starwell.remote.place import Place


@contextmanager
def saying(place: Place, *messages: FromEngine | bytes, stay: bool = True) -> Iterator[None]:
    """Somebody at the socket who says these to whoever connects first, and hangs up unless told to stay."""
    said = b"".join(m if isinstance(m, bytes) else packed(m) for m in messages)
    with place.claim("/nights/M51") as claim, claim.listen() as listening:

        def answer() -> None:
            with listening.accept()[0] as guest:
                guest.sendall(said)
                if stay:
                    while guest.recv(1 << 16):
                        pass
                else:
                    guest.shutdown(socket.SHUT_WR)
                    guest.recv(1 << 16)

        thread = threading.Thread(target=answer)
        thread.start()
        yield
        thread.join()


HELLO = Hello(pid=7, folder="/nights/M51")


def test_a_reply_comes_back_with_its_sentence(engine: Any, place: Place) -> None:
    assert ask(Set("gain", 120.0), place) == Reply(True, "Set it is.")
    assert engine.asked == [Set("gain", 120.0)]


def test_the_usual_place_is_in_starwells_home(
    serving: Any, monkeypatch: pytest.MonkeyPatch, place: Place
) -> None:
    monkeypatch.setenv("STARWELL_HOME", str(place.folder.parent))
    engine = serving.start()
    assert Place() == place
    assert status() == engine.now


@pytest.mark.parametrize(
    ("messages", "stay", "error", "why"),
    [
        ([], True, EngineError, "did not answer within 0.2 s"),
        ([HELLO], True, EngineError, "did not answer within 0.2 s"),
        ([packed(HELLO)[:-1]], True, EngineError, "did not answer within 0.2 s"),
        ([HELLO], False, EngineError, "ended before it answered"),
        ([b"\x00\x00\x00\x03abc"], True, Garbled, "no message of starwell"),
        ([b"\xff\xff\xff\xff"], True, Garbled, "4,294,967,295 bytes"),
        ([HELLO, HELLO], True, Garbled, "answered with Hello"),
        (
            [Hello(protocol=0, program="0.0", pid=7, folder="/n")],
            True,
            EngineRefused,
            "start the engine anew",
        ),
        ([Hello(protocol=9, program="9.0", pid=7, folder="/n")], True, EngineRefused, "update this program"),
    ],
)
def test_every_failure_to_answer_is_a_sentence(
    place: Place, messages: list[Any], stay: bool, error: type[EngineError], why: str
) -> None:
    with saying(place, *messages, stay=stay), pytest.raises(error, match=why) as raised:
        status(place, timeout_s=0.2)
    assert type(raised.value) is error


def rejected(number: int) -> ev.SubRejected:
    return ev.SubRejected(number=number, reason="clouds")


async def test_a_screen_is_connected_and_hears_events(engine: Any, place: Place) -> None:
    engine.tell(rejected(1))
    async with aclosing(LiveClient(place).events()) as events:
        first = await anext(events)
        assert isinstance(first, Connected)
        assert first.status == engine.now
        assert first.recent == (rejected(1),)
        engine.tell(rejected(2))
        assert await anext(events) == rejected(2)


async def test_a_screen_commands_while_it_listens(engine: Any, place: Place) -> None:
    client = LiveClient(place)
    async with aclosing(client.events()) as events:
        await anext(events)
        assert await client.ask(Set("gain", 7.0)) == Reply(True, "Set it is.")
        assert await anext(events) == ev.ControlChanged(name="gain", value=7.0)


async def test_a_screen_asks_how_the_night_stands_while_it_listens(engine: Any, place: Place) -> None:
    client = LiveClient(place)
    async with aclosing(client.events()) as events:
        await anext(events)
        assert await client.status() == engine.now


async def test_a_screen_survives_the_engine_and_finds_the_next_one(serving: Any) -> None:
    client = LiveClient(serving.place, retry_s=0.02)
    async with aclosing(client.events()) as events:
        assert await anext(events) == Lost("No engine is running; `starwell run …` starts one.")
        serving.start()
        assert isinstance(await anext(events), Connected)
        await asyncio.to_thread(serving.end)
        assert await anext(events) == Lost("The engine ended.")
        with pytest.raises(NoEngine, match="nothing was asked"):
            await client.ask(Pause())
        again = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0.1)
        engine = serving.start()
        assert (await again).status == engine.now


async def test_a_lost_engine_is_told_once_however_long_it_is_looked_for(place: Place) -> None:
    async with aclosing(LiveClient(place, retry_s=0.001).events()) as events:
        assert isinstance(await anext(events), Lost)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await anext(events)


async def test_an_engine_that_dies_without_a_word_fails_what_was_asked_of_it(serving: Any) -> None:
    engine = serving.start()
    hold = threading.Event()
    engine.answers = lambda command: Reply(hold.wait(5), "too late")
    client = LiveClient(serving.place)
    async with aclosing(client.events()) as events:
        await anext(events)
        asking = asyncio.ensure_future(client.ask(Pause()))
        await asyncio.sleep(0.05)
        for guest in serving.server._guests:
            serving.server._loop.call_soon_threadsafe(guest._writer.transport.abort)
        assert await anext(events) == Lost("The engine ended without a farewell; its journal has the night.")
        with pytest.raises(EngineError, match="ended before it answered"):
            await asking
    hold.set()


async def test_an_answer_that_does_not_come_is_given_up_and_the_next_one_is_not_mixed_up(
    engine: Any, place: Place
) -> None:
    release = threading.Event()
    engine.answers = lambda command: Reply(release.wait(5), type(command).__name__)
    client = LiveClient(place)
    async with aclosing(client.events()) as events:
        await anext(events)
        with pytest.raises(EngineError, match=r"did not answer within 0\.05 s"):
            await client.ask(Pause(), timeout_s=0.05)
        release.set()
        assert await client.ask(Set("gain", 1.0)) == Reply(True, "Set")


async def test_another_version_ends_the_following_with_the_side_to_update(place: Place) -> None:
    with saying(place, Hello(protocol=9, program="9.0", pid=7, folder="/n")):
        async with aclosing(LiveClient(place).events()) as events:
            with pytest.raises(EngineRefused, match="update this program"):
                await anext(events)


async def test_garbage_from_an_engine_is_a_loss_not_a_crash(place: Place) -> None:
    with saying(place, HELLO, b"\x00\x00\x00\x01\xc1"):
        async with aclosing(LiveClient(place).events()) as events:
            lost = await anext(events)
    assert "no message of starwell" in lost.why


async def test_an_engine_that_hangs_up_at_once_is_a_loss(place: Place) -> None:
    with saying(place, HELLO, stay=False):
        async with aclosing(LiveClient(place).events()) as events:
            assert isinstance(await anext(events), Lost)


async def test_a_screen_that_stops_listening_leaves_nothing_behind(serving: Any) -> None:
    engine = serving.start()
    async with aclosing(LiveClient(serving.place).events()) as events:
        await anext(events)
        assert len(engine.listeners._listeners) == 1
    until = time.monotonic() + 2
    while engine.listeners._listeners and time.monotonic() < until:
        await asyncio.sleep(0.01)
    assert not engine.listeners._listeners
