"""`starwell library` as a user calls it, and `auto` where it has to be told what is missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from starwell.camera.sky import Optics, Sky, SkyPlan
from starwell.files import fits
from starwell.files.keywords import keywords_of

Call = Callable[..., Any]
SKY = Sky(SkyPlan(size=(200, 256), seconds=20.0, filter="L", optics=Optics(vignette=0.2)))
ROW = {
    "kind", "camera", "gain", "offset", "seconds", "celsius", "bin", "roi", "width", "height", "filter",
    "rotation", "frames", "date", "age_days", "noise_e", "noise_percent", "file", "sha", "warnings",
}  # fmt: skip


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STARWELL_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def night(tmp_path: Path) -> Path:
    kinds = {"lights/L": SKY.light, "darks": SKY.dark, "flats/L": SKY.flat, "darkflats": SKY.dark_flat}
    for folder, shot in kinds.items():
        (tmp_path / "night" / folder).mkdir(parents=True)
        for i in range(6):
            frame = shot(i)
            path = tmp_path / "night" / folder / f"{i}.fits"
            fits.write(path, frame.pixels, keywords_of(frame.facts))
    return tmp_path / "night"


def test_masters_are_added_and_listed_for_people_and_machines(
    starwell: Call, night: Path, home: Path
) -> None:
    assert starwell("library", "where").out.strip() == str(home / "library")
    assert "holds no masters yet" in starwell("library", "list").out
    added = starwell("library", "add", night)
    assert added.code == 0
    assert "night/darks (6 frames): kept as" in added.out
    assert "lights make no master" in added.err
    again = json.loads(starwell("library", "add", night / "darks", "--json").out)
    assert [one["already"] for one in again] == [True]
    rows = json.loads(starwell("library", "list", "--json").out)
    assert all(set(row) == ROW for row in rows)
    assert sorted(row["kind"] for row in rows) == ["dark", "dark flat", "flat"]
    [dark] = json.loads(starwell("library", "list", "--kind", "dark", "--json").out)
    assert (dark["seconds"], dark["frames"], Path(dark["file"]).parent) == (20.0, 6, home / "library")
    assert dark["noise_e"] == pytest.approx(1.5 / 6**0.5, rel=0.1)
    assert dark["warnings"] == ["it is made of 6 frames: their noise goes into every stack."]
    head, *lines = starwell("library", "list").out.splitlines()
    assert head.split() == [
        "kind",
        "camera",
        "exposure",
        "gain",
        "offset",
        "°C",
        "filter",
        "frames",
        "age",
        "noise",
        "file",
    ]
    assert len(lines) == 3


def test_the_library_s_place_can_be_configured(starwell: Call, home: Path, tmp_path: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text(f'library = "{tmp_path / "masters"}"\n')
    assert starwell("library", "where").out.strip() == str(tmp_path / "masters")


def test_nothing_to_add_is_said_and_is_no_success(starwell: Call, night: Path) -> None:
    told = starwell("library", "add", night / "lights")
    assert (told.code, "Nothing was added" in told.err) == (1, True)
    assert starwell("library", "add", night / "nowhere").code == 1


def test_needs_of_lights_to_come_say_what_to_shoot(starwell: Call, night: Path) -> None:
    starwell("library", "add", night)
    words = ("--exposure", "20", "--gain", "100", "--offset", "50", "--temperature", "-10", "--filter", "Ha")
    told = starwell("library", "need", *words, "--camera", "Simulated ASI2600", "--sky", "0.5", "--json")
    dark, flat, bias = json.loads(told.out)
    assert (dark["frames"], dark["missing"]) == (6, "")
    assert dark["adds_percent"] > 100  # 6 darks under 100 undithered subs of 10 e-
    assert dark["advised_frames"] > 100
    assert [d["field"] for d in flat["differs"]] == ["filter"]
    assert flat["command"].startswith("starwell run --kind flat --gain 100 --offset 50 --filter Ha")
    assert (bias["found"], bias["closest"]) == (None, None)
    assert starwell("library", "need").code == 2
    plain = starwell("library", "need", night / "lights")
    assert "adds" in plain.out
    assert "bias" not in plain.out  # darks and dark flats take the offset off


def test_an_audit_names_what_would_spoil_the_night(starwell: Call, night: Path) -> None:
    good = starwell("library", "audit", night)
    assert good.code == 0
    assert "L, 20 s, gain 100, -10.0 °C: 6 lights" in good.out
    odd = SKY.light(7)
    fits.write(night / "lights/L/odd.fits", odd.pixels, {**keywords_of(odd.facts), "OFFSET": 21})
    found = starwell("library", "audit", night, "--json")
    assert found.code == 1
    told = json.loads(found.out)
    remarks = [r["words"] for group in told["lights"] for r in group["remarks"] if r["serious"]]
    assert any("The lights differ in offset: 50" in words for words in remarks)
    assert [group["count"] for group in told["lights"]] == [6, 1]
    dark = told["lights"][1]["needs"][0]
    assert [d["field"] for d in dark["differs"]] == ["offset"]


def test_a_converter_s_e_per_adu_beside_left_justified_pixels_is_seen(starwell: Call, night: Path) -> None:
    for path in (night / "lights/L").iterdir():
        frame = fits.read(path)
        known = {**keywords_of(frame.facts), "EGAIN": 16 * SKY.plan.chip.file_egain}
        fits.write(path, frame.pixels, known, overwrite=True)
    for path in (night / "flats/L").iterdir():
        path.unlink()
    told = json.loads(starwell("library", "audit", night, "--json").out)
    words = " ".join(r["words"] for r in told["lights"][0]["remarks"])
    assert "EGAIN says 4 e-/ADU" in words


def test_light_that_gets_into_the_darks_is_seen(starwell: Call, night: Path) -> None:
    for i, path in enumerate(sorted((night / "darks").iterdir())):
        lit = SKY.light(i)
        fits.write(path, lit.pixels, {**keywords_of(lit.facts), "IMAGETYP": "Dark"}, overwrite=True)
    told = starwell("library", "audit", night)
    assert told.code == 1
    assert "light gets in" in told.out


def test_auto_without_a_fitting_master_stacks_nothing_and_says_what_to_shoot(
    starwell: Call, night: Path, tmp_path: Path
) -> None:
    for path in (night / "darks").iterdir():
        frame = fits.read(path)
        fits.write(path, frame.pixels, {**keywords_of(frame.facts), "GAIN": 200.0}, overwrite=True)
    out = tmp_path / "o.fits"
    told = starwell("stack", night, "--dark", "auto", "-o", out)
    assert (told.code, out.exists()) == (1, False)
    assert "the closest, night/darks (6 frames), has gain 200, not 100" in told.err
    assert "starwell run --kind dark --exposure 20 --gain 100" in told.err
