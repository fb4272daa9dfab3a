"""The one strict parser: a mapping from config files becomes frozen values, or a one-line error."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Literal, TypeVar, Union

from trtbuild.base.errors import ConfigError
from trtbuild.base.text import did_you_mean

T = TypeVar("T")
Annotation = object  # of a field: a class or a typing form, which share no static type


def parse(cls: type[T], value: object, where: str) -> T:
    """Make a frozen dataclass from ``value``; unknown keys, missing keys and wrong types raise ConfigError.

    A dataclass checks its own values in ``__post_init__`` by raising ``ValueError("key: what")``; the place is added
    here.

    >>> @dataclasses.dataclass(frozen=True)
    ... class Export:
    ...     opset: int = 17
    >>> parse(Export, {"opset": 18}, "model.export")
    Export(opset=18)
    """
    if not isinstance(value, Mapping):
        raise ConfigError(f"expected a mapping, got {_show(value)}", where=where)
    fields = {f.name: f for f in _fields(cls) if f.init}
    for key in value:
        if key not in fields:
            raise ConfigError(f"unknown key '{key}'", where=where, hint=did_you_mean(str(key), fields))
    hints = typing.get_type_hints(cls)
    made: dict[str, object] = {}
    for name, field in fields.items():
        if name in value:
            made[name] = _value(hints[name], value[name], f"{where}.{name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ConfigError(f"missing key '{name}'", where=where)
    try:
        return cls(**made)
    except ValueError as error:
        raise ConfigError(str(error), where=where) from None


def knows(wanted: Annotation, parts: Sequence[str]) -> bool:
    """Whether a value of this type can have a key at this path; a mapping's own keys are free.

    >>> @dataclasses.dataclass(frozen=True)
    ... class Limits:
    ...     deviation: Mapping[str, float | Mapping[str, float]]
    >>> knows(Limits, ["deviation", "cosine", "int8"]), knows(Limits, ["deviation", "cosine", "int8", "x"])
    (True, False)
    """
    if not parts:
        return True
    origin = typing.get_origin(wanted)
    if origin in (Union, types.UnionType):
        return any(knows(option, parts) for option in typing.get_args(wanted))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return knows(typing.get_args(wanted)[1], parts[1:])
    if dataclasses.is_dataclass(wanted):
        hints = typing.get_type_hints(wanted)
        return parts[0] in hints and knows(hints[parts[0]], parts[1:])
    return wanted is object


def keys(wanted: Annotation, where: str) -> list[str]:
    """Every path that :func:`knows` accepts by name, down to the free keys of a mapping."""
    options = typing.get_args(wanted) if typing.get_origin(wanted) in (Union, types.UnionType) else (wanted,)
    paths = [where]
    for option in options:
        if dataclasses.is_dataclass(option):
            for name, inner in typing.get_type_hints(option).items():
                paths += keys(inner, f"{where}.{name}")
    return list(dict.fromkeys(paths))


def _fields(cls: object) -> tuple[dataclasses.Field[object], ...]:
    if not dataclasses.is_dataclass(cls):
        raise TypeError(f"{cls!r} is not a dataclass")
    return dataclasses.fields(cls)


def _value(wanted: Annotation, value: object, where: str) -> object:
    origin = typing.get_origin(wanted)
    if origin in (Union, types.UnionType):
        return _union(wanted, value, where)
    if origin is Literal:
        return _literal(typing.get_args(wanted), value, where)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise ConfigError(f"expected a list, got {_show(value)}", where=where)
        inner = typing.get_args(wanted)[0]
        return tuple(_value(inner, item, f"{where}[{i}]") for i, item in enumerate(value))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise ConfigError(f"expected a mapping, got {_show(value)}", where=where)
        inner = typing.get_args(wanted)[1]
        return {str(k): _value(inner, v, f"{where}.{k}") for k, v in value.items()}
    if isinstance(wanted, type) and dataclasses.is_dataclass(wanted):
        return parse(wanted, value, where)
    return _scalar(wanted, value, where)


def _union(wanted: Annotation, value: object, where: str) -> object:
    """The alternative that has the value's shape; mappings are distinguished by their ``kind``."""
    options = typing.get_args(wanted)
    if value is None and type(None) in options:
        return None
    options = tuple(o for o in options if o is not type(None))
    kinds = {kind: o for o in options if (kind := _kind_of(o)) is not None}
    if kinds and isinstance(value, Mapping):
        if len(kinds) == 1:
            return parse(next(iter(kinds.values())), value, where)
        kind = value.get("kind")
        if kind not in kinds:
            raise ConfigError(f"unknown kind {_show(kind)}", where=f"{where}.kind", hint=did_you_mean(str(kind), kinds))
        return parse(kinds[kind], value, where)
    shaped = tuple(o for o in options if _takes_mapping(o) == isinstance(value, Mapping))
    if isinstance(value, Mapping):  # a value with any key of a dataclass is meant as that
        shaped = tuple(o for o in shaped if dataclasses.is_dataclass(o) and set(value) & _keys_of(o)) or shaped
    if len(options) == 1 or (len(shaped) == 1 and isinstance(value, Mapping)):
        return _value((shaped or options)[0], value, where)  # its own message names the exact place
    for option in shaped:
        with contextlib.suppress(ConfigError):
            return _value(option, value, where)
    raise ConfigError(f"got {_show(value)}, expected one of: {', '.join(_name(o) for o in options)}", where=where)


def _keys_of(cls: object) -> set[str]:
    return {field.name for field in _fields(cls)}


def _takes_mapping(option: Annotation) -> bool:
    origin = typing.get_origin(option)
    return dataclasses.is_dataclass(option) or (isinstance(origin, type) and issubclass(origin, Mapping))


def _kind_of(option: Annotation) -> str | None:
    if not dataclasses.is_dataclass(option):
        return None
    default = next((f.default for f in dataclasses.fields(option) if f.name == "kind"), None)
    return default if isinstance(default, str) else None


def _literal(allowed: tuple[object, ...], value: object, where: str) -> object:
    if value not in allowed:
        raise ConfigError(
            f"{_show(value)} is not allowed", where=where, hint=did_you_mean(str(value), map(str, allowed))
        )
    return value


def _scalar(wanted: Annotation, value: object, where: str) -> object:
    if wanted is object:
        _finite(value, where)
        return value
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if wanted is float and isinstance(value, str):
        # YAML 1.1 reads 1e-3 (no dot) as a string; the author meant a number.
        with contextlib.suppress(ValueError):
            value = float(value)
    _finite(value, where)
    if not (isinstance(wanted, type) and isinstance(value, wanted)) or (
        wanted in (int, float) and isinstance(value, bool)
    ):
        raise ConfigError(f"expected {_name(wanted)}, got {_show(value)}", where=where)
    return value


def _finite(value: object, where: str) -> None:
    """Refuse NaN and infinity: free values (a factory's arguments) become part of a recipe, which cannot hold them."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{value} is not a usable number", where=where)
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _finite(inner, f"{where}.{key}")
    elif isinstance(value, (list, tuple)):
        for i, inner in enumerate(value):
            _finite(inner, f"{where}[{i}]")


def _name(wanted: Annotation) -> str:
    plain: dict[object, str] = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    return plain.get(wanted) or str(getattr(wanted, "__name__", wanted))


def _show(value: object) -> str:
    names = {type(None): "null", dict: "a mapping", list: "a list"}
    return names.get(type(value), f"{value!r}")
