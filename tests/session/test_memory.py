"""The memory budget holds for whole programs: a live night of 2 MP subs in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from starwell.calibration.stored import write
from starwell.files import fits
from starwell.files.keywords import keywords_of
from starwell.frame import Bayer
from starwell.session.budget import Need, budget
from starwell.session.trial_frames import TrialFrames

SIZE = (1096, 1936)
SUBS = 10
_NIGHT = """
import sys
from pathlib import Path
from starwell.cli.main import main
code = main(sys.argv[1:])
status = Path("/proc/self/status").read_text()
print("peak", next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
sys.exit(code)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this kernel does not tell peak memory")
@pytest.mark.parametrize("bayer", [None, Bayer.RGGB], ids=["mono", "colour"])
def test_a_night_takes_what_its_budget_says(bayer: Bayer | None, tmp_path: Path) -> None:
    frames = TrialFrames(SIZE, bayer)
    masters = frames.masters()
    for master in (masters.dark, masters.flat):
        assert master is not None
        write(master, tmp_path / f"{master.kind.value}.fits")
    (tmp_path / "lights").mkdir()
    for number in range(1, SUBS + 1):
        frame = frames.light(number)
        fits.write(tmp_path / f"lights/l_{number:02d}.fits", frame.pixels, keywords_of(frame.facts))
    words = ["run", "--camera", f"folder:{tmp_path / 'lights'}", "--folder", str(tmp_path / "night")]
    words += ["--dark", str(tmp_path / "Dark.fits"), "--flat", str(tmp_path / "Flat.fits")]
    done = subprocess.run(
        [sys.executable, "-c", _NIGHT, *words],
        env={**os.environ, "STARWELL_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"stacked {SUBS}:" in done.stdout + done.stderr
    peak = 1024 * int(done.stdout.split()[-1])
    assert peak == pytest.approx(budget(Need(SIZE, mosaic=bayer is not None)).peak_bytes, rel=0.15)
