"""The library keeps masters whole, named from their facts, builds those that frames make, and loses none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from starwell.calibration.calibrate import Calibrator
from starwell.calibration.library_groups import calibration_folders, sort_frames
from starwell.calibration.library_need import needs
from starwell.calibration.library_noise import Planned, share_of
from starwell.calibration.library_shelf import Library
from starwell.calibration.library_survey import survey_lights, survey_masters
from starwell.calibration.master import Masters
from starwell.calibration.masters import build
from starwell.calibration.stored import write
from starwell.camera.sky import Chip, Optics, Scene, Sky, SkyPlan
from starwell.errors import MasterMissing, StorageError
from starwell.files import fits
from starwell.files.keywords import keywords_of
from starwell.frame import Exposure, Facts, Frame, Kind
from starwell.sensor.sub_exposure import Exposed

SKY = Sky(SkyPlan(size=(64, 96), seconds=20.0, filter="L", scene=Scene(stars=0), optics=Optics(vignette=0.2)))
Put = Callable[..., Path]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    def put(folder: str, frames: list[Frame], **keywords: object) -> Path:
        target = tmp_path / folder
        target.mkdir(parents=True, exist_ok=True)
        for i, frame in enumerate(frames):
            fits.write(target / f"f_{i:03d}.fits", frame.pixels, {**keywords_of(frame.facts), **keywords})
        return target

    return put


@pytest.fixture
def night(put: Put, tmp_path: Path) -> Path:
    put("night/lights/L", [SKY.light(i) for i in range(2)])
    put("night/darks", [SKY.dark(i) for i in range(6)])
    put("night/flats/L", [SKY.flat(i) for i in range(6)])
    put("night/darkflats", [SKY.dark_flat(i) for i in range(5)])
    (tmp_path / "night" / "latest.png").write_bytes(b"no picture")
    return tmp_path / "night"


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "library")


def test_a_night_s_folder_becomes_its_masters_and_stays_as_it_was(library: Library, night: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in night.rglob("*")}
    added = library.add([night])
    assert {path: path.stat().st_mtime_ns for path in night.rglob("*")} == before
    kept = {one.kind: one for one in library.kept()}
    assert set(kept) == {Kind.DARK, Kind.DARK_FLAT, Kind.FLAT}
    dark, flat = kept[Kind.DARK], kept[Kind.FLAT]
    assert (dark.frames, dark.seconds, dark.gain, dark.celsius) == (6, 20.0, 100.0, -10.0)
    assert (flat.frames, flat.filter) == (6, "L")
    assert [one.refused for one in added if one.file is None] == ["lights make no master"]
    name = Path(dark.files[0]).name
    assert name.startswith("Dark_Simulated-ASI2600_20s_g100_o50_-10.0C_")
    assert name.endswith(f"_n6_{dark.sha[:8]}.fits")
    # The flat lost its dark flat: its level is light alone.
    usable = SKY.plan.chip.usable_e / SKY.plan.chip.file_egain
    assert flat.level_adu == pytest.approx(0.5 * usable * float(np.median(SKY.flat_field)), rel=0.01)


def test_what_is_there_already_is_never_written_again(library: Library, night: Path) -> None:
    library.add([night / "darks"])
    [path] = library.folder.glob("*.fits")
    before = path.read_bytes(), path.stat().st_mtime_ns
    [again] = library.add([night / "darks"])
    assert (again.already, again.file) == (True, path)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    elsewhere = night.parent / "copy.fits"
    elsewhere.write_bytes(before[0])
    [same] = library.add([elsewhere])
    assert (same.already, same.file) == (True, path)


def test_a_finished_master_is_copied_to_the_byte(library: Library, night: Path, tmp_path: Path) -> None:
    master = tmp_path / "mine.fits"
    write(build(Kind.DARK, [night / "darks"]), master)
    [added] = library.add([master])
    assert added.file is not None
    assert added.file.read_bytes() == master.read_bytes()
    assert [path.name for path in library.folder.iterdir() if path.suffix == ".part"] == []


def test_settings_that_differ_make_masters_of_their_own(library: Library, put: Put) -> None:
    other = SKY.varied(chip=replace(SKY.plan.chip, celsius=-15.0))
    put("all", [SKY.dark(i) for i in range(4)])
    put("all/b", [SKY.dark(i, seconds=60.0) for i in range(4)])
    folder = put("all/c", [other.dark(10 + i) for i in range(4)])
    library.add([folder.parent])
    assert sorted((k.seconds, k.celsius) for k in library.kept()) == [
        (20.0, -15.0),
        (20.0, -10.0),
        (60.0, -10.0),
    ]


def test_flats_without_anything_to_take_off_are_refused_by_themselves(library: Library, night: Path) -> None:
    (night / "darkflats").rename(night.parent / "elsewhere")
    added = library.add([night])
    refused = {one.name: one.refused for one in added if one.file is None}
    assert "dark-flat" in refused["night/flats/L (6 frames)"]
    assert [one.kind for one in library.kept()] == [Kind.DARK]


def test_too_few_frames_and_paths_that_are_not_there_are_told(library: Library, put: Put) -> None:
    folder = put("few", [SKY.dark(i) for i in range(2)])
    [added] = library.add([folder])
    assert "too few" in added.refused
    with pytest.raises(StorageError, match="no file or folder"):
        library.add([folder / "nothing"])


def test_the_index_is_no_truth(library: Library, night: Path) -> None:
    library.add([night / "darks"])
    first = library.kept()
    index = library.folder / ".index.json"
    assert index.exists()
    index.write_text("{ nonsense")
    assert library.kept() == first
    index.unlink()
    assert library.kept() == first
    [path] = library.folder.glob("*.fits")
    fits.write(
        path, fits.read(path).pixels, {**keywords_of(fits.read_facts(path)), "NCOMBINE": 77}, overwrite=True
    )
    assert ([k.frames for k in first], [k.frames for k in library.kept()]) == ([6], [77])


def test_an_empty_library_is_no_fault(library: Library) -> None:
    assert library.kept() == []
    with pytest.raises(MasterMissing, match="No dark is at hand"):
        library.find(Kind.DARK, SKY.light(0).facts)
    assert not library.folder.exists()


def test_a_damaged_file_is_passed_by(library: Library, night: Path) -> None:
    library.add([night / "darks"])
    (library.folder / "torn.fits").write_bytes(b"SIMPLE  =")
    assert [one.kind for one in library.kept()] == [Kind.DARK]


def test_a_found_master_calibrates(library: Library, night: Path) -> None:
    library.add([night])
    light = fits.read(night / "lights/L/f_000.fits")
    masters = Masters(
        **{k: library.open(kind, light.facts) for k, kind in (("dark", Kind.DARK), ("flat", Kind.FLAT))}
    )
    calibrated = Calibrator(masters, light.facts).calibrate(light)
    egain = SKY.plan.chip.file_egain
    assert np.median(calibrated.pixels) * egain == pytest.approx(
        np.median(SKY.light_e(0)) * float(SKY.flat_field.mean()), rel=0.01
    )


def test_folders_beside_the_lights_are_seen_from_every_depth(night: Path) -> None:
    names = {"darks", "flats", "darkflats"}
    for place in (night, night / "lights", night / "lights/L", night / "lights/L/f_000.fits"):
        assert {folder.name for folder in calibration_folders(place)} == names


def test_a_folder_s_name_tells_what_headers_call_light(put: Put) -> None:
    lights = put("n/darks", [SKY.light(i) for i in range(4)])
    [kept] = sort_frames([lights]).kept
    assert kept.kind is Kind.DARK


PLANNED = Planned(
    Exposed(seconds=20.0, sky_e_s=0.5, dark_e_s=0.0, read_noise_e=1.5, full_e=16_000.0), subs=64
)


def test_the_noise_a_dark_adds_is_what_a_simulated_stack_gains(library: Library, put: Put) -> None:
    """An undithered stack of 64 subs about a dark of 6: var = (S + RN²)/64 + RN²/6 (methods, §2.4)."""
    rng = np.random.default_rng(3)
    sky_e, read_noise_e, dark_frames = 10.0, 1.5, 6
    subs = rng.poisson(sky_e, (64, 200, 200)) + rng.normal(0, read_noise_e, (64, 200, 200))
    dark = rng.normal(0, read_noise_e, (dark_frames, 200, 200)).mean(axis=0)
    ideal, real = subs.mean(axis=0).std(), (subs.mean(axis=0) - dark).std()
    quiet = Sky(replace(SKY.plan, chip=Chip(read_noise_e=read_noise_e)))
    library.add([put("darks", [quiet.dark(i) for i in range(dark_frames)])])
    [kept] = library.kept()
    share = share_of(kept, PLANNED)
    assert share is not None
    assert share.adds_percent == pytest.approx(100 * (real / ideal - 1), rel=0.1)
    dithered = share_of(kept, replace(PLANNED, positions=25))
    assert dithered is not None
    assert dithered.adds_e == pytest.approx(share.adds_e / 5)


def test_needs_say_what_is_there_and_what_to_shoot(library: Library, night: Path) -> None:
    library.add([night / "darks"])
    lights = SKY.light(0).facts
    dark, flat, bias = needs(lights, library.kept(), PLANNED)
    assert dark.found is not None
    assert dark.share is not None
    assert dark.advised > 30  # 64 undithered subs at 10 e- ask for more than a usual series
    assert (flat.found, flat.nearest, bias.found) == (None, None, None)
    assert flat.command == "starwell run --kind flat --gain 100 --offset 50 --filter L --frames 30"
    other = replace(lights, exposure=replace(lights.exposure, gain=0.0))
    [short] = needs(other, library.kept(), kinds=[Kind.DARK])
    assert [d["field"] for d in short.listed()["differs"]] == ["gain"]  # type: ignore[union-attr]
    library.add([night])  # its dark flats too
    assert [need.kind for need in needs(lights, library.kept())] == [Kind.DARK, Kind.FLAT]


def test_mixed_and_missing_headers_are_named() -> None:
    shot = Exposure(Kind.LIGHT, 60.0, 100.0, 50.0)
    good = Facts((64, 64), shot, camera="A", sensor_celsius=-10.0, setpoint_celsius=-10.0)
    odd = replace(good, exposure=replace(shot, gain=200.0), sensor_celsius=-4.0)
    silent = replace(good, exposure=replace(shot, offset=None))
    said = survey_lights({Path("a.fits"): good, Path("b.fits"): odd, Path("c.fits"): silent})
    words = " ".join(remark.words for remark in said if remark.serious)
    assert "differ in gain: 100 (a.fits, c.fits), 200 (b.fits)" in words
    assert "1 of 3 lights do not note their offset" in words
    rest = " ".join(remark.words for remark in said)
    assert "-10.0 to -4.0 °C" in rest
    assert "setpoint in 1 of them: b.fits" in rest
    assert "No light notes its date: masters are matched without." in rest


def test_old_and_silent_masters_are_named(library: Library, put: Put) -> None:
    folder = put("darks", [SKY.dark(i) for i in range(5)], GAIN=None)
    library.add([folder])
    [kept] = library.kept()
    assert kept.date is not None
    said = [remark.words for remark in survey_masters([kept], kept.date.replace(year=kept.date.year + 1))]
    assert "it does not note its gain: it is matched without." in said
    assert "this dark is 365 days old: shoot it anew." in said
    assert "it is made of 5 frames: their noise goes into every stack." in said
