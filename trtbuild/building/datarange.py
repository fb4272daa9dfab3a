"""The ranges that a data file's values lie in, for the config that ``init`` writes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from trtbuild.base.errors import DataError
from trtbuild.core.recipes import InputParams

_USUAL = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))  # what most networks are fed
_FILLED = 0.5  # of a usual range that values spread over, to be taken for it


def ranges_of(path: Path, inputs: Mapping[str, InputParams]) -> dict[str, list[float]]:
    """[low, high] of each input that the file or folder has numbers for.

    One that is not as the model needs it has none: the first build says what is wrong.
    """
    import numpy as np

    from trtbuild.arrays.arrayfile import rows_of
    from trtbuild.arrays.data import Source

    try:
        parts = Source(str(path), path, inputs, str(path)).parts()
    except (DataError, OSError):
        return {}
    found = {}
    for name, spec in inputs.items():
        if spec["dtype"] in ("uint8", "bool"):  # all that they hold
            continue
        arrays = (part.arrays[name] for part in parts)
        blocks = (rows for array in arrays for _, rows in rows_of(array if array.ndim else np.asarray(array)[None]))
        ends = np.array([(rows.min(), rows.max()) for rows in blocks if rows.size], np.float64)
        if ends.size and np.isfinite(ends).all() and (low := ends.min()) < (high := ends.max()):
            found[name] = enclosing(low, high, whole=np.dtype(spec["dtype"]).kind in "iu")
    return found


def enclosing(low: float, high: float, *, whole: bool = False) -> list[float]:
    """A range with round ends around what was seen; integers are drawn below their upper end.

    >>> enclosing(0.01, 0.98), enclosing(-2.117, 2.64), enclosing(0, 29999, whole=True)
    ([0.0, 1.0], [-2.2, 2.7], [0, 30000])
    """
    if whole:
        return [int(low), int(high) + 1]
    for usual in _USUAL:
        if usual[0] <= low and high <= usual[1] and high - low >= _FILLED * (usual[1] - usual[0]):
            return list(usual)
    unit = 10.0 ** (math.floor(math.log10(max(abs(low), abs(high)))) - 1)
    return [float(f"{math.floor(low / unit) * unit:.9g}"), float(f"{math.ceil(high / unit) * unit:.9g}")]
