import re
import warnings

import numpy as np
import pytest
from astropy.io import fits

from starwell.align.match import Alignment, match
from starwell.frame import Bayer, Facts, Frame, Planes
from starwell.measure.compare import normalise, transparency
from starwell.measure.sub import measure
from starwell.measure.warnings import sub_warnings

pytestmark = pytest.mark.real


def opened(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fits.open(path) as hdus:
            return np.array(hdus[0].data), dict(hdus[0].header)


def measured(pixels, saturation, bayer=None):
    return measure(pixels, Planes.of(Facts(pixels.shape, bayer=bayer)), saturation_adu=saturation)


def test_a_real_focus_run_is_a_v_from_46_px_over_5_to_39(real_data):
    diameter = {}
    for path in (real_data / "asi1600-focusrun").glob("*.FIT"):
        pixels, header = opened(path)
        stars = measured(pixels, 65520).stars
        diameter[header["FOCUSPOS"]] = 2 * stars.hfr_px
    places = sorted(diameter)
    best = min(places, key=diameter.__getitem__)
    left = [diameter[p] for p in places if p <= best]
    right = [diameter[p] for p in places if p >= best]
    assert 7925 <= best <= 8050
    assert left == sorted(left, reverse=True)
    assert right == sorted(right)
    assert diameter[best] == pytest.approx(5, abs=1)
    assert left[0] == pytest.approx(46, rel=0.1)
    assert right[-1] == pytest.approx(39, rel=0.1)


def test_real_ccd_subs_have_stars_that_align_and_compare(real_data):
    paths = sorted((real_data / "hatp32-mobs").glob("*.FITS"))
    subs = [measured(opened(p)[0], 4095) for p in paths[1:40:6]]
    for sub in subs:
        assert sub.stars.count >= 190
        assert 1.5 < sub.stars.fwhm_px < 3
        assert 350 < sub.background.sky_adu[0] < 375
        assert 1.2 < sub.sigma_adu[0] < 1.8
    for sub in subs[1:]:
        found = match(sub.stars.xy, subs[0].stars.xy, size=(500, 650))
        assert isinstance(found, Alignment)
        assert found.rms_px < 0.5
        t, error = transparency(sub.stars, subs[0].stars, found.pairs)
        assert 0.6 < t < 1.5
        assert error < 0.05
        scaled = normalise(sub, subs[0], found.transform, t, size=(500, 650))
        sky = sub.background.at(325, 250)[0]
        b0, bx, by = scaled.background[0]
        there = found.transform.apply([325, 250])
        brought = (sky - (b0 + 325 * bx + 250 * by)) / t
        assert brought == pytest.approx(subs[0].background.at(*there)[0], abs=1.5)


def test_real_colour_subs_warn_of_their_offset_and_white_balance(real_data):
    for path in (real_data / "als-lights").glob("*.fits"):
        pixels, _ = opened(path)
        facts = Facts(pixels.shape, bayer=Bayer.RGGB, saturation_adu=65520)
        offset, balance = sub_warnings(Frame(facts, pixels))
        share = re.match(r"offset too low: (\d+\.\d) % of the blue pixels", offset)
        assert share is not None
        assert float(share[1]) == pytest.approx(11.5, abs=0.3)
        assert "clipped at 16 ADU" in offset
        assert "red pixels by about 1.04" in balance


def test_real_colour_subs_show_enough_small_stars_to_align(real_data):
    paths = sorted((real_data / "als-lights").glob("*.fits"))
    subs = [measured(opened(p)[0], 65520, Bayer.RGGB) for p in paths]
    for sub in subs:
        assert sub.stars.count >= 190
        assert 2 < sub.stars.fwhm_px < 3.5
    for sub in subs[1:]:
        found = match(sub.stars.xy, subs[0].stars.xy, size=(976, 1304))
        assert isinstance(found, Alignment)
        assert found.rms_px < 0.4
        assert found.matched > 60


def test_the_real_red_comb_leaves_good_frames_alone(real_data):
    for path in sorted((real_data / "hatp32-mobs").glob("*.FITS"))[:5]:
        pixels, _ = opened(path)
        assert sub_warnings(Frame(Facts(pixels.shape, saturation_adu=4095), pixels)) == ()
    for path in (real_data / "asi1600-focusrun").glob("*.FIT"):
        pixels, _ = opened(path)
        assert sub_warnings(Frame(Facts(pixels.shape, saturation_adu=65520), pixels)) == ()


def test_real_bias_frames_show_their_read_noise(real_data):
    sigmas = []
    for path in (real_data / "sbig-stl1001-2017").rglob("*"):
        if path.is_file() and "bias" in path.name.lower():
            pixels, _ = opened(path)
            sigmas.append(measured(pixels, 65535).sigma_adu[0])
    assert len(sigmas) >= 5
    assert 1.94 * np.median(sigmas) == pytest.approx(13.0, rel=0.05)
