"""Text snapshots: STARWELL_SNAPSHOTS=update writes them anew, to be read in the diff."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

SNAPSHOTS = Path(__file__).parents[2] / "snapshots"


@pytest.fixture
def agrees_with_snapshot(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Assert that a text equals snapshots/<module>/<test>.txt."""
    name = request.node.name.removeprefix("test_").replace("[", "_").replace("]", "").replace("-", "_")
    path = SNAPSHOTS / Path(str(request.node.path)).stem / f"{name}.txt"

    def check(text: str) -> None:
        if os.environ.get("STARWELL_SNAPSHOTS") == "update":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.is_file(), f"{path} is missing: run with STARWELL_SNAPSHOTS=update and read what it holds"
        assert text == path.read_text(encoding="utf-8")

    return check
