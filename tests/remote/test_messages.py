"""What goes over the socket."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starwell.errors import Garbled
from starwell.remote import messages as ms
from starwell.remote.messages import events as ev

NUMBERS = st.integers(0, 2**53)
COMMANDS = st.one_of(
    st.builds(ms.Start, st.none() | st.text(), st.none() | st.text(), st.booleans()),
    st.sampled_from([ms.Pause(), ms.Stop(), ms.Abort(), ms.Save(), ms.Quit(), ms.Report()]),
    st.builds(ms.Set, st.text(), st.floats(allow_nan=False) | st.text()),
    st.builds(ms.Reject, NUMBERS),
    st.builds(ms.Restore, NUMBERS),
    st.builds(ms.Stretch, st.text(), st.floats(-9, 9), st.floats(-1, 1)),
    st.builds(ms.Look, st.text(), st.none() | st.tuples(*[st.integers(-9, 9999)] * 4)),
    st.builds(ms.Box, *[st.integers(-9, 9999)] * 4),
    st.builds(ms.Focus, st.booleans(), st.none() | st.floats(0, 60)),
    st.builds(ms.UseMasters, *[st.none() | st.text()] * 4, st.booleans()),
    st.builds(ms.Note, st.text()),
    st.just(ms.Restack()),
)
EVENTS = st.one_of(
    st.builds(ev.ExposureStarted, number=NUMBERS, seconds=st.floats(0, 3600), kind=st.sampled_from(ev.Kind)),
    st.builds(ev.SubRejected, number=NUMBERS, reason=st.text(), detail=st.text(), by_hand=st.booleans()),
    st.builds(
        ev.PreviewReady,
        of=st.text(),
        number=NUMBERS,
        rows=st.just(2),
        columns=st.just(2),
        channels=st.just(1),
        pixels=st.binary(min_size=4, max_size=4),
    ),
    st.builds(ev.StateChanged, state=st.sampled_from(ev.State), why=st.text()),
)


def body(packed: bytes, most: int) -> bytes:
    assert ms.body_length(packed[: ms.HEAD_BYTES], most) == len(packed) - ms.HEAD_BYTES
    return packed[ms.HEAD_BYTES :]


@given(st.builds(ms.Request, NUMBERS, COMMANDS) | st.builds(ms.Greeting, follow=st.booleans()))
def test_what_a_client_says_arrives_unchanged(said: ms.FromClient) -> None:
    assert ms.from_client(body(ms.packed(said), ms.TO_ENGINE_BYTES)) == said


@given(EVENTS | st.builds(ms.Farewell, st.text(), st.booleans()))
def test_what_an_engine_says_arrives_unchanged(said: ms.FromEngine) -> None:
    assert ms.from_engine(body(ms.packed(said), ms.TO_CLIENT_BYTES)) == said


def test_every_event_can_be_sent() -> None:
    tags = {kind.__name__ for kind in ev.Event.__subclasses__()}
    understood = msgspec.inspect.type_info(ms.FromEngine)
    assert isinstance(understood, msgspec.inspect.UnionType)
    assert tags <= {part.tag for part in understood.types if isinstance(part, msgspec.inspect.StructType)}


@given(st.binary(max_size=200))
def test_other_bytes_are_garbled_never_another_error(noise: bytes) -> None:
    for read in (ms.from_client, ms.from_engine):
        with pytest.raises(Garbled, match="no message of starwell"):
            read(noise)


@given(st.builds(ms.Request, NUMBERS, COMMANDS), st.data())
def test_a_bent_message_is_garbled_or_another_message(said: ms.Request, data: st.DataObject) -> None:
    whole = bytearray(body(ms.packed(said), ms.TO_ENGINE_BYTES))
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert isinstance(ms.from_client(bytes(whole)), ms.Request | ms.Greeting)
    except Garbled:
        return


def test_a_message_nested_ten_thousand_deep_is_garbled() -> None:
    with pytest.raises(Garbled):
        ms.from_client(b"\x81\xa4type" + b"\x91" * 60_000)


def test_a_length_beyond_the_limit_is_refused_before_anything_is_read() -> None:
    with pytest.raises(Garbled, match="4,294,967,295 bytes"):
        ms.body_length(b"\xff\xff\xff\xff", ms.TO_ENGINE_BYTES)


def test_a_hello_of_a_later_version_is_understood_by_this_one() -> None:
    later = msgspec.msgpack.encode(
        {"type": "Hello", "protocol": 9, "program": "3.0", "pid": 7, "folder": "/n", "moon": "full"}
    )
    hello = ms.from_engine(later)
    assert isinstance(hello, ms.Hello)
    assert hello.protocol == 9


@pytest.mark.parametrize(
    ("engine", "client", "says"),
    [
        (1, 2, "engine (starwell 0.1, pid 7) is older than this program (starwell 0.2)"),
        (2, 1, "program (starwell 0.2) is older than the running engine (starwell 0.1, pid 7): update this"),
    ],
)
def test_a_mismatch_names_the_side_to_update(engine: int, client: int, says: str) -> None:
    hello = ms.Hello(protocol=engine, program="0.1", pid=7, folder="/n")
    why = ms.mismatch(hello, ms.Greeting(protocol=client, program="0.2"))
    assert why is not None
    assert says in why


def test_equal_protocols_understand_each_other_whatever_the_versions() -> None:
    hello = ms.Hello(program="0.1", pid=7, folder="/n")
    assert ms.mismatch(hello, ms.Greeting(program="0.9")) is None


def test_a_long_message_is_put_together_from_its_pieces() -> None:
    long = ev.PreviewReady(of="stack", number=1, rows=9, columns=9, channels=1, pixels=bytes(range(81)))
    body = ms.packed(long)[ms.HEAD_BYTES :]
    pieces = ms.Pieces()
    assert pieces.whole(ms.Piece(body[:50], last=False)) is None
    between = ev.SubRejected(number=1, reason="clouds")
    assert pieces.whole(between) == between
    assert pieces.whole(ms.Piece(body[50:], last=True)) == long
    with pytest.raises(Garbled):
        pieces.whole(ms.Piece(b"abc", last=True))


def test_pieces_without_end_are_refused() -> None:
    pieces = ms.Pieces()
    third = ms.Piece(bytes(ms.TO_CLIENT_BYTES // 3), last=False)
    for _ in range(3):
        assert pieces.whole(third) is None
    with pytest.raises(Garbled, match="none is longer"):
        pieces.whole(third)
