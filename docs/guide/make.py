"""Run a page of the guide from top to bottom, and make its pictures and figures anew.

    python docs/guide/make.py photons.md [--folder WORK] [--check]

```sh blocks are commands, ```python blocks run one after the other in one interpreter, a ```text block holds
what the block before it printed. --check: run everything, change nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BLOCK = re.compile(r"^```(sh|python|text)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
PICTURE = re.compile(r"\]\(pictures/([\w.]+\.png)\)")


class Page:
    """One page; `run` in a folder leaves its pictures there and returns its text with fresh figures."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.pictures = PICTURE.findall(text)
        self._names: dict[str, Any] = {}
        self._printed = ""

    def run(self) -> str:
        """Everything, in order; raises what a block raises, CalledProcessError for a command."""
        return BLOCK.sub(self._block, self.text)

    def _block(self, block: re.Match[str]) -> str:
        language, content = block[1], block[2]
        if language == "text":
            return f"```text\n{self._printed}```\n"
        self._printed = _commands(content) if language == "sh" else self._python(content)
        return block[0]

    def _python(self, lines: str) -> str:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(lines, "the guide", "exec"), self._names)  # noqa: S102 - the page is ours
        return printed.getvalue()


def _commands(lines: str) -> str:
    """What the commands print, but for the names of files they wrote."""
    printed = []
    for line in lines.splitlines():
        program, *words = shlex.split(line)
        if program != "starwell":
            raise ValueError(f"The guide may run starwell only, not {program}.")
        done = subprocess.run(  # noqa: S603 - the page is ours
            [sys.executable, "-m", "starwell_tui", *words], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"`{line}` failed: {done.stderr}")
        printed += [said for said in done.stdout.splitlines() if not said.startswith("Wrote ")]
    return "".join(f"{line}\n" for line in printed)


def main() -> None:
    """Make the page that is named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("page")
    parser.add_argument("--folder", type=Path, help="where frames go; kept (default: thrown away)")
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args()
    source = (HERE / asked.page).resolve()
    page = Page(source.read_text("utf-8"))
    with contextlib.ExitStack() as stack:
        folder = asked.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(exist_ok=True)
        os.environ["STARWELL_HOME"] = str((folder / "home").resolve())
        stack.enter_context(contextlib.chdir(folder))
        text = page.run()
        missing = [name for name in page.pictures if not Path(name).stat().st_size]
        if missing:
            raise RuntimeError(f"{', '.join(missing)} are empty.")
        if not asked.check:
            (source.parent / "pictures").mkdir(exist_ok=True)
            for name in page.pictures:
                shutil.copyfile(name, source.parent / "pictures" / name)
            source.write_text(text, "utf-8")
    sys.stdout.write(f"{asked.page}: all blocks ran, {len(page.pictures)} pictures\n")


if __name__ == "__main__":
    main()
