from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starwell.errors import PlanError
from starwell.frame import Kind, Roi
from starwell.session.plan import AtClock, AtDawn, BeforeMeridian, Dawn, Plan, Resume, SkyAbove, SkyUnit
from starwell.session.plan_ends import parse_end
from starwell.session.plan_file import check_plan, read_plan
from starwell.toml_lines import KeyLines

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "plan.md"
SHORT = '[[target]]\nname = "M51"\n[[target.series]]\nexposure = 60\ncount = 10\n'


def example() -> str:
    found = re.search(r"```toml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def mistakes(text: str, **known: Any) -> list[str]:
    plan, found = check_plan(text, "night.toml", **known)
    assert (plan is None) == bool(found)
    assert all(str(m).startswith("night.toml:") for m in found)
    return [str(m).removeprefix("night.toml:") for m in found]


def good(text: str, **known: Any) -> Plan:
    plan, found = check_plan(text, "night.toml", **known)
    assert plan is not None, "\n".join(map(str, found))
    return plan


def test_the_guide_s_example_is_a_plan():
    plan = good(example())
    m51, ngc = plan.targets
    assert m51.ra_deg == pytest.approx(202.4696, abs=1e-4)
    assert m51.dec_deg == pytest.approx(47.1953, abs=1e-4)
    assert m51.pattern == ("L", "L", "R", "G", "B")
    assert [(s.filter, s.exposure_s, s.count, s.gain) for s in m51.series] == [
        ("L", 60.0, 80, 100.0),
        ("R", 120.0, 20, 100.0),
        ("G", 120.0, 20, 100.0),
        ("B", 120.0, 20, 100.0),
    ]
    assert ngc.series[0].roi == Roi(0, 0, 1600, 1200)
    assert ngc.series[0].bin == 2
    assert ngc.series[0].count is None
    assert plan.ends == (AtDawn(), AtClock(hour=5, minute=45))
    assert plan.controls == {"usb_bandwidth": 60.0, "dew_heater": 1.0}
    assert plan.masters.bias == "500"
    assert plan.alerts.bell == ("alarm",)


def test_the_guide_s_example_names_every_key_there_is():
    fields = tomllib.loads(example())
    series = {key for target in fields["target"] for s in target["series"] for key in s}
    assert {"filter", "exposure", "count", "gain", "bin", "roi"} <= series
    for table, struct in (("flats", "Flats"), ("stack", "StackOptions"), ("cooling", "Cooling")):
        from starwell.session import plan

        wanted = {field.name for field in msgspec.structs.fields(getattr(plan, struct))}
        alike = {"exposure_s": "exposure"}
        missing = {alike.get(name, name) for name in wanted} - set(fields[table])
        assert missing <= {"exposure", "filters", "gain", "offset", "bin"}


def test_a_plan_survives_a_round_trip_as_json():
    plan = good(example())
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan


def test_a_short_plan_has_defaults():
    plan = good(SHORT)
    assert plan.resume is Resume.ASK
    assert plan.targets[0].series[0].kind is Kind.LIGHT
    assert plan.dither is None
    assert plan.stack.live


def test_dithering_without_a_command_means_phd2_on_this_computer():
    assert good(SHORT + "[dither]\n").guiding is not None
    assert good(SHORT + '[dither]\ncommand = "move {px}"\n').guiding is None


def test_ten_kinds_of_mistakes_give_ten_messages_with_their_lines():
    text = """camera = "zwoo"
resume = "perhaps"
ends = ["dwan"]
after = ["warm-up"]
[settings]
gian = 100
[[target]]
name = "M51"
ra = "25h00m00s"
pattern = "L-R"
[[target.series]]
filter = "L"
exposure = -5
count = 2.5
[[target.series]]
filter = "R"
exposure = 60
count = 10
roi = [0, 0, 100]
[[target.series]]
filter = "Ha"
exposure = 60
count = 3
[dither]
every = 0
settle_s = 90
[masters]
dark = "nowhere/dark.fits"
[alerts]
sub_reject = "bell"
"""
    found = mistakes(text, folder=Path("/plans"))
    assert found == [
        '1: camera: expected "simulated", "zwo", "zwo:UID", "folder:DIR" or "watch:DIR", found "zwoo"; '
        "did you mean zwo?",
        '2: resume: expected ask or auto, found "perhaps"',
        '3: ends: expected "dawn", "nautical-dawn", "05:30", "meridian-10m", "sky>20000adu" or '
        '"sky>12e/s", found "dwan"',
        '4: after: "warm-up" needs a [cooling] with celsius',
        "6: settings.gian: is not known here; did you mean gain?",
        '9: target[1].ra: expected J2000 as "13h29m52.7s", "13:29:52.7" or degrees, found "25h00m00s"',
        "13: target[1].series[1].exposure: expected a number of seconds from 0 to 7200, found -5",
        "14: target[1].series[1].count: expected a whole number, 1 or more, found 2.5",
        "19: target[1].series[2].roi: expected [x, y, width, height] in binned pixels, found [0, 0, 100]",
        '21: target[1].series[3].filter: "Ha" is not in the pattern L-R',
        "24: dither.timeout_s: expected more than the 90 s of settle_s",
        "25: dither.every: expected a whole number, 1 or more, found 0",
        "28: masters.dark: no file or folder /plans/nowhere/dark.fits; expected a master, a folder of "
        "frames or auto",
        "30: alerts.sub_reject: is not known here; did you mean sub-rejected?",
    ]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", "1: the plan: nothing is exposed; expected a [[target]] with [[target.series]], or [[series]]"),
        ("gain = 3\n", "1: gain: is not known here; expected "),
        ("[[target]\n", "1: TOML: "),
        ("exposure = 5\n", "1: exposure: is not known here"),
        (
            "[[target]]\nname = 'M 1'\n",
            "1: target[1].series: is missing; expected at least one [[target.series]]",
        ),
        (
            "[[series]]\ncount = 5\n",
            "1: series[1].exposure: is missing; expected seconds, here or in [settings]",
        ),
        (
            "[[series]]\nexposure = 0\ncount = 5\n",
            "2: series[1].exposure: expected more than 0 s for a light",
        ),
        ("[[series]]\nexposure = 5\n", "1: series[1].count: is missing; expected a count, or ends for"),
        (
            "[[series]]\nkind = 'dark'\nexposure = 5\n",
            "1: series[1].count: is missing; expected how many frames",
        ),
        ("[[series]]\nkind = 'drak'\nexposure = 5\n", 'found "drak"; did you mean dark?'),
        ("[[series]]\nexposure = nan\ncount = 1\n", "expected a number of seconds from 0 to 7200, found nan"),
        (
            "[[series]]\nexposure = true\ncount = 1\n",
            "expected a number of seconds from 0 to 7200, found true",
        ),
        ("series = 5\n", "1: series: expected tables headed [[series]], found 5"),
        ("[target]\nname = 'M 1'\n", "1: target: expected tables headed [[target]], found a table"),
        (SHORT + "[cooling]\nramp_c_per_min = 1\n", "6: cooling.celsius: is missing; expected °C"),
        (
            SHORT + "[site]\nlatitude_deg = 100\n",
            "7: site.latitude_deg: expected a number of degrees from -90 to 90",
        ),
        (SHORT + "[flats]\ncount = 5\n", '6: flats: is never used; expected "flats" in after'),
        (SHORT + "[alerts]\nbell = 'alrm'\n", 'no kind of event is called "alrm"; did you mean alarm?'),
        (SHORT + "[alerts]\nalarm = '\"open'\n", "7: alerts.alarm: expected a command, found"),
        ("timezone = 'Europe/Berlitz'\n" + SHORT, "1: timezone: expected a time zone like"),
        ("ends = ['dawn']\n" + SHORT, '1: ends: "dawn" needs a [site] with latitude_deg and longitude_deg'),
        ("ends = 'meridian-10m'\n" + SHORT, "1: ends: the meridian is a target's"),
        (SHORT + SHORT, '7: target[2].name: a second target is called "M51"; expected a name of its own'),
        (SHORT.replace("count", "pattern = 'L'\ncount"), "5: target[1].series[1].pattern: is not known here"),
        (
            SHORT.replace("exposure", "filter = 'L'\nexposure"),
            '4: target[1].series[1].filter: the rig has no "L"',
        ),
        ("after = 'darks'\n[[series]]\nkind = 'bias'\ncount = 3\n", '1: after: "darks" follow lights'),
    ],
)
def test_each_mistake_says_where_it_is_and_what_was_expected(lines: str, said: str):
    found = mistakes(lines, filters=("R", "G"))
    assert any(said in m for m in found), "\n".join(found)


