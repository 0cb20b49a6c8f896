from __future__ import annotations

import argparse
import json
import os
from dataclasses import replace

import numpy as np
import pytest

from starwell.calibration.calibrate import Calibrator
from starwell.calibration.library import load_masters
from starwell.calibration.library_shelf import Library
from starwell.calibration.low_light_build import build
from starwell.calibration.low_light_file import find_low_light, read_low_light, write_low_light
from starwell.calibration.master import Masters, constant_bias
from starwell.calibration.masters import build as build_master
from starwell.calibration.masters import write
from starwell.camera.chip import Chip, Flaw
from starwell.camera.plan import SkyPlan
from starwell.camera.sky import Sky
from starwell.cli import master as command
from starwell.cli.main import main
from starwell.errors import FileDamaged, MasterMismatch, MasterMissing, PlanError, StorageError
from starwell.files import fits
from starwell.frame import Frame, Kind

CHIP = Chip(
    egain=0.05,
    read_noise_e=1.3,
    offset_adu=200,
    full_well_e=3000,
    dark_e_s=0.005,
    cold=(Flaw(60, 3.0), Flaw(30, 6.0)),
    gain=300,
)
SIZE = (128, 160)
FRAMES = 40


@pytest.fixture(scope="module")
def sky():
    return Sky(SkyPlan(size=SIZE, seconds=10, flat_seconds=10, chip=CHIP, seed=3))


@pytest.fixture(scope="module")
def folders(sky, tmp_path_factory):
    from starwell.files.keywords import keywords_of

    root = tmp_path_factory.mktemp("shot")

    def shoot(name, frames):
        (root / name).mkdir()
        for i, frame in enumerate(frames):
            fits.write(root / name / f"{name}_{i:03d}.fits", frame.pixels, keywords_of(frame.facts))
        return root / name

    level = 8 / CHIP.usable_e
    return {
        "dark": shoot("dark", (sky.dark(i) for i in range(FRAMES))),
        "flat": shoot("flat", (sky.flat(i) for i in range(10))),
        "low8": shoot("low8", (sky.flat(1000 + i, level) for i in range(FRAMES))),
        "low16": shoot("low16", (sky.flat(2000 + i, 2 * level) for i in range(FRAMES))),
    }


@pytest.fixture(scope="module")
def masters(folders):
    dark = build_master(Kind.DARK, [folders["dark"]])
    return Masters(dark=dark, flat=build_master(Kind.FLAT, [folders["flat"]], bias=constant_bias(200)))


@pytest.fixture(scope="module")
def two_levels(folders, masters):
    return build([[folders["low16"]], [folders["low8"]]], flat=masters.flat, dark=masters.dark)


def as_light(frame):
    exposure = replace(frame.facts.exposure, kind=Kind.LIGHT)
    return Frame(replace(frame.facts, exposure=exposure), frame.pixels)


def cold_of(sky):
    xy = np.concatenate(sky.silicon.cold_xy)
    return xy[:, 1], xy[:, 0]


def mean_of_lights(sky, calibrator, level_e, frames=50):
    total = 0.0
    for i in range(frames):
        light = as_light(sky.flat(5000 + i, level_e / CHIP.usable_e))
        total = total + calibrator.calibrate(light).pixels * CHIP.egain
    return total / frames


@pytest.mark.parametrize("level_e", [8.0, 32.0])
def test_cold_pixels_come_back_at_the_level_of_the_dim_flats_and_at_four_times_it(
    sky, masters, two_levels, level_e
):
    facts = as_light(sky.flat(0)).facts
    plain = mean_of_lights(sky, Calibrator(masters, facts), level_e)
    mapped = mean_of_lights(sky, Calibrator(replace(masters, low_light=two_levels), facts), level_e)
    cold = cold_of(sky)
    usable = np.ones(len(cold[0]), bool) if level_e > 10 else np.arange(len(cold[0])) < 60
    lost = plain[cold][usable].mean() - level_e
    left = mapped[cold][usable].mean() - level_e
    assert lost < -1.5
    assert abs(left) < 0.1 * abs(lost)
    others = np.ones(SIZE, bool)
    others[cold] = False
    assert mapped[others].std() <= 1.02 * plain[others].std()
    assert mapped[others].mean() == pytest.approx(plain[others].mean(), rel=2e-3)


