"""Video: short subs and focus, without stale frames."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from types import ModuleType
from typing import Any

import pytest

from starwell.camera.protocol import Control
from starwell.camera.zwo_camera import ZwoCamera
from starwell.errors import Transient
from starwell.frame import Exposure, Frame

SHORT = Exposure(seconds=0.02, gain=100, offset=20)


def frames(camera: ZwoCamera, exposure: Exposure, cancel: threading.Event) -> closing[Iterator[Frame]]:
    return closing(camera.stream(exposure, cancel))  # type: ignore[type-var]


@pytest.mark.parametrize("stale", [0, 1, 2, 3])
def test_no_frame_of_older_settings_gets_through(
    camera: ZwoCamera, stand_in: Any, fakeasi: ModuleType, never: threading.Event, stale: int
) -> None:
    stand_in.set(stale_frames=stale)
    with frames(camera, SHORT, never) as video:
        for gain in (100, 200, 150):
            camera.set(Control.GAIN, gain)
            for frame in islice(video, 3):
                assert fakeasi.watermark(frame).gain == frame.facts.exposure.gain == gain


def test_egain_follows_the_gain_in_video(camera: ZwoCamera, never: threading.Event) -> None:
    with frames(camera, SHORT, never) as video:
        before = next(video).facts.egain
        camera.set(Control.GAIN, 200)
        after = list(islice(video, 3))[-1].facts.egain
    assert before is not None
    assert after == pytest.approx(before * 10 ** (-100 / 200), rel=1e-5)


def test_lost_frames_are_counted(camera: ZwoCamera, stand_in: Any, never: threading.Event) -> None:
    with frames(camera, SHORT, never) as video:
        next(video)
        stand_in.set(drop_every=3)
        assert sum(frame.facts.dropped_before for frame in islice(video, 9)) >= 3


def test_a_torn_frame_counts_as_lost(camera: ZwoCamera, stand_in: Any, never: threading.Event) -> None:
    with frames(camera, SHORT, never) as video:
        next(video)
        stand_in.set(corrupt_next=1)
        got = list(islice(video, 3))
    assert all(frame.pixels[-1].any() for frame in got)
    assert sum(frame.facts.dropped_before for frame in got) >= 1


def test_a_stall_restarts_the_video(camera: ZwoCamera, stand_in: Any, never: threading.Event) -> None:
    with frames(camera, SHORT, never) as video:
        next(video)
        stand_in.set(stall_video=1)
        threading.Timer(0.7, lambda: stand_in.set(stall_video=0)).start()
        assert next(video).pixels.any()


def test_a_video_that_delivers_nothing_is_given_up_with_the_known_causes(
    camera: ZwoCamera, stand_in: Any, never: threading.Event
) -> None:
    stand_in.set(stall_video=1)
    with (
        frames(camera, SHORT, never) as video,
        pytest.raises(Transient, match=r"usb_bandwidth.*usbfs_memory"),
    ):
        next(video)
    stand_in.set(stall_video=0)
    assert camera.expose(SHORT, never).facts.attempts == 1


def test_a_video_ends_when_cancelled_and_snaps_work_after_it(camera: ZwoCamera) -> None:
    cancel = threading.Event()
    with frames(camera, SHORT, cancel) as video:
        next(video)
        cancel.set()
        assert list(video) == []
    assert camera.expose(SHORT, threading.Event()).facts.attempts == 1


def test_telemetry_has_its_turn_in_video(camera: ZwoCamera, never: threading.Event) -> None:
    answers = []

    def ask() -> None:
        answers.extend(camera.telemetry() for _ in range(10))

    asking = threading.Thread(target=ask)
    begun = time.monotonic()
    with frames(camera, Exposure(seconds=0.3, gain=0, offset=9), never) as video:
        asking.start()
        next(video)
    asking.join()
    assert time.monotonic() - begun < 5
    assert all(answer.sensor_celsius is not None for answer in answers)


def test_an_unplugged_video_goes_on(
    camera: ZwoCamera, stand_in: Any, never: threading.Event, fakeasi: ModuleType
) -> None:
    with frames(camera, SHORT, never) as video:
        next(video)
        now = time.monotonic()
        stand_in.set(replug_id_base=2, unplug_at=now + 0.02, replug_at=now + 0.2)
        got = list(islice(video, 8))
    assert camera._opened().camera_id == 2
    assert all(fakeasi.watermark(frame).gain == 100 for frame in got)


def test_streams_of_long_subs_are_snaps(camera: ZwoCamera, stand_in: Any) -> None:
    cancel = threading.Event()
    for _ in camera.stream(Exposure(seconds=1.0, gain=0, offset=9), cancel):
        cancel.set()
    assert (stand_in.get("n_snap"), stand_in.get("n_video")) == (1, 0)
