"""Results into findings: figures, warnings, and one recommendation."""

from __future__ import annotations

import numpy as np

from starwell.flatlab.deficits import Ratio
from starwell.flatlab.effect import Method
from starwell.flatlab.findings import (
    ByMethod,
    ColdPixel,
    Details,
    Findings,
    GateFound,
    Interval,
    RatioFound,
    Ratios,
    Shape,
    by_method,
)
from starwell.flatlab.hypotheses import Verdict
from starwell.flatlab.results import Results

_AROUND = 3
_EDGES = np.linspace(-12, 12, 97)


def conclude(results: Results) -> Findings:
    """The findings of an analysis."""
    r, gate = results, results.evidence.gate
    found = r.found
    large = r.low.ratios.large
    return Findings(
        gate=GateFound(
            zero_fraction=gate.zero_fraction,
            passed=gate.passed,
            saturated_fraction=gate.saturated_fraction,
            bias_e=max(gate.bias_e, 0.0),
            reasons=gate.reasons,
            advice=gate.advice,
        ),
        verdict=found.verdict,
        confidence=round(found.confidence, 4),
        flagged_pixels=r.evidence.counts.cold,
        fpn_percent=by_method({m: e.percent for m, e in r.effects.items()}),
        n_star=by_method({m: e.depth(r.sub_noise) for m, e in r.effects.items()}),
        large_scale_ratio=(1 + large) / max(1 - large, 1e-3),
        recommendation=_recommendation(r),
        frames_needed=found.frames_needed,
        missing=found.missing,
        why=found.why,
        warnings=tuple(r.record.warnings),
        details=_details(r),
    )


def _recommendation(r: Results) -> str:
    match r.found.verdict:
        case Verdict.CLIPPED:
            return r.evidence.gate.advice
        case Verdict.INCONCLUSIVE:
            needed = (
                f" Shoot {r.found.frames_needed} frames of each dim set." if r.found.frames_needed else ""
            )
            lacks = f" What is missing: {', '.join(r.found.missing)}." if r.found.missing else ""
            return f"No advice on these frames.{needed}{lacks} Until then use a bright flat, and dither."
        case Verdict.DARK_MISMATCH:
            return (
                "Shoot the darks between the dim flats, at the same temperature and exposure, and try again."
            )
        case Verdict.LINEAR | Verdict.LOW_QE:
            return (
                "A bright flat is enough. Same-condition flats would add their own noise to every pixel"
                f"{_worse(r)}."
            )
        case _:
            return (
                "Use a bright flat and the low-light correction map (additive): it mends the cold pixels "
                f"without adding noise to the others{_better(r)}, and serves other light levels too."
            )


def _worse(r: Results) -> str:
    bright, same = r.effects[Method.BRIGHT].percent, r.effects[Method.SAME_CONDITION].percent
    return f": {same:.2f} % instead of {bright:.2f} % fixed pattern" if same > bright > 0 else ""


def _better(r: Results) -> str:
    bright, additive = r.effects[Method.BRIGHT].percent, r.effects[Method.ADDITIVE].percent
    return f" ({additive:.2f} % instead of {bright:.2f} % fixed pattern)" if additive < bright else ""


def _details(r: Results) -> Details:
    z = r.low.z
    counts = np.histogram(np.clip(z, _EDGES[0], _EDGES[-1]), _EDGES)[0]
    best, low, high = r.gained
    shape = r.low.ratios
    return Details(
        camera=(r.record.sets.dark.facts.camera or "").strip(),
        size=r.record.sets.dark.facts.size,
        sets=tuple(r.record.told),
        level_e=r.lights.level_e,
        dark_noise_e=r.lights.dark_noise_e,
        least_deficit_e=r.evidence.frames.least_e,
        warm_pixels=r.evidence.counts.warm,
        weak_pixels=r.evidence.weak.cold,
        hot_share=r.evidence.hot_share,
        chance=r.evidence.counts.chance,
        confirmed_sigmas=r.signature.confirmed,
        ratios=_ratios(r),
        fpn_interval={str(m): Interval(*e.interval()) for m, e in r.effects.items()},
        flagged_percent=by_method(
            {m: None if e.flagged is None else 100 * e.flagged for m, e in r.effects.items()}
        ),
        n_star_offsets=_with_offsets(r),
        improvement_percent=100 * best,
        improvement_interval=Interval(100 * low, 100 * high),
        by_level=tuple(sorted(r.record.by_level, key=lambda one: one.level_e)),
        shape=Shape(
            large=(1 + shape.large) / max(1 - shape.large, 1e-3), rows=shape.rows, columns=shape.columns
        ),
        leak=r.leak,
        depth=tuple(r.depth),
        sub_noise_percent=100 * r.sub_noise,
        z_edges=tuple(float(edge) for edge in _EDGES),
        z_counts=tuple(int(n) for n in counts),
        worst=_worst(r),
    )


def _with_offsets(r: Results) -> ByMethod | None:
    """N* of a night with offsets; None where they are not known."""
    if r.record.offsets is None:
        return None
    return by_method(
        {m: d / r.record.offsets if (d := e.depth(r.sub_noise)) else None for m, e in r.effects.items()}
    )


def _ratios(r: Results) -> Ratios:
    def of(pair: tuple[float, Ratio] | None) -> RatioFound | None:
        return (
            None if pair is None else RatioFound(compared=pair[0], value=pair[1].value, error=pair[1].error)
        )

    s = r.signature
    levels = [of(pair) for pair in sorted(s.by_level.items())]
    return Ratios(
        by_level=tuple(one for one in levels if one is not None),
        by_time=of(s.by_time),
        by_gain=of(s.by_gain),
        without_light=of(None if s.without_light is None else (0.0, s.without_light)),
    )


def _worst(r: Results) -> tuple[ColdPixel, ...]:
    """The pixels that lack most beyond doubt, with their curves and surroundings."""
    z = r.low.z
    light = 1 - r.low.deficit_e / np.float32(r.low.level_e)
    order = np.argsort([level for level, _, _ in r.record.curves])
    found = []
    for i, (y, x) in enumerate(zip(*np.unravel_index(r.worst, z.shape), strict=True)):
        sides = [min(2 * _AROUND + 1, n) for n in z.shape]
        top, left = (
            min(max(c - _AROUND, 0), n - side) for c, n, side in zip((y, x), z.shape, sides, strict=True)
        )
        around = light[top : top + sides[0], left : left + sides[1]]
        curve = [r.record.curves[k] for k in order]
        found.append(
            ColdPixel(
                x=int(x),
                y=int(y),
                z=float(z[y, x]),
                sensitivity=float(r.bench.bright[y, x]),
                levels_e=tuple(level for level, _, _ in curve),
                deficits_e=tuple(float(lost[i]) for _, lost, _ in curve),
                errors_e=tuple(float(error[i]) for _, _, error in curve),
                around=tuple(tuple(round(float(v), 3) for v in row) for row in around),
            )
        )
    return tuple(found)
