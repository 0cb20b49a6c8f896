"""Events for listeners that nobody waits for."""

from __future__ import annotations

import threading
import time
from itertools import pairwise

from starwell.session.events import ControlChanged, Event, HistogramReady, PreviewReady, SubRejected
from starwell.session.subscription import Subscribers


def rejected(number: int) -> SubRejected:
    return SubRejected(number=number, reason="clouds")


def picture(number: int, of: str = "stack") -> PreviewReady:
    return PreviewReady(of=of, number=number, rows=1, columns=1, channels=1, pixels=b"\0")


def test_what_is_taken_comes_in_order_with_the_newest_picture_of_each_kind() -> None:
    subscribers = Subscribers()
    listener = subscribers.subscribe()
    for event in (picture(1), rejected(1), picture(1, "sub"), picture(2), rejected(2)):
        subscribers.publish(event)
    assert listener.take() == [rejected(1), picture(1, "sub"), picture(2), rejected(2)]
    assert listener.take() == []


def test_of_histograms_only_the_newest_of_each_picture_counts() -> None:
    def histogram(number: int, of: str) -> HistogramReady:
        return HistogramReady(of=of, number=number, low_adu=500.0, high_adu=900.0, counts=(9, 1))

    subscribers = Subscribers()
    listener = subscribers.subscribe()
    for event in (histogram(1, "stack"), picture(2), histogram(1, "sub"), histogram(2, "stack")):
        subscribers.publish(event)
    newest = [picture(2), histogram(1, "sub"), histogram(2, "stack")]
    assert listener.take() == newest
    assert list(subscribers.subscribe().recent) == newest


def test_a_new_listener_is_told_what_counts() -> None:
    subscribers = Subscribers(remembered=2)
    warm, cold = (ControlChanged(name="temperature", value=value) for value in (20.0, -10.0))
    for event in (picture(1), warm, rejected(1), cold, rejected(2), picture(2), rejected(3)):
        subscribers.publish(event)
    listener = subscribers.subscribe()
    assert listener.recent == (cold, rejected(2), picture(2), rejected(3))
    assert listener.take() == []


def test_listeners_that_come_while_many_tell_miss_and_repeat_nothing() -> None:
    subscribers = Subscribers(remembered=10_000)

    def tell(first: int) -> None:
        for number in range(first, 4000, 4):
            subscribers.publish(rejected(number))

    tellers = [threading.Thread(target=tell, args=(first,)) for first in range(4)]
    for teller in tellers:
        teller.start()
    listeners = [subscribers.subscribe() for _ in range(20)]
    for teller in tellers:
        teller.join()
    heard = [[*listener.recent, *listener.take()] for listener in listeners]
    assert {event.number for event in heard[0]} == set(range(4000))  # type: ignore[attr-defined]
    assert all(one == other for one, other in pairwise(heard))


def test_a_listener_too_far_behind_loses_its_mail_and_nobody_else_does() -> None:
    subscribers = Subscribers(backlog=10)
    slow, quick = subscribers.subscribe(), subscribers.subscribe()
    heard: list[Event] = []
    for number in range(11):
        subscribers.publish(rejected(number))
        subscribers.publish(picture(number))
        heard += quick.take()
    assert slow.lagging
    assert slow.take(None) == []
    assert not quick.lagging
    assert [event for event in heard if isinstance(event, SubRejected)] == [rejected(n) for n in range(11)]


def test_pictures_alone_never_make_a_listener_late() -> None:
    subscribers = Subscribers(backlog=2)
    listener = subscribers.subscribe()
    for number in range(1000):
        subscribers.publish(picture(number))
    assert listener.take() == [picture(999)]


def test_whoever_waits_is_woken_by_an_event_and_by_the_end() -> None:
    subscribers = Subscribers()
    listener = subscribers.subscribe()
    heard: list[list[Event]] = []
    waiting = threading.Thread(target=lambda: heard.extend([listener.take(5), listener.take(5)]))
    waiting.start()
    subscribers.publish(rejected(1))
    while not heard and listener._mail:
        time.sleep(0.001)
    subscribers.close()
    waiting.join(1)
    assert not waiting.is_alive()
    assert heard == [[rejected(1)], []]
    assert listener.closed


def test_what_was_told_before_the_end_can_still_be_taken() -> None:
    subscribers = Subscribers()
    listener = subscribers.subscribe()
    subscribers.publish(rejected(1))
    subscribers.close()
    subscribers.publish(rejected(2))
    assert listener.take(None) == [rejected(1)]
    assert listener.take(None) == []


def test_waiting_ends_at_its_time() -> None:
    started = time.monotonic()
    assert Subscribers().subscribe().take(0.02) == []
    assert time.monotonic() - started >= 0.02


def test_a_closed_listener_is_not_woken_again() -> None:
    subscribers = Subscribers()
    listener = subscribers.subscribe()
    woken: list[bool] = []
    listener.wake_with(lambda: woken.append(True))
    subscribers.publish(rejected(1))
    assert len(woken) == 2
    listener.close()
    before = len(woken)
    subscribers.publish(rejected(2))
    assert len(woken) == before


def test_pictures_can_wait_while_everything_else_is_taken() -> None:
    subscribers = Subscribers()
    listener = subscribers.subscribe()
    for event in (picture(1), rejected(1), picture(1, "sub"), picture(2), rejected(2)):
        subscribers.publish(event)
    assert listener.take_small() == [rejected(1), rejected(2)]
    assert [listener.take_picture() for _ in range(3)] == [picture(1, "sub"), picture(2), None]
    assert listener.take() == []
