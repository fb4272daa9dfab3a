"""How much a compressed file may expand to, decided by the sizes that it declares, before any of it is expanded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

MOST_ENTRIES = 100_000
ROOM = 64 << 20  # bytes that any file may expand to
MOST_FOLD = 200  # weights and code compress tenfold at most; deflate cannot do more than 1032


def check_expansion(path: Path, sizes: Iterable[int], *, into: Path | None = None) -> None:
    """Refuse what is out of all proportion, or has no room where it goes.

    Args:
        sizes: the declared size of each member, in bytes.  Readers stop there, whatever the compressed bytes give.
        into: a folder that it is expanded into.  What it may take is bounded by the free space there alone, since
            samples, such as masks, can be as good as empty.

    Raises:
        ValueError: it declares too many members, or too many bytes; says how many.
    """
    declared = list(sizes)
    total, packed = sum(declared), os.stat(path).st_size
    if len(declared) > MOST_ENTRIES:
        raise ValueError(f"it has {len(declared)} entries, more than {MOST_ENTRIES}")
    if into is None:
        if total > max(ROOM, MOST_FOLD * packed):
            raise ValueError(f"it would expand from {_shown(packed)} to {_shown(total)}, more than {MOST_FOLD}-fold")
    elif total > ROOM and total > (free := shutil.disk_usage(into).free):
        raise ValueError(f"it would expand to {_shown(total)}, and {_shown(free)} are free in {into}")


def _shown(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"
