"""The door for JSON documents: they are read, checked against the schema of their type, and typed from there on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard, TypeVar

from trtbuild.base.errors import PlaceError, TrtbuildError
from trtbuild.base.text import printable
from trtbuild.documents.schema import Schema, schema_of

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

T = TypeVar("T")
DAMAGED = "it is damaged, or another version of trtbuild wrote it: build it again"
_WORDS = {"string": "text", "integer": "whole number", "boolean": "true or false", "array": "a list",
          "object": "an object"}  # fmt: skip
_FITTING: Mapping[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,), "null": (type(None),),
}  # fmt: skip


def read(path: Path, kind: type[T], *, error: type[TrtbuildError] = PlaceError, hint: str = DAMAGED) -> T:
    """A document of a type, read from a file.

    Raises:
        TrtbuildError: of class ``error``: it cannot be read, is not JSON, or does not fit its type (the first place).
    """
    return checked(read_json(path, error=error, hint=hint), kind, where=str(path), error=error, hint=hint)


def read_json(path: Path, *, error: type[TrtbuildError] = PlaceError, hint: str = DAMAGED) -> object:
    """A file's JSON, not yet checked; NaN and infinity, which Python's parser would accept, are not JSON."""
    try:
        found: object = json.loads(path.read_bytes(), parse_constant=_not_a_number)
    except OSError as cause:
        raise error(f"cannot be read: {cause.strerror}", where=str(path)) from None
    except (ValueError, RecursionError) as cause:
        raise error(f"not a JSON document: {printable(str(cause))}", where=str(path), hint=hint) from None
    return found


def checked(
    value: object, kind: type[T], *, where: str, error: type[TrtbuildError] = PlaceError, hint: str = DAMAGED,
    name: str = "",
) -> T:  # fmt: skip
    """``value``, checked to be a ``kind``; ``name`` is what messages call the document (the file's name)."""
    if not fits(value, kind):
        what = f"not a {name or printable(Path(where).name)}: {fault_of(value, kind)}"
        raise error(what, where=where, hint=hint)
    return value


def fits(value: object, kind: type[T]) -> TypeGuard[T]:
    """Whether a document is of a type, for readers that also accept documents of other versions."""
    return not fault_of(value, kind)


def fault_of(value: object, kind: type) -> str:
    """The first place in a document that does not fit its type, with what was expected there; empty if all fits."""
    fault = next(_validator(kind).iter_errors(value), None)
    return "" if fault is None else _sentence(fault)


@cache
def _validator(kind: type) -> Validator:
    from jsonschema import Draft202012Validator, validators

    fast = validators.extend(Draft202012Validator, {"items": _items, "properties": _properties})
    return fast(schema_of(kind, strict=False))


# jsonschema takes some 20 microseconds for each number, and pictures have tens of thousands.  Whatever a value's Python
# type settles is settled without jsonschema; it checks everything else.


def _items(validator: Validator, items: Schema, instance: object, schema: Schema) -> Iterator[ValidationError]:
    if isinstance(instance, list):
        right = _right(items)
        for i, value in enumerate(instance):
            if type(value) not in right:
                yield from validator.descend(value, items, path=i)


def _properties(
    validator: Validator, properties: Mapping[str, Schema], instance: object, schema: Schema
) -> Iterator[ValidationError]:
    if isinstance(instance, dict):
        for name, inner in properties.items():
            if name in instance and type(instance[name]) not in _right(inner):
                yield from validator.descend(instance[name], inner, path=name, schema_path=name)


def _right(schema: Schema) -> Sequence[type]:
    """The Python types whose values all fit a schema."""
    if len(schema) != 1 or "type" not in schema:
        return ()
    kinds = schema["type"]
    return [kind for name in (kinds if isinstance(kinds, list) else [kinds]) for kind in _FITTING.get(str(name), ())]


def _sentence(fault: ValidationError) -> str:
    """One line; for a union, what its first member says, since the others are null."""
    while fault.validator == "anyOf" and fault.context:
        fault = fault.context[0]
    place = "".join(f"[{p}]" if isinstance(p, int) else f".{printable(str(p))}" for p in fault.absolute_path)
    place = place.removeprefix(".")
    if fault.validator == "required":
        missing = next(key for key in fault.validator_value if key not in fault.instance)
        return f"{place}{'.' if place else ''}{missing}: missing"
    place = place or "document"
    if fault.validator == "type":
        kinds = fault.validator_value if isinstance(fault.validator_value, list) else [fault.validator_value]
        return f"{place}: expected {' or '.join(_WORDS.get(str(kind), str(kind)) for kind in kinds)}"
    return f"{place}: {printable(fault.message)}"


def _not_a_number(text: str) -> float:
    raise ValueError(f"{text} is not a number in JSON")
