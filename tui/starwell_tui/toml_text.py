"""Tables as TOML: config.toml and plans are written by it, and read back by tomllib."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from json import dumps
from typing import Any


def toml_text(fields: Mapping[str, Any]) -> str:
    """Values first, then tables, then arrays of tables; what is None, and tables of nothing, are left out."""
    return "\n".join(_lines(fields, ())) + "\n"


def _lines(fields: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    said = {key: value for key, value in fields.items() if value is not None}
    for key, value in said.items():
        if not isinstance(value, Mapping) and not _are_tables(value):
            yield f"{_key(key)} = {_value(value)}"
    for key, value in said.items():
        inner = (*path, key)
        if isinstance(value, Mapping):
            lines = list(_lines(value, inner))
            yield from ["", f"[{_dotted(inner)}]", *lines] if lines else []
        elif _are_tables(value):
            for table in value:
                yield from ["", f"[[{_dotted(inner)}]]", *_lines(table, inner)]


def _are_tables(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(v, Mapping) for v in value)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    # TOML's quoted text is JSON's, but that it forbids the bare DEL.
    return dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def _dotted(path: tuple[str, ...]) -> str:
    return ".".join(map(_key, path))


def _key(key: str) -> str:
    bare = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
    return key if bare else _value(key)
