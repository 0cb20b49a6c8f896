from __future__ import annotations

import argparse
import json
import re

import numpy as np
import pytest

from starwell.calibration.masters import read
from starwell.cli import master as command
from starwell.errors import MasterMismatch, MasterMissing, PlanError, StorageError
from starwell.frame import Kind

SHAPE = (64, 64)


def run(*words) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(word) for word in words]))


@pytest.fixture
def folders(write_frames):
    rng = np.random.default_rng(1)
    bias = [rng.normal(500, 6, SHAPE).round().astype(np.uint16) for _ in range(6)]
    flats = [
        (500 + rng.poisson(8000, SHAPE) * 2 + rng.normal(0, 6, SHAPE)).round().astype(np.uint16)
        for _ in range(6)
    ]
    return (
        write_frames("bias", bias, {"IMAGETYP": "Bias", "EXPTIME": 0.0}),
        write_frames("flat", flats, {"IMAGETYP": "Flat", "EXPTIME": 2.0, "EGAIN": 1.0}),
    )


def test_a_flat_is_built_and_what_it_taught_is_printed(folders, tmp_path, capsys):
    bias, flat = folders
    out, png, report = tmp_path / "flat.fits", tmp_path / "flat.png", tmp_path / "flat.json"
    assert run("flat", flat, "--bias", bias, "-o", out, "--export16", png, "--json", report) == 0
    printed = capsys.readouterr().out
    gain = float(re.search(r"gain +([\d.]+) ± [\d.]+ e-/ADU", printed)[1])
    noise = float(re.search(r"read noise +([\d.]+) e-", printed)[1])
    assert gain == pytest.approx(0.5, rel=0.03)
    assert noise == pytest.approx(3.0, rel=0.04)
    assert "the header says 1 e-/ADU" in printed
    told = json.loads(report.read_text())
    assert told["combined"] == 6
    assert told["learnt"]["egain"] == pytest.approx(gain, abs=1e-3)
    assert told["sha256"] == read(out, Kind.FLAT).sha256
    assert png.exists()


def test_json_on_stdout_is_nothing_but_json(folders, tmp_path, capsys):
    assert run("bias", folders[0], "-o", tmp_path / "b.fits", "--json", "-") == 0
    assert json.loads(capsys.readouterr().out)["learnt"]["read_noise_adu"] == pytest.approx(6, rel=0.03)


def test_warnings_go_to_stderr(folders, tmp_path, capsys):
    assert run("flat", folders[1], "--uncalibrated", "-o", tmp_path / "f.fits") == 0
    assert "warning: The flats are uncalibrated" in capsys.readouterr().err


def test_a_number_will_do_as_bias(folders, tmp_path, capsys):
    assert run("flat", folders[1], "--bias", "500", "-o", tmp_path / "f.fits") == 0
    assert "gain         unknown" in capsys.readouterr().out


def test_what_does_not_fit_is_an_error_not_a_master(folders, tmp_path):
    out = tmp_path / "x.fits"
    with pytest.raises(MasterMissing, match="--uncalibrated"):
        run("flat", folders[1], "-o", out)
    with pytest.raises(MasterMismatch, match="typed flat, not bias"):
        run("bias", folders[1], "-o", out)
    with pytest.raises(MasterMismatch, match="exposure differs"):
        run("bias", *folders, "-o", out)
    with pytest.raises(PlanError, match="--dark-flat belong to flats"):
        run("dark", folders[0], "--dark-flat", folders[0], "-o", out)
    assert not out.exists()


def test_an_existing_master_is_refused_before_the_work(folders, tmp_path):
    out = tmp_path / "x.fits"
    out.write_bytes(b"mine")
    with pytest.raises(StorageError, match="--overwrite"):
        run("bias", folders[0], "-o", out)
    assert out.read_bytes() == b"mine"
    assert run("bias", folders[0], "-o", out, "--overwrite") == 0


@pytest.mark.real
def test_an_sbig_camera_tells_its_true_gain_against_its_header(real_data, tmp_path, capsys):
    folder = real_data / "sbig-stl1001-2017"
    bias, out = tmp_path / "bias.fits", tmp_path / "flat.fits"
    assert run("bias", *folder.glob("bias*"), "-o", bias) == 0
    assert run("flat", *folder.glob("flat*"), "--bias", bias, "-o", out) == 0
    printed = capsys.readouterr()
    assert float(re.search(r"gain +([\d.]+)", printed.out)[1]) == pytest.approx(1.940, rel=0.02)
    assert float(re.search(r"read noise +([\d.]+) e-", printed.out)[1]) == pytest.approx(13.0, rel=0.05)
    assert "the header says 2.06 e-/ADU" in printed.out
    assert "typed light" in printed.err
    assert run("dark", *folder.glob("darks-expos1-*"), "--bias", bias, "-o", tmp_path / "dark.fits") == 0
    printed = capsys.readouterr().out
    assert float(re.search(r"dark +([\d.]+) ADU in 60 s", printed)[1]) == pytest.approx(22.0, rel=0.02)
    hot = re.search(r"hot pixels +([\d,]+) more than 200 ADU in 60 s", printed)[1]
    assert int(hot.replace(",", "")) == pytest.approx(6228, rel=0.05)


@pytest.mark.real
def test_a_real_folder_of_mixed_frames_is_refused_by_name(real_data, tmp_path):
    folder = real_data / "sbig-stl1001-2017"
    with pytest.raises(
        MasterMismatch, match=r"(?s)typed bias.*exposure differs: 60 s.*300 s \(darks-expos300s"
    ):
        run("dark", folder, "-o", tmp_path / "x.fits")
    with pytest.raises(MasterMismatch, match=r"10 s \(darks-expos10s-Neg5-Vis.00000000.DARK.FIT\)"):
        run("dark", *folder.glob("dark*"), "-o", tmp_path / "x.fits")
