"""What is remembered of every sub: the rows of the frame queue, of the report and of the ledger."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import msgspec


class Status(StrEnum):
    """Where a sub ended up."""

    STACKED = "stacked"
    REJECTED = "rejected"
    UNREADABLE = "unreadable"


class SubRecord(msgspec.Struct, kw_only=True, frozen=True):
    """One sub; what was not reached stays None.

    transform takes full-resolution pixels (x, y) of this file to the reference's: [[a, b, tx], [c, d, ty]].
    background_adu and sigma_adu are the green channel's in colour; weight is relative to the reference.
    """

    file: str
    status: Status
    reason: str | None = None
    stars: int | None = None
    fwhm_px: float | None = None
    eccentricity: float | None = None
    background_adu: float | None = None
    sigma_adu: float | None = None
    transparency: float | None = None
    weight: float | None = None
    matched: int | None = None
    rms_px: float | None = None
    masked_fraction: float | None = None
    transform: tuple[tuple[float, float, float], tuple[float, float, float]] | None = None


class MatchedRecord(SubRecord, kw_only=True, frozen=True):
    """A sub whose masters were chosen for it. masters: their names by kind."""

    masters: dict[str, str]


class NoiseRecord(msgspec.Struct, kw_only=True, frozen=True):
    """The noise of the stack in e- per pixel of one sub's exposure; None what cannot be told.

    reached_e: of the half-stacks' difference by block size in px, each times its block size. total_e: with
    the fixed pattern, which the halves share. n_star: subs at which the pattern equals the noise.
    gain_percent: by how much less noise as many subs again, dithered alike, would leave. masters_e: what the
    masters put in. efficiency_error_percent: what the efficiency scatters by, for it is read from so many
    blocks.
    """

    sub_e: float
    effective_subs: float
    ideal_e: float
    reached_e: dict[int, float]
    efficiency_percent: float | None
    efficiency_block_px: int
    fixed_e: float | None
    total_e: float | None
    n_star: float | None
    gain_percent: float | None
    masters_e: float | None
    efficiency_error_percent: float | None = None


class Report(msgspec.Struct, kw_only=True, frozen=True):
    """The whole of a stack, as `--report` writes it."""

    reference: str | None
    stacked: int
    rejected: int
    unreadable: int
    frames: list[SubRecord]
    noise: NoiseRecord | None = None


def report(records: list[SubRecord], reference: Path | None, noise: NoiseRecord | None = None) -> Report:
    """Count the records."""
    count = {status: sum(record.status is status for record in records) for status in Status}
    return Report(
        reference=reference.name if reference else None,
        stacked=count[Status.STACKED],
        rejected=count[Status.REJECTED],
        unreadable=count[Status.UNREADABLE],
        frames=records,
        noise=noise,
    )