def test_the_meridian_needs_coordinates_and_a_site():
    text = SHORT.replace(
        "[[target.series]]", 'ends = "meridian-10m"\nhold_at_meridian = true\n[[target.series]]'
    )
    assert mistakes(text) == [
        "3: target[1].ends: the meridian needs ra and dec and a [site]",
        '4: target[1].hold_at_meridian: never comes: "meridian-10m" ends the target before; expected one '
        "of them",
        "4: target[1].hold_at_meridian: the meridian needs ra and dec and a [site]",
    ]


def test_an_endless_series_before_others_needs_a_pattern():
    text = 'ends = "05:30"\n[[series]]\nexposure = 5\nfilter = "L"\n[[series]]\nexposure = 5\nfilter = "R"\n'
    assert mistakes(text) == [
        "2: series[1].count: is missing, so that the series after it never come; expected a count or a "
        "pattern"
    ]


def test_a_plan_on_disk_tells_all_its_mistakes_in_one_error(tmp_path: Path):
    path = tmp_path / "night.toml"
    path.write_text("resume = 1\ncamera = 2\n" + SHORT)
    with pytest.raises(PlanError, match="2 mistakes and was not started") as caught:
        read_plan(path)
    assert f"{path}:1: resume:" in str(caught.value)
    assert f"{path}:2: camera:" in str(caught.value)


