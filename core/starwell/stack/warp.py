"""Where every pixel of a sub goes: one interpolation from calibrated sensor pixels to the stack's grid.

Each plane of the sensor is a regular grid, so it is warped straight onto the output: plane <- sub sensor <-
reference sensor <- output is one affine map. Quarter turns and flips are exact views; what is left of an
equatorial mount's rotation is small, and then a warp is a horizontal and a vertical one-dimensional pass.
Field rotation and changes of scale go through cv2.warpAffine.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from starwell.align.transform import Transform
from starwell.errors import PlanError
from starwell.frame import Float32, Mask, Planes
from starwell.stack.kernels import Indices, Kernel, Scratch, distinct
from starwell.stack.ringing import clamp_ringing, low_skies
from starwell.stack.route import Route, margin, narrow, route_of
from starwell.stack.strips import AS_IT_IS, Columns, Line, Scale, Taps, horizontal, strip_length, taps
from starwell.stack.vertical import Drift, vertical

Spans = NDArray[np.int64]


def kernel_for(planes: Planes, fwhm_px: float, wanted: Kernel = Kernel.LANCZOS) -> Kernel:
    """The kernel that does not ring: a colour plane samples every 2 px, too coarse for stars under 4 px."""
    coarse = any(plane.step > planes.output_step or plane.step > 1 for plane in planes.planes)
    return Kernel.LINEAR if coarse and fwhm_px < 4.0 else wanted


class Warp:
    """One sub's warp onto the stack, and of its own pixels only: their sky is looked at once.

    transform takes sub sensor px to reference sensor px; size and output_size are (height, width). Output
    pixel o sits at reference sensor coordinate step·o + (step - 1)/2. PlanError for a transform that
    collapses the field.
    """

    def __init__(
        self,
        transform: Transform,
        planes: Planes,
        size: tuple[int, int],
        output_size: tuple[int, int],
        kernel: Kernel,
    ) -> None:
        if not 1e-3 < transform.scale < 1e3:
            raise PlanError(
                f"A transform of scale {transform.scale:.3g} cannot be a registration; align again."
            )
        step = planes.output_step
        offset = (step - 1) / 2
        self.to_sub = transform.inverse() @ Transform(step, 0, offset, 0, step, offset)
        self.to_output = self.to_sub.inverse()
        self.planes = planes
        self.output_size = output_size
        self.kernel = kernel
        self._routes: dict[int, list[Route]] = {c: [] for c in range(planes.channels)}
        for plane in planes.planes:
            plane_size = tuple(
                -((start - n) // plane.step) for n, start in zip(size, (plane.y0, plane.x0), strict=True)
            )
            route = route_of(plane, (plane_size[0], plane_size[1]), self.to_sub, step)
            self._routes[plane.channel].append(route)
        self._spans = {c: self._span(routes) for c, routes in self._routes.items()}
        self._skies: dict[Route, Float32] = {}

    def _span(self, routes: list[Route]) -> tuple[Spans, Spans]:
        """Per output row the half-open range of x whose neighbours all lie on the sensor."""
        height, width = self.output_size
        y = np.arange(height, dtype=np.float64)
        low, high = np.zeros(height), np.full(height, width - 1.0)
        for route in routes:
            t = route.to_plane
            for slope, start, n in (
                (t.a, t.b * y + t.tx, route.size[1]),
                (t.c, t.d * y + t.ty, route.size[0]),
            ):
                narrow(low, high, slope, start, n, margin(route, width))
        first = np.ceil(low).astype(np.int64)
        return first, np.maximum(np.floor(high).astype(np.int64) + 1, first)

    def tallest(self, rows: int) -> int:
        """How many rows (at most `rows`) a band may have before a change of scale shifts the phase in it."""
        routes = [r for routes in self._routes.values() for r in routes if r.strips]
        return min((strip_length(r.to_plane.d * r.per_plane_px - 1, rows) for r in routes), default=rows)

    def grain(self, channel: int) -> int:
        """Output px per px of the channel's planes: 2 where colour planes are spread to full size."""
        return self._routes[channel][0].per_plane_px

    def valid(self, channel: int, y0: int, y1: int) -> tuple[Spans, Spans]:
        """First and end column of the pixels of rows y0 … y1 that this sub covers."""
        first, end = self._spans[channel]
        return first[y0:y1], end[y0:y1]

    def covered(self, channel: int, cell: int) -> Mask:
        """Whether the middle of each cell×cell px of the output is covered."""
        first, end = self._spans[channel]
        y, x = (np.minimum(cell * np.arange(-(-n // cell)) + cell // 2, n - 1) for n in self.output_size)
        covered: Mask = (x >= first[y][:, None]) & (x < end[y][:, None])
        return covered

    def band(
        self,
        pixels: Float32,
        channel: int,
        y0: int,
        y1: int,
        scratch: Scratch,
        scale: Scale = AS_IT_IS,
        wanted: Columns | None = None,
    ) -> Float32:
        """Output rows y0 … y1 of a channel, scaled, (y1 - y0, width), in scratch until the next call.

        pixels: H×W mosaic or 3×H×W, free of not-a-number. Pixels outside `valid`, and of columns that are
        not wanted, hold anything finite. Several planes of a channel (the two greens) are averaged.
        """
        routes = self._routes[channel]
        share = scale if len(routes) == 1 else Scale(scale.factor / len(routes), scale.offset / len(routes))
        total = self._plane(pixels, routes[0], (y0, y1), scratch, "plane", share, wanted)
        for route in routes[1:]:
            more = self._plane(pixels, route, (y0, y1), scratch, "next plane", share, wanted)
            np.add(total, more, out=total)
        return total

    def _plane(
        self,
        pixels: Float32,
        route: Route,
        rows: tuple[int, int],
        scratch: Scratch,
        name: str,
        scale: Scale,
        wanted: Columns | None,
    ) -> Float32:
        y0, y1 = rows
        view = route.view(self.planes.view(pixels, route.plane))
        width = self.output_size[1]
        if route.strips and route.whole_shift is None:
            tables = taps(self.kernel, route.per_plane_px), taps(self.kernel)
            out = _strips(view, route, rows, width, tables, scratch, name, scale, wanted)
        else:
            out = scratch.take(name, (y1 - y0, width))
            if route.whole_shift is not None:
                _moved(view, route.whole_shift, y0, out, scale)
            else:
                _affine(view, route, y0, out, self.kernel)
                _scale(out, scale, out)
        if self.kernel is not Kernel.LINEAR and route.whole_shift is None:
            first, end = self.valid(route.plane.channel, y0, y1)
            columns = int(first.min()), int(end.max())
            if route not in self._skies:
                self._skies[route] = low_skies(view)
            clamp_ringing(view, route, y0, out, columns, scale, wanted or columns, self._skies[route])
        return out

    def near(self, channel: int, xy: NDArray[np.int64]) -> Indices:
        """Flat output pixels that lean on these sensor pixels: the 2×2 plane px cell each one falls in."""
        found = [np.empty(0, np.int64)]
        height, width = self.output_size
        for route in self._routes[channel]:
            plane = route.plane
            mine = ((xy - (plane.x0, plane.y0)) % plane.step == 0).all(axis=1)
            spot = np.floor(self.to_output.apply(xy[mine])).astype(np.int64)
            reach = range(1 - route.per_plane_px, 1 + route.per_plane_px)
            for dx in reach:
                for dy in reach:
                    x, y = spot[:, 0] + dx, spot[:, 1] + dy
                    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
                    found.append((y * width + x)[inside])
        return distinct(*found)


def _scale(pixels: Float32, scale: Scale, out: Float32) -> None:
    """Scaled pixels, into out."""
    if scale == AS_IT_IS:
        out[...] = pixels
    else:
        cv2.addWeighted(pixels, scale.factor, pixels, 0, scale.offset, dst=out)


def _moved(view: Float32, shift: tuple[int, int], y0: int, out: Float32, scale: Scale) -> None:
    """out(x, y) = plane(x + dx, y + dy), scaled, where there is one."""
    dx, dy = shift
    top, left = max(-y0 - dy, 0), max(-dx, 0)
    source = view[y0 + dy + top : max(y0 + dy + len(out), 0), left + dx : max(out.shape[1] + dx, 0)]
    if source.size:
        _scale(source, scale, out[top : top + len(source), left : left + source.shape[1]])


def _strips(
    view: Float32,
    route: Route,
    rows: tuple[int, int],
    width: int,
    tables: tuple[Taps, Taps],
    scratch: Scratch,
    name: str,
    scale: Scale,
    wanted: Columns | None,
) -> Float32:
    """Two one-dimensional passes.

    With X = a·x + b·y + tx and Y = c·x + d·y + ty: mid(x, v) = plane(X at the y where Y = v, v), that is
    X = (a - bc/d)·x + (b/d)·v + tx - b·ty/d; then out(x, y) = mid(x, Y). Where the output is twice as fine
    as the plane, rows are spread with zeros in between and output rows of one parity form a pass.
    """
    t, ratio, (across, along) = route.to_plane, route.per_plane_px, tables
    y0, y1 = rows
    pad, n = 6, -((y0 - y1) // ratio)
    edges = [t.c * x + t.d * y + t.ty for x in (0, width - 1) for y in (y0, y1)]
    top = min(max(math.floor(min(edges)) - along.before - 1, 0), len(view))
    end = max(min(math.ceil(max(edges)) + along.after + 2, len(view)), top)
    # Both passes are over before anyone else needs these two: fewer buffers stay in the cache.
    mid = scratch.take("deviation", (end - top, width + 2 * pad))
    spread = scratch.take(name, ((n + 2 * pad) * ratio, width))
    spare = scratch.take("work", (n + 2 * pad, width))
    if end > top:
        source, held = _rows(view, top, end, ratio, scratch)
        start = ratio * (t.tx - t.b * t.ty / t.d) + held
        line = Line(ratio * (t.a - t.b * t.c / t.d), ratio * t.b / t.d, start)
        # weights sum to 1, so that the second pass carries the offset on
        horizontal(source, top, line, across, mid, pad, scale.offset / scale.factor, wanted)
        for parity in range(ratio):
            step = Line(t.d * ratio, t.c, t.d * (y0 + parity) + t.ty)
            drift = scratch.keep(f"drift {route.plane.y0}{route.plane.x0}{parity}", Drift.unknown)
            out = spread[parity::ratio]
            to_end = mid[:, pad : pad + width]
            vertical(to_end, top, step, along, out, pad, scale.factor, spare, drift, wanted)
    return spread[pad * ratio : pad * ratio + y1 - y0]


def _rows(view: Float32, top: int, end: int, ratio: int, scratch: Scratch) -> tuple[Float32, int]:
    """Rows as OpenCV can read them, and at which column their first pixel is.

    Contiguous; those of a coarse plane with zeros between the pixels, and their end pixels held beyond the
    ends, where a border rule would not know of the zeros.
    """
    rows = view[top:end]
    if ratio == 1 and rows.strides[1] == rows.itemsize and rows.strides[0] > 0:
        return rows, 0
    width = view.shape[1]
    held = 0 if ratio == 1 else _HELD
    copy = scratch.take(f"rows x{ratio}", (end - top, ratio * (width + 2 * held)))
    copy[:, ratio * held : ratio * (held + width) : ratio] = rows
    if held:
        copy[:, : ratio * held : ratio] = rows[:, :1]
        copy[:, ratio * (held + width) :: ratio] = rows[:, -1:]
    return copy, ratio * held


_HELD = 4

_CV_FLAGS = {
    Kernel.LANCZOS: cv2.INTER_LANCZOS4,
    Kernel.CUBIC: cv2.INTER_CUBIC,
    Kernel.LINEAR: cv2.INTER_LINEAR,
}


def _affine(view: Float32, route: Route, y0: int, out: Float32, kernel: Kernel) -> None:
    """Any affine map, tile by tile so that only the part of the plane a tile needs is touched."""
    tile, reach = 512, 5
    t = route.to_plane
    for x0 in range(0, out.shape[1], tile):
        part = out[:, x0 : x0 + tile]
        x = np.array([x0, x0 + part.shape[1] - 1] * 2)
        y = np.array([y0] * 2 + [y0 + len(part) - 1] * 2)
        corners = t.apply(np.stack([x, y], axis=1))
        low = np.clip(np.floor(corners.min(axis=0)).astype(int) - reach, 0, None)
        high = np.ceil(corners.max(axis=0)).astype(int) + reach + 1
        source = view[low[1] : max(high[1], 0), low[0] : max(high[0], 0)]
        if not source.size:
            continue
        matrix = t.matrix
        matrix[:, 2] += matrix[:, :2] @ (x0, y0) - low
        part[:] = cv2.warpAffine(
            np.ascontiguousarray(source),
            matrix,
            (part.shape[1], len(part)),
            flags=_CV_FLAGS[kernel] | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
