import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starwell.files import cards, header

NAMES = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", min_size=1, max_size=8).filter(
    lambda name: name not in {"END", "COMMENT", "HISTORY", "CONTINUE", "HIERARCH", "SIMPLE"}
)
VALUES = st.one_of(
    st.booleans(),
    st.integers(-(10**17), 10**17),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60).map(str.rstrip),
)
COMMENTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60).map(str.strip)


@given(st.dictionaries(NAMES, st.tuples(VALUES, COMMENTS), max_size=12), st.lists(COMMENTS, max_size=3))
def test_headers_are_written_as_astropy_writes_them(said, history):
    keywords = {name: value for name, (value, _) in said.items()} | {"HISTORY": history}
    comments = {name: comment for name, (_, comment) in said.items()}
    written = cards.header_bytes(keywords, comments)
    in_order = sorted(cards._cards(keywords, comments), key=lambda card: card[0] in header._TEXT)
    assert written == cards._by_astropy(in_order)


@given(st.dictionaries(NAMES, st.tuples(VALUES, COMMENTS), max_size=12))
def test_plain_cards_are_read_as_astropy_reads_them(said):
    raw = cards.header_bytes({n: v for n, (v, _) in said.items()}, {n: c for n, (_, c) in said.items()})
    text = raw[: raw.index(b"END" + 77 * b" ")].decode()
    lines = [text[start : start + 80] for start in range(0, len(text), 80)]
    plain = header._plain(lines)
    if plain is not None:
        assert plain == [card for card in header._by_astropy(lines, []) if card[0]]
        assert [type(value) for _, value, _ in plain] == [type(value) for value, _ in said.values()]


@pytest.mark.parametrize(
    "card",
    ["HIERARCH ESO X = 1", "LONG    = 'more&'", "odd     =    3", "WIDTH   =  1,5", "NONE    =", "D = 1.0D3"],
)
def test_any_other_card_is_left_to_astropy(card):
    assert header._plain([f"{card:80}"]) is None


def test_numbers_come_as_what_they_are_written_as():
    lines = [
        f"{line:80}" for line in ("A       = 007 / spy", "B       = 1.", "C       = -2E-3/x", "D       = T")
    ]
    assert header._plain(lines) == [("A", 7, "spy"), ("B", 1.0, ""), ("C", -0.002, "x"), ("D", True, "")]
    assert math.copysign(1, header._plain([f"{'E       = -0.0':80}"])[0][1]) == -1


@pytest.mark.parametrize(
    "text",
    ["dark: dark.fits", "flat: flat 5.fits", "2026-11-20T01:02:03", "a: .fits", "x: -", "DP: 2.0", "k: -.5"],
)
def test_texts_with_a_colon_are_written_as_astropy_writes_them(text):
    given = list(cards._cards({"MASTER1": text, "N": 3}, {}))
    assert cards.header_bytes({"MASTER1": text, "N": 3}, {}) == cards._by_astropy(given)


def test_names_of_masters_need_no_astropy(monkeypatch):
    monkeypatch.setattr(cards, "_by_astropy", None)
    cards.header_bytes({"MASTER1": "dark: dark.fits", "MASTER2": "flat: flat.fits"}, {})
