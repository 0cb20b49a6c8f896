"""ZWO cameras on the stand-in of tests/fakeasi; skipped visibly without a C compiler."""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from starwell.camera.zwo_camera import ZwoCamera, connect
from starwell.camera.zwo_exposing import Patience

IMPATIENT = Patience(grace_s=0.3, replug_s=5.0, look_s=0.05)


@pytest.fixture(scope="session")
def fakeasi() -> ModuleType:
    """tests/fakeasi/stand_in.py."""
    path = Path(__file__).parents[2] / "fakeasi" / "stand_in.py"
    spec = importlib.util.spec_from_file_location("fakeasi_stand_in", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def library(fakeasi: ModuleType) -> Path:
    """The compiled stand-in."""
    if fakeasi.compiler() is None:
        pytest.skip("no C compiler: the stand-in for ZWO's library cannot be built")
    built: Path = fakeasi.build()
    return built


@pytest.fixture(scope="session")
def shared_knobs(
    fakeasi: ModuleType, library: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """Its knobs, in a file that every process of these tests shares."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAKEASI_STATE", str(tmp_path_factory.mktemp("fakeasi") / "state"))
        patch.delenv("ZWO_ASI_LIB", raising=False)
        yield fakeasi.StandIn(library)


@pytest.fixture
def stand_in(shared_knobs: Any) -> Any:
    """The knobs as out of the box: one small mono camera."""
    shared_knobs.reset()
    return shared_knobs


@pytest.fixture
def never() -> threading.Event:
    """A cancel that nobody sets."""
    return threading.Event()


@pytest.fixture
def connected(stand_in: Any, tmp_path: Path) -> Iterator[Callable[..., ZwoCamera]]:
    """Makes cameras in this process and closes them."""
    made: list[ZwoCamera] = []

    def make(uid: str | None = None, patience: Patience = IMPATIENT, locks: Path = tmp_path) -> ZwoCamera:
        camera = connect(uid, str(stand_in.library), str(locks), patience)
        made.append(camera)
        return camera

    yield make
    for camera in made:
        camera.close()


@pytest.fixture
def camera(connected: Callable[..., ZwoCamera]) -> ZwoCamera:
    """The small mono camera, open in this process."""
    only = connected()
    only.open()
    return only
