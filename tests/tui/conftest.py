"""A scripted night in place of the engine, a stopped clock, and text snapshots of the whole screen.

The night's numbers are those of a real one: 4.1 e-/s of sky for 60 s through a sensor of 1.5 e- read noise.
"""

from __future__ import annotations

import asyncio
import difflib
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.style import Style
from textual.pilot import Pilot

from starwell.errors import StarwellError
from starwell.remote.live import Connected
from starwell.remote.messages import AnyCommand, Hello, Reply, Status
from starwell.session import events as ev
from starwell_tui.app import StarwellApp
from starwell_tui.keys import table
from starwell_tui.messages import Happened, Item
from starwell_tui.pace import Pace

ROOT = Path(__file__).resolve().parents[2]
SECONDS, SKY_E, READ_NOISE_E, EGAIN = 60.0, 246.0, 1.5, 0.8
SIGMA_E = (SKY_E + READ_NOISE_E**2) ** 0.5
CLOUDS, TRAIL = 3, 5
PLANNED = 12
TRUTH = """alignment: corners right to 0.021 px (worst 0.048)
noise: 4.99 e- per pixel, 1.02 times what physics allows 11 such subs
trails: +0.03 sigma left where satellites passed
stars: 0.998 of their true light, scatter 0.4%"""


class Script:
    """A night that tells what the test tells it to, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[AnyCommand] = []
        self.now: Status | None = None
        self.reply = Reply(True, "")
        self.replies: dict[AnyCommand, Reply] = {}
        self._queue: asyncio.Queue[Item | StarwellError] = asyncio.Queue()

    def tell(self, *items: Item | StarwellError) -> None:
        for item in items:
            self._queue.put_nowait(item)

    async def events(self) -> AsyncGenerator[Item]:
        while True:
            item = await self._queue.get()
            if isinstance(item, StarwellError):
                raise item
            yield item

    async def ask(self, command: AnyCommand) -> Reply:
        self.asked.append(command)
        return self.replies.get(command, self.reply)

    async def status(self) -> Status | None:
        return self.now


@cache
def stars(seed: int = 7, rows: int = 120, columns: int = 180) -> ev.PreviewReady:
    """A stretched picture of forty stars and a faint galaxy."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :columns]
    sky = 28 + rng.normal(0, 3, (rows, columns))
    sky += 90 * np.exp(-np.hypot((x - 100) / 25, (y - 60) / 10))
    for x0, y0, peak in zip(
        *rng.uniform(0, [[columns], [rows]], (2, 40)), rng.uniform(40, 400, 40), strict=True
    ):
        sky += peak * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / 2.5)
    pixels = np.clip(sky, 0, 255).astype(np.uint8)
    return ev.PreviewReady(
        of="stack", number=1, rows=rows, columns=columns, channels=1, pixels=pixels.tobytes()
    )


def sub(number: int, stacked: int) -> list[ev.Event]:
    """All that is told of one sub; the third is lost to clouds, a satellite crosses the fifth."""
    transparency = 0.31 if number == CLOUDS else 1 - 0.02 * ((number - 1) % 4)
    measured = ev.SubMeasured(
        number=number,
        stars=96 if number == CLOUDS else 400 + 7 * number % 23,
        fwhm_px=2.30 + 0.07 * (number % 5),
        hfr_px=1.4,
        eccentricity=0.41,
        angle_deg=12.0,
        sky_adu=512 + SKY_E / EGAIN,
        sigma_adu=SIGMA_E / EGAIN,
        sky_e=SKY_E,
        sigma_e=SIGMA_E,
        sensor_sigma_e=SIGMA_E,
    )
    file = f"lights/M_51_60.0s_L_g100_-10C_{number:04d}.fits"
    taken = ev.FrameTaken(number=number, file=file, seconds=SECONDS, celsius=-10.0)
    told = [ev.ExposureStarted(number=number, seconds=SECONDS), taken, measured]
    if number == CLOUDS:
        return [*told, ev.SubRejected(number=number, reason="clouds", detail="transparency 0.31")]
    return [
        *told,
        ev.SubStacked(
            number=number,
            weight=transparency**2,
            transparency=transparency,
            matched=371,
            rms_px=0.08,
            dx_px=0.4 * number,
            dy_px=-0.3 * number,
            angle_deg=0.01 * number,
            masked_fraction=0.004 if number == TRAIL else 0.0,
            trails=1 if number == TRAIL else 0,
            stacked=stacked,
            livetime_s=SECONDS * stacked,
        ),
    ]


