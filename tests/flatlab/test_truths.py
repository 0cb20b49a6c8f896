"""The classifier against sensors of known truth, at reduced size (bench/flatlab.py has the full one)."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from starwell.camera.chip import Flaw, Response, Silicon
from starwell.camera.truths import Truth, chip_of
from starwell.errors import MasterMismatch
from starwell.flatlab.analysis import Analysis
from starwell.flatlab.claim import answers, limits
from starwell.flatlab.conclude import conclude
from starwell.flatlab.hypotheses import Verdict
from starwell.flatlab.results import Results
from starwell.frame import Bayer, Float64

SIZE = (160, 160)
SEED, GAIN, OTHER_GAIN, SECONDS = 3, 300.0, 240.0, 10.0


@pytest.fixture(scope="module")
def judged(lab):
    known: dict[object, Results] = {}

    def run(truth: Truth, **changes: object) -> Results:
        key = truth, tuple(changes.items())
        if key not in known:
            made = lab(truth, **{"size": SIZE, "frames": 100, "darks": 120, "held": 60, **changes})
            known[key] = Analysis(made.sets()).run()
        return known[key]

    return run


def truly_lost(lab, truth: Truth, at: np.ndarray, level_e: float, **changes) -> Float64:
    """What these pixels truly lack at this level, e-, at the gain and time given, flat-divided."""
    gain, seconds = changes.get("gain", GAIN), changes.get("seconds", SECONDS)
    made = lab(truth, size=SIZE, response=changes.get("response", Response.EXPONENTIAL))
    silicon = Silicon(made.chip_for(gain), SIZE, SEED)
    light = level_e * made.shade.ravel()[at] * silicon.response.ravel()[at]
    charge = made.light_e(gain, level_e, seconds).ravel()[at] - silicon.chip.dark_e_s * seconds
    lost = light - charge
    for flaw, xy in zip(silicon.chip.sunk, silicon.sunk_xy, strict=True):
        sunk = np.isin(at, xy[:, 1] * SIZE[1] + xy[:, 0])
        lost[sunk] += flaw.level * silicon.chip.egain
    flat = made.shade.ravel()[at] * silicon.response.ravel()[at]
    return lost / (flat / (made.shade * silicon.response).mean())


CASES = [
    (Truth.CHARGE_THRESHOLD, Response.EXPONENTIAL),
    (Truth.CHARGE_THRESHOLD, Response.TANH),
    (Truth.CHARGE_THRESHOLD, Response.THRESHOLD),
    (Truth.LEAK, Response.EXPONENTIAL),
    (Truth.ADU_OFFSET, Response.EXPONENTIAL),
]


@pytest.mark.parametrize(("truth", "response"), CASES)
def test_the_cause_of_cold_pixels_is_named_and_its_ratios_are_right(judged, lab, truth, response):
    results = judged(truth, response=response)
    found = conclude(results)
    assert found.verdict.value == truth.value
    assert found.confidence > 0.95
    assert found.missing == ()
    assert found.gate.passed
    assert found.flagged_pixels > 60
    assert found.details.warm_pixels == 0
    signature = results.signature
    at = np.concatenate([one.at for one in signature.cold])

    def lost(part: float, **changes) -> float:
        return float(truly_lost(lab, truth, at, 8.0 * part, response=response, **changes).sum())

    base = lost(1.0)
    for level, ratio in signature.by_level.items():
        assert ratio.value == pytest.approx(lost(level) / base, abs=0.05)
    longer, by_time = signature.by_time
    assert longer == pytest.approx(0.2)
    assert by_time.value == pytest.approx(lost(1.0, seconds=SECONDS / 5) / base, abs=0.05)
    coarser, by_gain = signature.by_gain
    assert coarser == pytest.approx(2.0, rel=0.02)
    assert by_gain.value == pytest.approx(lost(1.0, gain=OTHER_GAIN) / base, abs=0.05 * coarser)
    lose, flats, same, price, dark = answers(found)
    assert ("Yes: " in lose) == (truth is Truth.CHARGE_THRESHOLD)
    assert ("Not so: " in lose) == (truth is not Truth.CHARGE_THRESHOLD)
    flagged = found.details.flagged_percent
    assert f"{flagged.bright:.1f} % off" in flats
    assert f"leaves {flagged.same_condition:.1f} %" in same
    # 100 dim flats of 8 e- and RN 1.3 or so; 120 darks
    own, floor = (float(re.search(r"([\d.]+) %", text)[1]) for text in (price, dark))
    assert own == pytest.approx(100 * np.sqrt(8 + 1.6**2) / 8 / 10, rel=0.1)
    assert floor == pytest.approx(100 * 1.6 / 8 / np.sqrt(120), rel=0.1)
    assert "for this camera" in limits(found)


@pytest.mark.parametrize("truth", [Truth.LINEAR, Truth.LOW_QE])
def test_linear_pixels_need_no_more_than_a_bright_flat(judged, truth):
    bare = ("same_charge", "same_charge_dark", "other_gain", "other_gain_dark")
    found = conclude(judged(truth, drop=bare, levels=(1.0,), held=160))
    assert found.verdict.value == truth.value
    assert found.confidence > 0.9
    assert found.flagged_pixels <= 1
    assert found.missing == ()
    assert found.fpn_percent.additive <= 1.02 * found.fpn_percent.bright
    assert found.fpn_percent.same_condition > 1.5 * found.fpn_percent.bright
    assert found.large_scale_ratio == pytest.approx(1.0, abs=0.02)
    assert (found.details.weak_pixels > 100) == (truth is Truth.LOW_QE)
    assert "bright flat is enough" in found.recommendation
    assert "None does that lacks" in answers(found)[0]
    assert "would not have been seen" in limits(found)


def test_a_converter_that_clips_is_refused_and_told_what_to_change(judged):
    found = conclude(judged(Truth.CLIPPED, frames=60, darks=60, held=60, levels=(1.0,)))
    assert found.verdict is Verdict.CLIPPED
    assert not found.gate.passed
    assert found.gate.zero_fraction == pytest.approx(0.28, abs=0.05)
    assert "Raise the offset" in found.gate.advice
    assert "a gain of" in found.recommendation
    assert found.fpn_percent.additive <= 1.02 * found.fpn_percent.bright
    assert len(answers(found)) == 1
    assert "Not answered" in answers(found)[0]


def test_darks_of_a_warmer_sensor_are_no_cold_pixels(judged):
    found = conclude(judged(Truth.DARK_MISMATCH, frames=80, darks=80, held=60))
    assert found.verdict is Verdict.DARK_MISMATCH
    assert found.details.hot_share > 0.9
    assert "darks" in found.recommendation


def test_frames_with_the_panel_off_tell_darks_that_do_not_fit(lab):
    made = lab(Truth.DARK_MISMATCH, size=SIZE, frames=80, darks=80, held=60, levels=(1.0,))
    sets = replace(made.sets(), panel_off=made.set("panel-off", 40, 0.0))
    found = conclude(Analysis(sets).run())
    assert found.verdict is Verdict.DARK_MISMATCH
    assert found.details.ratios.without_light.value == pytest.approx(1.0, abs=0.05)


def test_light_that_leaks_in_with_the_panel_off_is_told(lab):
    made = lab(Truth.LINEAR, size=SIZE, frames=40, darks=60, held=20, levels=(1.0,), panel_leak_e=0.3)
    sets = replace(made.sets(), panel_off=made.set("panel-off", 60, 0.0))
    found = conclude(Analysis(sets).run())
    assert not found.details.leak.passed
    assert found.details.leak.difference_e == pytest.approx(0.29, abs=0.03)
    assert any("light leaks in" in warning for warning in found.warnings)


@pytest.mark.parametrize("truth", [Truth.LINEAR, Truth.CHARGE_THRESHOLD])
def test_the_fixed_pattern_is_that_of_the_simulation(lab, truth):
    made = lab(truth, size=SIZE, frames=120, darks=150, held=300, levels=(1.0,))
    bare = dict.fromkeys(("same_charge", "same_charge_dark", "other_gain", "other_gain_dark"))
    results = Analysis(replace(made.sets(), **bare)).run()
    found = conclude(results)
    dark, silicon = results.bench.dark.mean(), Silicon(made.chip_for(GAIN), SIZE, SEED)
    chip = silicon.chip
    clean = made.light_e(GAIN, made.level_e * 1.005) + silicon.fixed_e + chip.offset_adu * chip.egain
    light = clean - dark.astype(np.float64) * chip.file_egain
    maps, bright = results.corrections, results.bench.bright
    same = np.maximum(maps.same_condition[0] / maps.same_condition[1], 0.05)
    even = {
        "none": light / made.shade,
        "bright": light / bright,
        "same_condition": light / same,
        "hybrid": light / np.where(maps.flagged, same, bright),
        "additive": light / bright + maps.additive_e,
    }
    for name, pixels in even.items():
        true = 100 * float(np.std(pixels) / np.mean(pixels))
        told = dict(found.fpn_percent.items())[name]
        assert told == pytest.approx(true, rel=0.1), name
        low, high = found.details.fpn_interval[name].low, found.details.fpn_interval[name].high
        assert low - 0.1 * true < true < high + 0.1 * true
    noise = np.sqrt(light.mean() + results.lights.dark_noise_e**2) / light.mean()
    assert found.n_star.bright == pytest.approx((100 * noise / found.fpn_percent.bright) ** 2, rel=0.05)
    if truth is Truth.CHARGE_THRESHOLD:
        assert found.verdict is Verdict.INCONCLUSIVE
        assert found.missing == ("same-charge", "same-charge-dark", "other-gain", "other-gain-dark")
        assert found.fpn_percent.additive <= 0.65 * found.fpn_percent.bright


@pytest.mark.parametrize("truth", [Truth.LINEAR, Truth.CHARGE_THRESHOLD])
def test_too_few_frames_are_told_how_many_it_takes(lab, truth):
    made = lab(truth, size=SIZE, frames=16, darks=16, held=16, levels=(1.0, 2.0))
    found = conclude(Analysis(made.sets()).run())
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.frames_needed > 40
    assert "low" in found.missing
    assert str(found.frames_needed) in " ".join(found.why) + found.recommendation


@pytest.mark.parametrize(
    ("dropped", "missing"),
    [("same_charge", ("same-charge", "same-charge-dark")), ("other_gain", ("other-gain", "other-gain-dark"))],
)
def test_without_the_set_that_decides_it_is_named(lab, dropped, missing):
    made = lab(Truth.CHARGE_THRESHOLD, size=SIZE, frames=80, darks=80, held=60, levels=(1.0, 2.0))
    bare = dict.fromkeys((dropped, f"{dropped}_dark"))
    found = conclude(Analysis(replace(made.sets(), **bare)).run())
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.missing == missing


def test_a_colour_sensor_is_judged_colour_by_colour(lab):
    made = lab(Truth.CHARGE_THRESHOLD, size=SIZE, frames=80, darks=100, held=60, bayer=Bayer.RGGB)
    found = conclude(Analysis(made.sets()).run())
    assert found.verdict is Verdict.CHARGE_THRESHOLD
    assert found.fpn_percent.additive < 0.8 * found.fpn_percent.bright
    assert found.fpn_percent.none < 10  # the colours of the panel are no pattern


def test_cosmic_rays_make_no_cold_pixels(lab):
    made = lab(Truth.LINEAR, size=SIZE, frames=60, darks=80, held=60, levels=(1.0,), rays=3)
    bare = dict.fromkeys(("same_charge", "same_charge_dark", "other_gain", "other_gain_dark"))
    results = Analysis(replace(made.sets(), **bare)).run()
    found = conclude(results)
    assert found.verdict is Verdict.LINEAR
    assert found.flagged_pixels + found.details.warm_pixels <= 1
    struck = made.rays * made.darks
    raised = results.bench.dark.mean() - np.median(results.bench.dark.mean())
    assert struck > 200
    assert np.count_nonzero(raised * results.bench.egain > 2.0) <= 0.02 * struck


def test_a_pixel_so_hot_that_light_fills_it_is_not_cold(lab):
    chip = replace(chip_of(Truth.LINEAR, SIZE), hot=(Flaw(20, 200.0),))
    made = lab(Truth.LINEAR, size=SIZE, frames=60, darks=80, held=60, levels=(1.0,), chip=chip)
    bare = dict.fromkeys(("same_charge", "same_charge_dark", "other_gain", "other_gain_dark"))
    found = conclude(Analysis(replace(made.sets(), **bare)).run())
    assert found.verdict is Verdict.LINEAR
    assert found.flagged_pixels <= 1


def test_saturated_bright_flats_are_refused(lab):
    made = lab(Truth.LINEAR, size=SIZE, frames=8, darks=8, held=8, levels=(1.0,))
    sets = replace(made.sets(), bright=made.set("bright", 8, 30_000.0, gain=0.0))
    with pytest.raises(MasterMismatch, match="of --bright are saturated"):
        Analysis(sets).run()
