"""What the screen costs, at a terminal of 120x40 in 256 colours: `python bench/screen.py [--soak MINUTES]`.

Preview and status are measured on scripted events in one process, keys on an engine that stacks 16 MP subs,
the soak on one that hurries: its screen's memory is to be flat.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import numpy as np
from textual.app import App, ComposeResult
from textual.widgets import DataTable, Footer, ProgressBar, Sparkline, Static

from starwell.remote.live import Connected
from starwell.remote.messages import AnyCommand, Hello, Reply, Status
from starwell.session import events as ev
from starwell_tui.app import StarwellApp
from starwell_tui.keys import table
from starwell_tui.messages import Happened, Item
from starwell_tui.pace import Pace
from terminal import Terminal

REFRESHES = 20
STATUS_S, STATUS_HZ = 20.0, 2.0
KEYS = (("3", "Stretch"), ("2", "Reject"), ("?", "goes back"), ("q", "Leave"), ("4", "Goal"), ("1", "Leave"))
"""Each with words that it brings. Not esc, which is waited for 100 ms: other keys begin with it, too."""
PRESSES = 60
LOOK_S = 5.0


class Scripted:
    """An engine that tells nothing by itself."""

    def __init__(self, status: Status) -> None:
        self.now = status

    async def events(self) -> AsyncGenerator[Item]:
        await asyncio.Event().wait()
        yield Connected(Hello(pid=1, folder=""), self.now, ())

    async def ask(self, _command: AnyCommand) -> Reply:
        return Reply(True, "")

    async def status(self) -> Status:
        return self.now


def standing(stacked: int, exposed_s: float) -> Status:
    """A night at sub `stacked`."""
    return Status(
        state=ev.State.EXPOSING,
        frame=stacked + 1,
        frames=500,
        stacked=stacked,
        rejected=0,
        livetime_s=60.0 * stacked,
        folder="/home/astro/nights/M 51",
        camera="ZWO ASI533MM Pro",
        sensor_celsius=-10.0,
        setpoint_celsius=-10.0,
        cooler_percent=62.0 + stacked % 2,
        target="M 51",
        seconds=60.0,
        exposed_s=exposed_s,
        free_bytes=181_000_000_000,
    )


def picture(seed: int, rows: int = 360, columns: int = 480) -> ev.PreviewReady:
    """A stretched field of stars in noise with a faint galaxy, new noise for each seed."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:rows, :columns]
    sky = 40 + 90 * np.exp(-np.hypot((x - 250) / 60, (y - 180) / 25))
    for x0, y0, peak in zip(
        *rng.uniform(0, [[columns], [rows]], (2, 150)), rng.uniform(60, 500, 150), strict=True
    ):
        box = np.s_[max(int(y0) - 6, 0) : int(y0) + 7, max(int(x0) - 6, 0) : int(x0) + 7]
        sky[box] += peak * np.exp(-((x[box] - x0) ** 2 + (y[box] - y0) ** 2) / 3)
    sky += np.random.default_rng(seed).normal(0, 8, sky.shape)
    pixels = np.clip(sky, 0, 255).astype(np.uint8).tobytes()
    return ev.PreviewReady(of="stack", number=seed, rows=rows, columns=columns, channels=1, pixels=pixels)


