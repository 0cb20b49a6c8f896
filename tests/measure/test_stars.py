import math

import numpy as np
import pytest
import sep

from starwell.frame import Bayer, Facts, Planes
from starwell.measure import stars as stars_room
from starwell.measure.stars import MOST_STARS
from starwell.measure.sub import measure

SATURATION = 60000.0
FLAT_SKY = (150.0, 700.0, 300.0)


def found_in(pixels, planes, **options):
    return measure(pixels, planes, saturation_adu=SATURATION, **options).stars


@pytest.mark.parametrize(("fwhm", "limit"), [(1.5, 0.02), (2.0, 0.02), (3.0, 0.03), (5.0, 0.06)])
def test_positions_reach_the_limit_of_the_noise(fwhm, limit, draw, mono):
    field = draw(60, fwhm, size=(600, 600), fluxes=(2e4, 2e5))
    stars = found_in(field.pixels, mono(field.pixels))
    offsets, fluxes = field.errors(stars)
    assert len(offsets) == stars.count >= 58
    assert math.sqrt(np.square(offsets).mean()) < limit
    assert np.abs(offsets.mean(axis=0)).max() < 0.01
    assert np.median(fluxes) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(("fwhm", "spread"), [(2.0, 0.1), (2.5, 0.04), (3.0, 0.03), (4.5, 0.02)])
@pytest.mark.parametrize("shares", [(1, 1, 1), (1, 0.25, 0.03), (0.05, 0.4, 1), (1, 0.05, 0), (0, 0.05, 1)])
def test_on_a_mosaic_no_position_depends_on_the_colour_of_the_star(
    fwhm, spread, shares, draw, mosaic, coloured
):
    field = draw(50, fwhm, size=(500, 500), sky=0, sigma=2.0, fluxes=(5e4, 2e5))
    stars = found_in(coloured(field.pixels, shares, FLAT_SKY), mosaic(field.pixels))
    offsets, _ = field.errors(stars)
    one_colour = shares[1] < 0.1
    assert len(offsets) >= (30 if one_colour else 44)
    assert np.abs(offsets.mean(axis=0)).max() < (0.05 if one_colour else 0.02)
    assert math.sqrt(np.square(offsets).mean()) < (2 if one_colour else 1) * spread


@pytest.mark.parametrize("bayer", list(Bayer))
def test_the_order_of_the_colours_does_not_move_stars(bayer, draw):
    field = draw(40, 2.5, size=(400, 400), sky=300.0, fluxes=(5e4, 2e5))
    stars = found_in(field.pixels, Planes.of(Facts(field.pixels.shape, bayer=bayer)))
    offsets, _ = field.errors(stars)
    assert np.abs(offsets.mean(axis=0)).max() < 0.01


@pytest.mark.parametrize(
    ("fwhm", "moffat", "expected"),
    [(3, False, 3.15), (3, True, 3.22), (5, False, 5.08), (5, True, 5.15), (8, False, 8.05)],
)
def test_the_fwhm_is_that_of_the_profile_with_its_pixel(fwhm, moffat, expected, draw, mono):
    field = draw(50, fwhm, size=(700, 700), moffat=moffat, fluxes=(5e4, 3e5))
    stars = found_in(field.pixels, mono(field.pixels))
    assert stars.fwhm_px == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("fwhm", [2.0, 3.0, 5.0])
def test_a_mosaic_shows_the_same_sizes_as_mono(fwhm, draw, mono, mosaic):
    field = draw(50, fwhm, size=(600, 600), fluxes=(5e4, 3e5))
    bare = found_in(field.pixels, mono(field.pixels))
    colour = found_in(field.pixels, mosaic(field.pixels))
    assert colour.fwhm_px == pytest.approx(bare.fwhm_px, rel=0.06)
    assert colour.hfr_px == pytest.approx(bare.hfr_px, rel=0.04)


def test_the_half_flux_radius_does_not_depend_on_brightness(draw, mono):
    bright = draw(50, 3.0, fluxes=(1e5, 3e5))
    faint = draw(50, 3.0, fluxes=(8e3, 1e4))
    sizes = [found_in(f.pixels, mono(f.pixels)).hfr_px for f in (bright, faint)]
    assert sizes == pytest.approx([1.575, 1.575], rel=0.02)


def doughnut(size, centre, outer, inner, flux, sigma, seed=1):
    y, x = np.mgrid[0 : size[0], 0 : size[1]]
    r = np.hypot(x - centre[0], y - centre[1])
    ring = np.clip(outer + 0.5 - r, 0, 1) * np.clip(r - inner + 0.5, 0, 1)
    sky = np.random.default_rng(seed).normal(300, sigma, size)
    return (sky + flux * ring / ring.sum()).astype(np.float32)


