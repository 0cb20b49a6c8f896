"""Small fields of known truth: what a sub shows is drawn analytically, at any shift, turn and seeing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from starwell.align.transform import Transform
from starwell.calibration.calibrate import Calibrated
from starwell.frame import Bayer, Colour, Facts, Float32, Float64, Planes
from starwell.measure.compare import Normalisation
from starwell.sensor.model import SensorModel
from starwell.stack.ledger import Entry
from starwell.stack.running import Added, RunningStack
from starwell.stack.warmup import start


@dataclass
class Field:
    """A sky of `sky_e` e-/px with Moffat stars of beta 3 (x, y, e-) on a sensor of 1 e-/ADU."""

    size: tuple[int, int] = (256, 256)
    sky_e: float = 100.0
    read_noise_e: float = 2.0
    stars: Float64 = field(default_factory=lambda: np.empty((0, 3)))
    bayer: Bayer | None = None
    seed: int = 1
    extra: Callable[[Float64, Float64], Float64] | None = None
    flat: Float32 | None = None
    hot: dict[tuple[int, int], float] = field(default_factory=dict)
    defects: tuple[tuple[int, int], ...] = ()

    @property
    def facts(self) -> Facts:
        return Facts(self.size, bayer=self.bayer)

    @property
    def model(self) -> SensorModel:
        return SensorModel(1.0, self.read_noise_e)

    def planes(self, colour: Colour = Colour.FULL) -> Planes:
        return Planes.of(self.facts, colour)

    def sigma_e(self) -> float:
        return float(np.sqrt(self.sky_e + self.read_noise_e**2 + 1 / 12))

    def light(self, transform: Transform | None = None, fwhm_px: float = 3.0) -> Float64:
        """Expected e-/px of a sub whose px the transform takes to the reference's."""
        to_sub = (transform or Transform()).inverse()
        light = np.full(self.size, float(self.sky_e))
        alpha = fwhm_px / (2 * np.sqrt(2 ** (1 / 3) - 1))
        for (x, y), flux in zip(to_sub.apply(self.stars[:, :2]), self.stars[:, 2], strict=True):
            reach = int(8 * fwhm_px)
            y0, y1 = np.clip([round(y) - reach, round(y) + reach + 1], 0, self.size[0])
            x0, x1 = np.clip([round(x) - reach, round(x) + reach + 1], 0, self.size[1])
            yy, xx = np.mgrid[y0:y1, x0:x1]
            r2 = ((xx - x) ** 2 + (yy - y) ** 2) / alpha**2
            light[y0:y1, x0:x1] += flux * 2 / (np.pi * alpha**2) * (1 + r2) ** -3.0
        if self.extra is not None:
            yy, xx = np.mgrid[: self.size[0], : self.size[1]]
            there = (transform or Transform()).apply(np.stack([xx, yy], axis=-1))
            light += self.extra(there[..., 0], there[..., 1])
        return light

    def sub(
        self,
        number: int,
        transform: Transform | None = None,
        *,
        fwhm_px: float = 3.0,
        added: Float64 | None = None,
        noise: bool = True,
    ) -> Calibrated:
        """One calibrated sub, its noise seeded by its number; hot pixels stay on their sensor px."""
        light = self.light(transform, fwhm_px)
        if added is not None:
            light = light + added
        rng = np.random.default_rng([self.seed, number])
        a = np.ones(self.size) if self.flat is None else _spread(self.flat, self.size)
        pixels = a * light
        if noise:
            pixels = rng.poisson(pixels) + rng.normal(0, self.read_noise_e, self.size)
            pixels = np.rint(pixels)
        pixels = pixels / a
        for (x, y), extra in self.hot.items():
            pixels[y, x] += extra
        xy = np.array(self.defects, int).reshape(-1, 2)
        return Calibrated(self.facts, pixels.astype(np.float32), xy, self.flat, 0.0, 65535.0)

    def entry(self, number: int, transform: Transform | None = None, **changes: object) -> Entry:
        channels = self.planes().channels
        plain = Normalisation(1.0, ((0.0, 0.0, 0.0),) * channels)
        entry = Entry(number, transform or Transform(), plain, (1.0,) * channels)
        return replace(entry, **changes)  # type: ignore[arg-type]


def _spread(cells: Float32, size: tuple[int, int]) -> Float64:
    """A coarse map at full size: constant per 16×16 px."""
    return np.repeat(np.repeat(cells, 16, 0), 16, 1)[: size[0], : size[1]].astype(np.float64)


def line_e(
    size: tuple[int, int], peak: float, start: tuple[float, float], end: tuple[float, float], fwhm: float
) -> Float64:
    """A straight trail of Gaussian profile from edge to edge through two points, e-/px."""
    yy, xx = np.mgrid[: size[0], : size[1]]
    (x0, y0), (x1, y1) = start, end
    off = ((xx - x0) * (y1 - y0) - (yy - y0) * (x1 - x0)) / np.hypot(x1 - x0, y1 - y0)
    return np.asarray(peak * np.exp(-4 * np.log(2) * (off / fwhm) ** 2))


def stacked(
    sky: Field, moves: list[Transform], sub: Callable[[int], Calibrated], **options: object
) -> tuple[RunningStack, list[Added]]:
    """A running stack of one sub per move: the first seven begin it."""
    colour = options.pop("colour", Colour.FULL)
    assert isinstance(colour, Colour)
    stack = RunningStack(sky.size, sky.planes(colour), sky.model, **options)  # type: ignore[arg-type]
    entries = [sky.entry(i, move) for i, move in enumerate(moves)]
    added = start(stack, entries[:7], sub)
    added += [stack.add(sub(entry.number), entry) for entry in entries[7:]]
    return stack, added


@pytest.fixture(scope="session")
def stack_up() -> Callable[..., tuple[RunningStack, list[Added]]]:
    return stacked


@pytest.fixture(scope="session")
def make_field() -> type[Field]:
    return Field


@pytest.fixture(scope="session")
def trail_e() -> Callable[..., Float64]:
    return line_e


@pytest.fixture(scope="session")
def dithers() -> Callable[..., list[Transform]]:
    """Seeded random shifts within ±reach px and small turns, one per sub or one per `every` subs."""

    def dithers(
        count: int, *, reach: float = 6.0, turn_deg: float = 0.02, every: int = 1, seed: int = 3
    ) -> list[Transform]:
        rng = np.random.default_rng(seed)
        moves = []
        for i in range(count):
            if i % every == 0:
                dx, dy = rng.uniform(-reach, reach, 2) if i else (0.0, 0.0)
                turn = rng.uniform(-turn_deg, turn_deg) if i else 0.0
            moves.append(Transform.similarity(turn, 1.0, dx, dy))
        return moves

    return dithers
