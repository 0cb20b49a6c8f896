"""The command on files: what it writes, and what it says of sets that are broken."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from starwell.calibration.low_light_file import read_low_light
from starwell.camera.truths import Truth
from starwell.cli.main import main
from starwell.files import fits
from starwell.files.keywords import keywords_of
from starwell.flatlab.analysis import Analysis
from starwell.flatlab.conclude import conclude

KEYS = [
    "gate",
    "verdict",
    "confidence",
    "flagged_pixels",
    "fpn_percent",
    "n_star",
    "large_scale_ratio",
    "recommendation",
    "frames_needed",
    "missing",
]
SIZE = (96, 96)


@pytest.fixture(scope="module")
def shot(lab, tmp_path_factory):
    """Folders of a few small frames: of linear pixels, and darks of a converter that clips."""
    root = tmp_path_factory.mktemp("shot")
    made = lab(Truth.LINEAR, size=SIZE, frames=8, darks=8, held=8, levels=(1.0,))
    sets = made.sets()
    clipped = lab(Truth.CLIPPED, size=SIZE, frames=8, darks=8, held=8, levels=(1.0,)).sets()
    named = {
        "dark": sets.dark,
        "bright": sets.bright,
        "bright-dark": sets.bright_dark,
        "low": sets.lows[0],
        "held-out": sets.held_out[0],
        "clipped-dark": clipped.dark,
        "clipped-low": clipped.lows[0],
        "clipped-held-out": clipped.held_out[0],
        "other-gain": sets.other_gain,
    }
    for folder, one in named.items():
        (root / folder).mkdir()
        for i, pixels in enumerate(one.frames()):
            if i == 8:
                break
            fits.write(root / folder / f"{folder}_{i}.fits", pixels, keywords_of(one.facts))
    return root


@pytest.fixture
def words(shot):
    def of(**changed: str) -> list[str]:
        folders = {name: name for name in ("dark", "bright", "bright-dark", "low", "held-out")}
        folders |= {name.replace("_", "-"): folder for name, folder in changed.items()}
        return [
            *("flatlab", "analyse"),
            *(
                word
                for name, folder in folders.items()
                if folder
                for word in (f"--{name}", str(shot / folder))
            ),
        ]

    return of


def test_the_contract_holds_and_the_report_can_be_told_again(words, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    target, report = tmp_path / "r.json", tmp_path / "report"
    call = [*words(), "--json", str(target), "--report", str(report), "--save-map", str(tmp_path / "b.fits")]
    assert main(call) == 0
    told = json.loads(target.read_text())
    assert list(told)[: len(KEYS)] == KEYS
    assert list(told["gate"])[:2] == ["zero_fraction", "passed"]
    methods = ["none", "bright", "same_condition", "hybrid", "additive"]
    assert list(told["fpn_percent"]) == list(told["n_star"]) == methods
    assert told["verdict"] == "inconclusive"
    assert told["frames_needed"] > 8
    assert told["missing"] == ["low", "dark"]
    printed = capsys.readouterr()
    assert "low: 8 of 8 frames" in printed.err
    text = (report / "report.md").read_text()
    assert "sensitivity falls as the light gets less" in " ".join(text.split())
    assert "Not decided" in text
    for plot in ("fixed-pattern.png", "deficits.png", "depth.png"):
        assert f"({plot})" in text
        assert (report / plot).read_bytes().startswith(b"\x89PNG")
    low_light = read_low_light(tmp_path / "b.fits")
    assert low_light.deficit_e.shape == SIZE
    again = tmp_path / "again"
    assert main(["flatlab", "report", str(target), "--report", str(again)]) == 0
    assert capsys.readouterr().out.startswith(printed.out.rstrip())
    assert (again / "report.md").read_text() == text


def test_two_held_out_folders_are_two_halves(words, shot, tmp_path):
    target = tmp_path / "r.json"
    assert main([*words(), "--held-out", str(shot / "low"), "--json", str(target)]) == 0
    sets = [one["name"] for one in json.loads(target.read_text())["details"]["sets"]]
    assert sets.count("held-out") == 2


def test_a_gate_that_refuses_ends_with_1_and_still_writes_its_findings(words, tmp_path, capsys):
    target = tmp_path / "r.json"
    clipped = words(dark="clipped-dark", low="clipped-low", held_out="clipped-held-out")
    assert main([*clipped, "--json", str(target)]) == 1
    told = json.loads(target.read_text())
    assert told["verdict"] == "clipped"
    assert told["gate"]["zero_fraction"] > 0.2
    assert told["gate"]["passed"] is False
    assert "the gate refuses" in capsys.readouterr().err


def test_real_offsets_of_a_night_deepen_n_star(words, tmp_path):
    rows = [
        {"status": "stacked", "transform": [[1, 0, 3.0 * i], [0, 1, -2.0 * i]], "file": f"{i}.fits"}
        for i in range(10)
    ]
    report = tmp_path / "stack.json"
    report.write_text(json.dumps({"frames": [*rows, {"status": "rejected", "file": "x.fits"}]}))
    target = tmp_path / "r.json"
    assert main([*words(), "--offsets", str(report), "--json", str(target)]) == 0
    told = json.loads(target.read_text())
    night = told["details"]["n_star_offsets"]["bright"]
    assert night == pytest.approx(10 * told["n_star"]["bright"], rel=1e-6)


def test_sets_of_two_gains_are_refused_by_name(words, capsys):
    assert main(words(low="other-gain")) == 1
    assert "--dark and --low differ in gain: 300 and 240" in capsys.readouterr().err


def test_darks_of_another_exposure_are_a_verdict_not_a_puzzle(words, shot, tmp_path):
    folder = tmp_path / "short"
    folder.mkdir()
    for path in sorted((shot / "dark").iterdir()):
        frame = fits.read(path)
        fits.write(folder / path.name, frame.pixels, {**keywords_of(frame.facts), "EXPTIME": 5.0})
    target = tmp_path / "r.json"
    assert main([*words(dark=str(folder)), "--json", str(target)]) == 0
    told = json.loads(target.read_text())
    assert told["verdict"] == "dark_mismatch"
    assert "exposed 5 s, --low 10 s" in told["why"][0]


@pytest.mark.parametrize(
    ("made", "said", "code"),
    [
        ([], "holds no FITS", 1),
        ([(0, {})], "--low holds 1 frame: at least 4", 2),
        ([(0, {}), (1, {"GAIN": 240.0}), (2, {}), (3, {})], "The frames of --low differ in gain", 1),
        (
            [(0, {}), (1, {"IMAGETYP": "Master Flat", "STACKCNT": 20}), (2, {}), (3, {})],
            "masters or stacks",
            1,
        ),
        ([(i, {"IMAGETYP": "Dark"}) for i in range(4)], "typed as darks", 1),
    ],
)
def test_a_broken_set_is_told_for_what_it_is(words, shot, tmp_path, capsys, made, said, code):
    folder = tmp_path / "broken"
    folder.mkdir()
    files = sorted((shot / "low").iterdir())
    for i, changes in made:
        frame = fits.read(files[i])
        fits.write(folder / files[i].name, frame.pixels, {**keywords_of(frame.facts), **changes})
    assert main(words(low=str(folder))) == code
    assert said in capsys.readouterr().err


def test_frames_of_another_size_are_refused(words, shot, tmp_path, capsys):
    folder = tmp_path / "small"
    folder.mkdir()
    for path in sorted((shot / "low").iterdir()):
        frame = fits.read(path)
        fits.write(folder / path.name, np.ascontiguousarray(frame.pixels[:64, :64]), keywords_of(frame.facts))
    assert main(words(low=str(folder))) == 1
    assert "differ in size: 96×96 and 64×64" in capsys.readouterr().err


def test_a_set_without_light_is_told(words, capsys):
    assert main(words(held_out="dark", low="low")) == 1
    assert "typed as darks" in capsys.readouterr().err


def test_what_cannot_be_left_out_is_named(words, capsys):
    assert main(words(bright_dark="")) == 2
    assert "cannot do without --bright-dark" in capsys.readouterr().err


def test_a_frame_that_is_cut_off_is_named(words, shot, tmp_path, capsys):
    folder = tmp_path / "torn"
    folder.mkdir()
    for path in sorted((shot / "low").iterdir()):
        (folder / path.name).write_bytes(path.read_bytes())
    torn = folder / "low_3.fits"
    torn.write_bytes(torn.read_bytes()[:9000])
    assert main(words(low=str(folder))) == 1
    assert "low_3.fits" in capsys.readouterr().err


def test_the_coldest_pixels_are_shown_with_what_is_about_them(lab):
    made = lab(Truth.LEAK, size=SIZE, frames=60, darks=60, held=20, levels=(1.0, 2.0))
    bare = dict.fromkeys(("same_charge", "same_charge_dark", "other_gain", "other_gain_dark"))
    details = conclude(Analysis(replace(made.sets(), **bare)).run()).details
    assert 10 < len(details.worst) <= 20
    assert [one.z for one in details.worst] == sorted((one.z for one in details.worst), reverse=True)
    for one in details.worst:
        assert np.shape(one.around) == (7, 7)
        assert len(one.levels_e) == len(one.deficits_e) == len(one.errors_e) == 2
        assert np.min(one.around) <= 1 - 0.9 * one.deficits_e[0] / details.level_e
        assert np.mean(one.deficits_e) > 1.2
