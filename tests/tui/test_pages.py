"""The pages behind the panes: one sub, the noise of the night, the log; goals, histogram, alerts, camera."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starwell.kinds import Kind
from starwell.measure.quality import Reason
from starwell.remote.live import Lost
from starwell.remote.messages import Note, Reject, Restack, Restore
from starwell.session import events as ev
from starwell.terminal.cells import SINGLE_WIDTH
from starwell_tui import hours
from starwell_tui.goal import outlook
from starwell_tui.night import Night
from starwell_tui.panes.camera import per_minute
from starwell_tui.panes.figures import figures, floor_share, limited, swamp
from starwell_tui.panes.frames import found
from starwell_tui.panes.histogram import quantile
from starwell_tui.panes.trend import LEFT, trend
from starwell_tui.screens.details import WHY
from starwell_tui.terminal import Memory
from starwell_tui.theme import style
from starwell_tui.view import View
from starwell_tui.words import words_of

BOXES = "╭╮╰╯─│▏▎▍▌▋▊▉▕"
ALLOWED = SINGLE_WIDTH | set(BOXES) | set("●◌✓✗▸×…σ√°²") | {chr(code) for code in range(0x20, 0x7F)}
BRAILLE = {chr(0x2800 + bits) for bits in range(256)}
SIZES = {"200x60": (200, 60), "120x40": (120, 40), "80x24": (80, 24)}
BOX = ev.BoxMeasured(x=700, y=500, width=90, height=90, snr=10.0, signal_e=2.3, noise_e=0.23, stacked=6)
HISTOGRAM = ev.HistogramReady(
    of="stack",
    number=7,
    low_adu=760,
    high_adu=960,
    counts=(1, 40, 900, 3000, 900, 40, 8, 6, 4, 2, 2, 2),
    black_adu=772.0,
    white_adu=8000.0,
)


@pytest.fixture(params=SIZES)
def size(request):
    return SIZES[request.param]


@pytest.fixture
async def page(engine_app, told, answers, tell_night, size):
    """The screen of a night of seven subs, with a box on its target and a goal for it."""
    engine_app.desk.view.goals["M 51"] = 20.0
    async with engine_app.run_test(size=size) as pilot:
        await told(pilot, engine_app, answers(*tell_night(7), HISTOGRAM, BOX))
        yield pilot


async def test_the_panes_with_a_box_and_a_goal(page, engine_app, matches_snapshot):
    matches_snapshot(engine_app)


async def test_the_noise_of_the_night(page, engine_app, matches_snapshot):
    await page.press("N")
    await page.pause()
    matches_snapshot(engine_app)


async def test_a_stacked_sub(page, engine_app, matches_snapshot):
    await page.press("j", "j", "enter")
    await page.pause()
    matches_snapshot(engine_app)


async def test_a_rejected_sub(page, engine_app, matches_snapshot):
    await page.press("end", "k", "k", "enter")
    await page.pause()
    matches_snapshot(engine_app)


async def test_the_log(page, engine_app, told, matches_snapshot):
    noted = ev.Noted(text="the wind gets up", at="2026-10-17T22:13:20+00:00")
    await told(page, engine_app, ev.StateChanged(state=ev.State.PAUSED, why="by hand"), noted)
    await page.press("L")
    await page.pause()
    matches_snapshot(engine_app)


async def test_the_palette(page, engine_app, matches_snapshot):
    await page.press("colon", *"stack")
    await page.pause()
    matches_snapshot(engine_app)


async def test_a_gain_typed_where_it_stands(page, engine_app, matches_snapshot):
    await page.press("1", "j", "j", "j", "enter", "1", "2")
    await page.pause()
    matches_snapshot(engine_app)


async def test_a_hundred_columns(engine_app, told, answers, tell_night, matches_snapshot):
    async with engine_app.run_test(size=(100, 32)) as pilot:
        await told(pilot, engine_app, answers(*tell_night(7), HISTOGRAM, BOX))
        matches_snapshot(engine_app)


async def test_pages_are_as_wide_as_the_screen_and_of_allowed_characters(page, engine_app, lines, size, told):
    truth = ev.QualityAdvice(subject="truth", advice="noise: 4.99 e-")
    await told(page, engine_app, truth, ev.SubRejected(number=8, reason="clouds", detail="transparency 0.31"))
    for keys in (["N"], ["enter"], ["L"], ["question_mark"], ["colon"], ["z"], ["1", "enter"], ["m"], ["R"]):
        await page.press(*keys)
        await page.pause()
        shown = lines(engine_app)
        assert [len(text) for text in shown] == [size[0]] * size[1]
        assert set("".join(shown)) <= ALLOWED | BRAILLE
        await page.press("escape")


async def test_the_pages_are_red_at_night(page, engine_app, colours):
    await page.press("r")
    for key in ("N", "enter", "L", "question_mark", "colon"):
        await page.press(key)
        await page.pause()
        assert all(green == blue == 0 for _, green, blue in colours(engine_app))
        await page.press("escape")


async def test_in_the_details_arrows_go_on_and_x_and_u_work(engine_app, script, told, answers, tell_night):
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, answers(*tell_night(7)))
        await pilot.press("enter", "j", "x", *["j"] * 3, "u", "k", "escape")
        await pilot.pause()
        assert script.asked == [Reject(6), Restore(3)]
        assert engine_app.panes.frames.chosen.number == 4


def test_every_reason_has_its_meaning():
    assert {reason.value for reason in Reason} <= WHY.keys()


@pytest.mark.parametrize(
    ("word", "numbers"), [("3", [3]), ("cloud", [3]), ("trail", [5]), ("ref", []), ("stacked", [1, 2, 4, 5])]
)
def test_subs_are_found_by_number_and_by_word(word, numbers, tell_night):
    night = Night()
    for event in tell_night(5):
        night.see(event)
    assert [sub.number for sub in night.subs.values() if found(sub, word)] == numbers


async def test_only_what_is_found_is_listed_until_escape(engine_app, told, answers, tell_night, lines):
    async with engine_app.run_test(size=(120, 40)) as pilot:
        await told(pilot, engine_app, answers(*tell_night(7)))
        await pilot.press("slash", *"clouds", "enter")
        await pilot.pause()
        assert any("2 Frames  'clouds' 1 of 7" in text for text in lines(engine_app))
        assert engine_app.panes.frames.chosen.number == 3
        await pilot.press("slash", *"comets", "enter")
        await pilot.pause()
        assert any("no sub has 'comets'" in text for text in lines(engine_app))
        await pilot.press("escape")
        await pilot.pause()
        assert engine_app.panes.frames.chosen.number == 7


def test_without_a_floor_twice_the_snr_takes_four_times_the_light():
    assert outlook(10.0, 20.0, 3600.0) == (4 * 3600.0, None)


def test_a_floor_that_is_a_tenth_of_the_variance_makes_it_longer_and_ends_it():
    # S/N = 10 with n² = 0.9 + 0.1; at 20 the noise must be n²/4 = 0.25: 0.9 T0/T = 0.15, T = 6 T0.
    total_s, best = outlook(10.0, 20.0, 3600.0, 0.1)
    assert total_s == pytest.approx(6 * 3600.0)
    assert best == pytest.approx(10 / 0.1**0.5)
    assert outlook(10.0, 32.0, 3600.0, 0.1).total_s is None


@given(now=st.floats(0.1, 100), more=st.floats(1.0, 10), share=st.floats(0, 0.99))
def test_a_floor_never_makes_it_shorter(now, more, share):
    total_s, best = outlook(now, now * more, 60.0, share)
    if total_s is None:
        assert best is not None
        assert best <= now * more * (1 + 1e-9)
    else:
        assert total_s >= 60.0 * more**2 * (1 - 1e-9)


def test_sky_of_4_1_electrons_a_second_swamps_1_5_of_read_noise_109_times(tell_night):
    night = Night()
    for event in tell_night(5):
        night.see(event)
    assert swamp(4.1 * 60, night.latest_noise) == pytest.approx(109.3, abs=0.1)
    assert limited(4.1 * 60, night.latest_noise) == "sky-limited ×109"
    assert floor_share(night.latest_noise) == pytest.approx((1.2 / night.latest_noise.reached_e[3]) ** 2)


def test_a_goal_counts_the_light_so_far_and_the_floor(tell_night, stands):
    night = Night(status=stands())
    for event in (*tell_night(7), BOX):
        night.see(event)
    rows = dict(figures(night, View(goals={"M 51": 20.0})))
    share = floor_share(night.latest_noise)
    wanted_s = 360 * (1 - share) / (0.25 - share) - 360
    assert rows["Box SNR"][1][0] == f"goal 20: {round(wanted_s / 60)}m more"
    assert dict(figures(night, View(goals={"M 51": 9.0})))["Box SNR"][1][0] == "goal 9: reached"
    assert dict(figures(night, View(goals={"M 51": 500.0})))["Box SNR"][1][0] == "goal 500: never so"
    assert dict(figures(night, View(goals={"M 42": 9.0})))["Box SNR"][1][0] == "no goal yet"


async def test_a_goal_is_kept_for_its_target(engine_app, told, answers, lines, monkeypatch):
    kept = []
    engine_app._keep = kept.append
    async with engine_app.run_test(size=(120, 40)) as pilot:
        await told(pilot, engine_app, answers(BOX))
        await pilot.press("G", *"many", "enter")
        await pilot.pause()
        assert "An SNR is a number" in lines(engine_app)[-1]
        await pilot.press("G", "2", "comma", "5", "enter")
        await pilot.pause()
        assert kept == [Memory(False, "dark256", {"M 51": 2.5})]
        await pilot.press("G", "enter")
        await pilot.pause()
        assert kept[-1].goals == {}


@given(st.floats(-50, 50), st.floats(0.1, 9))
def test_quantiles_of_even_counts_lie_evenly(low, step):
    counts = np.full(10, 7.0)
    assert quantile(counts, low, low + 10 * step, 0.5) == pytest.approx(low + 5 * step)
    assert quantile(counts, low, low + 10 * step, 0.999) == pytest.approx(low + 9.99 * step)


def test_a_trend_goes_through_each_sub_and_says_its_ends():
    rows = trend("FWHM", "px", [("", [(1, 2.0), (5, 3.0), (9, 4.0)], style("#ffaf00"))], 40, 6)
    texts = ["".join(text for text, _ in row) for row in rows]
    dots = [(x, y) for y, text in enumerate(texts) for x, c in enumerate(text) if 0x2800 < ord(c) < 0x2900]
    assert {(LEFT, 4), (LEFT + 31, 1)} <= set(dots)
    assert {(LEFT + 16, 2), (LEFT + 16, 3)} & set(dots)
    assert sorted({x for x, _ in dots}) == list(range(LEFT, 40))
    assert texts[1].startswith("  4.16")
    assert texts[-1].split() == ["1", "9"]


def test_a_trend_of_more_subs_than_columns_is_a_cloud_of_dots():
    points = [(n, float(n % 2)) for n in range(1, 101)]
    rows = trend("FWHM", "px", [("", points, style("#ffaf00"))], 40, 6)
    middle = "".join(text for text, _ in rows[2]) + "".join(text for text, _ in rows[3])
    assert not any(0x2800 < ord(c) < 0x2900 for c in middle)


def test_a_trend_of_one_value_is_a_line_in_the_middle():
    rows = trend("Sky", "", [("", [(n, 246.0) for n in range(1, 9)], style("#ffaf00"))], 30, 8)
    assert len(rows) == 8
    assert any(chr(0x2800) < c < chr(0x2900) for text, _ in rows[4] for c in text)


def test_the_log_says_what_happened(tell_night):
    said = [words_of(event) for event in tell_night(5)]
    assert "sub 3 left out: clouds, transparency 0.31" in said
    assert "sub 5 stacked, weight 1.00, 1 trail masked" in said
    assert "stack begun about sub 1: the first sub" in said
    assert words_of(ev.SubRejected(number=4, reason="x", by_hand=True)) == "sub 4 taken out by hand"
    assert words_of(ev.ExposureStarted(number=1, seconds=60)) == ""
    assert words_of(ev.FrameTaken(number=7, kind=Kind.DARK)) == "Dark 7 taken"
    assert words_of(ev.QualityAdvice(subject="cloud", advice="Clouds: wait.")) == "Clouds: wait."


def test_a_screen_that_comes_late_has_the_hours_from_the_journal(tmp_path, answers, tell_night):
    journal = tmp_path / "journal.jsonl"
    at = datetime(2026, 10, 17, 21, 0, tzinfo=UTC)
    journal.write_text(
        "".join(
            f'{{"type":"FrameSaved","at":"{(at + timedelta(minutes=n)).isoformat()}","number":{n},'
            f'"kind":"Light","file":"x.fits"}}\n'
            for n in (1, 2)
        )
        + '{"type":"FrameSa'
    )
    night = Night()
    night.begin(answers(*tell_night(2)), hours.taken(str(tmp_path)))
    known = {line.words.split(",")[0]: line.at for line in night.log if line.at}
    assert known["sub 1 stacked"] == at + timedelta(minutes=1)
    assert known["sub 2 stacked"] == at + timedelta(minutes=2)
    assert hours.taken(str(tmp_path / "nowhere")) == {}


def test_what_was_heard_keeps_its_hour_when_the_engine_comes_back(answers, tell_night):
    at = datetime(2026, 10, 17, 21, 0, tzinfo=UTC)
    night = Night()
    for event in tell_night(2):
        night.see(event, at)
    night.begin(answers(*tell_night(3)))
    assert {line.words.split(",")[0]: line.at for line in night.log if line.words.startswith("sub")} == {
        "sub 1 stacked": at,
        "sub 2 stacked": at,
        "sub 3 left out: clouds": None,
    }


async def test_alerts_wait_for_each_other_to_be_read(engine_app, told, answers, lines):
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(
            pilot,
            engine_app,
            answers(),
            ev.CameraFault(message="did not answer", recovered=True),
            ev.QualityAdvice(subject="disk", advice="is full", serious=True),
            ev.QualityAdvice(subject="focus", advice="drifts"),
        )
        shown = []
        for _ in range(3):
            shown.append(lines(engine_app)[1].rstrip())
            await pilot.press("a")
            await pilot.pause()
        assert [text.split("  ")[0] for text in shown] == [
            " ! disk: is full",
            " ! focus: drifts",
            " ! camera: did not answer",
        ]
        assert [text.rpartition("  ")[0].rpartition("  ")[2] for text in shown[:2]] == ["+2", "+1"]
        assert not lines(engine_app)[1].startswith(" !")


def test_the_cooler_falls_so_many_degrees_a_minute(stands):
    night = Night()
    at = datetime(2026, 10, 17, 22, 0, tzinfo=UTC)
    for second in range(61):
        night.stands(stands(sensor_celsius=10 - 4.2 * second / 60), at + timedelta(seconds=second))
    assert per_minute(night) == pytest.approx(-4.2)


def test_a_temperature_that_stands_has_no_rate(stands):
    night = Night()
    at = datetime(2026, 10, 17, 22, 0, tzinfo=UTC)
    for second in (0, 30, 60):
        night.stands(stands(sensor_celsius=-10.0), at + timedelta(seconds=second))
    assert per_minute(night) is None


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"sensor_celsius": -7.0}, "-7.0/-10°C"),
        ({"free_bytes": 4_200_000_000}, "only 4.2 GB"),
        ({"ends": "dawn 05:41"}, "till dawn 05:41"),
        ({"ends": "60 of 60 at 03:12"}, "till 03:12"),
        ({"mode": "focus"}, "● FOCUS"),
    ],
)
async def test_the_status_line_tells_what_matters(engine_app, told, answers, lines, said, words):
    async with engine_app.run_test(size=(140, 40)) as pilot:
        await told(pilot, engine_app, answers(**said))
        assert words in lines(engine_app)[0]


async def test_a_restack_asks(engine_app, script, told, answers, lines):
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, answers())
        await pilot.press("R")
        await pilot.pause()
        assert "Begin the stacks anew" in lines(engine_app)[-1]
        await pilot.press("n", "R", "y")
        await pilot.pause()
        assert script.asked == [Restack()]


async def test_a_note_is_written_from_the_log(engine_app, script, told, answers):
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, answers())
        await pilot.press("L", "m", *"dew", "enter")
        await pilot.pause()
        assert script.asked == [Note("dew")]


async def test_pages_live_through_an_engine_that_goes(engine_app, told, answers, tell_night, lines):
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, answers(*tell_night(3)))
        for key in ("N", "enter", "L"):
            await pilot.press(key)
            await told(pilot, engine_app, Lost("The engine ended."))
            assert "The engine ended." in lines(engine_app)[1]
            await told(pilot, engine_app, answers(*tell_night(2)))
            await pilot.press("escape")


async def test_the_page_of_a_sub_grows_while_it_is_open(engine_app, told, answers, tell_night, lines):
    night = tell_night(2)
    async with engine_app.run_test(size=(80, 24)) as pilot:
        await told(pilot, engine_app, answers(*night, ev.ExposureStarted(number=3, seconds=60.0)))
        await pilot.press("enter")
        await pilot.pause()
        assert any("the shutter is open" in text for text in lines(engine_app))
        stacked = next(event for event in reversed(night) if isinstance(event, ev.SubStacked))
        await told(pilot, engine_app, msgspec.structs.replace(stacked, number=3))
        assert any("Weight" in text and "0.96" in text for text in lines(engine_app))
