"""`starwell`: the demo opens its screen where there is a terminal; every other command is headless."""

from __future__ import annotations

import sys


def main() -> int:
    """Entry point of the `starwell` command."""
    words = sys.argv[1:]
    on_terminal = sys.stdin.isatty() and sys.stderr.isatty()
    if words[:1] == ["demo"] and on_terminal and not {"--headless", "-h", "--help"} & set(words):
        # Imported here so that headless commands never load textual.
        from starwell_tui.demo import main as screen

        return screen(words[1:])
    from starwell.cli.main import main as headless

    return headless(words)


if __name__ == "__main__":
    sys.exit(main())
