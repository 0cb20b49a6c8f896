from __future__ import annotations

import math
import sys
import time
from threading import Event, Timer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starwell.config import Rig
from starwell.frame import Kind
from starwell.session import guide
from starwell.session.guiding import CommandDither, DitherPolicy, GuideWatch, GuidingState, StepErrors
from starwell.session.guiding_talk import Talk
from starwell.session.plan import Dither, Guiding, Plan, Settle
from starwell.session.wishes import Wishes

LIGHT = Kind.LIGHT


def shoot(policy: DitherPolicy, kinds: list[tuple[Kind, str]]) -> list[bool]:
    """Walk exposures as an engine does; whether each had a dither before it."""
    moved = []
    for kind, target in kinds:
        due = policy.due(kind, target)
        moved.append(due)
        if due:
            policy.dithered()
        policy.before_exposure(kind, target)
        assert not policy.due(LIGHT, target)
        policy.after_exposure(kind)
    return moved


def test_a_dither_comes_between_lights_and_never_before_the_first_nor_after_the_last():
    assert shoot(DitherPolicy(Dither(every=1)), [(LIGHT, "A")] * 4) == [False, True, True, True]
    assert shoot(DitherPolicy(Dither(every=3)), [(LIGHT, "A")] * 8) == [False] * 3 + [True] + [False] * 2 + [
        True,
        False,
    ]


def test_a_new_target_starts_without_a_dither():
    shots = [(LIGHT, "A"), (LIGHT, "A"), (LIGHT, "B"), (LIGHT, "B")]
    assert shoot(DitherPolicy(Dither(every=1)), shots) == [False, True, False, True]


def test_darks_are_neither_dithered_nor_counted():
    shots = [(LIGHT, "A"), (Kind.DARK, ""), (Kind.DARK, ""), (LIGHT, "A")]
    assert shoot(DitherPolicy(Dither(every=2)), shots) == [False] * 4


def test_without_a_dither_in_the_plan_nothing_moves():
    assert not any(shoot(DitherPolicy(None), [(LIGHT, "A")] * 5))


def test_a_lost_star_holds_lights_alarms_once_and_lets_go_when_guiding_is_back():
    watch = GuideWatch()
    told = []
    for state in ("guiding", "star lost", "star lost", "guiding", "guiding"):
        hold = watch.before_exposure(GuidingState(state))
        told.append((hold, watch.news(hold)))
    holds, news = zip(*told, strict=True)
    assert [bool(hold) for hold in holds] == [False, True, True, False, False]
    assert [n.serious if n else None for n in news] == [None, True, None, False, None]
    assert "the guide star is lost" in news[1].advice


def test_darks_need_no_guide_star():
    assert GuideWatch().before_exposure(GuidingState.LOST, Kind.DARK) is None


def test_a_night_without_guiding_is_not_held_but_one_whose_guiding_stopped_is():
    watch = GuideWatch()
    assert watch.before_exposure(GuidingState.UNAVAILABLE) is None
    assert watch.before_exposure(GuidingState.IDLE) is None
    assert watch.before_exposure(GuidingState.GUIDING) is None
    assert watch.before_exposure(GuidingState.IDLE) == "guiding has stopped"
    assert watch.before_exposure(GuidingState.SETTLING) is None


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=2, max_size=30), st.floats(-50, 50))
def test_rms_is_that_of_the_last_steps_about_their_mean(steps: list[tuple[float, float]], away: float):
    errors = StepErrors(window=20)
    for ra, dec in steps:
        errors.add(ra + away, dec)
    last, rms = steps[-20:], errors.rms
    assert rms is not None
    mean = sum(ra for ra, _ in last) / len(last)
    assert rms.ra_arcsec == pytest.approx(
        math.sqrt(sum((ra - mean) ** 2 for ra, _ in last) / len(last)), abs=1e-6
    )
    assert rms.total_arcsec == pytest.approx(math.hypot(rms.ra_arcsec, rms.dec_arcsec))
    assert rms.steps == len(last)


ODD_LINES = [
    b'{"Event":"GuideStep","RADistanceRaw":"x","DECDistanceRaw":null}',
    b'{"Event":"AppState"}',
    b'{"Event":[]}',
    b'{"Event":"SettleDone"}',
    b'{"id":1,"result":{}}',
    b'{"id":2,"error":"no"}',
    b'{"id":true}',
    b"[" * 5000,
    b"null",
]


@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from(ODD_LINES))))
def test_whatever_comes_down_the_line_is_survived(lines: list[bytes]):
    talk = Talk()
    talk.connected()
    talk.ask("get_pixel_scale")
    talk.ask("get_app_state")
    for line in lines:
        talk.hear(line)
    assert talk.errors.rms is None
    assert talk.state in GuidingState


def command(code: str) -> str:
    return f'{sys.executable} -I -S -c "{code}"'


def test_a_command_moves_by_what_it_is_told(tmp_path):
    said = tmp_path / "said"
    code = f"import sys; open('{said}', 'w').write(' '.join(sys.argv[1:]))"
    dithered = CommandDither(command(code) + " {px} {arcsec} {ra_only}").dither(
        Dither(amount_px=8, ra_only=True), 1.5
    )
    assert dithered.settled, dithered.why
    assert said.read_text() == "8 12 1"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("no-such-command-anywhere", "cannot be run"),
        ('quoted "wrongly', "cannot be run"),
        (command("raise SystemExit(3)"), "failed with 3"),
    ],
)
def test_a_command_that_fails_says_so(line: str, said: str):
    dithered = CommandDither(line).dither(Dither(), 1.0)
    assert not dithered.settled
    assert said in dithered.why


def test_a_command_that_hangs_is_ended_at_the_timeout_and_on_cancel():
    hangs = CommandDither("sleep 60")
    began = time.monotonic()
    assert "more than 0.1 s" in hangs.dither(Dither(settle=Settle(timeout_s=0.1)), 1.0).why
    cancel = Event()
    Timer(0.05, cancel.set).start()
    assert "cancelled" in hangs.dither(Dither(), 1.0, cancel).why
    assert time.monotonic() - began < 30


def test_the_rig_tells_the_guide_scale_where_the_plan_does_not(monkeypatch: pytest.MonkeyPatch):
    asked: list[float | None] = []

    def phd2(_host: str, _port: int, *, guide_arcsec_per_px: float | None) -> None:
        asked.append(guide_arcsec_per_px)

    monkeypatch.setattr(guide, "Phd2", phd2)
    for guiding in (Guiding(), Guiding(guide_arcsec_per_px=2.0)):
        guide.Guide(Plan(targets=(), guiding=guiding), Wishes(), lambda _: None, Rig(guide_scale_arcsec=3.5))
    assert asked == [3.5, 2.0]
