"""Keywords of a FITS file changed, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starwell.errors import FileDamaged, StorageError
from starwell.files.atomic import replacing
from starwell.files.cards import plain
from starwell.files.keywords import COMMENTS

_CHUNK = 1 << 20


def rewrite(path: Path, keywords: Mapping[str, Any], comments: Mapping[str, str] | None = None) -> None:
    """Set these keywords in the first header; all other bytes stay, and the file is replaced as a whole.

    Raises DiskFull, StorageError, and FileDamaged for what is no plain FITS file.
    """
    from astropy.io import fits  # seldom needed, and large

    told = {**COMMENTS, **(comments or {})}
    try:
        stream = path.open("rb")
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}.") from error
    with stream:
        try:
            header = fits.Header.fromfile(stream)
        except (OSError, ValueError) as error:
            raise FileDamaged(f"{path} is no FITS file whose header could be changed ({error}).") from error
        for keyword, value in keywords.items():
            header[keyword] = (plain(value), told.get(keyword, ""))
        with replacing(path, overwrite=True) as fresh:
            fresh.write(header.tostring().encode("ascii"))
            shutil.copyfileobj(stream, fresh, _CHUNK)
