from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starwell.align.match import Alignment, Refusal, match
from starwell.align.transform import Transform
from starwell.errors import PlanError

SIZE = (3520, 4656)
WRONG_PX = 2.0
SHIFT = np.array((30.0, 20.0))


def found(outcome: Alignment | Refusal) -> Alignment:
    assert isinstance(outcome, Alignment), outcome
    return outcome


def refused(outcome: Alignment | Refusal) -> str:
    assert isinstance(outcome, Refusal), outcome
    return outcome.reason


def errors_over(sky: Callable, fields: int, *row: float) -> list[float]:
    """Errors over the common area of the accepted ones of so many fields (stars, share kept, spurious)."""
    errors = []
    for seed in range(fields):
        s = sky(seed, int(row[0]))
        pair = s.seen_twice(*row, s.pointing())
        outcome = match(pair.stars, pair.reference, size=SIZE)
        if isinstance(outcome, Alignment):
            errors.append(pair.common_error(outcome.transform))
    return errors


@pytest.mark.parametrize("row", [(30, 0.7, 10), (100, 0.7, 30), (300, 0.5, 150)], ids=str)
def test_common_fields_are_matched_and_never_wrongly(sky: Callable, row: tuple[float, ...]) -> None:
    errors = errors_over(sky, 100, *row)
    assert len(errors) >= 97
    assert max(errors) < WRONG_PX
    assert np.median(errors) < 0.3


@pytest.mark.parametrize(("row", "least"), [((10, 0.8, 2), 25), ((15, 0.7, 5), 35)], ids=str)
def test_poor_fields_may_be_refused_but_are_never_matched_wrongly(
    sky: Callable, row: tuple[float, ...], least: int
) -> None:
    errors = errors_over(sky, 100, *row)
    assert len(errors) >= least
    assert max(errors) < WRONG_PX


def test_a_fourteenth_in_common_is_refused(sky: Callable) -> None:
    assert len(errors_over(sky, 20, 300, 0.3, 300)) <= 1


