"""What a raw sub tells of a wrong setting: clipped floor, software white balance, saturation, no picture."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from starwell.frame import Frame, Pixels, Planes

Codes = NDArray[np.int64]
Histogram = tuple[Codes, Codes]

_CLIPPED = 1e-3
_SATURATED = 0.01
_SAMPLED = 256, 1500  # rows and columns: light falls off along both
_FEWEST_SAMPLES = 5000
_MOST_CODES = 1 << 17
_LARGE = 1 << 21
_ROWS_APART = 15  # odd, so that every colour of a mosaic is seen
_EDGE_SURPLUS = 1.3
_RESOLVED = 4
_CORE, _POPULATED = 0.3, 0.1
_FEWEST_STEPS = 12
_FEWEST_COUNTS = 50
_LEAST_STRETCH = 0.01
_STRAIGHT_ADU = 1.0
_STRAIGHT_SHARE = 0.95
_CHANNEL = ("red", "green", "blue")


def sub_warnings(frame: Frame) -> tuple[str, ...]:
    """Sentences on the settings of a raw frame, the gravest first; none for a good one.

    Looks at every colour plane by itself. Digital tests need the camera's own codes: frames of floats are
    only looked through for pixels that are no number, constant frames and saturation.
    """
    pixels = frame.pixels
    if pixels.dtype.kind == "f":
        bad = 1 - float(np.isfinite(pixels).mean())
        if bad == 1:
            return ("not one pixel is a number: the file holds no picture.",)
        if bad > 0:
            return (f"{_percent(bad)} of the pixels are not numbers; they are left out.",)
    if is_constant(pixels):
        return (f"every pixel is {pixels.flat[0]:g} ADU: the camera delivered no picture.",)
    found = [_saturated(frame)]
    if pixels.dtype.kind in "iu":
        histograms = _histograms(frame)
        found += [_clipped(histograms), *_stretched(histograms)]
    return tuple(w for w in found if w is not None)


def is_constant(pixels: Pixels) -> bool:
    """Whether every pixel has the value of the first; of pictures a few pixels tell that they are none."""
    value = pixels.flat[0]
    return bool((pixels[..., ::128, ::128] == value).all() and (pixels == value).all())


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= 1e-3 else f"{100 * share:.2g} %"


def _saturated(frame: Frame) -> str | None:
    rows = frame.pixels[..., :: _ROWS_APART if frame.pixels.size > _LARGE else 1, :]
    limit = frame.facts.saturation_adu
    if rows.dtype.kind in "iu" and math.isfinite(limit):
        limit = math.ceil(limit)  # beside a float every code would become one
    share = float(np.count_nonzero(rows >= limit) / rows.size)
    if share <= _SATURATED:
        return None
    return f"{_percent(share)} of the pixels are saturated: expose shorter, or lower the gain."


def _histograms(frame: Frame) -> dict[str, Histogram]:
    """By channel: the codes of evenly sampled pixels, and how often each occurs; none of too few samples."""
    planes = Planes.of(frame.facts)
    found = {}
    for channel in range(planes.channels):
        views = [planes.view(frame.pixels, p) for p in planes.planes if p.channel == channel]
        (height, width), (rows, columns) = views[0].shape, _SAMPLED
        down, across = max(1, height // rows), max(1, round(width / columns))
        values = np.concatenate([v[:: down * len(views), ::across].ravel() for v in views])
        low, high = int(values.min()), int(values.max())
        if values.size < _FEWEST_SAMPLES or high - low > _MOST_CODES:
            continue
        counts = np.bincount(np.subtract(values, low, dtype=np.int64))
        codes = np.flatnonzero(counts)
        found[_CHANNEL[channel] if planes.channels == 3 else ""] = codes + low, counts[codes]
    return found


def _clipped(histograms: dict[str, Histogram]) -> str | None:
    """A sentence on the channels with a rail at their lower end, the worst first."""
    shares = {name: _share_at_the_rail(*h) for name, h in histograms.items()}
    worst = sorted((n for n in shares if shares[n] > _CLIPPED), key=lambda n: -shares[n])
    if not worst:
        return None
    floor = int(histograms[worst[0]][0][0])
    if worst == [""]:
        which = f"{_percent(shares[''])} of the pixels"
    else:
        which = ", ".join(f"{_percent(shares[name])} of the {name} pixels" for name in worst)
    return f"offset too low: {which} are clipped at {floor} ADU; raise the offset."


def _share_at_the_rail(codes: Codes, counts: Codes) -> float:
    """Share of pixels at the lowest code, if that is a rail; 0 if it is a tail.

    Sky noise thins out ever faster downwards (log-concave), so the lowest code holds less than
    n1²/n2, n1 and n2 being the next two; a rail holds more, all that would lie below it. Where the noise
    spans several codes, the lowest is never more frequent than the next either.
    """
    common = counts >= 1e-5 * counts.sum()
    counts = counts[common]
    if len(counts) < 3 or codes[common][0] != codes[0]:
        return 0.0
    n0, n1, n2 = (float(n) for n in counts[:3])
    resolved = codes[0] == 0 or np.count_nonzero(counts > 0.1 * counts.max()) >= _RESOLVED
    if n0 > _EDGE_SURPLUS * n1 * n1 / n2 or (n0 > n1 and resolved):
        return n0 / float(counts.sum())
    return 0.0


def _stretched(histograms: dict[str, Histogram]) -> list[str]:
    """Channels whose codes step otherwise than the converter's: the software multiplied them."""
    steps = {name: _step(*histogram) for name, histogram in histograms.items()}
    powers = [s for s in steps.values() if s is not None and s == 2 ** round(np.log2(s))]
    found = []
    for name, step in steps.items():
        if step is None:
            continue
        factor = step / (min(powers) if powers else 2.0 ** round(np.log2(step)))
        if abs(factor - round(factor)) <= _LEAST_STRETCH:
            continue
        which = f"{name} pixels".lstrip()
        found.append(
            f"the camera's software multiplied the {which} by about {factor:.2f} (a white balance): "
            f"set it to neutral. Electron figures of the {which} are off by as much."
        )
    return found


def _step(codes: Codes, counts: Codes) -> float | None:
    """Mean distance of well-populated codes, if they lie on a straight line; below the truth, doubles count.

    A factor above 1 leaves codes out, a factor below 1 lets two of the converter's codes fall on one.
    """
    core = np.flatnonzero(counts >= _CORE * counts.max())
    core = np.arange(core[0], core[-1] + 1)
    core = core[counts[core] >= max(_FEWEST_COUNTS, _POPULATED * counts.max())]
    codes, counts = codes[core], counts[core]
    if len(codes) < _FEWEST_STEPS:
        return None
    index = np.arange(len(codes), dtype=np.float64)
    if len(codes) == codes[-1] - codes[0] + 1:
        index += np.cumsum(_doubled(counts))
    slope, start = np.polyfit(index, codes.astype(np.float64), 1)
    straight = np.abs(codes - (start + slope * index)) <= _STRAIGHT_ADU
    if straight.mean() < _STRAIGHT_SHARE:
        return None
    nearest = round(float(slope))
    return float(nearest) if abs(slope - nearest) < 2e-3 * nearest else float(slope)


def _doubled(counts: Codes) -> NDArray[np.float64]:
    """1 where a code is about twice as frequent as both neighbours."""
    n = counts.astype(np.float64)
    double = np.zeros(len(n))
    double[1:-1] = n[1:-1] > 1.6 * np.maximum(n[:-2], n[2:])
    return double
