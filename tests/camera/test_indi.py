"""Frames that a foreign driver writes: INDI's CCD simulator, saving to a folder that is watched."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from starwell.camera.watch import WatchCamera
from starwell.frame import Exposure, Kind

DEVICE = "CCD Simulator"
SUBS = 3


def property_set(kind: str, name: str, **values: object) -> str:
    ones = "".join(f'<one{kind} name="{key}">{value}</one{kind}>' for key, value in values.items())
    return f'<new{kind}Vector device="{DEVICE}" name="{name}">{ones}</new{kind}Vector>'


class Client:
    """Just enough of INDI: text goes out, and is waited for in what comes back."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self._heard = ""

    def ask(self, text: str, *until: str, within_s: float = 20.0) -> None:
        """Send, and wait until an answer holds all of these words in one element."""
        self._heard = ""
        self._socket.sendall(text.encode())
        end = time.monotonic() + within_s
        while not any(all(word in part for word in until) for part in self._heard.split("\n<")):
            self._socket.settimeout(max(0.01, end - time.monotonic()))
            self._heard += self._socket.recv(1 << 20).decode(errors="replace")

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def indi(tmp_path: Path) -> Iterator[Client]:
    """A connected CCD simulator, in a home of its own."""
    if shutil.which("indiserver") is None or shutil.which("indi_simulator_ccd") is None:
        pytest.skip("indi-bin is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        ["indiserver", "-p", str(port), "-u", str(tmp_path / "indi"), "indi_simulator_ccd"],
        env=os.environ | {"HOME": str(tmp_path / "home")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield connected(port)
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def connected(port: int) -> Client:
    end = time.monotonic() + 10
    while True:
        try:
            client = Client(port)
            break
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
    client.ask('<getProperties version="1.7"/>', "defSwitchVector", 'name="CONNECTION"')
    client.ask(property_set("Switch", "CONNECTION", CONNECT="On"), "defNumberVector", 'name="CCD_EXPOSURE"')
    return client


def test_what_an_indi_driver_saves_is_picked_up_whole_and_once(indi: Client, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    where = property_set("Text", "UPLOAD_SETTINGS", UPLOAD_DIR=inbox, UPLOAD_PREFIX="Light_XXX")
    indi.ask(where, "setTextVector", 'name="UPLOAD_SETTINGS"')
    local = property_set("Switch", "UPLOAD_MODE", UPLOAD_LOCAL="On")
    indi.ask(local, "setSwitchVector", 'name="UPLOAD_MODE"')
    camera = WatchCamera(inbox, look_s=0.05)
    camera.open()
    cancel = threading.Event()
    timer = threading.Timer(30, cancel.set)
    timer.start()
    frames = []
    for _ in range(SUBS):
        expose = property_set("Number", "CCD_EXPOSURE", CCD_EXPOSURE_VALUE=0.1)
        indi.ask(expose, "setTextVector", 'name="CCD_FILE_PATH"')
        frames.append(camera.expose(Exposure(), cancel))
    timer.cancel()
    indi.close()
    assert len({frame.facts.source for frame in frames}) == SUBS
    facts = frames[-1].facts
    assert (facts.exposure.kind, facts.exposure.seconds) == (Kind.LIGHT, 0.1)
    assert facts.shape == frames[0].facts.shape
    assert facts.started is not None
    assert abs(facts.started - datetime.now(UTC)) < timedelta(minutes=5)
    assert camera.unreadable == []
