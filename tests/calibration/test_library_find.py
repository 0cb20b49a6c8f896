"""The master that belongs to lights is found, and no other: each wrong field is refused and named."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starwell.calibration.library_find import find
from starwell.calibration.library_kept import Kept
from starwell.calibration.library_match import held_against
from starwell.calibration.master import Masters
from starwell.calibration.matching import check
from starwell.errors import MasterMissing
from starwell.frame import Exposure, Facts, Kind, Roi

NIGHT = datetime(2026, 11, 19, 22, 0, tzinfo=UTC)
LIGHTS = Facts(
    shape=(200, 300),
    exposure=Exposure(Kind.LIGHT, 60.0, 100.0, 50.0, 1, None, "L"),
    camera="ZWO ASI1600MM Pro",
    started=NIGHT,
    sensor_celsius=-10.0,
    setpoint_celsius=-10.0,
    focal_mm=500.0,
    header=MappingProxyType({"ROTATANG": 37.0, "TELESCOP": "Newton"}),
)
RIGHT = Kept(
    kind=Kind.DARK,
    shape=(200, 300),
    files=("/library/dark.fits",),
    finished=True,
    camera="ZWO ASI1600MM Pro",
    gain=100.0,
    offset=50.0,
    seconds=60.0,
    celsius=-10.2,
    frames=30,
    date=NIGHT - timedelta(days=3),
)
FLAT = msgspec.structs.replace(
    RIGHT,
    kind=Kind.FLAT,
    files=("/library/flat.fits",),
    seconds=1.0,
    filter="L",
    rotation=37.0,
    telescope="Newton",
    focal_mm=500.0,
    date=NIGHT + timedelta(hours=7),
)


def changed(kept: Kept, **fields: Any) -> Kept:
    return msgspec.structs.replace(kept, **fields)


@pytest.mark.parametrize(
    ("kept", "field", "wrong"),
    [
        (RIGHT, "camera", {"camera": "ZWO ASI2600MM Pro"}),
        (RIGHT, "gain", {"gain": 200.0}),
        (RIGHT, "offset", {"offset": 21.0}),
        (RIGHT, "exposure", {"seconds": 61.0}),
        (RIGHT, "temperature", {"celsius": -12.0}),
        (RIGHT, "bin", {"bin": 2, "shape": (100, 150)}),
        (RIGHT, "window", {"roi": Roi(8, 0, 300, 200)}),
        (RIGHT, "window", {"shape": (100, 150)}),
        (FLAT, "filter", {"filter": "Ha"}),
        (FLAT, "camera", {"camera": "ZWO ASI2600MM Pro"}),
        (FLAT, "bin", {"bin": 2, "shape": (100, 150)}),
        (FLAT, "rotation", {"rotation": 217.0}),
        (FLAT, "telescope", {"telescope": "Refractor"}),
        (FLAT, "telescope", {"focal_mm": 380.0}),
    ],
)
def test_a_master_wrong_in_one_field_is_refused_and_the_field_is_named(
    kept: Kept, field: str, wrong: dict[str, Any]
) -> None:
    assert find(kept.kind, LIGHTS, [kept]).kept is kept
    other = changed(kept, **wrong)
    with pytest.raises(MasterMissing, match=f"has {field}"):
        find(kept.kind, LIGHTS, [other])
    assert [d.field for d in held_against(other, LIGHTS).differences] == [field]
    # and never preferred to the right one, however good it is otherwise
    assert find(kept.kind, LIGHTS, [changed(other, frames=1000), kept]).kept is kept


def test_the_closest_is_named_with_what_to_shoot() -> None:
    far = changed(RIGHT, files=("/library/far.fits",), camera="Other", gain=0.0)
    near = changed(RIGHT, files=("/library/near.fits",), celsius=-15.0)
    with pytest.raises(MasterMissing) as refused:
        find(Kind.DARK, LIGHTS, [far, near])
    said = str(refused.value)
    assert "near.fits, has temperature -15.0 °C, not -10.0 °C" in said
    assert "30 darks of 60 s at gain 100, offset 50, -10 °C" in said
    assert "starwell run --kind dark --exposure 60 --gain 100 --offset 50 --temperature -10" in said


def test_nothing_at_hand_is_said_so() -> None:
    with pytest.raises(MasterMissing, match="No flat is at hand for filter L"):
        find(Kind.FLAT, LIGHTS, [RIGHT])


def test_a_full_frame_master_serves_a_window_of_the_sensor() -> None:
    window = replace(LIGHTS, shape=(64, 96), exposure=replace(LIGHTS.exposure, roi=Roi(100, 50, 96, 64)))
    assert find(Kind.DARK, window, [RIGHT]).kept is RIGHT
    outside = replace(window, exposure=replace(LIGHTS.exposure, roi=Roi(250, 50, 96, 64)))
    with pytest.raises(MasterMissing, match="window"):
        find(Kind.DARK, outside, [RIGHT])


def test_programs_that_spell_a_camera_differently_mean_the_same_one() -> None:
    assert find(Kind.DARK, LIGHTS, [changed(RIGHT, camera="ZWO CCD ASI1600MM Pro")])


def test_what_only_one_side_notes_is_told_and_comes_last() -> None:
    silent = changed(RIGHT, files=("/library/silent.fits",), gain=None, frames=500)
    assert find(Kind.DARK, LIGHTS, [silent, RIGHT]).kept is RIGHT
    found = find(Kind.DARK, LIGHTS, [silent])
    assert "gain unchecked" in found.warnings[0]


def test_flats_of_the_own_night_come_first_and_others_are_told_with_their_age() -> None:
    older = changed(FLAT, files=("/library/older.fits",), date=NIGHT - timedelta(days=9), frames=500)
    found = find(Kind.FLAT, LIGHTS, [older, FLAT])
    assert (found.kept, found.warnings, found.rivals) == (FLAT, (), ())
    alone = find(Kind.FLAT, LIGHTS, [older])
    assert "another night, 9 days older" in alone.warnings[0]


def test_flats_of_one_night_without_a_rotation_are_rivals() -> None:
    one, other = (changed(FLAT, files=(f"/library/{n}.fits",), rotation=None) for n in "ab")
    found = find(Kind.FLAT, LIGHTS, [one, other])
    assert {found.kept.files, *(k.files for k in found.rivals)} == {one.files, other.files}
    # a flat whose rotator says the lights' own angle needs no other proof
    assert find(Kind.FLAT, LIGHTS, [one, FLAT, other]).kept is FLAT


UNCOOLED = replace(LIGHTS, setpoint_celsius=None, sensor_celsius=15.0)


def at(celsius: float) -> Kept:
    return changed(RIGHT, files=(f"/library/{celsius}.fits",), celsius=celsius)


def test_an_uncooled_camera_gets_a_dark_between_the_nearest_two() -> None:
    found = find(Kind.DARK, UNCOOLED, [at(5.5), at(12.0), at(18.0), at(24.0)])
    assert found.other is not None
    assert (found.kept.celsius, found.other.celsius, found.share) == (12.0, 18.0, pytest.approx(0.5))
    assert "interpolated per pixel" in found.warnings[0]


def test_a_dark_within_the_tolerance_needs_no_interpolation() -> None:
    found = find(Kind.DARK, UNCOOLED, [at(12.0), at(15.8), at(18.0)])
    assert (found.kept.celsius, found.other, found.warnings) == (15.8, None, ())


def test_outside_the_range_of_the_darks_it_says_so() -> None:
    nearly = find(Kind.DARK, UNCOOLED, [at(16.4), at(20.0)])
    assert nearly.other is None
    assert "outside the range" in nearly.warnings[0]
    with pytest.raises(MasterMissing, match=r"temperature 17\.0 °C, not 15\.0 °C.*Shoot 30 darks"):
        find(Kind.DARK, UNCOOLED, [at(17.0), at(20.0)])


def test_a_cooled_camera_gets_no_interpolated_dark() -> None:
    with pytest.raises(MasterMissing, match="temperature"):
        find(Kind.DARK, LIGHTS, [at(-12.0), at(-8.0)])


MAYBE = {
    "camera": st.sampled_from([None, "ASI1600", "ASI2600"]),
    "gain": st.sampled_from([None, 100.0, 200.0]),
    "offset": st.sampled_from([None, 50.0]),
    "seconds": st.sampled_from([None, 60.0, 60.5, 61.5, 120.0]),
    "bin": st.sampled_from([1, 2]),
    "shape": st.sampled_from([(200, 300), (100, 150), (3, 200, 300)]),
    "roi": st.sampled_from([None, Roi(8, 4, 300, 200), Roi(20, 20, 150, 100)]),
    "filter": st.sampled_from([None, "L", "Ha"]),
}
CELSIUS = st.none() | st.floats(-20, 25)
KEPT = st.builds(
    changed,
    st.just(RIGHT),
    kind=st.sampled_from([Kind.DARK, Kind.FLAT, Kind.BIAS]),
    celsius=CELSIUS,
    adu_shift=st.sampled_from([None, 0, 4]),
    rotation=st.sampled_from([None, 37.0, 217.0]),
    frames=st.integers(0, 100),
    **MAYBE,
)
LIGHT = st.builds(
    lambda shape, celsius, setpoint, camera, **shot: Facts(
        shape,
        Exposure(**shot),
        camera=camera,
        sensor_celsius=celsius,
        setpoint_celsius=setpoint,
        started=NIGHT,
    ),
    celsius=CELSIUS,
    setpoint=st.sampled_from([None, -10.0]),
    **MAYBE,
)


@given(kept=st.lists(KEPT, max_size=6), lights=LIGHT, kind=st.sampled_from([Kind.DARK, Kind.FLAT, Kind.BIAS]))
def test_nothing_is_found_that_the_check_of_named_masters_refuses(
    kept: list[Kept], lights: Facts, kind: Kind
) -> None:
    numbered = [changed(one, files=(f"/library/{n}.fits",)) for n, one in enumerate(kept)]
    try:
        found = find(kind, lights, numbered)
    except MasterMissing:
        return
    outline = found.kept.outline
    if found.other is not None:
        outline = replace(outline, facts=replace(outline.facts, sensor_celsius=lights.sensor_celsius))
    assert outline.kind is kind
    check(
        Masters(
            bias=outline if kind is Kind.BIAS else None,
            dark=outline if kind is Kind.DARK else None,
            flat=outline if kind is Kind.FLAT else None,
        ),
        lights,
    )
