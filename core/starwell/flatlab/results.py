"""What an analysis found, before it is put in words."""

from __future__ import annotations

from dataclasses import dataclass, field

from starwell.calibration.low_light import LowLight
from starwell.flatlab.deficits import Bench, Deficits, Index
from starwell.flatlab.effect import Corrections, Effect, Gain, Method
from starwell.flatlab.evidence import Signature
from starwell.flatlab.experiment import Sets
from starwell.flatlab.findings import ByLevel, Depth, LeakCheck, SetFound
from starwell.flatlab.gate import Lights
from starwell.flatlab.grounds import Evidence
from starwell.flatlab.hypotheses import Found
from starwell.frame import Float32

Curve = tuple[float, Float32, Float32]
"""A light level, and deficits and errors of some pixels there, e-."""


@dataclass(slots=True, eq=False)
class Record:
    """What is noted while the sets are read.

    offsets: share of the pattern's variance that a night's real offsets keep, where they are known.
    curves: of the coldest pixels.
    """

    sets: Sets
    offsets: float | None
    warnings: list[str]
    told: list[SetFound] = field(default_factory=list)
    by_level: list[ByLevel] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """Everything an analysis found, before it is put in words.

    low: the deficits at L0. gained: what the better of the rivals takes off the bright flat's FPN, with its
    99 % interval. sub_noise: of one held-out frame, relative. worst: flat indices of the coldest pixels.
    """

    record: Record
    found: Found
    evidence: Evidence
    signature: Signature
    bench: Bench
    lights: Lights
    low: Deficits
    effects: dict[Method, Effect]
    gained: Gain
    sub_noise: float
    depth: list[Depth]
    leak: LeakCheck | None
    low_light: LowLight
    corrections: Corrections
    worst: Index
