"""Soak: ZWO's stand-in, in its own process, with random faults; and what that process costs per frame.

    python bench/soak_camera.py [--exposures 300] [--seed 1] [--frames 30]

Every exposure that was not aborted must end in a frame whose watermark equals its header, whatever fails on
the way; a crash or a hang may cost one Transient, after which the exposure is asked for again. Needs a C
compiler.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "fakeasi"))

from stand_in import ASI1600, TINY, StandIn, build, watermark

from starwell.camera.isolated import Deadlines
from starwell.camera.protocol import Camera
from starwell.camera.zwo import ZwoDriver
from starwell.camera.zwo_camera import connect
from starwell.camera.zwo_exposing import Patience
from starwell.errors import Aborted, Transient
from starwell.frame import Exposure, Frame

PATIENCE = Patience(grace_s=0.3, replug_s=10.0, look_s=0.05)
DEADLINES = Deadlines(quick_s=2.0, abort_s=0.4, grace_s=3.0)
FAULTS = ("fail_exposures", "hang_exposures", "start_errors", "data_errors", "status_errors", "set_errors",
          "corrupt_next", "early_next")  # fmt: skip
RARE = ("unplug", "segv_next", "hang_stop")


def resident_mib(pid: int | str = "self") -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def brew(stand_in: StandIn, draw: random.Random, seconds: float) -> str:
    """Maybe something goes wrong with the next exposure."""
    kind = draw.random()
    if kind < 0.45:
        return ""
    if kind < 0.9:
        fault = draw.choice(FAULTS)
        stand_in.set(**{fault: draw.randint(1, 2)})
        return fault
    fault = draw.choice(RARE)
    if fault == "unplug":
        now = time.monotonic()
        stand_in.set(removed_code=draw.choice((2, 4, 5)), removed_mode=draw.choice((0, 1, 2)))
        stand_in.set(replug_id_base=draw.randint(0, 6), unplug_at=now + draw.random() * seconds)
        stand_in.set(replug_at=now + seconds + 0.2)
    elif fault == "segv_next":
        stand_in.set(segv_next=1)
    return fault


def asked(camera: Camera, exposure: Exposure, stand_in: StandIn, *, abort: bool, hang: bool) -> Frame | None:
    """The frame, however often it has to be asked for; None when it was aborted."""
    cancel = threading.Event()
    if abort:
        stand_in.set(hang_stop_ms=300_000 if hang else 0)
        threading.Timer(0.01, cancel.set).start()
    for _ in range(5):
        try:
            return camera.expose(exposure, cancel)
        except Aborted:
            return None
        except Transient as fault:
            TRANSIENTS[str(fault).split(";")[0][:60]] += 1
        finally:
            stand_in.set(hang_stop_ms=0)
    return None


TRANSIENTS: Counter[str] = Counter()


def soak(driver: ZwoDriver, stand_in: StandIn, exposures: int, seed: int) -> bool:
    draw = random.Random(seed)
    stand_in.reset(model0=TINY)
    faults: Counter[str] = Counter()
    lost = wrong = aborted = retried = 0
    memory: list[float] = []
    camera = driver.connect()
    camera.open()
    begun = time.monotonic()
    for n in range(exposures):
        seconds = draw.choice((0.02, 0.03, 0.05))
        exposure = Exposure(seconds=seconds, gain=draw.randrange(0, 300), offset=draw.randrange(5, 100))
        fault = brew(stand_in, draw, seconds)
        faults[fault or "none"] += 1
        abort = fault == "hang_stop" or draw.random() < 0.05
        frame = asked(camera, exposure, stand_in, abort=abort, hang=fault == "hang_stop")
        if frame is None:
            aborted += abort
            lost += not abort
        else:
            mark, said = watermark(frame), frame.facts.exposure
            retried += frame.facts.attempts > 1
            wrong += (mark.gain, mark.offset, mark.seconds) != (said.gain, said.offset, said.seconds)
            wrong += (mark.gain, mark.offset, mark.seconds) != (
                exposure.gain,
                exposure.offset,
                exposure.seconds,
            )
        if n % 25 == 24:
            memory.append(resident_mib())
    camera.close()
    print(f"soak: {exposures} exposures in {time.monotonic() - begun:.0f} s, faults: {dict(faults)}")
    print(f"  frames tried again inside {retried}, aborted {aborted}, lost {lost}, watermark wrong {wrong}")
    print(f"  Transients raised: {dict(TRANSIENTS)}")
    print(f"  memory {memory[0]:.1f} -> {memory[-1]:.1f} MiB")
    return lost == wrong == 0 and memory[-1] - memory[0] < 5


def overhead(driver: ZwoDriver, stand_in: StandIn, locks: Path, frames: int) -> None:
    """A 33 MB frame asked of a camera in another process and of its twin in this one, in turn, and read."""
    stand_in.reset(cameras=2, model0=ASI1600, model1=ASI1600, noise=0, sky_e_s=0, readout_ms=0)
    exposure = Exposure(seconds=0.01, gain=0, offset=20)
    apart = driver.connect("ASI1600MM Pro#1")
    here = connect("ASI1600MM Pro#2", str(stand_in.library), str(locks), PATIENCE)
    times: dict[str, list[float]] = {"apart": [], "here": []}
    for camera in (apart, here):
        camera.open()
    for n in range(frames + 4):
        for name, camera in (("apart", apart), ("here", here)):
            begun = time.perf_counter()
            frame = camera.expose(exposure, threading.Event())
            assert frame.pixels[::8, ::8].max() > 0  # reads every page
            taken = time.perf_counter() - begun
            if n >= 4:
                times[name].append(1e3 * taken)
            del frame
    for camera in (apart, here):
        camera.close()
    for name, quantile in (("fastest quarter", 0.25), ("median", 0.5)):
        a, h = (sorted(times[where])[int(quantile * frames)] for where in ("apart", "here"))
        print(f"33 MB frame, {name}: {a:.1f} ms from the child, {h:.1f} ms in this process: {a - h:+.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--exposures", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--frames", type=int, default=30, help="of 33 MB, for the overhead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FAKEASI_STATE"] = str(Path(folder) / "state")
        stand_in, locks = StandIn(build()), Path(folder) / "locks"
        driver = ZwoDriver(stand_in.library, locks, PATIENCE, DEADLINES)
        whole = soak(driver, stand_in, options.exposures, options.seed)
        overhead(driver, stand_in, locks, options.frames)
    sys.exit(not whole)


if __name__ == "__main__":
    main()
