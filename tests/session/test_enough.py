"""Whether a stack fits is said before it begins, and one that does not costs no frame."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starwell.camera.protocol import CameraFacts
from starwell.frame import Bayer, Colour, Roi
from starwell.session.budget import Need, budget, offers
from starwell.session.enough import available_bytes, need_of_plan, verdict
from starwell.session.plan import MasterPaths, Plan, Series, StackOptions, Target

FULL_FRAME = (6388, 9576)
COLOUR = CameraFacts("zwo", "1", "ZWO ASI6200MC", 9576, 6388, bayer=Bayer.RGGB)
GB = 10**9

needs = st.builds(
    Need,
    st.tuples(st.integers(100, 7000), st.integers(100, 10000)),
    mosaic=st.booleans(),
    colour=st.sampled_from(Colour),
    exact=st.booleans(),
    threads=st.integers(1, 8),
)


@given(needs)
def test_every_offer_takes_less(need: Need) -> None:
    for offer in offers(need):
        assert budget(offer.need).peak_bytes < budget(need).peak_bytes


@given(needs)
def test_the_parts_make_the_peak(need: Need) -> None:
    told = budget(need)
    assert told.peak_bytes == sum(p.bytes for p in told.held) + max(p.bytes for p in told.at_times)
    assert all(part.bytes >= 0 for part in (*told.held, *told.at_times))
    assert f"{told.peak_bytes / 1e6:,.0f} MB at its peak" in list(told.lines())[-1]


def test_a_full_frame_in_colour_takes_little_more_than_4_gb_and_as_super_pixels_less_than_3() -> None:
    assert budget(Need(FULL_FRAME, mosaic=True, threads=2)).peak_bytes < 4.3 * GB
    assert budget(Need(FULL_FRAME, mosaic=True, colour=Colour.SUPER, threads=2)).peak_bytes < 3 * GB


def test_sixteen_megapixels_in_mono_take_less_than_a_gigabyte_on_two_threads() -> None:
    assert budget(Need((3520, 4656), threads=2)).peak_bytes < GB


def test_what_does_not_fit_is_said_with_what_would() -> None:
    fits, words = verdict(Need(FULL_FRAME, mosaic=True, camera=True, threads=4), 2 * GB)
    assert not fits
    assert words.startswith("A live stack of 9576×6388 px in colour (full) takes 4.")
    assert "2.0 GB can be had: --super-pixel takes" in words
    assert "--bin 2 takes" in words
    assert "--no-stack takes 0." in words


def test_an_exact_stack_is_offered_no_camera_settings() -> None:
    fits, words = verdict(Need(FULL_FRAME, exact=True), GB)
    assert not fits
    assert words.endswith("1.0 GB can be had.")


def test_what_is_not_known_stops_nothing() -> None:
    assert verdict(Need(FULL_FRAME, mosaic=True), None).fits


def test_swap_counts_as_memory(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    told = tmp_path / "proc/meminfo"
    told.write_text("MemTotal: 9 kB\nMemAvailable: 3000 kB\nSwapTotal: 1 kB\nSwapFree: 500 kB\n")
    assert available_bytes(tmp_path) == 3500 * 1024
    told.write_text("MemTotal: 9 kB\n")
    assert available_bytes(tmp_path) is None
    assert available_bytes(tmp_path / "nowhere") is None


def test_a_plan_needs_a_stack_for_each_filter_and_the_size_that_its_largest_frames_have() -> None:
    series = tuple(Series(filter=name, bin=b) for name, b in (("L", 1), ("R", 2), ("G", 2), ("B", 2)))
    plan = Plan(targets=(Target(series=series),), masters=MasterPaths(dark="auto"))
    need = need_of_plan(plan, COLOUR)
    assert need is not None
    assert (need.stacks, need.size, need.dark, need.flat) == (4, FULL_FRAME, True, False)
    one = Plan(targets=(Target(series=(Series(roi=Roi(0, 0, 640, 480)),)),))
    window = need_of_plan(one, COLOUR)
    assert window is not None
    assert window.size == (480, 640)


@pytest.mark.parametrize("colour", ["full", "super-pixel", "mono"])
def test_the_stack_of_a_plan_is_as_the_plan_says(colour: str) -> None:
    options = StackOptions(colour=colour)  # type: ignore[arg-type]
    need = need_of_plan(Plan(targets=(Target(series=(Series(),)),), stack=options), COLOUR)
    assert need is not None
    assert need.colour == colour
    assert need.channels == (1 if colour == "mono" else 3)


def test_a_camera_whose_size_is_not_known_yet_is_not_judged() -> None:
    plan = Plan(targets=(Target(series=(Series(),)),))
    assert need_of_plan(plan, CameraFacts("watch", "x", "files", 0, 0)) is None
