"""`starwell`: alone and as `demo` it opens a screen where there is a terminal; the rest is headless."""

from __future__ import annotations

import gc
import sys

HEADLESS = {"--headless", "--low-light", "-h", "--help", "-V", "--version"}


def main() -> int:
    """Entry point of the `starwell` command."""
    words = sys.argv[1:]
    on_terminal = sys.stdin.isatty() and sys.stderr.isatty()
    if words[:1] == ["demo"] and on_terminal and not HEADLESS & set(words):
        # Imported here so that headless commands never load textual.
        from starwell_tui.demo import main as screen

        return screen(words[1:])
    if on_terminal and not HEADLESS & set(words) and all(word.startswith("-") for word in words[:1]):
        from starwell_tui.attach import main as attach

        return attach(words)
    from starwell.cli.main import main as headless

    code = headless(words)
    gc.freeze()  # or the interpreter's end searches all that is left for reference cycles: 15 ms
    return code


if __name__ == "__main__":
    sys.exit(main())