def noise(stacked: int, effective: float) -> ev.StackMeasured:
    """Half-stack figures as interpolation leaves them: flattered at 1 px, true at 8 px."""
    ideal = SIGMA_E / effective**0.5
    return ev.StackMeasured(
        stacked=stacked,
        effective_subs=effective,
        livetime_s=SECONDS * stacked,
        sub_sigma_e=SIGMA_E,
        ideal_e=ideal,
        reached_e=tuple(ideal * factor for factor in (0.93, 0.97, 1.0, 1.02, 1.02)),
        efficiency_percent=100 / 1.02**2,
        egain=EGAIN,
        read_noise_e=READ_NOISE_E,
        sky_e=SKY_E,
        origin="camera",
        fixed_e=1.2,
        n_star=173.0,
        gain_percent=27.0,
        masters_e=0.3,
    )


def night(subs: int) -> list[ev.Event]:
    """The night up to and with sub number `subs`."""
    told: list[ev.Event] = [ev.StateChanged(state=ev.State.EXPOSING)]
    stacked, effective = 0, 0.0
    for number in range(1, subs + 1):
        stacked += number != CLOUDS
        events = sub(number, stacked)
        told += [*events, stars()]
        if isinstance(events[-1], ev.SubStacked):
            effective += events[-1].weight
            if stacked >= 2:
                told.append(noise(stacked, effective))
        if number == 1:
            told.append(ev.StackStarted(reference=1, file=None, why="the first sub"))
    return told


def finished() -> list[ev.Event]:
    """A whole night with its comparison to the simulated sky."""
    return [
        *night(PLANNED),
        ev.QualityAdvice(subject="truth", advice=TRUTH),
        ev.QualityAdvice(subject="clouds", advice="sub 3 lost 69 % of its light; the rest were clear"),
        ev.StateChanged(state=ev.State.IDLE),
        ev.SeriesFinished(stacked=PLANNED - 1, rejected=1, livetime_s=SECONDS * (PLANNED - 1)),
    ]


@pytest.fixture
def clock() -> Callable[[], datetime]:
    """A clock that stands still."""
    return lambda: datetime(2026, 10, 17, 22, 14, tzinfo=UTC)


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def app(script: Script, clock: Callable[[], datetime]) -> StarwellApp:
    return StarwellApp(script, planned=PLANNED, pace=Pace(0), clock=clock)


def standing(**said: Any) -> Status:
    """How the night stands at 22:14, in the middle of sub 8: a cooled camera at its set point."""
    usual: dict[str, Any] = {
        "state": ev.State.EXPOSING,
        "frame": 8,
        "frames": 60,
        "stacked": 6,
        "rejected": 1,
        "livetime_s": 6 * SECONDS,
        "folder": "/home/astro/nights/2026-10-17/M 51",
        "camera": "ZWO ASI533MM Pro",
        "sensor_celsius": -10.0,
        "setpoint_celsius": -10.0,
        "cooler_percent": 62.0,
        "target": "M 51",
        "filter": "L",
        "seconds": SECONDS,
        "exposed_s": 22.0,
        "free_bytes": 181_000_000_000,
        "guide_rms_arcsec": 0.62,
        "width": 3008,
        "height": 3008,
        "arcsec_per_px": 1.09,
        "masters": "dark+flat",
        "ends": "60 of 60 at 23:06",
        "filters": ("L", "R", "G", "B", "Ha"),
    }
    return Status(**usual | said)


