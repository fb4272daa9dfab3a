"""Shapes that an input is checked with: fixed ones as they are, unknown ones by a given or assumed profile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from trtbuild.base.errors import ConfigError

BATCH = (1, 4, 8)  # min, opt, max of an unknown first dimension
# Of other unknown dimensions: an image's height and width, and what else varies (a sequence's length).
IMAGE, OTHER = (128, 224, 256), (8, 16, 32)
Profile = Sequence[Sequence[int]]  # min, opt and max shape


@dataclass(frozen=True)
class Shapes:
    """Concrete shapes and profiles by input name; ``assumed`` are inputs whose other dimensions were made up."""

    concrete: dict[str, list[int]] = field(default_factory=dict)
    profiles: dict[str, list[list[int]]] = field(default_factory=dict)
    assumed: tuple[str, ...] = ()
    unranked: tuple[str, ...] = ()


def choose(shapes: Mapping[str, Sequence[int | None] | None], given: Mapping[str, Profile] | None) -> Shapes:
    """Shapes to check with.

    Args:
        shapes: input -> its shape, None where a dimension (or the rank) is not known.
        given: input -> (min, opt, max) shapes of the user.

    Raises:
        ConfigError: a profile that does not fit its input, or whose input does not exist.
    """
    given = dict(given or {})
    for name in given:
        if name not in shapes:
            raise ConfigError(f"there is no such input; inputs are {', '.join(shapes)}", where=f"profiles.{name}")
    concrete, profiles, assumed, unranked = {}, {}, [], []
    for name, shape in shapes.items():
        if name in given:
            profile = [list(map(int, part)) for part in given[name]]
            _check(name, profile, shape)
        elif shape is None:
            unranked.append(name)
            continue
        else:
            profile = [[_assume(shape, i, which) for i in range(len(shape))] for which in range(3)]
            if any(d is None for d in shape[1:]):
                assumed.append(name)
        concrete[name] = profile[1]
        if shape is None or None in shape:
            profiles[name] = profile
    return Shapes(concrete, profiles, tuple(assumed), tuple(unranked))


def _assume(shape: Sequence[int | None], axis: int, which: int) -> int:
    size = shape[axis]
    if size is not None:
        return size
    if axis == 0:
        return BATCH[which]
    return (IMAGE if len(shape) == 4 and axis < 3 else OTHER)[which]


def _check(name: str, profile: Sequence[Sequence[int]], shape: Sequence[int | None] | None) -> None:
    where = f"profiles.{name}"
    if len(profile) != 3:
        raise ConfigError("expects three shapes: min, opt, max", where=where)
    for part in profile:
        if shape is not None and (
            len(part) != len(shape) or any(d is not None and d != p for d, p in zip(shape, part, strict=True))
        ):
            raise ConfigError(f"{list(part)} does not fit the input's {list(shape)}", where=where)
    if any(not low <= opt <= high for low, opt, high in zip(*profile, strict=True)):
        raise ConfigError("needs min <= opt <= max in every dimension", where=where)
