"""The running stack: subs come in, and go out again, in any number; memory does not grow with them.

Warp, judge and accumulate are one pass over bands, spread over threads; every band is written by one thread,
so sums do not depend on how many there are. What is only known when the last band is done (trails) is taken
out afterwards, which whole numbers make exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from starwell.calibration.calibrate import Calibrated
from starwell.errors import PlanError
from starwell.frame import Float32, Planes
from starwell.heap import keep_heap_small
from starwell.sensor.model import SensorModel
from starwell.stack.contribution import WEIGHT_ONE, Band, Contribution, band_rows
from starwell.stack.fixed import Fixed, fix, seldom_masked
from starwell.stack.judge import SAMPLE_ROWS, Compared, Judge, beside, sampled_from
from starwell.stack.kernels import Indices, Kernel, Scratch, among, distinct
from starwell.stack.ledger import Entry, State, pack, unpack
from starwell.stack.reach import within
from starwell.stack.rejection import NoiseMap, Rule, noise_map
from starwell.stack.scene import CELL, Scene, survey
from starwell.stack.sums import Accumulators, Change, Left, mask_pixels
from starwell.stack.trails import Trail
from starwell.threads import Threads

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Added:
    """What became of a sub: its completed entry, the part of its pixels masked, the trails found."""

    entry: Entry
    masked_fraction: float
    trails: tuple[Trail, ...]


class RunningStack:
    """Live-stacks calibrated subs of one sensor, scale and exposure settings.

    size: (height, width) of the reference's sensor frame; the stack is planes.output_size(size). model: the
    sensor's noise. fwhm_px: of the reference's stars, for star boxes and trail widths, output px. reject
    False: plain weighted mean. One owner thread calls; `threads` do the work, it among them.
    """

    def __init__(
        self,
        size: tuple[int, int],
        planes: Planes,
        model: SensorModel,
        *,
        kernel: Kernel = Kernel.LANCZOS,
        fwhm_px: float = 3.0,
        reject: bool = True,
        threads: int = 2,
    ) -> None:
        keep_heap_small()
        self.planes = planes
        self.model = model
        self.kernel = kernel
        self.fwhm_px = fwhm_px
        self.reject = reject
        self.size = planes.output_size(size)
        self.sums = Accumulators(planes.channels, self.size)
        self.stars = np.zeros((planes.channels, *(n // 2 for n in self.size)), np.uint16)
        """Room for those of the scenes."""
        self.scenes: list[Scene] = []
        self.fixed: Fixed | None = None
        self.stacked = 0
        self._next_survey = 1
        self._rows = band_rows(self.size[1])
        self._threads = Threads(threads)
        self.scratch = Scratch()

    def each(self, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Run work in the stack's threads; results in the order of the items."""
        return self._threads.each(work, items)

    @property
    def channels(self) -> range:
        """Channel numbers."""
        return range(self.planes.channels)

    def contribution(self, calibrated: Calibrated, entry: Entry) -> Contribution:
        """This sub's way into the stack."""
        return Contribution(calibrated, entry, self.planes, self.size, self.kernel, self._rows)

    def add(self, calibrated: Calibrated, entry: Entry) -> Added:
        """Judge a sub against the mean and stack it; the entry comes back with its masks and scatter."""
        sub = self.contribution(calibrated, entry)
        done = self._judged(sub) if self.reject and self.scenes else self._unjudged(sub)
        if self.reject and self.fixed is None and self.stacked >= self._next_survey:
            self.survey()
        return done

    def _passes(self, trail: Trail) -> bool:
        """Whether it may be something that crosses the field: what masks most subs there stays in it."""
        flat = trail.pixels(self.size)
        if self.fixed is not None:
            return self.fixed.passes(flat)
        return seldom_masked(self.sums.masked[0], self.sums.count[0], flat)

    def _unjudged(self, sub: Contribution) -> Added:
        """Without rejection, or as the very first."""
        channels = self.planes.channels
        entry = replace(sub.entry, masks=(pack(np.empty(0, np.int64)),) * channels, scatter=(1.0,) * channels)
        return Added(self.restore(sub.calibrated, entry), 0.0, ())

    def _judged(self, sub: Contribution) -> Added:
        if self.fixed is not None and not self.sums.lent:
            raise PlanError("An exact stack is finished when it is first looked at: clear it before more.")
        judge = Judge(self.rules(sub, self.scenes), self.size, self.fwhm_px)
        sub.foresee(sampled_from(self.size[0]), SAMPLE_ROWS)
        judge.measure_scatter(partial(self._compared, sub), self.each)
        self.leave(sub, self._settled(sub, partial(self._judge_band, sub, judge)))
        counts = None if self.fixed else self.sums.count
        trails = tuple(trail for trail in judge.trails(counts, self.each) if self._passes(trail))
        masks = [judge.masks(channel) for channel in self.channels]
        for channel in self.channels if trails else ():
            under = distinct(*(trail.pixels(self.size) for trail in trails))
            crossed = self.crossed(sub, channel, under)
            crossed = crossed[~among(crossed, masks[channel])]
            self._withdraw(sub, channel, crossed)
            masks[channel] = distinct(masks[channel], crossed)
        entry = replace(sub.entry, masks=tuple(map(pack, masks)), scatter=judge.scatter, state=State.STACKED)
        self.counted(sub, masks, [rule.noise for rule in judge.rules], 1)
        return Added(entry, sum(m.size for m in masks) / self.sums.masked.size, trails)

    def remove(self, calibrated: Calibrated, entry: Entry) -> Entry:
        """Take a stacked sub out again, exactly; calibrated must be what was added.

        Only counts of MASKED that have reached 255, which is to be read as 255 or more, stay as they are.
        """
        return self._replay(calibrated, replace(entry, state=State.REJECTED), -1)

    def restore(self, calibrated: Calibrated, entry: Entry) -> Entry:
        """Stack a sub with the masks its entry holds, without judging it again."""
        return self._replay(calibrated, replace(entry, state=State.STACKED), 1)

    def _replay(self, calibrated: Calibrated, entry: Entry, sign: int) -> Entry:
        """PlanError for an entry without masks: it was never stacked."""
        if len(entry.masks) != len(self.channels):
            raise PlanError(f"Sub {entry.number} was never stacked: its ledger entry holds no masks.")
        sub = self.contribution(calibrated, entry)
        masks = [unpack(mask) for mask in entry.masks]

        def replay(channel: int, y0: int, y1: int) -> Left:
            band = sub.band(channel, y0, y1, self.scratch)
            masked = within(masks[channel], y0 * self.size[1], y1 * self.size[1])
            return self.sums.settle(sub, channel, band, masked, sign)

        self.leave(sub, self._settled(sub, replay), sign)
        self.counted(sub, masks, [self.noise(sub, c) for c in self.channels], sign)
        return entry

    def _settled(self, sub: Contribution, settle: Callable[[int, int, int], Left]) -> list[Left]:
        """Settle all bands of a sub; what is yet to be changed of each."""
        tasks = [(channel, *band) for channel in self.channels for band in sub.bands()]
        return self.each(lambda task: settle(*task), tasks)

    def leave(self, sub: Contribution, lefts: Sequence[Left], sign: int = 1) -> None:
        """Change the single pixels that the bands of a sub, channel by channel, have left."""
        bands = len(lefts) // len(self.channels)
        for channel in self.channels:
            here = lefts[channel * bands : (channel + 1) * bands]
            change = Change.of(here, sub.weight[channel], sub.faint[channel], sign)
            self.sums.change(sub, channel, change)

    def rules(self, sub: Contribution, scenes: Sequence[Scene]) -> list[Rule]:
        """How each channel of this sub is judged before these scenes."""
        return [Rule(self.noise(sub, c), scenes[c], grain=sub.warp.grain(c)) for c in self.channels]

    def noise(self, sub: Contribution, channel: int) -> NoiseMap:
        """The model variance of this sub's pixels."""
        of = sub.calibrated
        return noise_map(self.model, sub.warp, of.flat, of.dark_adu, sub.entry.normalisation, channel)

    def _compared(self, sub: Contribution, channel: int, y0: int, y1: int) -> Compared:
        return self._beside_mean(sub.band(channel, y0, y1, self.scratch), channel)

    def _beside_mean(self, band: Band, channel: int) -> Compared:
        """A band of a sub beside the running mean, or beside the fixed one of a second pass."""
        y0, y1 = band.y0, band.y0 + len(band.q)
        if self.fixed:
            mean = self.fixed.mean[channel][y0:y1]
            return beside(band, mean, None, self.scratch.take("deviation", mean.shape))
        mean = self.sums.mean_band(channel, y0, y1, self.scratch)
        return beside(band, mean, self.sums.count[channel, y0:y1], mean)

    def _judge_band(self, sub: Contribution, judge: Judge, channel: int, y0: int, y1: int) -> Left:
        band = sub.band(channel, y0, y1, self.scratch)
        masked = judge.band(self._beside_mean(band, channel), channel, y0, self.scratch)
        return self.sums.settle(sub, channel, band, masked, 1)

    def crossed(self, sub: Contribution, channel: int, flat: Indices) -> Indices:
        """Those of these sorted flat output pixels at which the sub counts in full."""
        y, x = np.divmod(flat, self.size[1])
        first, end = sub.warp.valid(channel, 0, self.size[0])
        flat = flat[(x >= first[y]) & (x < end[y])]
        return flat[~among(flat, sub.defects[channel])]

    def _withdraw(self, sub: Contribution, channel: int, flat: Indices) -> None:
        """Take back what these pixels have added: parts of the same bands again, hence the same numbers."""
        width = self.size[1]

        def withdraw(rows: tuple[int, int]) -> None:
            here = within(flat, rows[0] * width, rows[1] * width)
            if here.size:
                x = here % width
                wanted = int(x.min()), int(x.max()) + 1
                q = sub.band(channel, *rows, self.scratch, wanted).q.reshape(-1)[here]
                change = Change.withdrawn(here + rows[0] * width, q, sub.weight[channel])
                self.sums.change(sub, channel, change)

        self.each(withdraw, sub.bands())

    def counted(self, sub: Contribution, masks: list[Indices], noises: list[NoiseMap], sign: int) -> None:
        """What is kept once per sub: rejections and the model variance."""
        self.stacked += sign
        for channel, (masked, noise) in enumerate(zip(masks, noises, strict=True)):
            mask_pixels(self.sums.masked[channel], masked, sign)
            weight = sub.weight[channel] / WEIGHT_ONE
            self.sums.count_noise(channel, noise, weight, sub.warp.covered(channel, CELL), sign)

    def survey(self) -> None:
        """Look at the mean anew: where stars are, how faint the sky is; again when the stack has doubled."""
        self.scenes = []  # whose stars are about to be overwritten
        for channel in self.channels:

            def rows(y0: int, y1: int, channel: int = channel) -> Float32:
                return self.sums.mean_rows(channel, 2, y0, y1, self.scratch)

            self.scenes.append(survey(rows, self.stars[channel], self.fwhm_px, self.each))
        self._next_survey = 2 * max(self.stacked, 1)

    def begin(self, scenes: list[Scene]) -> None:
        """The first subs have been put into the sums; scenes are what they show."""
        self.scenes = scenes
        self._next_survey = 2 * max(self.stacked, 1)

    def fix_reference(self, *, apart: bool = False) -> Fixed:
        """Begin a second pass: from now on subs are judged by the mean as it is, and summed anew.

        apart: in memory of its own. Else in that of the weights, until those are asked for.
        """
        self.survey()
        fixed = fix(self.sums, self.scenes, self._rows, self.each, self.scratch, apart=apart)
        self.judge_by(fixed)
        return fixed

    def judge_by(self, fixed: Fixed) -> None:
        """Begin a second pass, empty, about what another stack's first pass found.

        It is over when weights or counts are asked for.
        """
        self.sums.lend_weights()
        self._begin_anew()
        self.fixed, self.scenes = fixed, fixed.scenes

    def clear(self) -> None:
        """Forget every sub, for a new start with a better reference."""
        self.sums.take_back()
        self._begin_anew()

    def _begin_anew(self) -> None:
        self.sums.clear(self.each)
        self.scenes, self.fixed = [], None
        self.stacked, self._next_survey = 0, 1

    def mean(self, channel: int | None = None, *, step: int = 1) -> Float32:
        """The weighted mean in ADU, H×W or channels×H×W, averaged over step×step px; 0 where none is."""
        if channel is not None:
            return self.sums.mean(channel, step, self.scratch)
        out = np.empty((self.planes.channels, *(n // step for n in self.size)), np.float32)
        for c in self.channels:
            self.sums.mean(c, step, self.scratch, out[c])
        return out

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything a checkpoint needs, as named arrays that share memory with the stack."""
        scenes: dict[str, NDArray[Any]] = {f"star_{c}": s.star for c, s in enumerate(self.scenes)}
        scenes |= {f"low_{c}": s.low for c, s in enumerate(self.scenes)}
        counters = np.array([self.stacked, self._next_survey, len(self.scenes)], np.int64)
        return {**self.sums.arrays(), **scenes, "counters": counters}

    def resume(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over a checkpoint; FileDamaged where it does not fit this stack."""
        self.sums.restore(arrays)
        self.stacked, self._next_survey, scenes = (int(n) for n in arrays["counters"])
        self.scenes = [Scene(arrays[f"star_{c}"].copy(), arrays[f"low_{c}"].copy()) for c in range(scenes)]