def hard_field(sky: Callable, seed: int) -> tuple:
    """One of twelve kinds of trouble, and whether the sub shows the reference's sky unmirrored."""
    s = sky(seed, 99)
    kind = seed % 12
    count, keep, spurious = [(15, 0.7, 5), (40, 0.6, 20), (120, 0.5, 60)][s.rng.integers(3)]
    far = 0.55 * SIZE[1] * np.exp(2j * np.pi * s.rng.uniform())
    truth = {
        0: s.about_centre(s.rng.normal(0, 1), far),
        1: s.about_centre(s.rng.uniform(-180, 180), far),
        2: s.about_centre(180 + s.rng.normal(), far / 3),
        3: s.about_centre(s.rng.choice([90, 270]) + s.rng.normal(), far / 8),
        4: s.about_centre(s.rng.uniform(-180, 180), far / 4, 1 + s.rng.uniform(-0.02, 0.02)),
        5: s.about_centre(s.rng.uniform(-180, 180), far / 4, s.rng.choice([0.7, 1.5])),
        6: s.about_centre(s.rng.choice([0, 180]), far / 8, mirrored=True),
        7: s.about_centre(s.rng.uniform(-180, 180), far / 8, mirrored=True),
        8: s.about_centre(0, far / 200),
    }.get(kind, s.pointing())
    pair = s.seen_twice(count, keep, spurious, truth, jitter=0.3)
    if kind == 8:
        pair = s.with_hot_pixels(pair, count // 2)
    if kind == 9:  # pure noise against a rich list
        return type(pair)(s.anywhere(s.rng.integers(4, 200)), s.anywhere(300), truth), False
    if kind == 10:  # another field
        return type(pair)(pair.stars, s.seen_twice(count, 1, 0, truth).reference, truth), False
    if kind == 11:  # clouds leave a handful
        return type(pair)(pair.stars[:12], pair.reference, truth), True
    return pair, kind not in (6, 7)


def test_five_hundred_hard_fields_give_no_wrong_match(sky: Callable) -> None:
    matched = 0
    for seed in range(504):
        pair, common = hard_field(sky, seed)
        expected = pair.truth @ Transform(tx=1.0, ty=-2.0) if seed % 5 == 0 else None
        outcome = match(pair.stars, pair.reference, size=SIZE, expected=expected)
        if isinstance(outcome, Alignment):
            assert common, f"field {seed} was matched with a sky it does not show"
            assert pair.common_error(outcome.transform) < WRONG_PX, f"field {seed}"
            matched += 1
    assert matched > 150


@pytest.mark.parametrize("angle", [0, 0.4, 37, 90, 143.2, 180, 181.5, 270, -60])
def test_any_rotation_is_found(sky: Callable, angle: float) -> None:
    s = sky(round(angle * 10) % 3600)
    pair = s.seen_twice(100, 0.7, 30, s.about_centre(angle, 120 - 80j))
    outcome = found(match(pair.stars, pair.reference, size=SIZE))
    assert pair.common_error(outcome.transform) < 0.6
    assert outcome.transform.angle_deg % 360 == pytest.approx(angle % 360, abs=0.02)


def test_a_rotation_is_not_looked_for_when_it_cannot_be(sky: Callable) -> None:
    s = sky(5)
    pair = s.seen_twice(100, 0.9, 0, s.about_centre(37))
    assert refused(match(pair.stars, pair.reference, size=SIZE, any_rotation=False)).startswith("no match")


def test_a_shift_by_more_than_half_the_frame_is_found(sky: Callable) -> None:
    pair = sky(6).seen_twice(200, 0.8, 20, Transform(tx=2600, ty=-300))
    outcome = found(match(pair.stars, pair.reference, size=SIZE))
    assert pair.common_error(outcome.transform) < 0.5


def test_another_scale_is_found_only_when_the_prior_allows_it(sky: Callable) -> None:
    s = sky(8)
    pair = s.seen_twice(120, 0.9, 5, s.about_centre(12, scale=0.8))
    wide = found(match(pair.stars, pair.reference, size=SIZE, scale_prior=(0.5, 2)))
    assert wide.transform.scale == pytest.approx(0.8, abs=0.001)
    assert refused(match(pair.stars, pair.reference, size=SIZE))


def test_a_mirrored_field_is_refused_by_name_and_accepted_on_request(sky: Callable) -> None:
    s = sky(9)
    pair = s.seen_twice(100, 0.7, 30, s.about_centre(20, 50, mirrored=True))
    assert "mirror" in refused(match(pair.stars, pair.reference, size=SIZE))
    outcome = found(match(pair.stars, pair.reference, size=SIZE, mirrored=True))
    assert outcome.transform.mirrored
    assert pair.common_error(outcome.transform) < 0.6
    tracked = found(match(pair.stars, pair.reference, size=SIZE, mirrored=True, expected=outcome.transform))
    assert tracked.transform.corner_distance(outcome.transform, SIZE) < 0.1


@pytest.mark.parametrize("angle", [0, 180])
@pytest.mark.parametrize("moved", [1, 4, 15, 400])
@pytest.mark.parametrize("expected", [None, Transform()], ids=["cold", "tracked"])
def test_fixed_hot_pixels_never_vote_for_standing_still(
    sky: Callable, moved: float, angle: float, expected: Transform | None
) -> None:
    for seed in range(8):
        s = sky(seed, int(moved))
        shift = moved * np.exp(2j * np.pi * s.rng.uniform())
        pair = s.with_hot_pixels(s.seen_twice(40, 0.9, 3, s.about_centre(angle, shift)), 20)
        outcome = found(match(pair.stars, pair.reference, size=SIZE, expected=expected))
        assert pair.common_error(outcome.transform) < 0.9


def test_spurious_sources_do_not_keep_a_still_sky_from_matching(sky: Callable) -> None:
    for seed in range(10):
        pair = sky(seed, 23).seen_twice(100, 0.7, 30, Transform())
        for expected in (None, Transform()):
            outcome = found(match(pair.stars, pair.reference, size=SIZE, expected=expected))
            assert pair.corner_error(outcome.transform) < 0.5


def test_hot_pixels_alone_are_no_field(sky: Callable) -> None:
    s = sky(11)
    pair = s.with_hot_pixels(s.seen_twice(0, 1, 40, Transform()), 20)
    for expected in (None, Transform()):
        assert "hot pixels" in refused(match(pair.stars, pair.reference, size=SIZE, expected=expected))


def test_a_sky_that_stood_still_is_matched(sky: Callable) -> None:
    pair = sky(12).seen_twice(80, 0.95, 3, Transform(), jitter=0.1)
    for expected in (None, Transform()):
        outcome = found(match(pair.stars, pair.reference, size=SIZE, expected=expected))
        assert pair.corner_error(outcome.transform) < 0.1


@pytest.mark.parametrize("dither", [4, 20, 50, 300])
def test_a_dithered_field_is_matched_alike_with_and_without_its_prediction(
    sky: Callable, dither: float
) -> None:
    for seed in range(6):
        s = sky(seed, 31)
        pair = s.with_hot_pixels(s.seen_twice(120, 0.97, 1, s.pointing()), 3)
        expected = Transform(tx=dither * 0.6, ty=-dither * 0.8) @ pair.truth
        tracked = found(match(pair.stars, pair.reference, size=SIZE, expected=expected))
        cold = found(match(pair.stars, pair.reference, size=SIZE))
        assert tracked.transform.corner_distance(cold.transform, SIZE) < 1e-6
        assert pair.common_error(tracked.transform) < 0.6


def test_sharp_centroids_give_sharp_corners(sky: Callable) -> None:
    errors = []
    for seed in range(40):
        s = sky(seed, 13)
        pair = s.seen_twice(100, 0.9, 5, s.pointing(), jitter=0.02)
        errors.append(pair.corner_error(found(match(pair.stars, pair.reference, size=SIZE)).transform))
    assert np.median(errors) <= 0.05
    assert max(errors) <= 0.15


def test_the_prediction_lets_five_stars_do_but_only_where_it_points(sky: Callable) -> None:
    stars = np.array([(300.0, 400.0), (4100.0, 600.0), (2300.0, 3100.0), (700.0, 2900.0), (3900.0, 2500.0)])
    truth = Transform.similarity(0.1, 1, 40, -25)
    near = Transform(tx=1.0, ty=1.5) @ truth
    outcome = found(match(stars, truth.apply(stars), size=SIZE, expected=near))
    assert outcome.matched == 5
    assert outcome.transform.corner_distance(truth, SIZE) < 1e-6
    far = Transform(tx=80.0) @ truth
    assert refused(match(stars, truth.apply(stars), size=SIZE, expected=far)).startswith("no match")
    assert "too few" in refused(match(stars, truth.apply(stars), size=SIZE))


@pytest.mark.parametrize(
    ("stars", "reference", "reason"),
    [
        (0, 50, "no stars: too few to align, 6 are needed"),
        (1, 50, "1 star: too few to align, 6 are needed"),
        (2, 50, "2 stars: too few to align, 6 are needed"),
        (50, 3, "the reference has 3 stars: too few to align, 6 are needed"),
    ],
)
def test_too_few_stars_are_refused_in_words(sky: Callable, stars: int, reference: int, reason: str) -> None:
    s = sky(14)
    assert refused(match(s.anywhere(stars), s.anywhere(reference), size=SIZE)) == reason


def test_stars_on_a_line_are_refused(sky: Callable) -> None:
    along = sky(15).rng.uniform(0, 4600, 30)
    stars = np.column_stack([along, 0.3 * along + 500])
    assert "line" in refused(match(stars, stars + SHIFT, size=SIZE))


def test_a_clump_in_a_corner_is_refused(sky: Callable) -> None:
    s = sky(16)
    clump = s.rng.uniform(0, 300, (8, 2))
    stars, reference = np.vstack([clump, s.anywhere(12)]), np.vstack([clump + SHIFT, s.anywhere(12)])
    assert "crowd" in refused(match(stars, reference, size=SIZE))
    everywhere = np.vstack([s.anywhere(8), s.anywhere(12)])
    moved = np.vstack([everywhere[:8] + SHIFT, s.anywhere(12)])
    assert found(match(everywhere, moved, size=SIZE)).matched >= 8


def test_a_clump_too_uncertain_at_the_far_corner_is_refused(sky: Callable) -> None:
    s = sky(17)
    clump = s.rng.uniform(0, 250, (40, 2))
    outcome = match(clump, clump + SHIFT + s.rng.normal(0, 0.4, clump.shape), size=SIZE)
    assert refused(outcome).startswith("too coarse: ")


def test_shear_is_fitted_only_when_many_stars_show_it(sky: Callable) -> None:
    s = sky(18)
    sheared = Transform(1.0, 0.0008, 12, 0.0, 1.0006, -7)
    many = s.anywhere(150)
    places = sheared.apply(many) + s.rng.normal(0, 0.05, many.shape)
    assert found(match(many, places, size=SIZE)).transform.corner_distance(sheared, SIZE) < 0.1
    plain = found(match(many, many + SHIFT + s.rng.normal(0, 0.05, many.shape), size=SIZE)).transform
    assert (plain.a, plain.b) == (plain.d, -plain.c)


def test_repeats_are_bit_identical(sky: Callable) -> None:
    for seed in range(5):
        s = sky(seed, 19)
        pair = s.seen_twice(100, 0.7, 30, s.about_centre(seed * 31.0))
        one, two = (found(match(pair.stars, pair.reference, size=SIZE)) for _ in range(2))
        assert one.transform == two.transform
        assert one.rms_px == two.rms_px
        np.testing.assert_array_equal(one.pairs, two.pairs)


def test_pairs_are_one_to_one_and_lie_on_each_other(sky: Callable) -> None:
    s = sky(20)
    pair = s.seen_twice(150, 0.7, 50, s.pointing())
    outcome = found(match(pair.stars, pair.reference, size=SIZE))
    i, j = outcome.pairs.T
    assert outcome.matched == len(i) == len(set(i)) == len(set(j))
    miss = np.hypot(*(outcome.transform.apply(pair.stars[i]) - pair.reference[j]).T)
    assert miss.max() <= 2.0
    assert outcome.rms_px == pytest.approx(np.sqrt(np.mean(miss**2) / 2))


def test_stars_that_all_coincide_are_refused() -> None:
    assert refused(match(np.full((10, 2), 50.0), np.full((10, 2), 80.0), size=SIZE))


@pytest.mark.parametrize(
    ("stars", "size", "scale"),
    [
        (np.zeros((5, 3)), SIZE, (0.98, 1.02)),
        (np.full((8, 2), np.nan), SIZE, (0.98, 1.02)),
        (np.zeros((8, 2)), (0, 100), (0.98, 1.02)),
        (np.zeros((8, 2)), SIZE, (1.02, 0.98)),
    ],
)
def test_a_senseless_call_is_an_error(
    stars: np.ndarray, size: tuple[int, int], scale: tuple[float, float]
) -> None:
    with pytest.raises(PlanError):
        match(stars, np.zeros((8, 2)), size=size, scale_prior=scale)


@settings(max_examples=30)
@given(angle=st.floats(-180, 180), x=st.floats(-300, 300), y=st.floats(-300, 300), seed=st.integers(0, 999))
def test_turning_the_sub_turns_the_transform(
    sky: Callable, angle: float, x: float, y: float, seed: int
) -> None:
    s = sky(seed, 21)
    pair = s.seen_twice(80, 0.8, 10, Transform(tx=40, ty=-30), jitter=0.1)
    move = s.about_centre(angle, complex(x, y))
    plain = found(match(pair.stars, pair.reference, size=SIZE))
    turned = found(match(move.apply(pair.stars), pair.reference, size=SIZE))
    assert (turned.transform @ move).corner_distance(plain.transform, SIZE) < 0.2


@settings(max_examples=30)
@given(angle=st.floats(-180, 180), seed=st.integers(0, 999))
def test_matching_the_other_way_round_gives_the_inverse(sky: Callable, angle: float, seed: int) -> None:
    s = sky(seed, 22)
    pair = s.seen_twice(80, 0.8, 10, s.about_centre(angle, 60 + 20j), jitter=0.1)
    there = found(match(pair.stars, pair.reference, size=SIZE)).transform
    back = found(match(pair.reference, pair.stars, size=SIZE)).transform
    assert (back @ there).corner_distance(Transform(), SIZE) < 0.2