class Inside(StarwellApp):
    """The screen on scripted events, with somebody who counts. report: where the figures go, by lines."""

    def __init__(self, what: str, report: Path) -> None:
        super().__init__(Scripted(standing(1, 0.0)), keys=table(engine=True), pace=Pace(0))
        self._what, self._report = what, report

    def on_mount(self) -> None:
        super().on_mount()
        self.run_worker(self._measure())

    async def _measure(self) -> None:
        self._tell(Connected(Hello(pid=1, folder=""), standing(1, 0.0), (picture(0),)))
        await asyncio.sleep(1.0)
        await (self._previews() if self._what == "preview" else self._statuses())
        self.exit(0)

    async def _previews(self) -> None:
        shown = [picture(seed) for seed in range(1, REFRESHES + 1)]
        mark(self._report)
        for one in shown:
            self._tell(one)
            await asyncio.sleep(0.2)
        mark(self._report)

    async def _statuses(self) -> None:
        mark(self._report)
        for tick in range(int(STATUS_S * STATUS_HZ)):
            self.panes.stands(standing(1 + tick // 20, tick / STATUS_HZ % 60))
            await asyncio.sleep(1 / STATUS_HZ)
        mark(self._report)

    def _tell(self, item: Item) -> None:
        self.panes.post_message(Happened(item))


class Plain(App[int]):
    """What Textual's own widgets take for as much: a table, a bar, a line of status; or for nothing."""

    def __init__(self, what: str, report: Path) -> None:
        super().__init__()
        self._what, self._report = what, report

    def compose(self) -> ComposeResult:
        yield Static(id="status")
        yield DataTable()
        yield Sparkline([float(n % 7) for n in range(50)])
        yield ProgressBar(total=60)
        yield Footer()

    def on_mount(self) -> None:
        rows = self.query_one(DataTable)
        rows.add_columns("#", "FWHM", "stars", "weight")
        for number in range(500):
            rows.add_row(str(number), "2.31", "412", "0.98")
        self.run_worker(self._measure())

    async def _measure(self) -> None:
        await asyncio.sleep(1.0)
        mark(self._report)
        for tick in range(int(STATUS_S * STATUS_HZ)):
            if self._what == "plain":
                self.query_one("#status", Static).update(
                    f"EXPOSING {tick}/500  {tick / STATUS_HZ:.1f} s  -10.0 °C"
                )
                self.query_one(ProgressBar).update(progress=tick / STATUS_HZ)
            await asyncio.sleep(1 / STATUS_HZ)
        mark(self._report)
        self.exit(0)


def mark(report: Path) -> None:
    """The processor's time so far, for the one outside to read with his count of bytes."""
    with report.open("a", encoding="ascii") as lines:
        lines.write(f"{time.process_time()}\n")
    time.sleep(0.3)  # so that he sees it before more is drawn


def measured(what: str) -> tuple[float, int]:
    """CPU seconds and bytes between the two marks."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report"
        env = {"TEXTUAL_COLOR_SYSTEM": "256", "TEXTUAL_ANIMATIONS": "none", "TEXTUAL_FPS": "30"}
        with Terminal([sys.executable, __file__, "--inside", what, str(report)], env) as screen:
            counts: list[int] = []
            until = time.monotonic() + STATUS_S + 60
            while len(counts) < 2 and time.monotonic() < until:
                lines = report.read_text(encoding="ascii").splitlines() if report.exists() else []
                counts += [screen.bytes] * (len(lines) - len(counts))
                time.sleep(0.02)
        begun, ended = (float(line) for line in lines)
        return ended - begun, counts[1] - counts[0]


def preview_and_status() -> None:
    """Bytes and processor time of each."""
    cpu_s, sent = measured("preview")
    kb, ms = sent / REFRESHES / 1000, 1000 * cpu_s / REFRESHES
    print(f"preview refresh: {kb:.1f} KB, {ms:.1f} ms CPU   (40 KB, 20 ms)")
    nothing_s, _ = measured("nothing")
    plain_s, plain_sent = measured("plain")
    status_s, status_sent = measured("status")
    for name, used_s, sent in (
        ("no updates, Textual", nothing_s, 0),
        ("2 Hz, Textual's own", plain_s, plain_sent),
        ("2 Hz, this screen", status_s, status_sent),
    ):
        share, rate = 100 * used_s / STATUS_S, sent / STATUS_S / 1000
        print(f"{name:<20} {share:6.2f} % CPU  {rate:5.2f} KB/s")
    print(f"ratio to Textual's own at 2 Hz: {status_s / plain_s:.2f}   (2.0, 5 KB/s)")


def engine(home: Path, camera: str, exposure_s: float) -> subprocess.Popen[bytes]:
    """One that takes more frames than anybody waits for."""
    words = [
        "run",
        "--camera",
        camera,
        "--exposure",
        str(exposure_s),
        "--frames",
        "100000",
        "--target",
        "bench",
    ]
    with (home / "engine.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "starwell_tui", *words],
            env={**os.environ, "STARWELL_HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def beside(camera: str, exposure_s: float, use: Callable[[Terminal], None]) -> None:
    """A screen of such an engine, in use once three subs are stacked."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        (home / "config.toml").write_text('[rig]\ncamera = "simulated"\n', encoding="utf-8")
        running = engine(home, camera, exposure_s)
        words = [sys.executable, "-m", "starwell_tui", "--no-engine", "--colour", "256"]
        try:
            with Terminal(words, {"STARWELL_HOME": folder}) as screen:
                screen.until("stacked 3", 300)
                use(screen)
        finally:
            running.kill()
            running.wait()


def keys(screen: Terminal) -> None:
    """From a key to what it does on the screen."""
    rng, taken_ms = random.Random(1), []
    screen.press("\x1b")  # the sequence, which a screen that came early has opened
    time.sleep(2)
    begun, cpu_s = time.monotonic(), screen.cpu_s()
    for press in range(PRESSES):
        key, words = KEYS[press % len(KEYS)]
        time.sleep(rng.uniform(0.3, 0.8))
        screen.press(key)
        taken_ms.append(1000 * screen.until(words))
    taken_ms.sort()
    middle, last = statistics.median(taken_ms), taken_ms[int(0.95 * len(taken_ms))]
    passed_s = time.monotonic() - begun
    used, load = 100 * (screen.cpu_s() - cpu_s) / passed_s, os.getloadavg()[0]
    print(
        f"key to response while 16 MP subs are stacked: median {middle:.0f} ms, p95 {last:.0f} ms   (100 ms)"
    )
    print(f"  CPU {used:.1f} % at {PRESSES} keys in {passed_s:.0f} s; load of the machine {load:.1f}")


def soak(minutes: float) -> Callable[[Terminal], None]:
    """The memory of the screen over so many minutes."""

    def use(screen: Terminal) -> None:
        begun, cpu_s = time.monotonic(), screen.cpu_s()
        seen: list[tuple[float, float]] = []
        while (passed_s := time.monotonic() - begun) < 60 * minutes:
            seen.append((passed_s / 60, screen.rss_kb() / 1000))
            time.sleep(LOOK_S)
        late = np.array(seen[len(seen) // 4 :])
        slope, _ = np.polyfit(late[:, 0], late[:, 1], 1)
        used = 100 * (screen.cpu_s() - cpu_s) / (60 * minutes)
        print(
            f"soak of {minutes:g} min: {seen[0][1]:.1f} MB at first, {late[0, 1]:.1f} after a quarter, "
            f"{late[-1, 1]:.1f} at last; {1000 * slope:+.1f} KB a minute over the last three quarters; "
            f"CPU {used:.1f} %, {screen.bytes / 60000 / minutes:.1f} KB/s"
        )

    return use


def main() -> None:
    """All of it, or the soak alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--soak", type=float, metavar="MIN", help="minutes of a hurried night; nothing else")
    parser.add_argument("--inside", nargs=2, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.inside:
        what, report = words.inside
        ours = what in ("preview", "status")
        app = Inside(what, Path(report)) if ours else Plain(what, Path(report))
        app.run()
    elif words.soak:
        beside("simulated:speed=60,size=320x240", 10.0, soak(words.soak))
    else:
        preview_and_status()
        beside("simulated:speed=20,size=4656x3520", 60.0, keys)


if __name__ == "__main__":
    main()
