"""PHD2's event server as PHD2 2.6 speaks it, on a port of its own."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from threading import Condition, Event, Thread, Timer
from typing import Any

import pytest

from starwell.session.guiding import GuidingState
from starwell.session.guiding_phd2 import Phd2
from starwell.session.plan import Dither, Settle

SOON_S = 10.0
QUICK = Settle(px=1.5, seconds=8, timeout_s=0.3)


class Server:
    """Speaks PHD2's protocol; `answers` maps a method to what it returns, an Exception to an error."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {
            "get_pixel_scale": 4.0,
            "get_app_state": "Guiding",
            "dither": 0,
            "set_paused": 0,
        }
        self.asked: list[dict[str, Any]] = []
        self.connections = 0
        self.on_asked: dict[str, Callable[[], None]] = {}
        self.news = Condition()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._client: socket.socket | None = None
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def say(self, event: str, **more: Any) -> None:
        self.raw(
            json.dumps({"Event": event, "Timestamp": 1.0, "Host": "h", "Inst": 1, **more}).encode() + b"\r\n"
        )

    def step(self, ra: float, dec: float) -> None:
        self.say("GuideStep", Frame=1, Mount="M", dx=0, dy=0, RADistanceRaw=ra, DECDistanceRaw=dec)

    def raw(self, sent: bytes) -> None:
        with self.news:
            assert self.news.wait_for(lambda: self._client is not None, SOON_S)
            assert self._client is not None
            self._client.sendall(sent)

    def hang_up(self) -> None:
        with self.news:
            client, self._client = self._client, None
        assert client is not None
        client.shutdown(socket.SHUT_RDWR)

    def was_asked(self, method: str) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            return next((m for m in reversed(self.asked) if m["method"] == method), None)

        with self.news:
            assert self.news.wait_for(found, SOON_S), f"{method} was not asked"
            return found() or {}

    def close(self) -> None:
        self._listener.close()
        with self.news:
            if self._client is not None:
                self._client.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self.news:
                self._client = client
                self.connections += 1
                self.news.notify_all()
            self.say("Version", PHDVersion="2.6.13", MsgVersion=1)
            self.say("AppState", State="Looping")
            with client:
                self._converse(client)

    def _converse(self, client: socket.socket) -> None:
        try:
            for line in client.makefile("rb"):
                message = json.loads(line)
                with self.news:
                    self.asked.append(message)
                    self.news.notify_all()
                answer = self.answers.get(message["method"])
                if answer is not None:
                    refused = isinstance(answer, Exception)
                    body = {"error": {"code": 1, "message": str(answer)}} if refused else {"result": answer}
                    self.raw(json.dumps({"jsonrpc": "2.0", "id": message["id"], **body}).encode() + b"\r\n")
                self.on_asked.get(message["method"], lambda: None)()
        except (OSError, AssertionError):
            return


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture
def phd2(server: Server) -> Iterator[Phd2]:
    made = Phd2("127.0.0.1", server.port, answer_s=1.0, retry_s=0.01)
    assert made.wait_for(GuidingState.GUIDING, timeout_s=SOON_S)
    yield made
    made.close()


def settles(server: Server, **how: Any) -> Callable[[], None]:
    def script() -> None:
        server.say("GuidingDithered", dx=1.0, dy=2.0)
        server.say("SettleBegin")
        server.say("Settling", Distance=2.0, Time=0, SettleTime=8, StarLocked=True)
        server.say("SettleDone", **({"Status": 0, "TotalFrames": 5, "DroppedFrames": 0} | how))

    return script


def test_it_knows_the_version_the_state_and_the_guide_scale(server, phd2):
    assert phd2.version == "2.6.13"
    assert phd2.guide_arcsec_per_px == 4.0
    assert phd2.state is GuidingState.GUIDING


def test_a_dither_is_asked_for_in_guide_pixels_and_waits_until_settled(server, phd2):
    server.on_asked["dither"] = settles(server)
    dithered = phd2.dither(
        Dither(amount_px=8, ra_only=True, settle=Settle(px=1.2, seconds=9, timeout_s=50)), 1.5
    )
    assert dithered.settled, dithered.why
    # 8 px of 1.5" are 12", three guide pixels of 4".
    assert server.was_asked("dither")["params"] == {
        "amount": 3.0,
        "raOnly": True,
        "settle": {"pixels": 1.2, "time": 9, "timeout": 50},
    }
    assert phd2.state is GuidingState.GUIDING


