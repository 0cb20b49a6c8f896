"""Fixtures for every room."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("starwell", deadline=None, derandomize=True)
settings.load_profile("starwell")


_SMOKE = Path(__file__).with_name("smoke.txt")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what tests/smoke.txt names."""
    named = set(_SMOKE.read_text().split())
    for item in items:
        if item.nodeid.partition("[")[0] in named:
            item.add_marker(pytest.mark.smoke)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real frames; tests that ask for it are skipped visibly where there is none."""
    folder = os.environ.get("STARWELL_REAL_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("STARWELL_REAL_DATA does not name a folder of real frames")
    return Path(folder)
