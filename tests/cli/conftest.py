"""Lights of known truth on disk, and the command as a user calls it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from starwell.calibration.master import Master, unit_mean
from starwell.calibration.stored import write
from starwell.camera.sky import Mount, Scene, Sky, SkyPlan
from starwell.cli.main import main
from starwell.files import fits
from starwell.files.keywords import keywords_of
from starwell.frame import Kind

PLAN = SkyPlan(
    size=(200, 256),
    subs=12,
    seconds=20.0,
    scene=Scene(stars=60, faintest_e=3000.0, brightest_e=80_000.0),
    mount=Mount(drift_px=(0.2, 0.1), dither_px=6.0),
)


@dataclass(frozen=True)
class Told:
    """What a command ended with, and what it said."""

    code: int
    out: str
    err: str


class Lights:
    """Simulated lights written to a folder, with perfect masters beside them."""

    def __init__(self, folder: Path, plan: SkyPlan, subs: Iterable[int]) -> None:
        self.folder, self.plan, self.sky = folder, plan, Sky(plan)
        folder.mkdir(parents=True, exist_ok=True)
        self.files = [self.shoot(i) for i in subs]

    def shoot(self, i: int, name: str | None = None, **keywords: Any) -> Path:
        frame = self.sky.light(i)
        path = self.folder / (name or f"light_{i + 1:04d}.fits")
        fits.write(path, frame.pixels, {**keywords_of(frame.facts), **keywords}, overwrite=True)
        return path

    def masters(self, folder: Path) -> list[str]:
        """The simulated sensor's truth as `--dark D --flat F`."""
        chip, silicon = self.plan.chip, self.sky.silicon
        learnt = {"egain": chip.file_egain, "read_noise_e": chip.read_noise_e}
        charge = silicon.fixed_e + silicon.dark_e_s * np.float32(self.plan.seconds)
        dark = (chip.offset_adu + charge / chip.egain).astype(np.float32)
        flat = self.sky.flat_field.copy()
        facts = self.sky.flat(0).facts
        flat = unit_mean(flat, facts)
        folder.mkdir(exist_ok=True)
        write(
            Master(Kind.DARK, dark, self.sky.dark(0).facts, 500.0, 100, learnt=learnt), folder / "dark.fits"
        )
        write(Master(Kind.FLAT, flat, facts, 30_000.0, 100, learnt=learnt), folder / "flat.fits")
        return ["--dark", str(folder / "dark.fits"), "--flat", str(folder / "flat.fits")]


@pytest.fixture
def starwell(capsys: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    """Calls `starwell …` in this process; no traceback may ever reach the user."""

    def call(*words: str | Path) -> Told:
        capsys.readouterr()
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Told(code, said.out, said.err)

    return call


@pytest.fixture(scope="session")
def mono(tmp_path_factory: pytest.TempPathFactory) -> Lights:
    """Ten good lights; nobody may write into their folder."""
    return Lights(tmp_path_factory.mktemp("mono") / "lights", PLAN, range(10))


@pytest.fixture(scope="session")
def lights() -> Callable[..., Lights]:
    """Makes further ones: lights(folder, subs, **changes of the plan)."""

    def make(folder: Path, subs: int, **changes: Any) -> Lights:
        return Lights(folder, replace(PLAN, **changes), range(subs))

    return make


@pytest.fixture(scope="session")
def report_of() -> Callable[[Path], Any]:
    return lambda path: json.loads(path.read_text())