@pytest.mark.parametrize("outer", [6, 10, 15, 22])
def test_a_doughnut_is_one_star_and_its_half_flux_radius_is_right(outer, mono):
    inner = 0.45 * outer
    pixels = doughnut((500, 600), (310.3, 244.6), outer, inner, 4e5, 8.0)
    stars = found_in(pixels, mono(pixels))
    assert stars.count == 1
    assert stars.xy[0] == pytest.approx([310.3, 244.6], abs=0.5)
    assert stars.hfr_px == pytest.approx(math.sqrt((outer**2 + inner**2) / 2), rel=0.06)


def test_a_field_of_doughnuts_keeps_them_whole(mono):
    pixels = sum(
        doughnut((600, 700), (90 + 130 * i, 90 + 105 * j), 15, 7, 2e5, 4.0, seed=5 * i + j)
        for i in range(5)
        for j in range(5)
    )
    stars = found_in(pixels, mono(pixels))
    assert stars.count == 25
    assert stars.hfr_px == pytest.approx(math.sqrt((15**2 + 7**2) / 2), rel=0.06)


def test_hot_pixels_are_not_stars_with_or_without_real_ones(draw, mono, mosaic):
    rng = np.random.default_rng(9)
    for count in (0, 30):
        field = draw(count, 2.0, size=(600, 600))
        spots = rng.integers(0, 600, (2, 300))
        field.pixels[spots[0], spots[1]] += rng.uniform(200, 40000, 300)
        for planes in (mono(field.pixels), mosaic(field.pixels)):
            stars = found_in(field.pixels, planes)
            offsets, _ = field.errors(stars) if count else (np.empty((0, 2)), None)
            assert len(offsets) >= 0.9 * count
            assert stars.count - len(offsets) <= 3


@pytest.mark.parametrize(("e", "length"), [(0.42, 0.65), (0.7, 1.85)])
def test_eccentricity_and_angle_of_the_field_are_found(e, length, draw, mono):
    sigma = 3.0 / 2.355
    along = length * sigma * math.sqrt(2)
    angle = math.radians(30)
    trail = (along * math.cos(angle), along * math.sin(angle))
    field = draw(80, 3.0, size=(700, 700), trail=trail, fluxes=(5e4, 3e5))
    major2 = sigma**2 + along**2 / 12
    truth = math.sqrt(1 - sigma**2 / major2)
    stars = found_in(field.pixels, mono(field.pixels))
    assert stars.eccentricity == pytest.approx(truth, abs=0.07), e
    if truth > 0.3:
        assert stars.angle_deg == pytest.approx(30, abs=8)


@pytest.mark.parametrize("fwhm", [1.8, 2.0, 3.0, 5.0])
def test_round_stars_are_round_bright_or_faint_on_mono_and_mosaic(fwhm, draw, mono, mosaic):
    for fluxes in ((3e4, 3e5), (3e3, 1e4)):
        field = draw(80, fwhm, size=(700, 700), fluxes=fluxes)
        for planes in (mono(field.pixels), mosaic(field.pixels)):
            assert found_in(field.pixels, planes).eccentricity < 0.12


@pytest.mark.parametrize("fwhm", [1.8, 2.4, 4.0])
@pytest.mark.parametrize("true", [0.42, 0.7, 0.85])
def test_small_stars_are_drawn_out_no_more_than_large_ones(fwhm, true, draw, mono, mosaic):
    sigma = fwhm / 2.355
    length = math.sqrt(12 * (sigma**2 / (1 - true**2) - sigma**2))
    field = draw(60, fwhm, size=(600, 600), trail=(length, 0.0), fluxes=(5e4, 3e5))
    for planes in (mono(field.pixels), mosaic(field.pixels)):
        stars = found_in(field.pixels, planes)
        assert stars.eccentricity == pytest.approx(true, abs=0.09 if true < 0.5 else 0.04)
        assert abs(stars.angle_deg) < 3


def test_saturated_stars_that_bleed_do_not_draw_the_field_out(draw, mono):
    field = draw(60, 2.2, size=(600, 600), fluxes=(1e4, 3e5))
    for x, y in zip(field.x[::3], field.y[::3], strict=True):
        column, row = round(x), round(y)
        field.pixels[max(row - 40, 0) : row + 40, column - 1 : column + 2] = SATURATION
    stars = found_in(field.pixels, mono(field.pixels))
    assert stars.eccentricity < 0.15
    assert stars.fwhm_px == pytest.approx(2.4, rel=0.05)