CONTROLS = (
    ev.ControlChanged(name="gain", value=100, low=0, high=600),
    ev.ControlChanged(name="offset", value=50, low=0, high=240),
    ev.ControlChanged(name="bin", value=1),
    ev.ControlChanged(name="target_celsius", value=-10, unit="°C", low=-40, high=30),
    ev.ControlChanged(name="cooler", value=1),
    ev.ControlChanged(name="dew_heater", value=40, low=0, high=100),
)


def connected(*recent: ev.Event, **said: Any) -> Connected:
    """An engine answers, with the night so far."""
    return Connected(Hello(pid=4711, folder="/home/astro"), standing(**said), (*CONTROLS, *recent))


@pytest.fixture
def stands() -> Callable[..., Status]:
    return standing


@pytest.fixture
def answers() -> Callable[..., Connected]:
    return connected


@pytest.fixture
def engine_app(script: Script, clock: Callable[[], datetime]) -> StarwellApp:
    """The screen of an engine."""
    return StarwellApp(script, keys=table(engine=True), pace=Pace(0), clock=clock)


@pytest.fixture
def told() -> Callable[..., Awaitable[None]]:
    """These have arrived and the screen is drawn."""

    async def tell(pilot: Pilot[int], app: StarwellApp, *items: Item) -> None:
        for item in items:
            app.panes.post_message(Happened(item))
        await pilot.pause()

    return tell


@pytest.fixture
def tell_night() -> Callable[[int], list[ev.Event]]:
    return night


@pytest.fixture
def tell_finished() -> Callable[[], list[ev.Event]]:
    return finished


def _cells(app: StarwellApp) -> list[tuple[str, Style]]:
    strips = app.screen._compositor.render_strips()
    return [(segment.text, segment.style or Style()) for strip in strips for segment in strip]


@pytest.fixture
def cells() -> Callable[[StarwellApp], list[tuple[str, Style]]]:
    """The texts on the screen and their looks as they are sent to the terminal."""
    return _cells


@pytest.fixture
def colours() -> Callable[[StarwellApp], set[tuple[int, int, int]]]:
    """Every colour on the screen."""

    def seen(app: StarwellApp) -> set[tuple[int, int, int]]:
        looks = [look for _, look in _cells(app)]
        named = [colour for look in looks for colour in (look.color, look.bgcolor) if colour]
        return {tuple(colour.get_truecolor()) for colour in named}

    return seen


def _lines(app: StarwellApp) -> list[str]:
    return [strip.text for strip in app.screen._compositor.render_strips()]


@pytest.fixture
def lines() -> Callable[[StarwellApp], list[str]]:
    """The characters of every line of the screen."""
    return _lines


@pytest.fixture
def arrived() -> Callable[..., Awaitable[None]]:
    """Wait until what another thread sends has come true."""

    async def wait(pilot: Pilot[int], condition: Callable[[], bool]) -> None:
        for _ in range(1000):
            await pilot.pause()
            if condition():
                return
        pytest.fail("it never came")

    return wait


@pytest.fixture
def matches_snapshot(request: pytest.FixtureRequest) -> Callable[[StarwellApp], None]:
    """Compare the screen with snapshots/<module>/<test>.txt; STARWELL_UPDATE_SNAPSHOTS=1 writes it."""
    file = ROOT / "snapshots" / request.path.stem / f"{request.node.name.replace('[', '_').rstrip(']')}.txt"

    def check(app: StarwellApp) -> None:
        seen = "\n".join(text.rstrip() for text in _lines(app)) + "\n"
        if os.environ.get("STARWELL_UPDATE_SNAPSHOTS") == "1":
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(seen, encoding="utf-8")
        assert file.exists(), f"no snapshot {file}; STARWELL_UPDATE_SNAPSHOTS=1 writes it"
        kept = file.read_text(encoding="utf-8")
        diff = difflib.unified_diff(kept.splitlines(), seen.splitlines(), "snapshot", "screen", lineterm="")
        assert seen == kept, "the screen differs from its snapshot:\n" + "\n".join(diff)

    return check
