"""Which files belong into one stack, and what each stack is called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from starwell.errors import PlanError, StorageError
from starwell.files import fits
from starwell.frame import Bayer, Exposure, Facts
from starwell.session.output import Unit
from starwell.session.sets import _key, _labels, light_sets
from starwell.session.stack_files import Outputs

facts = st.builds(
    Facts,
    shape=st.just((8, 8)),
    exposure=st.builds(
        Exposure,
        seconds=st.sampled_from([None, 1.0, 1.5, 60.0, 300.0]),
        gain=st.sampled_from([None, 0.0, 100.0, 139.0]),
        filter=st.sampled_from([None, "L", "R", "H-alpha", "a/b"]),
    ),
)


@given(st.lists(facts, min_size=1, max_size=12))
def test_sets_that_differ_have_different_labels_that_are_file_names(lights: list[Facts]) -> None:
    groups: dict[object, Facts] = {}
    for one in lights:
        groups.setdefault(_key(one), one)
    labels = _labels(list(groups.values()))
    assert len(set(labels)) == len(groups)
    assert all("/" not in label and " " not in label for label in labels)
    assert (labels == [""]) == (len(groups) == 1)


@given(st.lists(facts, min_size=2, max_size=6), st.randoms())
def test_labels_do_not_depend_on_the_order(lights: list[Facts], random: object) -> None:
    groups = list({_key(one): one for one in lights}.values())
    turned = groups[::-1]
    assert dict(zip(map(_key, groups), _labels(groups), strict=True)) == dict(
        zip(map(_key, turned), _labels(turned), strict=True)
    )


def shot(folder: Path, name: str, **keywords: object) -> Path:
    path = folder / name
    pixels = np.random.default_rng(len(name)).normal(1000, 10, (16, 20)).astype(np.uint16)
    fits.write(path, pixels, {"IMAGETYP": "Light", **keywords})
    return path


def test_only_what_differs_is_in_the_label(tmp_path: Path) -> None:
    for name, passed in (("a", "L"), ("b", "R"), ("c", "L")):
        shot(tmp_path, f"{name}.fits", FILTER=passed, EXPTIME=60.0, GAIN=100)
    sets, unreadable = light_sets([tmp_path])
    assert [(s.label, len(s.files)) for s in sets] == [("L", 2), ("R", 1)]
    assert unreadable == []
    shot(tmp_path, "d.fits", FILTER="R", EXPTIME=30.0, GAIN=100)
    assert [s.label for s in light_sets([tmp_path])[0]] == ["L_60s", "R_60s", "R_30s"]


def test_mix_makes_one_set_of_everything(tmp_path: Path) -> None:
    for i in range(3):
        shot(tmp_path, f"{i}.fits", FILTER="LRG"[i], EXPTIME=10.0 * (i + 1))
    sets, _ = light_sets([tmp_path], mix=True)
    assert [(s.label, len(s.files)) for s in sets] == [("", 3)]


def test_exposures_that_differ_by_rounding_are_one_set(tmp_path: Path) -> None:
    shot(tmp_path, "a.fits", EXPTIME=60.0)
    shot(tmp_path, "b.fits", EXPTIME=60.0000001)
    assert len(light_sets([tmp_path])[0]) == 1


def test_subs_are_numbered_in_natural_order(tmp_path: Path) -> None:
    for i in (10, 2, 1):
        shot(tmp_path, f"sub_{i}.fits")
    (lights,) = light_sets([tmp_path])[0]
    assert [lights.file(n).name for n in lights.numbers] == ["sub_1.fits", "sub_2.fits", "sub_10.fits"]
    assert lights.frame(2).facts.number == 2


def test_a_file_without_a_readable_header_is_told_apart(tmp_path: Path) -> None:
    shot(tmp_path, "good.fits")
    (tmp_path / "bad.fits").write_bytes(b"not a picture")
    sets, unreadable = light_sets([tmp_path])
    assert len(sets[0].files) == 1
    assert unreadable[0].file.name == "bad.fits"
    assert "bad.fits" in unreadable[0].fault


def test_the_commonest_size_is_the_set_s(tmp_path: Path) -> None:
    for i in range(3):
        shot(tmp_path, f"b{i}.fits")
    fits.write(tmp_path / "a.fits", np.zeros((8, 8), np.uint16), {"IMAGETYP": "Light"})
    assert light_sets([tmp_path])[0][0].facts.shape == (16, 20)


def test_frames_that_call_themselves_darks_and_mixed_patterns_earn_a_warning(tmp_path: Path) -> None:
    shot(tmp_path, "a.fits", BAYERPAT="RGGB")
    shot(tmp_path, "b.fits", BAYERPAT="GRBG", IMAGETYP="Dark")
    (lights,) = light_sets([tmp_path])[0]
    assert "1 of 2 files say they are of type Dark" in lights.warnings[0]
    assert "different Bayer patterns" in lights.warnings[1]
    assert lights.facts.bayer is Bayer.RGGB


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no file or folder"):
        light_sets([tmp_path / "nowhere"])


def test_every_output_of_a_set_carries_its_label(tmp_path: Path) -> None:
    asked = Outputs(tmp_path / "M51.fits", tmp_path / "r.json", tmp_path / "p.png", Unit.ELECTRON, True)
    got = asked.labelled("Ha_300s")
    assert [p.name for p in (got.stack, got.report, got.preview)] == [
        "M51_Ha_300s.fits",
        "r_Ha_300s.json",
        "p_Ha_300s.png",
    ]
    assert (got.unit, got.overwrite) == (Unit.ELECTRON, True)
    assert asked.labelled("") is asked


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(["OUT.png", "OUT.xisf", "OUT", "OUT.fits.gz"]))
def test_a_stack_goes_to_fits_or_tiff_only(name: str, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"should end in one of \.fit"):
        Outputs(tmp_path / name).check()


@pytest.mark.parametrize("there", ["OUT.fits", "OUT.maps.fits", "r.json", "p.png"])
def test_nothing_that_exists_is_replaced_unasked(there: str, tmp_path: Path) -> None:
    (tmp_path / there).write_text("mine")
    wanted = Outputs(tmp_path / "OUT.fits", tmp_path / "r.json", tmp_path / "p.png")
    with pytest.raises(PlanError, match=rf"{there} exists; --overwrite replaces it"):
        wanted.check()
    Outputs(wanted.stack, wanted.report, wanted.preview, overwrite=True).check()


def test_a_missing_folder_is_told_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="no folder"):
        Outputs(tmp_path / "nowhere" / "OUT.fits").check()
