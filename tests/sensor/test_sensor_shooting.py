from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from starwell.cli.main import main
from starwell.errors import CameraError, PlanError
from starwell.files import fits
from starwell.files.frames import open_facts
from starwell.files.keywords import keywords_of
from starwell.flatlab.schedule import PlannedSet
from starwell.flatlab.shooting import frames_in
from starwell.frame import Exposure, Facts, Frame
from starwell.kinds import Kind
from starwell.session.sensor_shooting import LIT, Wish, sets_in, shoot

CAMERA = "simulated:speed=100000,size=160x160,truth=linear"


def call(folder: Path, *more: str) -> list[str]:
    words = ["sensor", "shoot", "--camera", CAMERA, "--gain", "139", "-o", str(folder)]
    return [*words, "--levels", "6", "--biases", "4", "--longest-dark", "16", "--no-store", *more]


def test_a_camera_shoots_its_own_analysis_and_takes_it_up_where_it_was_broken_off(tmp_path, capsys):
    folder, told = tmp_path / "sets", tmp_path / "r.json"
    assert main(call(folder, "--json", str(told))) == 0
    found = json.loads(told.read_text())
    assert found["egain_e_per_adu"] == pytest.approx(1.0, rel=0.02)
    assert found["read_noise_e"] == pytest.approx(1.7, rel=0.03)
    assert found["full_well_e"] == pytest.approx(4045, rel=0.02)
    assert found["linearity_percent"] < 0.5
    biases, flats, darks = sets_in(folder)
    assert (len(biases), len(flats), len(darks)) == (1, 6, 5)
    seconds = [open_facts(frames_in(one)[0]).exposure.seconds for (one,) in darks]
    assert seconds == [1, 2, 4, 8, 16]
    exposures = [open_facts(frames_in(one)[0]).exposure.seconds for (one,) in flats]
    gone = frames_in(flats[3][0])[1:]
    for path in gone:
        path.unlink()
    capsys.readouterr()
    assert main(call(folder)) == 0
    said = capsys.readouterr().err
    assert f"{len(gone)} frames taken" in said
    assert "The lamp fills" not in said  # the flats that are there say so
    assert open_facts(frames_in(flats[3][0])[-1]).exposure.seconds == pytest.approx(exposures[3], abs=1e-4)
    assert main(["sensor", "--folder", str(folder), "--no-store"]) == 0
    assert "6 light levels, 5 dark exposures" in capsys.readouterr().out


class Bench:
    """A camera of 16 px that sees a lamp of so many ADU a second above 500; its user's hands do nothing."""

    def __init__(self, folder: Path, adu_s: float) -> None:
        self.folder, self.adu_s = folder, adu_s
        self.asked: list[str] = []

    def take(self, one: PlannedSet) -> Frame:
        frame = self.trial(one)
        folder = self.folder / one.name
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{one.name}-{len(frames_in(folder))}.fits"
        fits.write(path, frame.pixels, keywords_of(frame.facts))
        return frame

    def trial(self, one: PlannedSet) -> Frame:
        level = min(500 + self.adu_s * one.seconds * (one.light == LIT), 65535)
        facts = Facts((16, 16), Exposure(one.kind, one.seconds, one.gain), camera="16 px")
        return Frame(facts, np.full((16, 16), level, np.uint16))

    def light(self, one: PlannedSet) -> None:
        self.asked.append(one.light)

    def dim(self, said: str, factor: float) -> bool:
        return False


@pytest.mark.parametrize("full_s", [0.05, 1.0, 50.0])
def test_exposures_are_found_for_bright_and_faint_lamps(tmp_path, full_s):
    bench, said = Bench(tmp_path, 65035 / full_s), []
    wish = Wish(100.0, levels=5, frames=2, biases=2)
    assert shoot(wish, tmp_path, bench, said.append) == 2 + 5 * 2 + 5 * 2
    assert len(bench.asked) == 2  # cover it, light the panel
    for part, (folder,) in zip(wish.parts, sets_in(tmp_path)[1], strict=True):
        assert open_facts(frames_in(folder)[0]).exposure.seconds == pytest.approx(part * full_s, rel=0.01)
    assert any("flicker" in line for line in said) == (full_s < 3)


@pytest.mark.parametrize(("full_s", "word"), [(0.001, "too bright"), (400.0, "too faint")])
def test_a_lamp_no_exposure_fits_is_told_and_what_was_taken_stays(tmp_path, full_s, word):
    with pytest.raises(CameraError, match=word):
        shoot(Wish(100.0, biases=3), tmp_path, Bench(tmp_path, 65035 / full_s), lambda _: None)
    assert len(frames_in(tmp_path / "bias")) == 3


def test_what_cannot_be_shot_is_refused_before_anything_is(tmp_path, capsys):
    assert main(["sensor", "shoot", "--camera", CAMERA]) == 2
    assert "--gain" in capsys.readouterr().err
    with pytest.raises(PlanError, match="at least 3 light levels"):
        Wish(100.0, levels=2).check()
    assert main(["sensor", "--folder", str(tmp_path / "none")]) == 2
    assert main(["sensor", "--folder", str(tmp_path), "--bias", str(tmp_path)]) == 2
    assert Kind.BIAS in {one.kind for one in Wish(100.0).unlit().sets}