def test_a_settling_that_fails_says_why(server, phd2):
    server.on_asked["dither"] = settles(server, Status=1, Error="timed-out waiting for guider to settle")
    dithered = phd2.dither(Dither(), 1.0)
    assert not dithered.settled
    assert dithered.why == "PHD2 did not settle: timed-out waiting for guider to settle."


def test_a_late_settle_blocks_no_longer_than_the_timeout_and_does_not_count_for_the_next_dither(server, phd2):
    first = phd2.dither(Dither(settle=QUICK), 1.0)
    assert not first.settled
    assert "did not settle within 0.3 s" in first.why
    assert first.seconds < SOON_S
    server.say("SettleDone", Status=0)
    server.answers["dither"] = None

    def late_then_answer() -> None:
        number = server.asked[-1]["id"]
        server.say("SettleDone", Status=1, Error="of the first dither")
        server.raw(json.dumps({"jsonrpc": "2.0", "id": number, "result": 0}).encode() + b"\r\n")
        settles(server)()

    server.on_asked["dither"] = late_then_answer
    assert phd2.dither(Dither(settle=Settle(timeout_s=SOON_S)), 1.0).settled


def test_a_dither_while_another_settles_waits_for_it_first(server, phd2):
    server.say("SettleBegin")
    assert phd2.wait_for(GuidingState.SETTLING, timeout_s=SOON_S)
    server.on_asked["dither"] = settles(server)
    Timer(0.05, lambda: server.say("SettleDone", Status=0)).start()
    assert phd2.dither(Dither(settle=Settle(timeout_s=SOON_S)), 1.0).settled


def test_a_refused_dither_says_why_at_once(server, phd2):
    server.answers["dither"] = RuntimeError("could not dither: cannot dither if not guiding")
    dithered = phd2.dither(Dither(), 1.0)
    assert dithered.why == "PHD2 refused dither: could not dither: cannot dither if not guiding."
    assert dithered.seconds < SOON_S


def test_a_phd2_that_does_not_answer_is_waited_for_no_longer_than_the_timeout(server, phd2):
    server.answers["dither"] = None
    dithered = phd2.dither(Dither(settle=QUICK), 1.0)
    assert dithered.why == "PHD2 did not answer to dither."
    assert dithered.seconds < SOON_S


def test_a_dither_is_cancelled_at_once(server, phd2):
    cancel = Event()
    server.on_asked["dither"] = cancel.set
    dithered = phd2.dither(Dither(), 1.0, cancel)
    assert dithered.why == "cancelled"
    assert dithered.seconds < SOON_S


def test_a_connection_lost_while_settling_ends_the_wait_and_comes_back(server, phd2):
    server.on_asked["dither"] = server.hang_up
    dithered = phd2.dither(Dither(), 1.0)
    assert not dithered.settled
    assert "hung up" in dithered.why or "not there" in dithered.why
    server.on_asked.clear()
    assert phd2.wait_for(GuidingState.GUIDING, timeout_s=SOON_S)
    server.on_asked["dither"] = settles(server)
    assert phd2.dither(Dither(), 1.0).settled


def test_a_lost_star_is_told_and_guiding_again_too(server):
    states: list[GuidingState] = []
    phd2 = Phd2("127.0.0.1", server.port, changed=states.append, retry_s=0.01)
    try:
        assert phd2.wait_for(GuidingState.GUIDING, timeout_s=SOON_S)
        server.say("StarLost", Frame=5, Time=9.0, StarMass=0, SNR=0, Status="star lost")
        assert phd2.wait_for(GuidingState.LOST, timeout_s=SOON_S)
        assert phd2.dither(Dither(settle=QUICK), 1.0).why == "PHD2 cannot dither: star lost."
        server.step(0.1, 0.1)
        assert phd2.wait_for(GuidingState.GUIDING, timeout_s=SOON_S)
    finally:
        phd2.close()
    assert GuidingState.LOST in states
    assert states[-1] is GuidingState.UNAVAILABLE


