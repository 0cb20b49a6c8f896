"""Plans as text: what was typed comes back from the parser of plans, and mistakes find their field."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starwell.kinds import Kind
from starwell.session.plan import After, AtClock, AtDawn, Cooling, Dither, MasterPaths
from starwell.session.plan_file import check_plan
from starwell_tui import plan_text
from starwell_tui.plan_check import Mistake, by_field
from starwell_tui.toml_text import toml_text

NIGHT = {
    "camera": "zwo:1f2e",
    "target": 'M 51 "the Whirlpool"',
    "filters": "L, R G",
    "turns": "on",
    "exposure": "60",
    "gain": "100",
    "offset": "50",
    "bin": "2",
    "celsius": "-10",
    "frames": "40",
    "ends": "dawn 05:45",
    "dark": "auto",
    "flat": "none",
    "bias": "512",
    "low_light": "auto",
    "dither": "5",
    "after_flats": "on",
    "after_darks": "off",
    "warm_up": "on",
}
SCALARS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.integers(-(2**60), 2**60),
    st.floats(allow_nan=False),
    st.booleans(),
    st.lists(st.integers(0, 9), max_size=3),
)
TABLES = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), SCALARS, max_size=4)


@given(TABLES, TABLES, st.lists(TABLES.filter(bool), min_size=1, max_size=3))
def test_what_is_written_as_toml_is_read_back(values, table, tables):
    fields = {**values, "in a table": {"x": 1, **table}, "many": tables}
    assert tomllib.loads(toml_text(fields)) == fields


def test_what_is_not_said_is_not_written():
    assert toml_text({"a": None, "b": 1, "c": {"d": None}}) == "b = 1\n"


def test_a_sequence_comes_back_as_the_plan_that_was_typed():
    plan, mistakes = check_plan(plan_text.sequence(NIGHT), site_known=True)
    assert mistakes == ()
    assert plan is not None
    (target,) = plan.targets
    assert (target.name, target.pattern) == ('M 51 "the Whirlpool"', ("L", "R", "G"))
    shot = {(s.filter, s.exposure_s, s.gain, s.offset, s.bin, s.count) for s in target.series}
    assert shot == {(name, 60.0, 100.0, 50.0, 2, 40) for name in "LRG"}
    assert plan.camera == "zwo:1f2e"
    assert plan.ends == (AtDawn(), AtClock(hour=5, minute=45))
    assert plan.cooling == Cooling(celsius=-10.0, warm_up=True)
    assert plan.dither == Dither(amount_px=5.0)
    assert plan.masters == MasterPaths(dark="auto", bias="512", low_light="auto")
    assert plan.after == (After.FLATS,)


def test_nothing_but_an_exposure_and_a_count_is_a_plan():
    plan, mistakes = check_plan(plan_text.sequence({"exposure": "2,5", "frames": "3"}))
    assert mistakes == ()
    assert plan is not None
    assert [(s.exposure_s, s.count, s.filter) for t in plan.targets for s in t.series] == [(2.5, 3, None)]
    assert plan.cooling is None
    assert plan.dither is None


def test_flats_have_their_level_and_no_exposure_dark_flats_the_exposure_of_their_flats():
    flats = plan_text.calibration("flat", {"frames": "25", "level": "40"}, {"L": None, "Ha": None})
    plan, mistakes = check_plan(flats)
    assert mistakes == ()
    assert plan is not None
    assert plan.flats.level == 0.4
    series = [(s.kind, s.filter, s.exposure_s, s.count) for t in plan.targets for s in t.series]
    assert series == [(Kind.FLAT, "L", None, 25), (Kind.FLAT, "Ha", None, 25)]
    dark_flats = plan_text.calibration("dark-flat", {"frames": "25"}, {"L": 1.25, "Ha": 4.5})
    plan, mistakes = check_plan(dark_flats)
    assert mistakes == ()
    assert plan is not None
    assert [s.exposure_s for t in plan.targets for s in t.series] == [1.25, 4.5]


@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        ("gain", "12x", "from 0 to 1000"),
        ("exposure", "0", "more than 0 s"),
        ("frames", "-3", "whole number"),
        ("celsius", "400", "-100"),
        ("ends", "tomorrow", "found"),
        ("camera", "zow", "zwo"),
        ("dither", "-1", "above 0"),
        ("bias", "/nowhere/bias.fits", "no file"),
    ],
)
def test_a_mistake_is_named_next_to_its_field(field, typed, words, tmp_path):
    plan, mistakes = check_plan(plan_text.sequence(NIGHT | {field: typed}), site_known=True, folder=tmp_path)
    assert plan is None
    wrong, other = by_field([Mistake(m.line, m.key, m.message) for m in mistakes], set(NIGHT))
    assert other == []
    assert list(wrong) == [field]
    assert words in wrong[field]


def test_a_mistake_of_no_field_is_told_all_the_same():
    mistakes = [Mistake(3, "alerts.bell", "expected a list"), Mistake(0, "", "The plan cannot be read.")]
    wrong, other = by_field(mistakes, {"gain"})
    assert wrong == {}
    assert other == ["alerts.bell: expected a list", "The plan cannot be read."]


def test_all_mistakes_of_a_file_are_the_file_s():
    wrong, other = by_field([Mistake(7, "settings.gain", "expected a number")], {"file", "gain"}, "m51.toml")
    assert (wrong, other) == ({"file": "line 7, settings.gain: expected a number"}, [])
