"""The JSON Schema of a typed document, derived from its TypedDict, so that type and schema cannot disagree."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints, is_typeddict

Schema = dict[str, object]
LATER: Final = "LATER"  # marks keys that the first versions' documents lack: Annotated[int, LATER]


class Limit(NamedTuple):
    """A further keyword of JSON Schema: Annotated[int, Limit("minimum", 0)]."""

    keyword: str
    value: object

    @property
    def json(self) -> object:
        """The value as JSON has it; annotations must be hashable, so their lists are tuples."""
        return list(self.value) if isinstance(self.value, tuple) else self.value


_SIMPLE: Mapping[object, str] = {
    str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null",
}  # fmt: skip


def schema_of(kind: type, *, title: str = "", strict: bool = True) -> Schema:
    """JSON Schema (draft 2020-12) of a TypedDict and of the TypedDicts in it, none of which contains itself.

    Args:
        strict: the schema for writing: every required key, no unknown keys, and only the type's literals.  Otherwise
            the schema for reading, which accepts older and newer versions: keys marked LATER may be missing, and
            unknown keys and literals are allowed; types within are written out, not referred to, which checks twice as
            fast.
    """
    deriving = _Deriving(strict)
    made: Schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    if title:
        made["title"] = title
    made |= deriving.object_schema(kind)
    return made | ({"$defs": dict(sorted(deriving.shared.items()))} if deriving.shared else {})


def config_schema(kind: type, *, title: str) -> Schema:
    """JSON Schema of the YAML files that become a dataclass; the file may also have Hydra's ``defaults``."""
    deriving = _OfConfig(strict=True)
    made = deriving.dataclass_schema(kind)
    required = made.pop("required", None)
    if isinstance(made["properties"], dict):
        made["properties"]["defaults"] = {"type": "array"}
    if required:
        made["anyOf"] = [{"required": ["defaults"]}, {"required": required}]
    shared = {"$defs": dict(sorted(deriving.shared.items()))} if deriving.shared else {}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **made, **shared}


class _Deriving:
    """Builds one schema; ``shared`` holds the schemas of the types within, by name."""

    def __init__(self, strict: bool) -> None:
        self.shared: dict[str, Schema] = {}
        self._strict = strict

    def object_schema(self, kind: type) -> Schema:
        hints = get_type_hints(kind, include_extras=True)
        optional: frozenset[str] = getattr(kind, "__optional_keys__", frozenset())
        left_out = {
            name for name, hint in hints.items() if not self._strict and LATER in getattr(hint, "__metadata__", ())
        }
        made: Schema = {"type": "object"}
        if required := [name for name in hints if name not in optional and name not in left_out]:
            made["required"] = required
        made["properties"] = {name: self.schema(hint) for name, hint in hints.items()}
        return made | ({"additionalProperties": False} if self._strict else {})

    def schema(self, hint: object) -> Schema:
        origin, inner = get_origin(hint), get_args(hint)
        if hint is object:
            return {}
        if origin is None and hint in _SIMPLE:
            return {"type": _SIMPLE[hint]}
        if isinstance(hint, type) and is_typeddict(hint):
            return self._reference(hint)
        if origin is Annotated:
            return self.schema(inner[0]) | {e.keyword: e.json for e in inner[1:] if isinstance(e, Limit)}
        if origin is Literal:
            kinds = sorted({_SIMPLE[type(value)] for value in inner})
            return {"enum": list(inner)} if self._strict else {"type": kinds if len(kinds) > 1 else kinds[0]}
        if origin in (Union, types.UnionType):
            return self._union(inner)
        if origin in (list, Sequence):
            return {"type": "array", "items": self.schema(inner[0])}
        if origin in (dict, Mapping):
            values = self.schema(inner[1])
            return {"type": "object", **({"additionalProperties": values} if values else {})}
        raise TypeError(f"{hint!r} has no JSON Schema here")

    def _reference(self, kind: type) -> Schema:
        if not self._strict:
            return self.object_schema(kind)
        name = kind.__name__
        if name not in self.shared:
            self.shared[name] = self.object_schema(kind)
        return {"$ref": f"#/$defs/{name}"}

    def _union(self, members: tuple[object, ...]) -> Schema:
        made = [self.schema(member) for member in members]
        if all(set(one) == {"type"} for one in made):
            return {"type": [one["type"] for one in made]}
        return {"anyOf": made}


_INTERPOLATION: Schema = {"type": "string", "pattern": r"\$\{"}


class _OfConfig(_Deriving):
    """As above for dataclasses, where an interpolation can stand for every plain value."""

    def dataclass_schema(self, kind: type) -> Schema:
        hints = get_type_hints(kind)
        needed = [
            field.name
            for field in dataclasses.fields(kind)
            if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        ]
        properties = {name: self.schema(hint) for name, hint in hints.items()}
        made: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
        return made | ({"required": needed} if needed else {})

    def schema(self, hint: object) -> Schema:
        origin, inner = get_origin(hint), get_args(hint)
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            if hint.__name__ not in self.shared:
                self.shared[hint.__name__] = self.dataclass_schema(hint)
            return {"$ref": f"#/$defs/{hint.__name__}"}
        if origin is tuple:
            return {"type": "array", "items": self.schema(inner[0])}
        if hint in (int, float, bool) or (origin is Literal and not any("$" in str(value) for value in inner)):
            return {"anyOf": [super().schema(hint), _INTERPOLATION]}
        return super().schema(hint)
