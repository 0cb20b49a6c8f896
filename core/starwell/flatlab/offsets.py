"""What the mount did to the fixed pattern: a night's real offsets spread it over the pixels, or do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from starwell.errors import FileDamaged, PlanError, StorageError
from starwell.frame import Float64

_CHUNK = 512


def offsets_of(report: Path) -> Float64:
    """Where the subs of a stack's report (`starwell stack --report`) stood, px of the reference, (n, 2).

    Of those that were stacked. Raises StorageError, FileDamaged or PlanError.
    """
    try:
        told = msgspec.json.decode(report.read_bytes())
    except OSError as error:
        raise StorageError(f"{report} cannot be read: {error.strerror}.") from error
    except msgspec.DecodeError as error:
        raise FileDamaged(f"{report} is no JSON: {error}.") from error
    frames = told.get("frames", []) if isinstance(told, dict) else []
    places = [_place(one) for one in frames if isinstance(one, dict) and one.get("status") == "stacked"]
    found = np.array([place for place in places if place is not None]).reshape(-1, 2)
    if len(found) < 2:
        raise PlanError(
            f"{report} tells of {len(found)} placed subs: --offsets wants the report of a stack of at "
            "least 2 (`starwell stack … --report R.json`)."
        )
    return found


def _place(frame: dict[str, Any]) -> tuple[float, float] | None:
    matrix = frame.get("transform")
    try:
        (_, _, x), (_, _, y) = matrix  # type: ignore[misc]
    except (TypeError, ValueError):
        return None
    return float(x), float(y)


def overlap(offsets: Float64) -> float:
    """How much of a pattern's variance a mean of subs at these places keeps: 1 undithered, 1/N at best.

    The mean over all pairs of the share of a pixel that both put in one place.
    """
    total = 0.0
    for start in range(0, len(offsets), _CHUNK):
        apart = np.abs(offsets[start : start + _CHUNK, None, :] - offsets[None, :, :])
        total += float(np.prod(np.maximum(1 - apart, 0), axis=2).sum())
    return total / len(offsets) ** 2