def test_a_map_of_one_level_is_folded_into_the_offset_and_adds_its_deficits(sky, folders, masters):
    found = build([[folders["low8"]]], flat=masters.flat, dark=masters.dark)
    light = as_light(sky.flat(7, 8 / CHIP.usable_e))
    plain = Calibrator(masters, light.facts).calibrate(light).pixels
    mapped = Calibrator(replace(masters, low_light=found), light.facts).calibrate(light).pixels
    added = (mapped - plain) * found.egain
    np.testing.assert_allclose(added, found.deficit_e, atol=2e-3)


def test_pixels_that_keep_back_more_than_twice_the_sky_are_filled_in_that_sub(sky, masters, two_levels):
    light = as_light(sky.flat(8, 1.5 / CHIP.usable_e))
    calibrator = Calibrator(replace(masters, low_light=two_levels), light.facts)
    filled = {tuple(xy) for xy in calibrator.calibrate(light).defects_xy.tolist()}
    keep_six = {tuple(xy) for xy in sky.silicon.cold_xy[1].tolist()}
    assert len(filled & keep_six) >= 0.9 * len(keep_six)
    bright = as_light(sky.flat(9, 40 / CHIP.usable_e))
    assert len(calibrator.calibrate(bright).defects_xy) < 3
    again = calibrator.calibrate(light)
    assert {tuple(xy) for xy in again.defects_xy.tolist()} == filled


def test_a_map_is_written_and_read_back_with_all_it_came_from(two_levels, tmp_path):
    path = tmp_path / "map.fits"
    write_low_light(two_levels, path)
    back = read_low_light(path)
    np.testing.assert_array_equal(back.deficit_e, two_levels.deficit_e)
    np.testing.assert_array_equal(back.threshold_e, two_levels.threshold_e)
    assert back.sha256 == two_levels.sha256
    assert back.frames == (FRAMES, FRAMES)
    assert back.levels_e == pytest.approx((8.0, 16.0), rel=0.05)
    assert back.found[0].share == pytest.approx(two_levels.found[0].share)
    assert back.facts.exposure.seconds == 10
    assert back.facts.exposure.gain == 300
    assert back.keywords["NDARK"] == FRAMES
    assert back.keywords["EGAINSRC"] == "measured"
    assert back.egain == pytest.approx(CHIP.egain, rel=0.05)
    assert len(back.keywords["SRCSHA"]) == 64
    assert not back.warnings
    with pytest.raises(StorageError, match="exists"):
        write_low_light(two_levels, path)


def test_another_file_is_no_map_and_a_cut_one_is_damaged(two_levels, folders, tmp_path):
    with pytest.raises(MasterMismatch, match="is no low-light map"):
        read_low_light(next(folders["dark"].iterdir()))
    path = tmp_path / "map.fits"
    fits.write(path, two_levels.deficit_e, {"SWMASTER": "LOWLIGHT", "BUNIT": "electron"})
    with pytest.raises(FileDamaged, match="LEVELS"):
        read_low_light(path)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"gain": 200.0}, "gain"),
        ({"offset": 60.0}, "offset"),
        ({"bin": 2}, "bin"),
        ({"seconds": 20.0}, "exposure"),
    ],
)
def test_lights_of_another_setting_are_refused(sky, two_levels, changes, word):
    facts = as_light(sky.flat(0)).facts
    facts = replace(facts, exposure=replace(facts.exposure, **changes))
    with pytest.raises(MasterMismatch, match=word):
        Calibrator(Masters(bias=constant_bias(200), low_light=two_levels), facts)


def test_lights_of_another_camera_or_temperature_are_refused_and_a_lack_of_dark_too(sky, two_levels):
    facts = as_light(sky.flat(0)).facts
    mapped = Masters(bias=constant_bias(200), low_light=two_levels)
    with pytest.raises(MasterMismatch, match="camera"):
        Calibrator(mapped, replace(facts, camera="Another"))
    with pytest.raises(MasterMismatch, match="°C"):
        Calibrator(mapped, replace(facts, sensor_celsius=0.0))
    with pytest.raises(MasterMissing, match="offset"):
        Calibrator(Masters(low_light=two_levels), facts)
    warnings = Calibrator(mapped, replace(facts, sensor_celsius=-7.0)).warnings
    assert any("bright flat" in w for w in warnings)
    assert any("°C" in w for w in warnings)


def test_left_justified_lights_get_their_deficits_in_their_own_adu(sky, folders, masters):
    found = build([[folders["low8"]]], flat=masters.flat, dark=masters.dark)
    facts = as_light(sky.flat(0)).facts
    shifted = replace(facts, adu_shift=4, saturation_adu=facts.saturation_adu * 16)
    zero = Frame(shifted, np.full(SIZE, 3200, np.uint16))
    level = Masters(bias=constant_bias(3200), low_light=found)
    added = Calibrator(level, shifted).calibrate(zero).pixels * found.egain / 16
    usable = found.deficit_e < 0.2
    np.testing.assert_allclose(added[usable], found.deficit_e[usable], atol=2e-3)