@pytest.mark.parametrize("length", [8, 25])
def test_trailed_subs_keep_their_stars_and_show_the_trail(length, draw, mono):
    field = draw(40, 3.0, size=(700, 700), trail=(length, 0.0), fluxes=(1e5, 4e5), margin=40)
    stars = found_in(field.pixels, mono(field.pixels))
    assert stars.count >= 30
    assert stars.eccentricity > 0.8
    assert abs(stars.angle_deg) < 5


def test_the_list_is_brightest_first_and_spread_over_the_field(draw, mono):
    field = draw(900, 2.5, size=(900, 900), crowded=True, fluxes=(3e3, 1e4))
    dense = field.pixels[:450, :450]
    dense += draw(400, 2.5, size=(450, 450), crowded=True, sky=0, sigma=0, seed=2).pixels
    stars = found_in(field.pixels, mono(field.pixels))
    assert stars.count == MOST_STARS
    assert (np.diff(stars.flux_adu) <= 0).all()
    quarters = np.histogram2d(stars.x, stars.y, bins=2, range=[[0, 900], [0, 900]])[0]
    assert quarters.min() >= 20


def test_a_crowded_field_gives_true_positions(draw, mono):
    field = draw(1250, 3.0, size=(500, 500), crowded=True, fluxes=(1e3, 2e5))
    stars = found_in(field.pixels, mono(field.pixels))
    offsets, _ = field.errors(stars, within=1.5)
    assert stars.count >= 150
    assert np.median(np.hypot(*offsets.T)) < 0.1


def test_a_bright_nebula_hides_no_star_and_adds_none(draw, mono):
    field = draw(40, 2.5, size=(600, 600), fluxes=(2e4, 2e5))
    y, x = np.mgrid[0:600, 0:600]
    knots = sum(
        a * np.exp(-((x - u) ** 2 + (y - v) ** 2) / 2 / s**2)
        for a, u, v, s in ((3000, 300, 280, 90), (1500, 200, 330, 25), (800, 420, 250, 15))
    )
    field.pixels += np.random.default_rng(1).normal(knots, np.sqrt(knots)).astype(np.float32)
    stars = found_in(field.pixels, mono(field.pixels))
    offsets, _ = field.errors(stars)
    assert len(offsets) >= 36
    assert stars.count - len(offsets) <= 3
    assert stars.fwhm_px == pytest.approx(2.65, rel=0.05)


def test_saturated_stars_are_left_out_where_there_are_others_and_marked_where_not(draw, mono):
    field = draw(60, 3.0, size=(600, 600), fluxes=(2e4, 3e6))
    clipped = np.minimum(field.pixels, SATURATION)
    stars = found_in(clipped, mono(clipped))
    assert not stars.saturated.any()
    assert stars.peak_adu.max() < 0.9 * SATURATION
    few = draw(8, 3.0, size=(600, 600), fluxes=(1.5e6, 3e6))
    clipped = np.minimum(few.pixels, SATURATION)
    stars = found_in(clipped, mono(clipped))
    assert stars.count == 8
    assert stars.saturated.all()


def test_three_colour_planes_are_measured_together(draw):
    field = draw(40, 2.5, size=(500, 500), fluxes=(5e4, 2e5))
    cube = np.stack([0.5 * field.pixels, field.pixels, 0.2 * field.pixels])
    measured = measure(cube, Planes.of(Facts(cube.shape)), saturation_adu=SATURATION)
    offsets, _ = field.errors(measured.stars)
    assert len(offsets) >= 38
    assert np.abs(offsets.mean(axis=0)).max() < 0.01
    assert measured.sigma_adu == pytest.approx([5, 10, 2], rel=0.02)


def test_an_empty_sky_has_no_stars(draw, mono, mosaic):
    pixels = draw(0, size=(800, 800)).pixels
    for planes in (mono(pixels), mosaic(pixels)):
        for faint in (False, True):
            stars = found_in(pixels, planes, faint=faint)
            assert stars.count == 0
            assert math.isnan(stars.fwhm_px)


def test_one_star_is_enough(draw, mono):
    field = draw(1, 3.0, size=(300, 300), fluxes=(4e4, 5e4))
    stars = found_in(field.pixels, mono(field.pixels))
    assert stars.count == 1
    assert stars.fwhm_px == pytest.approx(3.15, rel=0.05)


