"""How fast the engine answers through its socket while 16 MP subs are stacked beside it; prints JSON.

python bench/remote_latency.py [--subs N] [--idle] [--folder F]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import frames
from calibrated import masters
from starwell.calibration.calibrate import Calibrator
from starwell.frame import Frame
from starwell.remote.live import Connected, LiveClient
from starwell.remote.messages import AnyCommand, Reply, Set, Status
from starwell.remote.messages import events as ev
from starwell.remote.place import Place
from starwell.remote.server import serve_in_thread
from starwell.session.intake import Intake
from starwell.session.pipeline import Pipeline
from starwell.session.sets import light_sets
from starwell.session.subscription import Subscribers, Subscription

COMMANDS_PER_S = 20
PICTURE = (900, 1200)
STATUS = [sys.executable, "-m", "starwell_tui", "status"]


class Engine:
    """A night without a camera: it answers commands, and tells what the pipeline tells."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.stacked = 0
        self.listeners = Subscribers()

    def status(self) -> Status:
        return Status(
            state=ev.State.EXPOSING,
            frame=self.stacked + 1,
            frames=None,
            stacked=self.stacked,
            rejected=0,
            livetime_s=None,
            folder=self.folder,
            camera="",
            sensor_celsius=None,
        )

    def subscribe(self) -> Subscription:
        return self.listeners.subscribe()

    def command(self, command: AnyCommand) -> Reply:
        if isinstance(command, Set) and isinstance(command.value, float):
            self.listeners.publish(ev.ControlChanged(name=command.name, value=command.value))
        return Reply(True, "")

    def show(self, number: int) -> None:
        """A picture, as the screen gets one every few seconds."""
        rows, columns = PICTURE
        pixels = bytes(rows * columns)
        self.listeners.publish(
            ev.PreviewReady(of="stack", number=number, rows=rows, columns=columns, channels=1, pixels=pixels)
        )


def stack(engine: Engine, folder: Path, subs: int) -> None:
    """Read and stack so many 16 MP subs, a picture each."""
    sets, _ = light_sets(frames.lights(folder, "mono"))
    lights, found = sets[0], masters(folder, "mono")

    def frame(number: int) -> Frame:
        again = lights.frame((number - 1) % len(lights.files) + 1)
        return Frame(replace(again.facts, number=number), again.pixels)

    pipeline = Pipeline(Intake(Calibrator(found, lights.facts), found), frame)
    for number in range(1, subs + 1):
        for event in pipeline.feed(frame(number)):
            engine.listeners.publish(event)
            engine.stacked += isinstance(event, ev.SubStacked)
        engine.show(number)


def measure(folder: Path, subs: int, *, idle: bool) -> dict[str, Any]:
    """Round trips of a screen's commands, a new screen's wait, and `starwell status`, all in ms."""
    with tempfile.TemporaryDirectory() as home:
        place = Place(Path(home) / "state")
        env = {**os.environ, "STARWELL_HOME": home}
        engine = Engine(home)
        engine.show(0)
        with place.claim(home) as claim:
            server = serve_in_thread(engine, claim)
            asking = subprocess.Popen(
                [sys.executable, __file__, "--ask"], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            status_ms = []
            stacking = threading.Thread(
                target=(lambda: time.sleep(subs)) if idle else (lambda: stack(engine, folder, subs))
            )
            stacking.start()
            while stacking.is_alive():
                started = time.perf_counter()
                subprocess.run(
                    [sys.executable, "-m", "starwell_tui", "status"],
                    env=env,
                    check=True,
                    stdout=subprocess.DEVNULL,
                )
                status_ms.append(1e3 * (time.perf_counter() - started))
                stacking.join(1.0)
            said, _ = asking.communicate(b"\n")
            server.close()
    return {
        "load": os.getloadavg()[0],
        "stacked": engine.stacked,
        "status_ms": spread(status_ms),
        **json.loads(said),
    }


def spread(values_ms: list[float]) -> dict[str, float]:
    """Count, median, 95th percentile and worst."""
    p50, p95, worst = np.percentile(values_ms, [50, 95, 100])
    return {"n": len(values_ms), "p50": round(p50, 2), "p95": round(p95, 2), "worst": round(worst, 2)}


async def ask() -> dict[str, Any]:
    """Command the engine until stdin ends, on one open connection; every second, connect anew beside it."""
    client = LiveClient()
    trips_ms: list[float] = []
    connects_ms: list[float] = []
    async with aclosing(client.events()) as events:
        await anext(events)
        reading = asyncio.ensure_future(_read(events))
        ended = asyncio.ensure_future(asyncio.to_thread(sys.stdin.readline))
        while not ended.done():
            started = time.perf_counter()
            await client.ask(Set("gain", float(len(trips_ms))))
            trips_ms.append(1e3 * (time.perf_counter() - started))
            if len(trips_ms) % COMMANDS_PER_S == 0:
                connects_ms.append(await _connect_ms())
            await asyncio.sleep(1 / COMMANDS_PER_S)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    return {"round_trip_ms": spread(trips_ms), "new_screen_ms": spread(connects_ms)}


async def _read(events: Any) -> None:
    async for _ in events:
        pass


async def _connect_ms() -> float:
    started = time.perf_counter()
    async with aclosing(LiveClient().events()) as events:
        first = await anext(events)
        assert isinstance(first, Connected)
        assert any(isinstance(event, ev.PreviewReady) for event in first.recent)
        return 1e3 * (time.perf_counter() - started)


if __name__ == "__main__":
    AS_WRITTEN = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=AS_WRITTEN)
    parser.add_argument("--subs", type=int, default=40)
    parser.add_argument("--idle", action="store_true", help="stack nothing, for as many seconds")
    parser.add_argument("--folder", type=Path, default=frames.WORK)
    parser.add_argument("--ask", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.ask:
        print(json.dumps(asyncio.run(ask())))
    else:
        if not asked.idle:
            frames.make(asked.folder, ["mono"])
        print(json.dumps(measure(asked.folder, asked.subs, idle=asked.idle), indent=1))