def test_the_command_builds_the_map_and_stacks_take_it(folders, sky, tmp_path, capsys):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)

    def run(*words):
        return command.run(parser.parse_args([str(word) for word in words]))

    out, told = tmp_path / "map.fits", tmp_path / "map.json"
    given = ("--flat", folders["flat"], "--bias", "200", "--dark", folders["dark"])
    assert run("low-light", folders["low8"], folders["low16"], *given, "-o", out, "--json", told) == 0
    printed = capsys.readouterr().out
    assert "cold pixels" in printed
    assert "divided out" in printed
    report = json.loads(told.read_text())
    assert report["frames"] == [FRAMES, FRAMES]
    assert report["made_of"]["DARKNAME"] == "dark"
    assert report["cold_pixels"] == pytest.approx(90, abs=15)
    dark = write(build_master(Kind.DARK, [folders["dark"]]), tmp_path / "dark.fits")
    loaded = load_masters(dark=dark.file, low_light=out, lights=as_light(sky.flat(0)).facts)
    assert loaded.low_light is not None
    assert loaded.hashes["low light"] == ("map.fits", loaded.low_light.sha256)
    assert loaded.without_pixels().low_light.deficit_e.size == 0
    with pytest.raises(PlanError, match="three things"):
        run("low-light", folders["low8"], "-o", tmp_path / "x.fits")
    with pytest.raises(PlanError, match="low-light"):
        run("dark", folders["dark"], "--flat", folders["flat"], "-o", tmp_path / "x.fits")


def test_the_newest_map_of_the_lights_setting_is_found_in_a_folder(two_levels, folders, sky, tmp_path):
    facts = as_light(sky.flat(0)).facts
    with pytest.raises(MasterMissing, match="No low-light map"):
        find_low_light(tmp_path, facts)
    warm = replace(two_levels, facts=replace(two_levels.facts, sensor_celsius=-1.0))
    for name, found in (("a", two_levels), ("b", two_levels), ("c", warm)):
        write_low_light(found, tmp_path / f"{name}.fits")
    (tmp_path / "torn.fits").write_bytes(b"SIMPLE")
    os.utime(tmp_path / "a.fits", (2e9, 2e9))
    assert find_low_light(tmp_path, facts) == tmp_path / "a.fits"
    with pytest.raises(MasterMissing):
        find_low_light(tmp_path, replace(facts, camera="Another"))


def test_the_library_keeps_a_map_and_finds_it_by_the_lights_setting(
    two_levels, sky, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("STARWELL_HOME", str(tmp_path))
    (tmp_path / "shot").mkdir()
    made = write_low_light(two_levels, tmp_path / "shot" / "map.fits")
    (tmp_path / "shot" / "cut.fits").write_bytes(made.file.read_bytes()[:9000])
    library = Library(tmp_path / "library")
    added = {one.name: one for one in library.add([tmp_path / "shot"])}
    kept = added["map.fits"].file
    assert kept is not None
    assert kept.read_bytes() == made.file.read_bytes()
    assert added["cut.fits"].refused
    assert library.add([made.file])[0].already
    assert library.kept() == []  # it is no flat
    assert [one.levels_e for one in library.maps()] == [pytest.approx((8, 16), rel=0.02)]
    assert find_low_light(library.folder, as_light(sky.flat(0)).facts) == kept
    assert main(["library", "list", "--kind", "low-light", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["kind"], row["frames"], row["gain"]) == ("low light", 2 * FRAMES, 300)
    assert main(["library", "list"]) == 0
    assert "low light" in capsys.readouterr().out


def test_levels_of_different_exposures_are_no_map(folders, masters, sky, shoot):
    longer = Sky(replace(sky.plan, flat_seconds=20.0))
    other = shoot("longer", [longer.flat(i, 8 / CHIP.usable_e) for i in range(4)])
    with pytest.raises(MasterMismatch, match="exposure"):
        build([[folders["low8"]], [other]], flat=masters.flat, dark=masters.dark)


def test_a_dark_that_does_not_say_how_many_frames_it_is_of_is_refused(folders, masters):
    with pytest.raises(MasterMissing, match="how many frames"):
        build([[folders["low8"]]], flat=masters.flat, dark=replace(masters.dark, combined=0))
