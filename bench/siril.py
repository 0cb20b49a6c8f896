"""Siril on the same files, with the commands of its own preprocessing scripts.

python bench/siril.py [mono|osc] [--folder F]
"""

from __future__ import annotations

import argparse
import re
import shutil
from pathlib import Path

import frames
from cost import Cost, Failed, run

PROGRAM = "siril-cli"
_SCRIPT = """\
requires 0.99.4
cd {lights}
convert light -out={scratch}
cd {scratch}
preprocess light -dark={dark} -flat={flat}{colour}
register pp_light
stack r_pp_light rej 3 3 -norm=addscale -output_norm -out={scratch}/stacked
close
"""


def installed() -> bool:
    """Whether there is a Siril to compare with."""
    return shutil.which(PROGRAM) is not None


def version() -> str:
    """What it calls itself."""
    return run([PROGRAM, "--version"]).said.strip() if installed() else "no Siril"


def stack(folder: Path, night: str) -> Cost:
    """Calibrate, register and stack a night in a scratch folder, which is left empty.

    Raises Failed unless all subs are in the stack.
    """
    if not installed():
        raise Failed(f"{PROGRAM} is not installed")
    scratch = (folder / "siril").resolve()
    shutil.rmtree(scratch, ignore_errors=True)
    (scratch / "home").mkdir(parents=True)
    script = scratch / "stack.ssf"
    # Siril looks for masters under the extension it writes itself
    masters = {"dark": frames.dark(folder, night), "flat": frames.flat(folder, night)}
    for name, master in masters.items():
        (scratch / f"{name}.fit").symlink_to(master.resolve())
    script.write_text(
        _SCRIPT.format(
            lights=frames.sub_path(folder, night, 0).parent.resolve(),
            scratch=scratch,
            dark="dark",
            flat="flat",
            colour=" -cfa -equalize_cfa -debayer" if frames.NIGHTS[night].plan.bayer else "",
        )
    )
    try:
        cost = run([PROGRAM, "-s", str(script)], env={"HOME": str(scratch / "home"), "LC_ALL": "C"})
        _check(cost.said, scratch / "stacked.fit", frames.NIGHTS[night].subs)
    finally:
        shutil.rmtree(scratch)
    return cost


def _check(said: str, result: Path, subs: int) -> None:
    counted = re.search(r"Integration of (\d+) images", said)
    if not result.exists() or counted is None or int(counted[1]) != subs:
        raise Failed(f"Siril did not stack {subs} subs:\n{said[-2000:]}")


if __name__ == "__main__":
    AS_WRITTEN = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=AS_WRITTEN)
    parser.add_argument("night", nargs="?", default="mono", choices=("mono", "osc", "small"))
    parser.add_argument("--folder", type=Path, default=frames.WORK)
    asked = parser.parse_args()
    frames.make(asked.folder, [asked.night])
    cost = stack(asked.folder, asked.night)
    print("\n".join(line for line in cost.said.splitlines() if line.startswith("log:")))
    print(f"wall {cost.wall_s:.1f} s, CPU {cost.cpu_s:.1f} s, peak {cost.peak_mb:.0f} MB")
