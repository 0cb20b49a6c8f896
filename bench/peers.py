"""What astroalign and ccdproc need for parts of the same work; prints JSON.

python bench/peers.py align|combine [--folder F]
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import frames
from calibrated import calibrated_subs, corner_error_px
from starwell.align.transform import Transform

SUBS = 6


def align(folder: Path) -> dict[str, Any]:
    """astroalign as live stackers call it, stars found in both: CPU s per sub, corner errors px."""
    import astroalign

    cpu, errors, reference = [], [], None
    for number, sub in calibrated_subs(folder, "mono", SUBS + 1):
        if reference is None:
            reference = sub.pixels.copy()
            continue
        started = time.process_time()
        found, _ = astroalign.find_transform(sub.pixels, reference)
        astroalign.apply_transform(found, sub.pixels, reference)
        cpu.append(time.process_time() - started)
        (a, b, tx), (c, d, ty), _ = found.params
        errors.append(corner_error_px("mono", number, Transform(a, b, tx, c, d, ty)))
    return {"cpu_s": median(cpu), "error_px": median(errors), "version": astroalign.__version__}


def combine(folder: Path) -> dict[str, Any]:
    """ccdproc.Combiner: one round of clipping at 3 sigma, then the mean: CPU s per sub, and to read one."""
    import ccdproc
    from astropy.io import fits
    from astropy.nddata import CCDData

    def opened(path: Path) -> CCDData:
        return CCDData(fits.getdata(path).astype("f4"), unit="adu")

    subs = [opened(path) for path in frames.lights(folder, "strip")]
    whole = frames.lights(folder, "still")

    def read() -> None:
        for path in whole:
            opened(path)

    def clipped_mean() -> None:
        combiner = ccdproc.Combiner(subs)
        combiner.sigma_clipping(low_thresh=3, high_thresh=3)
        combiner.average_combine()

    reading, combining = _cpu_s(read) / len(whole), _cpu_s(clipped_mean) / len(subs)
    return {"cpu_s": combining, "read_s": reading, "version": ccdproc.__version__}


def _cpu_s(work: Callable[[], None]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    AS_WRITTEN = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=AS_WRITTEN)
    parser.add_argument("what", choices=("align", "combine"))
    parser.add_argument("--folder", type=Path, default=frames.WORK)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    print(json.dumps({"align": align, "combine": combine}[asked.what](asked.folder)))
