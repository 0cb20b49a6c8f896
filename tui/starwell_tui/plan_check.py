"""A plan held against their parser, in a program of its own: its mistakes by field, and its outlook."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from starwell_tui.jobs import asked
from starwell_tui.plan_text import absolute, field_of


class Mistake(msgspec.Struct, frozen=True):
    """As `starwell plan --json` tells it."""

    line: int
    key: str
    message: str


class Checked(msgspec.Struct, frozen=True):
    """outlook: when it ends and what it needs, in sentences."""

    mistakes: tuple[Mistake, ...] = ()
    outlook: tuple[str, ...] = ()


async def check(text: str, file: str, size: tuple[int, int] | None) -> Checked:
    """What is wrong with this text, or with the plan in this file where one is named."""
    sized = ["--size", f"{size[0]}x{size[1]}"] if size else []
    path = absolute(file) if file else "-"
    _, out, err = await asked(["plan", path, "--json", *sized], "" if file else text)
    try:
        return msgspec.json.decode(out, type=Checked)
    except msgspec.DecodeError:
        return Checked((Mistake(0, "file" if file else "", err.removeprefix("starwell: ")),))


def by_field(
    mistakes: Sequence[Mistake], fields: Collection[str], file: str = ""
) -> tuple[dict[str, str], list[str]]:
    """The first mistake of each field, and what belongs to none; all are the file's where there is one."""
    wrong: dict[str, str] = {}
    other: list[str] = []
    for mistake in mistakes:
        name = "file" if file else field_of(mistake.key)
        if name in fields:
            place = f"line {mistake.line}, {mistake.key}: " if file and mistake.line else ""
            wrong.setdefault(name, f"{place}{mistake.message}")
        else:
            other.append(f"{mistake.key}: {mistake.message}" if mistake.key else mistake.message)
    return wrong, other