def test_a_plan_that_is_not_there_or_not_text_is_an_error(tmp_path: Path):
    with pytest.raises(PlanError, match="cannot be read"):
        read_plan(tmp_path / "none.toml")
    (tmp_path / "picture.toml").write_bytes(b"\xff\xd8\x00")
    with pytest.raises(PlanError, match="cannot be read"):
        read_plan(tmp_path / "picture.toml")


def test_masters_are_looked_for_from_the_plan_s_folder(tmp_path: Path):
    (tmp_path / "darks").mkdir()
    path = tmp_path / "night.toml"
    path.write_text(SHORT + '[masters]\ndark = "darks"\nflat = "auto"\n')
    masters = read_plan(path).masters
    assert masters.dark == str(tmp_path / "darks")
    assert masters.flat == "auto"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("dawn", AtDawn()),
        ("Nautical-Dawn", AtDawn(dawn=Dawn.NAUTICAL)),
        ("5:30", AtClock(hour=5, minute=30)),
        ("meridian - 10 min", BeforeMeridian(minutes=10)),
        ("meridian", BeforeMeridian()),
        ("sky > 12.5 e-/s", SkyAbove(level=12.5, unit=SkyUnit.ELECTRONS)),
        ("sky>20000ADU", SkyAbove(level=20000, unit=SkyUnit.ADU)),
    ],
)
def test_ends_are_read_as_people_write_them_and_written_back(written: str, meant: Any):
    assert parse_end(written) == meant
    assert parse_end(str(meant)) == meant


@pytest.mark.parametrize("word", ["", "24:00", "12:60", "sky>adu", "meridian+10m", "dusk"])
def test_words_that_are_no_end_are_refused(word: str):
    with pytest.raises(ValueError):
        parse_end(word)