def test_looking_fainter_finds_more(draw, mono):
    field = draw(200, 3.0, size=(1000, 1000), fluxes=(200, 600))
    usual = found_in(field.pixels, mono(field.pixels))
    faint = found_in(field.pixels, mono(field.pixels), faint=True)
    assert faint.count > usual.count >= 20


@pytest.mark.parametrize("size", [(64, 64), (65, 97), (16, 16), (40, 400), (2, 3)])
def test_frames_of_any_size_are_measured(size, draw, mono):
    rng = np.random.default_rng(2)
    pixels = rng.normal(100, 5, size).astype(np.float32)
    assert found_in(pixels, mono(pixels)).count == 0
    if min(size) >= 64:
        field = draw(2, 3.0, size=size, fluxes=(2e4, 3e4))
        assert found_in(field.pixels, mono(field.pixels)).count >= 1


@pytest.mark.parametrize("value", [0.0, 500.0, 65535.0, np.nan])
@pytest.mark.parametrize("bayer", [None, Bayer.GRBG])
def test_constant_frames_have_no_stars(value, bayer):
    pixels = np.full((200, 240), value, np.float32)
    measured = measure(pixels, Planes.of(Facts(pixels.shape, bayer=bayer)), saturation_adu=SATURATION)
    assert measured.stars.count == 0
    assert measured.saturated_fraction == float(value >= SATURATION)
    assert measured.nan_fraction == float(np.isnan(value))


def test_a_band_without_numbers_costs_only_the_stars_in_it(draw, mono):
    field = draw(60, 3.0, size=(600, 600), fluxes=(5e4, 2e5))
    field.pixels[200:260] = np.nan
    measured = measure(field.pixels, mono(field.pixels), saturation_adu=SATURATION)
    offsets, _ = field.errors(measured.stars)
    outside = np.count_nonzero((field.y < 190) | (field.y > 270))
    assert len(offsets) >= outside - 1
    assert measured.nan_fraction == pytest.approx(0.1)


@pytest.mark.parametrize("message", ["internal pixel buffer full", "object deblending overflow"])
def test_what_sep_cannot_hold_means_fewer_stars(message, draw, mono, monkeypatch):
    field = draw(15, 3.0)  # too few for a quick look
    extract, calls = sep.extract, []

    def overflowing(plane, level, **options):
        calls.append(level)
        if len(calls) < 4:
            raise Exception(message)  # noqa: TRY002 as sep does
        return extract(plane, level, **options)

    monkeypatch.setattr(stars_room.sep, "extract", overflowing)
    assert 10 <= found_in(field.pixels, mono(field.pixels)).count <= 15
    assert calls[3] == 8 * calls[0]


def test_other_faults_of_sep_are_not_hidden(draw, mono, monkeypatch):
    def broken(plane, level, **options):
        raise Exception("input array has wrong type")  # noqa: TRY002 as sep does

    monkeypatch.setattr(stars_room.sep, "extract", broken)
    pixels = draw(5).pixels
    with pytest.raises(Exception, match="wrong type"):
        found_in(pixels, mono(pixels))


def test_integers_are_measured_as_they_are(draw, mono):
    field = draw(40, 3.0)
    raw = np.clip(np.rint(field.pixels), 0, 65535).astype(np.uint16)
    stars = found_in(raw, mono(raw))
    assert stars.count >= 38


def test_measuring_twice_gives_the_same(draw, mono):
    field = draw(200, 3.0, size=(700, 700), crowded=True)
    first, second = (found_in(field.pixels, mono(field.pixels)) for _ in range(2))
    assert np.array_equal(first.xy, second.xy)
    assert (first.fwhm_px, first.eccentricity) == (second.fwhm_px, second.eccentricity)


def test_a_trail_changes_neither_the_size_nor_the_light_of_the_stars(draw, mono):
    field = draw(60, 3.0, size=(600, 600), fluxes=(2e4, 2e5))
    clean = found_in(field.pixels, mono(field.pixels))
    y, x = np.mgrid[0:600, 0:600]
    field.pixels += (150 * np.exp(-((0.8 * y - 0.6 * x - 40) ** 2) / 2 / 1.3**2)).astype(np.float32)
    trailed = found_in(field.pixels, mono(field.pixels))
    offsets, fluxes = field.errors(trailed)
    assert len(offsets) >= clean.count - 4
    assert trailed.count - len(offsets) <= 2
    assert trailed.fwhm_px == pytest.approx(clean.fwhm_px, rel=0.01)
    assert np.median(fluxes) == pytest.approx(np.median(field.errors(clean)[1]), abs=0.002)
