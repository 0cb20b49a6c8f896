"""`auto` gives each light the masters of its own night, filter and rotation, and says which."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits as astropy_fits

from starwell.calibration.calibrate import Calibrator
from starwell.calibration.calibrators import Calibrators
from starwell.calibration.library import load_masters
from starwell.calibration.library_shelf import Library
from starwell.calibration.master import Master, Masters, constant_bias, unit_mean
from starwell.camera.sky import (
    Chip,
    Dust,
    Flaw,
    Mount,
    Nebula,
    Optics,
    Scene,
    Sky,
    SkyPlan,
    Star,
    Turn,
    Weather,
)
from starwell.cli.main import main
from starwell.errors import MasterMissing
from starwell.files import fits
from starwell.files.frames import open_frame
from starwell.files.keywords import keywords_of
from starwell.frame import Kind
from starwell.measure.noise import haar_noise
from starwell.session.automatic import Chooser, at_hand, masters_for
from starwell.session.build import Method
from starwell.session.events import StackMeasured
from starwell.session.exact import ExactRun
from starwell.session.flat_choice import DustJudge
from starwell.session.intake import Intake
from starwell.session.plan import MasterPaths
from starwell.session.sets import LightSet, light_sets, lights_and_others
from starwell.stack.kernels import Kernel

SIZE, SUBS, FRAMES = (192, 240), 3, 8
ANGLES = (0.0, 37.0, 90.0, 141.0, 263.0)
AUTO = MasterPaths(dark="auto", flat="auto")
RNG = np.random.default_rng(5)
STARS = tuple(
    Star(120 + x, 96 + y, float(f))
    for x, y, f in zip(*RNG.uniform(-240, 240, (2, 240)), 4000 * RNG.pareto(0.9, 240) + 5000, strict=True)
)
BASE = SkyPlan(
    size=SIZE,
    seconds=60.0,
    filter="L",
    scene=Scene(stars=0, given=STARS),
    weather=Weather(sky_e_s=4.0),
    chip=Chip(prnu=0.01, dsnu_e=3.0, dark_e_s=0.05, warm=(Flaw(150, 2.0),)),
)


def plan_of(night: int, angle: float) -> SkyPlan:
    """The same field and sensor on another night: other dust, other rotation."""
    rng = np.random.default_rng([7, night])
    height, width = SIZE
    dust = tuple(
        Dust(rng.uniform(0, width), rng.uniform(0, height), rng.uniform(9, 16), rng.uniform(0.05, 0.12))
        for _ in range(6)
    )
    mount = Mount(drift_px=(0.2, 0.1), dither_px=5.0, turns=(Turn(0, angle),) if angle else ())
    start = BASE.start + timedelta(days=9 * night)
    return replace(BASE, optics=Optics(vignette=0.3, dust=dust), mount=mount, start=start)


def shoot(folder: Path, plan: SkyPlan, seed: int, **keywords: Any) -> None:
    """A night's folder as the engine writes it; names tell the nights apart."""
    sky, first = Sky(plan), 1000 * seed
    kinds: dict[str, Callable[[int], Any]] = {
        "lights/L": sky.light,
        "darks": lambda i: sky.dark(first + i),
        "flats/L": lambda i: sky.flat(first + i),
        "darkflats": lambda i: sky.dark_flat(first + i),
    }
    for name, shot in kinds.items():
        (folder / name).mkdir(parents=True)
        for i in range(SUBS if name == "lights/L" else FRAMES):
            frame = shot(i)
            facts = replace(frame.facts, started=plan.start + timedelta(seconds=70 * i))
            fits.write(
                folder / name / f"n{seed}_{i:03d}.fits", frame.pixels, {**keywords_of(facts), **keywords}
            )


@dataclass(frozen=True)
class Nights:
    """Five nights on disk."""

    folders: tuple[Path, ...]

    @property
    def lights(self) -> LightSet:
        sets, _ = light_sets(self.folders)
        return sets[0]


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Nights:
    root = tmp_path_factory.mktemp("nights")
    folders = tuple(root / f"night{n}" for n in range(5))
    for n, (folder, angle) in enumerate(zip(folders, ANGLES, strict=True)):
        shoot(folder, plan_of(n, angle), n, ROTATANG=angle)
    return Nights(folders)


@pytest.fixture(autouse=True)
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    """An empty library, wherever the user's own may be."""
    monkeypatch.setenv("STARWELL_HOME", str(tmp_path / "home"))
    return Library.here()


def by_hand(nights: Nights, reference: str) -> tuple[Any, float]:
    """The same stack with masters named for each night; its mean in e- and its noise per pixel."""
    lights = nights.lights
    made: dict[int, Calibrator] = {}
    first: Masters | None = None
    for folder in nights.folders:
        mine = [n for n in lights.numbers if lights.file(n).is_relative_to(folder)]
        dark, flat, dark_flat = (str(folder / name) for name in ("darks", "flats/L", "darkflats"))
        masters = load_masters(dark=dark, flat=flat, dark_flat=dark_flat, lights=lights.facts)
        first = first or masters
        made |= dict.fromkeys(mine, Calibrator(masters, lights.facts))
    assert first is not None
    intake = Intake(Calibrators(made), first)
    home = next(n for n in lights.numbers if lights.file(n).name == reference)
    run = ExactRun(intake, lights.frame, lights.numbers, Method(Kernel.LANCZOS), reference=home)
    noise = [event for event in run.run() if isinstance(event, StackMeasured)][-1]
    assert run.stack is not None
    return run.stack.mean(0) * intake.model.egain, noise.reached_e[0]


