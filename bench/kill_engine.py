"""A whole engine killed with -9 over and over in one night, and taken up again: is the stack the same?

python bench/kill_engine.py [--kills 20] [--subs 40] [--folder F]
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from starwell.files import fits

CAMERA = "simulated:speed=40,size=400x300,seed=5"


def engine(night: Path, home: Path, subs: int) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "starwell_tui", "run", "--camera", CAMERA, "--exposure", "10"]
    words += ["--target", "M51", "--frames", str(subs), "--folder", str(night)]
    words += ["--resume"] if (night / "journal.jsonl").exists() else []
    env = {**os.environ, "STARWELL_HOME": str(home)}
    return subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def whole(night: Path, home: Path, subs: int) -> None:
    running = engine(night, home, subs)
    _, said = running.communicate(timeout=600)
    if running.returncode:
        sys.exit(f"the engine ended with {running.returncode}: {said.decode()[-400:]}")


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--kills", type=int, default=20)
    words.add_argument("--subs", type=int, default=40)
    words.add_argument("--folder", type=Path)
    told = words.parse_args()
    folder = told.folder or Path(tempfile.mkdtemp(prefix="starwell-kill-"))
    for name in ("undisturbed", "killed"):
        (folder / f"home-{name}").mkdir(parents=True)
    whole(folder / "undisturbed", folder / "home-undisturbed", told.subs)
    chance = random.Random(1)
    struck = 0
    while struck < told.kills:
        running = engine(folder / "killed", folder / "home-killed", told.subs)
        time.sleep(chance.uniform(0.6, 2.6))
        if running.poll() is not None:
            break
        running.send_signal(signal.SIGKILL)
        running.communicate()
        struck += 1
    whole(folder / "killed", folder / "home-killed", told.subs)
    found = {}
    for name in ("undisturbed", "killed"):
        (stack,) = (p for p in (folder / name / "stacks").glob("*.fits") if "maps" not in p.name)
        frame = fits.read(stack)
        lights = sorted((folder / name / "lights").glob("*.fits"))
        found[name] = frame.pixels, frame.facts.header["STACKCNT"], len(lights)
        print(f"{name}: {len(lights)} lights, {found[name][1]} stacked")
    one, other = found["undisturbed"][0], found["killed"][0]
    apart = np.abs(one - other).max() / one.max()
    print(f"{struck} kills; largest difference {apart:.2e} of the brightest pixel")
    if told.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
