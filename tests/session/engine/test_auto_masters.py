"""A live night with `auto`: the library's right masters, none of the wrong ones, and nothing silently."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits as astropy_fits

from starwell.calibration.library_shelf import Library
from starwell.files import fits
from starwell.files.keywords import keywords_of
from starwell.frame import Exposure, Kind
from starwell.session.events import QualityAdvice, SeriesFinished
from starwell.session.plan import MasterPaths, Plan

AUTO = MasterPaths(dark="auto", flat="auto")


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    monkeypatch.setenv("STARWELL_HOME", str(tmp_path / "home"))
    return Library.here()


@pytest.fixture
def shoot(tmp_path: Path, camera_of: Callable[..., Any]) -> Callable[..., Path]:
    """Frames of the engine's camera in a folder; changed: what their headers say instead of the truth."""

    def shoot(name: str, kind: Kind, seconds: float, **changed: Any) -> Path:
        camera = camera_of()
        camera.open()
        folder = tmp_path / "shot" / name
        folder.mkdir(parents=True)
        for number in range(5):
            frame = camera.expose(Exposure(kind=kind, seconds=seconds), threading.Event())
            facts = replace(frame.facts, exposure=replace(frame.facts.exposure, **changed))
            fits.write(folder / f"{number}.fits", frame.pixels, keywords_of(facts))
        camera.close()
        return folder

    return shoot


def masters_of(house: Any) -> set[str]:
    stacks = (house.night / "stacks").glob("*.fits")
    [stack] = [path for path in stacks if not path.name.endswith(".maps.fits")]
    header = astropy_fits.getheader(stack)
    return {str(header[word]) for word in header if word.startswith("MASTER")}


def test_a_live_stack_gets_the_masters_that_fit_and_says_which(
    house: Any, plan_of_lights: Callable[..., Plan], library: Library, shoot: Callable[..., Path]
) -> None:
    for name, kind, seconds, changed in (
        ("biases", Kind.BIAS, 0.0, {}),
        ("darks", Kind.DARK, 20.0, {}),
        ("flats", Kind.FLAT, 1.0, {}),
        ("longer", Kind.DARK, 60.0, {}),
        ("louder", Kind.DARK, 20.0, {"gain": 300.0}),
        ("other", Kind.FLAT, 1.0, {"filter": "Ha"}),
    ):
        library.add([shoot(name, kind, seconds, **changed)])
    kept = {Path(one.files[0]).name: one for one in library.kept()}
    assert len(kept) == 6
    heard = house.run(plan_of_lights(5, masters=AUTO))
    [finished] = heard.of(SeriesFinished)
    assert finished.stacked == 5
    used = {name.split(": ")[0]: kept[name.split(": ")[1]] for name in masters_of(house)}
    assert (used["dark"].seconds, used["dark"].gain, used["flat"].filter) == (20.0, 100.0, None)
    advice = [event.advice for event in heard.of(QualityAdvice) if event.subject == "masters"]
    assert any(a.startswith("auto: dark: Dark_") and "flat: Flat_" in a for a in advice)


def test_a_live_stack_without_fitting_masters_goes_on_and_says_what_is_missing(
    house: Any, plan_of_lights: Callable[..., Plan], library: Library, shoot: Callable[..., Path]
) -> None:
    library.add([shoot("longer", Kind.DARK, 60.0)])
    heard = house.run(plan_of_lights(4, masters=AUTO))
    [finished] = heard.of(SeriesFinished)
    assert finished.stacked == 4
    assert masters_of(house) == set()
    advice = " ".join(event.advice for event in heard.of(QualityAdvice) if event.subject == "masters")
    assert "These lights go without a dark." in advice
    assert "has exposure 60 s, not 20 s" in advice
    assert "These lights go without a flat." in advice
