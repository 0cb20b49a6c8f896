"""How much more light a wanted SNR takes, with the floor below which no light helps."""

from __future__ import annotations

from typing import NamedTuple


class Outlook(NamedTuple):
    """total_s: all the light that the goal takes; None: no light is enough. best: the SNR at the floor."""

    total_s: float | None
    best: float | None


def outlook(now: float, goal: float, livetime_s: float, floor_share: float = 0.0) -> Outlook:
    """What it takes from an SNR now after livetime_s to the goal.

    Random noise falls as 1/√T and the floor stays, so that T = T0 (1 - f) / ((now/goal)² - f) with the
    floor's share f of the noise's variance now; without a floor T = T0 (goal/now)².
    """
    share = min(max(floor_share, 0.0), 1.0)
    best = now / share**0.5 if share else None
    room = (now / goal) ** 2 - share
    if room <= 0:
        return Outlook(None, best)
    return Outlook(livetime_s * (1 - share) / room, best)
