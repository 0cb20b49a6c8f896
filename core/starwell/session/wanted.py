"""Which masters are asked for: by name, or `auto`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

AUTO = "auto"


class Wanted(Protocol):
    """Masters as the user names them; `auto` has them chosen."""

    @property
    def bias(self) -> str | None:
        """A master, a folder, a level in ADU, or auto."""

    @property
    def dark(self) -> str | None:
        """A master, a folder, or auto."""

    @property
    def flat(self) -> str | None:
        """A master, a folder, or auto."""

    @property
    def dark_flat(self) -> str | None:
        """A master, a folder, or auto."""

    @property
    def low_light(self) -> str | None:
        """A low-light map."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Masters as a program names them."""

    bias: str | None = None
    dark: str | None = None
    flat: str | None = None
    dark_flat: str | None = None
    low_light: str | None = None


def is_automatic(wanted: Wanted) -> bool:
    """Whether any master is to be chosen."""
    return AUTO in (wanted.bias, wanted.dark, wanted.flat, wanted.dark_flat, wanted.low_light)