def test_five_nights_in_one_call_are_what_five_matched_by_hand_are(
    nights: Nights, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, report = tmp_path / "OUT.fits", tmp_path / "r.json"
    before = {path for folder in nights.folders for path in folder.rglob("*")}
    words = ["stack", *map(str, nights.folders), "--dark", "auto", "--flat", "auto", "-o", str(out)]
    assert main([*words, "--unit", "electron", "--report", str(report)]) == 0
    said = capsys.readouterr()
    assert "15 of 15 subs stacked" in said.out
    assert said.err.count("auto: dark: night") == 5
    frames = json.loads(report.read_text())
    for frame in frames["frames"]:
        night = frame["file"][1]
        assert frame["masters"] == {
            "dark": f"night{night}/darks (8 frames)",
            "flat": f"night{night}/flats/L (8 frames)",
        }
    header = astropy_fits.getheader(out)
    used = {header[f"MASTER{n}"] for n in range(1, 11)}
    assert used == {
        f"{k}: night{n}/{f} (8 frames)" for n in range(5) for k, f in (("dark", "darks"), ("flat", "flats/L"))
    }
    expected, noise = by_hand(nights, frames["reference"])
    apart = (open_frame(out).pixels - expected)[np.abs(expected) > 0]
    assert np.sqrt(np.mean(apart**2)) < 0.02 * noise
    assert abs(apart.mean()) < 0.02 * noise
    assert {path for folder in nights.folders for path in folder.rglob("*")} == before


def test_the_wrong_night_s_flat_would_have_been_seen(nights: Nights) -> None:
    """What the choice is worth: another night's flat leaves more than a sub's own noise in it."""
    lights, first, second = nights.lights, nights.folders[0], nights.folders[1]
    pixels = []
    for folder in (first, second):
        masters = load_masters(
            dark=str(first / "darks"), flat=str(folder / "flats/L"), dark_flat=str(first / "darkflats")
        )
        pixels.append(Calibrator(masters, lights.facts).calibrate(lights.frame(1)).pixels)
    assert (pixels[0] - pixels[1]).std() > 0.8 * haar_noise(pixels[0])


def chosen_of(folders: list[Path]) -> dict[str, str]:
    """The flat of each light, by its file's name."""
    given = lights_and_others(folders)
    [lights] = given.sets
    among = at_hand(lights.files, given.others)
    chosen = Chooser(AUTO, among).choose(lights.facts_by_number(), lights.frame)
    return {lights.file(n).name: m.flat.name for n, m in chosen.of.items() if m.flat is not None}


@pytest.fixture
def one_night(tmp_path: Path) -> Path:
    """One night of two rotations that no header tells: two sets of lights and of flats, each its own dust."""
    night = tmp_path / "night"
    for n, angle in ((1, 0.0), (2, 120.0)):
        plan = replace(plan_of(n, angle), start=BASE.start)
        shoot(tmp_path / f"part{n}", plan, n)
        for part, whole in (
            ("lights/L", "lights/L"),
            ("darks", "darks"),
            ("darkflats", "darkflats"),
            ("flats/L", f"flats/L{n}"),
        ):
            (night / whole).mkdir(parents=True, exist_ok=True)
            for path in (tmp_path / f"part{n}" / part).iterdir():
                path.rename(night / whole / path.name)
    return night


def test_without_a_rotation_in_the_headers_the_dust_tells_the_flat(one_night: Path) -> None:
    flats = chosen_of([one_night])
    assert flats == {
        f"n{n}_{i:03d}.fits": f"night/flats/L{n} ({FRAMES} frames)" for n in (1, 2) for i in range(SUBS)
    }


@pytest.mark.parametrize("nebula", [None, Nebula(core_e=3000.0, cloud_e=300.0, filaments_e=300.0)])
def test_no_sub_votes_for_a_flat_it_was_not_taken_through(nebula: Nebula | None) -> None:
    """A bright nebula may keep subs from telling, but never makes them tell the wrong flat."""
    plans = [plan_of(n, 0.0) for n in (1, 2)]
    skies = [Sky(replace(p, scene=Scene(stars=60, faintest_e=500.0, nebula=nebula))) for p in plans]
    facts = skies[0].light(0).facts
    flats = [
        Master(Kind.FLAT, unit_mean(sky.flat_field.copy(), facts), sky.flat(0).facts, 30_000.0, FRAMES)
        for sky in skies
    ]
    judge = DustJudge(flats, facts, Calibrator(Masters(bias=constant_bias(500.0)), facts))
    for mine, sky in enumerate(skies):
        told = [judge.best(judge.seen(sky.light(i))) for i in range(4)]
        assert all(best == mine for best, sure in told if sure)
        assert nebula is not None or all(sure for _, sure in told)


def test_flats_whose_dust_is_the_same_need_no_proof(one_night: Path) -> None:
    for path in (one_night / "flats/L2").iterdir():
        path.unlink()
    sky = Sky(replace(plan_of(1, 0.0), start=BASE.start))
    for i in range(FRAMES):
        frame = sky.flat(500 + i)
        late = replace(frame.facts, started=BASE.start + timedelta(hours=8))
        fits.write(one_night / f"flats/L2/d_{i}.fits", frame.pixels, keywords_of(late))
    assert set(chosen_of([one_night]).values()) == {f"night/flats/L1 ({FRAMES} frames)"}


def test_a_night_without_its_own_flats_takes_the_nearest_and_says_how_old(nights: Nights) -> None:
    given = lights_and_others([nights.folders[1] / "lights/L"])
    [lights] = given.sets
    others = [one for one in at_hand([nights.folders[0] / "lights/L"], {}) if one.rotation == 0.0]
    own = [one for one in at_hand(lights.files, {}) if one.kind.value == "Dark"]
    unturned = {n: replace(f, header={}) for n, f in lights.facts_by_number().items()}
    chosen = Chooser(AUTO, [*others, *own]).choose(unturned, lights.frame)
    [masters] = chosen.all
    assert masters.flat is not None
    assert masters.flat.name.startswith("night0/flats/L")
    assert any("another night, 9 days older" in warning for warning in masters.warnings)


def test_a_flat_that_serves_two_nights_is_told_for_the_one_it_is_not_of(nights: Nights) -> None:
    lights = nights.lights
    numbered = {n: replace(f, header={}) for n, f in lights.facts_by_number().items() if n <= 2 * SUBS}
    flats = [one for one in at_hand(lights.files, {}) if one.rotation == 0.0]
    [masters] = Chooser(MasterPaths(flat="auto"), flats).choose(numbered, lights.frame).all
    assert any("another night, 9 days older" in warning for warning in masters.warnings)


def test_flats_without_anything_to_take_off_are_no_masters(nights: Nights) -> None:
    lights = nights.lights
    [one, *_] = [kept for kept in at_hand(lights.files, {}) if kept.kind.value == "Flat"]
    facts = {1: lights.facts_by_number()[1]}
    with pytest.raises(MasterMissing, match="has to lose its bias"):
        Chooser(MasterPaths(flat="auto"), [one]).choose(facts, lights.frame)
    live = Chooser(MasterPaths(flat="auto"), [one], go_without=True).choose(facts, lights.frame)
    assert live.of[1].flat is None
    assert live.of[1].warnings[0].startswith("These lights go without a flat.")


def test_nothing_that_fits_is_an_error_on_disk_and_a_warning_live(nights: Nights) -> None:
    lights = nights.lights
    short = replace(lights.facts_by_number()[1], exposure=replace(lights.facts.exposure, seconds=5.0))
    among = at_hand(lights.files, {})
    with pytest.raises(MasterMissing, match=r"has exposure 60 s, not 5 s.*Shoot 30 darks of 5 s"):
        Chooser(AUTO, among).choose({1: short}, lights.frame)
    live, words = masters_for(AUTO, short, lights.frame)
    assert live.dark is None
    assert live.flat is not None
    assert any(w.startswith("These lights go without a dark.") for w in live.warnings)
    assert "flat: night0/flats/L" in words


def test_the_library_s_masters_serve_as_well(nights: Nights, house: Library) -> None:
    house.add([nights.folders[2]])
    lights = nights.folders[2] / "lights/L"
    alone = house.folder.parent / "alone"
    alone.mkdir()
    for path in lights.iterdir():
        (alone / path.name).write_bytes(path.read_bytes())
    [flat] = set(chosen_of([alone]).values())
    assert flat.startswith("Flat_")
    assert (house.folder / flat).exists()


def test_lights_of_an_uncooled_camera_share_a_dark_between_two(tmp_path: Path) -> None:
    sky = Sky(plan_of(0, 0.0))
    for folder, celsius, first in (("darks/a", 12.0, 0), ("darks/b", 18.0, 50), ("lights", 15.0, 0)):
        (tmp_path / folder).mkdir(parents=True)
        for i in range(4):
            shot = sky.light(i) if folder == "lights" else sky.dark(first + i)
            facts = replace(shot.facts, sensor_celsius=celsius + 0.1 * i, setpoint_celsius=None)
            fits.write(tmp_path / folder / f"{i}.fits", shot.pixels, keywords_of(facts))
    lights = light_sets([tmp_path / "lights"])[0][0]
    wanted = MasterPaths(dark="auto")
    chosen = Chooser(wanted, at_hand(lights.files, {})).choose(lights.facts_by_number(), lights.frame)
    [masters] = chosen.all
    assert "between" in chosen.explained[0]
    assert any("interpolated per pixel" in warning for warning in masters.warnings)
    dark = masters.dark
    assert dark is not None
    assert dark.facts.sensor_celsius == pytest.approx(15.15)
