"""Moffat stars, clouds, a shaken mount, mono and colour: measured, matched and compared against the truth."""

import numpy as np
import pytest

from starwell.align.match import Alignment, match
from starwell.camera.plan import demo_plan
from starwell.camera.sky import Sky
from starwell.frame import Bayer, Planes
from starwell.measure.compare import transparency
from starwell.measure.quality import Gates, Reason
from starwell.measure.sub import measure

CLEAR, THIN_CLOUD, CLOUD, SHAKEN = 10, 17, 18, 25


def seen(sky, number):
    frame = sky.light(number)
    pixels = frame.pixels.astype(np.float32)
    return measure(pixels, Planes.of(frame.facts), saturation_adu=frame.facts.saturation_adu)


@pytest.mark.parametrize("bayer", [None, Bayer.RGGB])
def test_a_simulated_night_is_placed_weighed_and_judged_as_it_was(bayer):
    sky = Sky(demo_plan(size=(700, 1000), subs=40, bayer=bayer))
    reference = seen(sky, 0)
    gates = Gates()
    for _ in range(3):
        gates.judge(reference, None, 1.0)
    verdicts = {}
    for number in (CLEAR, THIN_CLOUD, CLOUD, SHAKEN):
        sub, truth = seen(sky, number), sky.truth(number)
        found = match(sub.stars.xy, reference.stars.xy, size=(700, 1000))
        assert isinstance(found, Alignment)
        assert found.transform.corner_distance(truth.transform, (700, 1000)) < 0.2
        t, error = transparency(sub.stars, reference.stars, found.pairs)
        true_t = truth.transparency / sky.truth(0).transparency
        assert t == pytest.approx(true_t, rel=0.04 if number == SHAKEN else 0.02)
        assert error < 0.01
        verdicts[number] = gates.judge(sub, found, t)
    assert [v.accepted for v in verdicts.values()] == [True, True, True, False]
    assert verdicts[SHAKEN].reason in (Reason.OUT_OF_FOCUS, Reason.TRAILED)