@pytest.mark.parametrize(
    ("ra", "dec", "degrees"),
    [
        ('"13:29:52.7"', '"-0:30:00"', (202.4696, -0.5)),
        ('"13 29"', '"+47°11′43″"', (202.25, 47.1953)),
        ("202.5", "47", (202.5, 47.0)),
    ],
)
def test_coordinates_come_in_the_usual_spellings(ra: str, dec: str, degrees: tuple[float, float]):
    target = good(SHORT.replace("[[target.s", f"ra = {ra}\ndec = {dec}\n[[target.s")).targets[0]
    assert (target.ra_deg, target.dec_deg) == pytest.approx(degrees, abs=1e-4)


TRICKY = '''# [not.a.table]
plain = 1
"quoted key" = 2
dotted.inner = 3
many = [
  "a ] in a text", # and ] in a comment
  [1, 2], { x = "}" },
]
prose = """
[nor.this]
fake = 1 \\""" still
"""
raw = \'\'\'
other = 2\'\'\'
[table."in quotes".deep]
key = 1
[[list]]
key = 1
[list.sub]
key = 1
[[list.inner]]
key = 1
[[list.inner]]
key = 1
[[list]]
key = 1
[[list.inner]]
key = 1
'''


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
        for i, inner in enumerate(value):
            yield from leaves(inner, (*path, i))
    else:
        yield path


def test_every_key_of_a_tricky_file_has_its_own_line():
    lines, text = KeyLines(TRICKY), TRICKY.splitlines()
    paths = list(leaves(tomllib.loads(TRICKY)))
    assert len(paths) == 13
    for path in paths:
        assert path in lines
        assert str(path[-1]) in text[lines.line(path) - 1]
    assert len({lines.line(path) for path in paths}) == len(paths)
    assert lines.line(("list", 1, "inner", 0, "key")) == len(text)
    assert lines.line(("list", 0, "inner", 1, "none", "deeper")) == text.index("[[list.inner]]") + 3


values = st.one_of(
    st.integers(), st.booleans(), st.text("ab\"'#[]{}=\\", max_size=6), st.lists(st.integers(), max_size=3)
)


@given(st.dictionaries(st.text("abc-_", min_size=1, max_size=5), values, min_size=1, max_size=8))
def test_any_flat_file_is_read_line_for_line(fields: dict[str, Any]):
    text = "".join(f"{key} = {msgspec.json.encode(value).decode()}\n" for key, value in fields.items())
    assert tomllib.loads(text) == fields
    lines = KeyLines(text)
    assert [lines.line((key,)) for key in fields] == list(range(1, len(fields) + 1))


KEYS = [
    "camera",
    "ends",
    "after",
    "target",
    "series",
    "settings",
    "cooling",
    "dither",
    "masters",
    "alerts",
    "flats",
]
JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.text(max_size=5), st.sampled_from(["dawn", "auto"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["name", "count", "celsius", "ends"]), inner),
    ),
    max_leaves=6,
)


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float):
        return str(value) if value == value and abs(value) < 1e300 else "inf"
    return '"?"' if value is None else msgspec.json.encode(value).decode().replace("\x7f", "?")


@given(st.dictionaries(st.sampled_from(KEYS), JUNK, min_size=1))
def test_whatever_stands_in_a_plan_it_is_a_plan_or_mistakes_never_a_crash(fields: dict[str, Any]):
    text = "".join(f"{key} = {toml(value)}\n" for key, value in fields.items())
    plan, found = check_plan(text, "night.toml")
    assert (plan is None) == bool(found)
    assert all(1 <= m.line <= len(fields) for m in found)


def test_flats_of_their_own_series_use_the_level_of_their_table():
    plan, mistakes = check_plan('[[series]]\nkind = "flat"\ncount = 5\n\n[flats]\nlevel = 0.4\n')
    assert mistakes == ()
    assert plan is not None
    assert plan.flats.level == 0.4
