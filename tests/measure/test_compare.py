import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starwell.align.transform import Transform
from starwell.measure.background import Background
from starwell.measure.compare import normalise, transparency, weight
from starwell.measure.stars import Stars
from starwell.measure.sub import Measured, measure


def listed(flux, error, saturated=None):
    flux = np.asarray(flux, float)
    n = len(flux)
    place, peak = np.arange(n, dtype=float), flux / 10
    clipped = np.zeros(n, bool) if saturated is None else saturated
    return Stars(place, place, flux, peak, 3.0, 1.6, 0.1, 0.0, np.asarray(error, float), clipped)


def paired(n):
    return np.column_stack([np.arange(n), np.arange(n)])


@pytest.mark.parametrize(("n", "snr", "limit"), [(20, 20, 0.016), (50, 30, 0.0075), (200, 40, 0.0031)])
def test_transparency_is_as_good_as_its_stars_and_unbiased(n, snr, limit):
    rng = np.random.default_rng(n)
    found, claimed = [], []
    for _ in range(400):
        flux = np.exp(rng.uniform(0, 3, n)) * 1000
        error = flux / snr
        sub = listed(0.7 * flux + rng.normal(0, 1, n) * 0.7 * error, 0.7 * error)
        t, uncertain = transparency(sub, listed(flux, 1e-3 * flux), paired(n))
        found.append(t)
        claimed.append(uncertain)
    scatter = np.std(found) / 0.7
    assert scatter < limit
    assert np.mean(found) == pytest.approx(0.7, rel=0.0015)
    assert np.mean(claimed) / 0.7 == pytest.approx(scatter, rel=0.25)


def test_variable_and_mismatched_stars_do_not_move_it():
    rng = np.random.default_rng(1)
    flux = np.exp(rng.uniform(0, 4, 100)) * 1000
    sub = 0.5 * flux * rng.normal(1, 0.01, 100)
    sub[rng.choice(100, 20, replace=False)] *= 5
    t, _ = transparency(listed(sub, 0.02 * sub), listed(flux, 0.02 * flux), paired(100))
    assert t == pytest.approx(0.5, rel=0.02)


def test_saturated_stars_are_not_compared():
    flux = np.full(30, 1e4)
    saturated = np.arange(30) < 20
    sub = np.where(saturated, 1e4, 6e3)
    t, _ = transparency(listed(sub, 0.02 * sub, saturated), listed(flux, 0.02 * flux), paired(30))
    assert t == pytest.approx(0.6)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_stars_give_the_ratio_of_the_exposures_and_no_certainty(n):
    flux = np.full(n, 1e4)
    t, error = transparency(listed(0.3 * flux, flux), listed(flux, flux), paired(n), expected=0.5)
    assert (t, error) == (0.5, math.inf)


def test_only_paired_stars_are_compared():
    pairs = np.array([[3, 0], [1, 2], [0, 1]])
    reference = listed([4000, 1000, 2000, 9000], [40, 10, 20, 90])
    sub = listed([800, 1600, 77, 3200], [8, 16, 1, 32])
    assert transparency(sub, reference, pairs)[0] == pytest.approx(0.8)


