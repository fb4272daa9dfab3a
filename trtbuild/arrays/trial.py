"""Which sizes of its dynamic dimensions a model takes, found by running it: a first profile for ``init``.

A file says that a dimension is dynamic, but not which values it may have: a classifier may have been built for images
of 224 x 224, a transformer for sequences of up to 16.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from trtbuild.arrays.arrayfile import Array
from trtbuild.base.errors import ConfigError, ModelError, SourceError
from trtbuild.core.recipes import InputParams

Inputs = Mapping[str, InputParams]
Feeds = dict[str, Array]
Run = Callable[[Feeds], object]
Point = tuple[int, int, int]  # min, opt, max
_POINTS = ("min", "opt", "max")

BATCH: tuple[Point, ...] = ((1, 4, 8), (1, 1, 1))
# Ranges first, then single sizes by how common they are: of images, then of sequences.
OTHER: tuple[Point, ...] = (
    (64, 128, 256), (8, 16, 32),
    *((n, n, n) for n in (224, 256, 299, 32, 28, 96, 160, 192, 320, 384, 416, 512, 640, 16, 64, 128, 10, 8, 4, 100)),
)  # fmt: skip
LIMIT_S = 120.0  # no further guess is begun after it; a large network takes seconds a guess


def fit(inputs: Inputs, make: Callable[[Inputs], Run], draw: Callable[[InputParams], Array]) -> Inputs:
    """The inputs with the first guess that runs: a profile for what stays dynamic, a number where only one size works.

    Args:
        inputs: name -> {dtype, shape}, None in a shape for a dynamic dimension.
        make: readies the model for inputs; what it returns, or it itself, raises ModelError where they do not fit.
        draw: values for {dtype, shape} with a concrete shape.

    Raises:
        SourceError: no guess runs.
    """
    started, first = time.monotonic(), None
    for guess in _guesses(inputs):
        try:
            run = make(guess)
            for point in ("opt", "min", "max"):
                run({name: draw({**spec, "shape": _at(spec, point)}) for name, spec in guess.items()})
            return guess
        except (ModelError, ConfigError) as error:
            first = first or error
            if time.monotonic() - started > LIMIT_S:
                break
    assert first is not None
    dynamic = [name for name, spec in inputs.items() if None in spec["shape"]]
    if not dynamic:
        raise SourceError(f"it cannot be run: {first.what}", where="model")
    shapes = "; ".join(f"'{name}' is {_shown(inputs[name]['shape'])}" for name in dynamic)
    what = f"no size that was tried for its dynamic dimensions runs ({shapes}): {first.what}"
    example = _shown(inputs[dynamic[0]]["shape"])[1:-1]
    raise SourceError(what, where="model", hint=f"give sizes that do, in place of null: --shape {dynamic[0]}={example}")


def draw(spec: InputParams) -> Array:
    """Random numbers from 0 to 1: a token, a switch, an image that is scaled."""
    generator, shape = np.random.default_rng(0), [d for d in spec["shape"] if d is not None]
    if np.dtype(spec["dtype"]).kind in "iub":
        return generator.integers(0, 2, shape).astype(spec["dtype"])
    return np.asarray(generator.random(shape)).astype(spec["dtype"])


def _guesses(inputs: Inputs) -> Iterator[Inputs]:
    """Every combination of sizes that concerns these inputs."""
    shapes = [spec["shape"] for spec in inputs.values()]
    batches = BATCH if any(shape[:1] == [None] for shape in shapes) else BATCH[:1]
    others = OTHER if any(None in shape[1:] for shape in shapes) else OTHER[:1]
    for other in others:
        for batch in batches:
            yield {name: _guess(spec, batch, other) for name, spec in inputs.items()}


def _guess(spec: InputParams, batch: Point, other: Point) -> InputParams:
    """A dimension that may have one size alone is static."""
    points = [batch if i == 0 else other for i in range(len(spec["shape"]))]
    shape = [p[1] if d is None and p[0] == p[2] else d for d, p in zip(spec["shape"], points, strict=True)]
    if None not in shape:
        return {**spec, "shape": shape}
    whole = [[p[which] if d is None else d for d, p in zip(shape, points, strict=True)] for which in range(3)]
    one = shape.index(None) if shape.count(None) == 1 else None
    profile = {name: point if one is None else point[one] for name, point in zip(_POINTS, whole, strict=True)}
    return {**spec, "shape": shape, "profile": profile}


def _at(spec: InputParams, point: str) -> list[int]:
    """The shape at a point of the profile; the largest size with the smallest batch, for memory's sake."""
    shape, profile = spec["shape"], spec.get("profile")
    if profile is None:
        return [d for d in shape if d is not None]

    def concrete(which: str) -> list[int]:
        value = profile[which]
        return list(value) if isinstance(value, list) else [value if d is None else d for d in shape]

    found = concrete(point)
    return [concrete("min")[0], *found[1:]] if point == "max" else found


def _shown(shape: Sequence[int | None]) -> str:
    return "[" + ",".join("null" if d is None else str(d) for d in shape) + "]"
