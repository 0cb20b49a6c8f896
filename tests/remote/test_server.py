"""Many guests of one engine, none of whom it waits for."""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Callable
from socket import AF_UNIX, socket
from typing import Any

import pytest

from starwell.remote import client, server
from starwell.remote.messages import (
    Answer,
    Farewell,
    Greeting,
    Hello,
    Pause,
    Reply,
    Report,
    Request,
    Set,
    from_engine,
)
from starwell.remote.messages import events as ev
from starwell.remote.place import Place

Call = Callable[[], Any]


def picture(number: int, size: int = 1000, of: str = "stack") -> ev.PreviewReady:
    pixels = bytes(size) * size
    return ev.PreviewReady(of=of, number=number, rows=size, columns=size, channels=1, pixels=pixels)


def rejected(number: int) -> ev.SubRejected:
    return ev.SubRejected(number=number, reason="clouds")


def until(condition: Callable[[], bool], within_s: float = 5.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def under_way(engine: Any, event: ev.Event) -> None:
    """Tell an event, and wait until the only guest is being sent it."""
    engine.tell(event)
    until(lambda: not engine.listeners._listeners[0]._mail)


def heard_until(line: Any, last: ev.Event | None) -> list[ev.Event]:
    heard = []
    while not heard or heard[-1] != last:
        heard.append(line.hear())
    return heard


def test_a_new_screen_sees_state_and_last_picture_within_a_second(engine: Any, call: Call) -> None:
    engine.tell(
        *(rejected(n) for n in range(5000)), picture(1), picture(2), picture(7, of="sub"), rejected(6000)
    )
    started = time.monotonic()
    line = call()
    snapshot = line.follow()
    assert time.monotonic() - started < 1
    assert snapshot.status == engine.now
    assert snapshot.recent[-1:] == (rejected(6000),)
    assert [e.number for e in snapshot.recent[:-1]] == list(range(3001, 5000))
    assert [line.hear(), line.hear()] == [picture(2), picture(7, of="sub")]
    assert time.monotonic() - started < 1


def test_no_event_is_lost_or_told_twice_between_snapshot_and_what_follows(engine: Any, call: Call) -> None:
    teller = threading.Thread(target=lambda: engine.tell(*(rejected(n) for n in range(1500))))
    line = call()
    assert isinstance(line.hear(), Hello)
    teller.start()
    line.say(Greeting(follow=True))
    snapshot = line.hear()
    told = list(snapshot.recent)
    while len(told) < 1500:
        told.append(line.hear())
    teller.join()
    assert told == [rejected(n) for n in range(1500)]


def test_every_guest_hears_every_event_in_order(engine: Any, call: Call) -> None:
    lines = [call() for _ in range(8)]
    for line in lines:
        line.follow()
    told = [rejected(n) for n in range(300)]
    engine.tell(*told)
    for line in lines:
        assert heard_until(line, told[-1]) == told


def test_a_slow_guest_slows_nobody_and_loses_nothing_but_pictures(engine: Any, call: Call) -> None:
    slow, fast = call(), call()
    slow.follow()
    fast.follow()
    told = [event for number in range(100) for event in (rejected(number), picture(number))]
    started = time.monotonic()
    engine.tell(*told)
    assert time.monotonic() - started < 5
    engine.tell(end := rejected(1000))
    assert [e for e in heard_until(fast, end) if isinstance(e, ev.SubRejected)] == [*told[::2], end]
    assert time.monotonic() - started < 5
    heard = heard_until(slow, end)
    assert [e for e in heard if isinstance(e, ev.SubRejected)] == [*told[::2], end]
    heard += heard_until(slow, told[-1])
    pictures = [e.number for e in heard if isinstance(e, ev.PreviewReady)]
    assert len(pictures) < 10
    assert pictures == sorted(pictures)
    assert pictures[-1] == 99


def test_a_guest_too_far_behind_is_cut_off_with_the_reason_and_may_come_again(
    serving: Any, call: Call
) -> None:
    engine = serving.start(backlog=100)
    line, other = call(), call()
    line.follow()
    under_way(engine, picture(1, 3000))
    engine.tell(*(rejected(n) for n in range(101)))
    said = line.hear()
    while not isinstance(said, Farewell):
        said = line.hear()
    assert "too far behind" in said.why
    assert said.again
    assert len(other.follow().recent) == 101


def test_a_guest_that_never_reads_is_gone_in_the_end(
    serving: Any, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("starwell.remote.guest.LINGER_S", 0.1)
    engine = serving.start(backlog=10)
    call().follow()
    under_way(engine, picture(1, 3000))
    engine.tell(*(rejected(n) for n in range(11)))
    until(lambda: not serving.server._guests)
    assert not engine.listeners._listeners


def test_a_guest_that_asks_without_reading_answers_is_not_answered_for_ever(
    engine: Any, place: Place, call: Call
) -> None:
    line = call()
    line.say(Greeting())
    line.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        line.say(*(Request(number, Report()) for number in range(200_000)))
    assert client.status(place) == engine.now


def test_a_command_that_takes_long_keeps_only_its_own_guest_waiting(
    engine: Any, place: Place, call: Call
) -> None:
    release = threading.Event()
    engine.answers = lambda command: Reply(release.wait(10), "at last")
    line = call()
    line.hear()
    line.say(Greeting(), Request(1, Pause()))
    assert client.status(place, timeout_s=2) == engine.now
    release.set()
    assert line.hear() == Answer(1, Reply(True, "at last"))


def test_requests_sent_at_once_are_answered_in_order(engine: Any, call: Call) -> None:
    line = call()
    line.hear()
    line.say(Greeting(), *(Request(n, Set("gain", float(n))) for n in range(50)))
    assert [line.hear().id for _ in range(50)] == list(range(50))
    assert [command.value for command in engine.asked] == list(range(50))


def test_an_error_of_the_engine_is_a_refusal_with_its_sentence(engine: Any, place: Place) -> None:
    assert client.ask(Set("gian", 100.0), place) == Reply(
        False, "The camera has no setting 'gian'; did you mean gain?"
    )


@pytest.mark.parametrize("fault", [ZeroDivisionError, BrokenPipeError, TimeoutError, EOFError])
def test_a_fault_in_the_engine_is_reported_and_ends_one_connection_only(
    engine: Any, place: Place, caplog: pytest.LogCaptureFixture, fault: type[Exception]
) -> None:
    def break_down(command: object) -> Reply:
        raise fault

    engine.answers = break_down
    with pytest.raises(client.EngineError, match="ended before it answered"):
        client.ask(Pause(), place)
    assert client.status(place) == engine.now
    assert fault.__name__ in caplog.text


def test_guests_beyond_the_limit_are_told_so(
    engine: Any, place: Place, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MOST_GUESTS", 2)
    for line in (call(), call()):
        assert isinstance(line.hear(), Hello)
    with pytest.raises(client.EngineError, match="2 programs are connected"):
        client.status(place)


def test_a_guest_that_does_not_greet_is_parted_with(
    engine: Any, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("starwell.remote.guest.GREETING_WITHIN_S", 0.05)
    line = call()
    line.hear()
    assert "No Greeting" in line.hear().why


def test_all_that_was_told_arrives_before_the_farewell(serving: Any, call: Call) -> None:
    engine = serving.start()
    line = call()
    line.follow()
    told = [rejected(n) for n in range(500)]
    engine.tell(*told, picture(1))
    reader: list[Any] = []
    reading = threading.Thread(target=lambda: reader.extend(line.hear() for _ in range(502)))
    reading.start()
    serving.end()
    reading.join()
    assert reader == [*told, picture(1), Farewell("The engine ended.")]
    with pytest.raises(EOFError):
        line.hear()


def test_the_reply_to_the_command_that_ends_the_engine_arrives(serving: Any, call: Call) -> None:
    engine = serving.start()

    def leave(command: object) -> Reply:
        threading.Thread(target=serving.end).start()
        time.sleep(0.2)
        return Reply(True, "Good night.")

    engine.answers = leave
    assert client.ask(Pause(), serving.place).message == "Good night."


def test_the_thread_ends_with_the_server_though_guests_neither_read_nor_leave(
    serving: Any, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("starwell.remote.guest.LINGER_S", 0.2)
    before = set(threading.enumerate())
    engine = serving.start()
    call().follow()
    call()
    under_way(engine, picture(1, 3000))
    started = time.monotonic()
    serving.end()
    assert time.monotonic() - started < 8
    until(lambda: set(threading.enumerate()) <= before)
    assert not engine.listeners._listeners
    assert not serving.place.socket_file.exists()


def test_closing_twice_is_closing_once(serving: Any) -> None:
    serving.start()
    serving.server.close()
    serving.server.close()


def test_a_client_that_comes_as_the_engine_ends_leaves_nothing_open(serving: Any, call: Call) -> None:
    for _ in range(30):
        serving.start()
        lines = [call() for _ in range(3)]
        serving.end()
        for line in lines:
            with pytest.raises((EOFError, ConnectionResetError)):
                heard_until(line, None)


def test_an_engine_out_of_descriptors_is_reached_when_there_are_some(
    engine: Any, place: Place, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_ACCEPT_AGAIN_S", 0.05)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    line = call()
    assert isinstance(line.hear(), Hello)
    late = socket(AF_UNIX)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        late.connect(str(place.socket_file))
        time.sleep(0.1)
        line.say(Greeting(), Request(1, Report()))
        assert line.hear().id == 1
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with late:
        late.settimeout(5)
        assert b"Hello" in late.recv(1000)


class Throttled:
    """Reads so many bytes a second, as over a bad line; notes when each message came."""

    def __init__(self, line: Any, bytes_s: float) -> None:
        self.came: list[tuple[float, Any]] = []
        self._line, self._bytes_s = line, bytes_s
        self._so_far = bytearray()
        self._began, self._read = time.monotonic(), 0

    def read_until(self, done: Callable[[Any], bool], within_s: float = 60.0) -> None:
        deadline = time.monotonic() + within_s
        while not (self.came and done(self.came[-1][1])):
            assert time.monotonic() < deadline
            time.sleep(0.01)
            allowed = int((time.monotonic() - self._began) * self._bytes_s) - self._read
            if allowed <= 0:
                continue
            part = self._line.socket.recv(allowed)
            self._read += len(part)
            self._so_far += part
            self._split()

    def _split(self) -> None:
        while len(self._so_far) >= 4:
            end = 4 + int.from_bytes(self._so_far[:4], "big")
            if len(self._so_far) < end:
                return
            whole = self._line.pieces.whole(from_engine(bytes(self._so_far[4:end])))
            del self._so_far[:end]
            if whole is not None:
                self.came.append((time.monotonic(), whole))


def test_on_a_line_of_20_kb_a_second_events_do_not_wait_for_pictures(engine: Any, call: Call) -> None:
    line = call()
    line.follow()
    told: dict[int, float] = {}
    ended = threading.Event()

    def teller() -> None:
        for number in range(40):
            told[number] = time.monotonic()
            engine.tell(picture(number, 240), rejected(number))
            time.sleep(0.1)
        ended.set()

    throttled = Throttled(line, 20_000)
    threading.Thread(target=teller).start()
    throttled.read_until(lambda e: isinstance(e, ev.PreviewReady) and e.number == 39)
    assert ended.is_set()
    late = [at - told[e.number] for at, e in throttled.came if isinstance(e, ev.SubRejected)]
    assert len(late) == 40
    assert max(late) < 0.5, max(late)
    pictures = [e.number for _, e in throttled.came if isinstance(e, ev.PreviewReady)]
    assert len(pictures) >= 3
    assert pictures[-1] == 39  # the newest, after those that were under way


def test_a_quick_guest_gets_large_pictures_quickly(engine: Any, call: Call) -> None:
    line = call()
    line.follow()
    started = time.monotonic()
    for number in range(10):
        engine.tell(large := picture(number, 2000))
        assert line.hear() == large
    assert time.monotonic() - started < 4