def test_a_star_lost_while_settling_is_settling_again_when_it_is_back(server, phd2):
    def script() -> None:
        server.say("SettleBegin")
        server.say("StarLost", Frame=5)
        server.step(9.0, 9.0)
        server.say("SettleDone", Status=0)

    server.on_asked["dither"] = script
    assert phd2.dither(Dither(), 1.0).settled
    assert phd2.rms is None


def test_the_error_of_guiding_is_in_arcseconds_and_leaves_settling_out(server, phd2):
    server.say("SettleBegin")
    server.step(50.0, 50.0)
    server.say("SettleDone", Status=0)
    for ra in (0.1, -0.1, 0.1, -0.1):
        server.step(ra, 0.05)
    server.say("StarLost", Frame=9)
    assert phd2.wait_for(GuidingState.LOST, timeout_s=SOON_S)
    rms = phd2.rms
    assert rms is not None
    assert rms.steps == 4
    assert rms.ra_arcsec == pytest.approx(0.4)
    assert rms.dec_arcsec == pytest.approx(0.0, abs=1e-9)
    assert rms.total_arcsec == pytest.approx(0.4)


def test_garbage_and_half_messages_harm_nothing(server, phd2):
    server.raw(
        b'\xff\x00garbage\r\n{}\r\n[1, 2]\r\n{"Event": 5}\r\n{"id": 999, "result": 0}\r\n{"Event": "Star'
    )
    server.raw(b'Lost", "Frame": 1}\r\n')
    assert phd2.wait_for(GuidingState.LOST, timeout_s=SOON_S)
    server.step(0.0, 0.0)
    assert phd2.wait_for(GuidingState.GUIDING, timeout_s=SOON_S)


def test_an_endless_line_is_hung_up_on(server, phd2):
    for _ in range(40):
        try:
            server.raw(b"x" * 65536)
        except OSError:
            break
    with server.news:
        assert server.news.wait_for(lambda: server.connections == 2, SOON_S)
    assert phd2.wait_for(GuidingState.GUIDING, timeout_s=SOON_S)


def test_pausing_reaches_phd2(server, phd2):
    assert phd2.set_paused(True) == ""
    assert server.was_asked("set_paused")["params"] == [True, "full"]
    server.say("Paused")
    assert phd2.wait_for(GuidingState.IDLE, timeout_s=SOON_S)
    assert phd2.set_paused(False) == ""
    server.say("Resumed")
    assert phd2.wait_for(GuidingState.GUIDING, timeout_s=SOON_S)


def test_guiding_stopped_is_not_guiding(server, phd2):
    server.say("GuidingStopped")
    assert phd2.wait_for(GuidingState.IDLE, timeout_s=SOON_S)
    assert phd2.dither(Dither(settle=QUICK), 1.0).why == "PHD2 cannot dither: not guiding."


def test_a_guide_scale_from_the_plan_wins_over_phd2(server):
    phd2 = Phd2("127.0.0.1", server.port, guide_arcsec_per_px=2.0, retry_s=0.01)
    try:
        assert phd2.wait_for(GuidingState.GUIDING, timeout_s=SOON_S)
        server.on_asked["dither"] = settles(server)
        assert phd2.dither(Dither(amount_px=8), 1.5).settled
        assert server.was_asked("dither")["params"]["amount"] == 6.0
    finally:
        phd2.close()


def test_an_unknown_guide_scale_is_said_and_nothing_moves(server):
    server.answers["get_pixel_scale"] = RuntimeError("unknown")
    phd2 = Phd2("127.0.0.1", server.port, retry_s=0.01)
    try:
        assert phd2.wait_for(GuidingState.GUIDING, timeout_s=SOON_S)
        assert "scale is not known" in phd2.dither(Dither(settle=QUICK), 1.0).why
    finally:
        phd2.close()


def test_without_phd2_everything_answers_at_once():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    phd2 = Phd2("127.0.0.1", port, retry_s=0.01)
    try:
        assert phd2.state is GuidingState.UNAVAILABLE
        assert phd2.dither(Dither(settle=QUICK), 1.0).why == "PHD2 cannot dither: unavailable."
        assert phd2.set_paused(True) == "PHD2 is not there."
        assert phd2.rms is None
    finally:
        phd2.close()
