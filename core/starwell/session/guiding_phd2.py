"""PHD2's event server: JSON by lines over TCP (github.com/OpenPHDGuiding/phd2/wiki/EventMonitoring).

A thread of its own reads what PHD2 says and connects again when it goes away. Nothing here raises at what
the other side sends, and no call waits longer than its timeout.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from threading import Condition, Event, Thread
from typing import Any

from starwell.session.guiding import Dithered, GuideRms, GuidingState
from starwell.session.guiding_talk import Talk
from starwell.session.plan import Dither

_POLL_S = 0.05
_LONGEST_LINE = 1 << 20


class Phd2:
    """PHD2 at host:port. Connects in the background; `state` is UNAVAILABLE while it is not there.

    guide_arcsec_per_px: where PHD2 does not know it. changed: called from the reading thread with each new
    state; it must not block. retry_s: first wait before connecting again; it doubles up to 64 times that.
    """

    def __init__(
        self,
        host: str = "localhost",
        port: int = 4400,
        *,
        guide_arcsec_per_px: float | None = None,
        changed: Callable[[GuidingState], None] | None = None,
        answer_s: float = 5.0,
        retry_s: float = 0.5,
    ) -> None:
        self._address = (host, port)
        self._answer_s, self._retry_s = answer_s, retry_s
        self._changed = changed
        self._news = Condition()
        self._talk = Talk(guide_arcsec_per_px)
        self._told = GuidingState.UNAVAILABLE
        self._connection: socket.socket | None = None
        self._closing = Event()
        self._thread = Thread(target=self._run, name="phd2", daemon=True)
        self._thread.start()

    @property
    def state(self) -> GuidingState:
        """Where guiding stands."""
        with self._news:
            return self._talk.state

    @property
    def rms(self) -> GuideRms | None:
        """Of the last 100 settled guide steps."""
        with self._news:
            return self._talk.errors.rms

    @property
    def version(self) -> str | None:
        """PHD2's own; None until it has said so."""
        with self._news:
            return self._talk.version

    @property
    def guide_arcsec_per_px(self) -> float | None:
        """The guide camera's scale, as PHD2 or the plan says."""
        with self._news:
            return self._talk.arcsec_per_px

    def wait_for(self, *states: GuidingState, timeout_s: float) -> bool:
        """Wait for one of these states; whether it came in time."""
        with self._news:
            return self._news.wait_for(lambda: self._talk.state in states, timeout_s)

    def dither(self, dither: Dither, arcsec_per_px: float, cancel: Event | None = None) -> Dithered:
        """Ask PHD2 to dither, and wait until it has settled, at most dither.settle.timeout_s in all.

        arcsec_per_px is the main camera's scale, with its binning.
        """
        began = time.monotonic()
        until = began + dither.settle.timeout_s
        why = self._dither(dither, arcsec_per_px, until, cancel)
        return Dithered(not why, time.monotonic() - began, why)

    def set_paused(self, paused: bool) -> str:
        """Stop or resume guiding and looping; why not, where PHD2 does not."""
        _, why = self._ask(
            "set_paused", [paused, "full"] if paused else [False], time.monotonic() + self._answer_s
        )
        return why

    def close(self) -> None:
        """Disconnect; PHD2 goes on guiding."""
        self._closing.set()
        self._hang_up()
        self._thread.join(self._answer_s)

    def _dither(self, dither: Dither, arcsec_per_px: float, until: float, cancel: Event | None) -> str:
        """Why it has not settled; empty when it has."""
        if self._too_late(lambda: self._talk.state is not GuidingState.SETTLING, until, cancel):
            return "PHD2 was still settling."
        with self._news:
            state, scale = self._talk.state, self._talk.arcsec_per_px
        if state is not GuidingState.GUIDING:
            return f"PHD2 cannot dither: {state}."
        if scale is None:
            return (
                "The guide camera's scale is not known: set the focal length in PHD2, or guide_arcsec_per_px."
            )
        settle = {
            "pixels": dither.settle.px,
            "time": max(round(dither.settle.seconds), 1),
            "timeout": max(round(dither.settle.timeout_s), 2),
        }
        amount_px = dither.amount_px * arcsec_per_px / scale
        asked = {"amount": round(amount_px, 3), "raOnly": dither.ra_only, "settle": settle}
        answered_by = min(until, time.monotonic() + self._answer_s)
        _, why = self._ask("dither", asked, answered_by, begins_settling=True)
        if why:
            return why
        if self._too_late(lambda: self._talk.settled is not None, until, cancel):
            with self._news:
                self._talk.give_up()
            stopped = cancel is not None and cancel.is_set()
            return "cancelled" if stopped else f"PHD2 did not settle within {dither.settle.timeout_s:g} s."
        with self._news:
            return self._talk.settled or ""

    def _too_late(self, holds: Callable[[], bool], until: float, cancel: Event | None) -> bool:
        """Wait for it; whether it does not hold by then, or is cancelled before."""
        with self._news:
            while not holds():
                left = until - time.monotonic()
                if left <= 0 or (cancel is not None and cancel.is_set()):
                    return True
                self._news.wait(min(left, _POLL_S) if cancel is not None else left)
            return False

    def _ask(
        self, method: str, params: Any, until: float, *, begins_settling: bool = False
    ) -> tuple[Any, str]:
        """PHD2's answer, or why there is none."""
        with self._news:
            connection = self._connection
            if connection is None:
                return None, "PHD2 is not there."
            number = self._talk.ask(method, begins_settling=begins_settling)
        request = {"method": method, "params": params, "id": number}
        try:
            connection.sendall(json.dumps(request).encode() + b"\r\n")
        except OSError as fault:
            return None, f"PHD2 is not there any more: {fault}."
        if self._too_late(lambda: number in self._talk.answers, until, None):
            return None, f"PHD2 did not answer to {method}."
        with self._news:
            return self._talk.answers.pop(number)

    def _run(self) -> None:
        wait_s = self._retry_s
        while not self._closing.is_set():
            try:
                with socket.create_connection(self._address, self._answer_s) as connection:
                    self._greet(connection)
                    wait_s = self._retry_s
                    self._listen(connection)
            except OSError:
                wait_s = min(2 * wait_s, 64 * self._retry_s)
            finally:
                with self._news:
                    self._connection = None
                    self._talk.hung_up()
                self._tell()
            self._closing.wait(wait_s)

    def _greet(self, connection: socket.socket) -> None:
        # A guide exposure may take minutes; that the other side is alive is TCP's to find out.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)
        with self._news:
            self._talk.connected()
            self._connection = connection
            asked = {m: self._talk.ask(m) for m in ("get_pixel_scale", "get_app_state")}
        for method, number in asked.items():
            connection.sendall(json.dumps({"method": method, "id": number}).encode() + b"\r\n")

    def _listen(self, connection: socket.socket) -> None:
        rest = b""
        while not self._closing.is_set():
            try:
                received = connection.recv(65536)
            except TimeoutError:
                continue
            *lines, rest = (rest + received).split(b"\n")
            if not received or len(rest) > _LONGEST_LINE:
                return
            with self._news:
                for line in lines:
                    self._talk.hear(line)
            self._tell()

    def _tell(self) -> None:
        with self._news:
            state, self._told, known = self._talk.state, self._talk.state, self._told
            self._news.notify_all()
        if state is not known and self._changed is not None:
            self._changed(state)

    def _hang_up(self) -> None:
        with self._news:
            connection = self._connection
        if connection is not None:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                # It was gone already.
                return