def mesh(function, size=(800, 1000), noise=0.0, seed=0):
    x, y = (np.arange(n) * 100 + 49.5 for n in (size[1] // 100, size[0] // 100))
    gx, gy = np.meshgrid(x, y)
    values = function(gx, gy) + np.random.default_rng(seed).normal(0, noise, gx.shape)
    sky = Background(values[None], x, y, np.array([np.median(values)]))
    return Measured(np.array([5.0]), sky, Stars.none(), 0.0)


def nebula(x, y):
    return 400 + 300 * np.exp(-((x - 480) ** 2 + (y - 420) ** 2) / 2 / 200**2)


@pytest.mark.parametrize("flip", [False, True])
def test_the_sky_of_a_sub_is_brought_to_the_reference_and_the_nebula_cancels(flip):
    there = Transform.similarity(180 if flip else 0.05, tx=999 + 8 if flip else 8, ty=799 - 5 if flip else -5)
    t = 0.8

    def sub(x, y):
        u, v = np.moveaxis(there.apply(np.stack([x, y], axis=-1)), -1, 0)
        return t * nebula(u, v) + 50 + 0.02 * x - 0.03 * y

    scaled = normalise(mesh(sub, noise=0.3), mesh(nebula, noise=0.3, seed=1), there, t, size=(800, 1000))
    b0, bx, by = scaled.background[0]
    assert scaled.transparency == t
    for x, y in ((0, 0), (999, 0), (0, 799), (999, 799), (500, 400)):
        assert b0 + bx * x + by * y == pytest.approx(50 + 0.02 * x - 0.03 * y, abs=1.2)


def test_a_plane_is_fitted_only_where_it_is_clearly_better():
    level = [
        normalise(mesh(nebula, noise=1.0, seed=s), mesh(nebula), Transform(), 1.0, size=(800, 1000))
        for s in range(200)
    ]
    tilted = sum(n.background[0][1:] != (0.0, 0.0) for n in level)
    assert tilted <= 4
    slopes = mesh(lambda x, y: nebula(x, y) + 0.01 * x, noise=1.0)
    assert normalise(slopes, mesh(nebula), Transform(), 1.0, size=(800, 1000)).background[0][
        1
    ] == pytest.approx(0.01, rel=0.1)


def test_a_bright_object_that_only_the_sub_shows_does_not_tilt_it():
    def lit(x, y):
        return nebula(x, y) + 5000 * ((x < 150) & (y < 150))

    b0, bx, by = normalise(
        mesh(lit, noise=0.5), mesh(nebula, noise=0.5, seed=3), Transform(), 1.0, size=(800, 1000)
    ).background[0]
    assert b0 + 500 * bx + 400 * by == pytest.approx(0, abs=0.5)
    assert abs(bx) + abs(by) < 1e-3


def test_each_channel_has_its_own_sky():
    one = mesh(nebula)
    sky = one.background
    three = Background(np.concatenate([sky.mesh_adu + k for k in (0, 10, 40)]), sky.x, sky.y, np.ones(3))
    reference = Background(np.repeat(sky.mesh_adu, 3, axis=0), sky.x, sky.y, np.ones(3))
    scaled = normalise(
        Measured(np.ones(3), three, Stars.none(), 0.0),
        Measured(np.ones(3), reference, Stars.none(), 0.0),
        Transform(),
        1.0,
        size=(800, 1000),
    )
    assert [b[0] for b in scaled.background] == pytest.approx([0, 10, 40])


def test_a_tiny_frame_is_levelled(draw, mono):
    field = draw(3, size=(64, 64), fluxes=(2e4, 3e4))
    reference = measure(field.pixels, mono(field.pixels), saturation_adu=6e4)
    brighter = measure(field.pixels + 30, mono(field.pixels), saturation_adu=6e4)
    scaled = normalise(brighter, reference, Transform(), 1.0, size=(64, 64))
    assert scaled.background[0] == pytest.approx((30, 0, 0), abs=0.2)


def test_weights_reach_the_best_possible_signal_to_noise_in_a_half_cloudy_set():
    rng = np.random.default_rng(5)
    n, pixels = 40, 60_000
    clear = np.arange(n) % 2 == 0
    t = np.where(clear, 1.0, 0.35)
    sigma = np.where(clear, 9.0, 9.0 * 1.6)
    subs = t[:, None] * 1.0 + sigma[:, None] * rng.normal(0, 1, (n, pixels))

    def snr(weights):
        mean = np.average(subs / t[:, None], axis=0, weights=weights)
        return mean.mean() / mean.std()

    ours = snr([weight(a, [s], [9.0])[0] for a, s in zip(t, sigma, strict=True)])
    ideal = math.sqrt(np.sum((t / sigma) ** 2))
    assert ours == pytest.approx(ideal, rel=0.0135)
    assert ours > 1.4 * snr(np.ones(n))
    assert ours > 1.01 * snr(clear.astype(float))


@given(st.floats(0.01, 4), st.floats(0.1, 100), st.floats(0.1, 100))
def test_a_weight_is_one_for_the_reference_and_counts_inverse_variance(t, sigma, reference):
    assert weight(1.0, [reference], [reference]) == pytest.approx([1.0])
    assert weight(t, [sigma], [reference]) == pytest.approx([(t * reference / sigma) ** 2])


def test_a_longer_exposure_under_the_same_sky_weighs_by_its_time():
    assert weight(4.0, [2 * 7.0], [7.0]) == pytest.approx([4.0])


def test_frames_without_noise_weigh_by_light_and_without_numbers_nothing():
    assert weight(0.5, [0.0], [0.0]) == pytest.approx([0.25])
    assert weight(0.5, [np.nan], [3.0]) == pytest.approx([0.0])


def test_drawn_subs_are_compared_end_to_end(draw, mono):
    field = draw(80, 3.0, size=(600, 600), fluxes=(2e4, 3e5))
    rng = np.random.default_rng(8)
    dim = (0.64 * (field.pixels - 200) + 260 + rng.normal(0, 8, field.pixels.shape)).astype(np.float32)
    reference, sub = (measure(p, mono(p), saturation_adu=6e4) for p in (field.pixels, dim))
    where = np.hypot(*(sub.stars.xy[:, None] - reference.stars.xy).transpose(2, 0, 1))
    pairs = np.argwhere(where < 1)
    t, error = transparency(sub.stars, reference.stars, pairs)
    assert t == pytest.approx(0.64, rel=0.01)
    assert error < 0.01
    scaled = normalise(sub, reference, Transform(), t, size=(600, 600))
    assert scaled.background[0][0] == pytest.approx(260 - t * 200, abs=1.5)
