"""JSON Schema of config files, derived from the values that they become, for completion and checks in an editor."""

from __future__ import annotations

from trtbuild.config.code import PUBLIC_KEY, TRUSTED_MODULES
from trtbuild.config.groups import GROUPS
from trtbuild.config.mainfile import DEFAULTS, HYDRA
from trtbuild.documents.schema import Schema, config_schema


def main_schema() -> Schema:
    """The schema of ``conf/config.yaml``: its keys, and the names of those below each group."""
    either = {"type": ["string", "array", "null"]}
    choice = {"type": "object", "maxProperties": 1, "additionalProperties": either}
    own: dict[str, Schema] = {
        DEFAULTS: {"type": "array", "items": {"anyOf": [{"type": "string"}, choice]}},
        HYDRA: {"type": "object"},
        TRUSTED_MODULES: {"type": ["array", "null"], "items": {"type": "string"}},
        PUBLIC_KEY: {"type": ["string", "null"]},
    }
    for group in GROUPS:
        properties = group_schema(group)["properties"]
        assert isinstance(properties, dict)
        names = {"enum": sorted(properties.keys() - {DEFAULTS})}
        own[group] = {"type": ["object", "null"], "propertyNames": names}
    top = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "trtbuild: conf/config.yaml"}
    return {**top, "type": "object", "required": [DEFAULTS], "properties": own, "additionalProperties": False}


def group_schema(group: str) -> Schema:
    """The schema of every ``conf/GROUP/*.yaml``.

    It allows an interpolation (``${…}``) in place of any plain value, and leaves out what a file takes from its
    ``defaults``; what it cannot say (one of two keys, ranges) is checked when the file is read.
    """
    made = config_schema(GROUPS[group], title=f"trtbuild: conf/{group}/*.yaml")
    return {**made, **_mixed(made)} if group == "precision" else made


def _mixed(schema: Schema) -> Schema:
    """A mixed precision names its base and scopes where the value that it becomes has what they stand for."""
    properties, either, shared = schema["properties"], schema["anyOf"], schema["$defs"]
    assert isinstance(properties, dict) and isinstance(either, list) and isinstance(shared, dict)
    named = {"type": "object", "additionalProperties": {"type": "string"}}
    return {
        "properties": {**properties, "base": {"type": "string"}, "scopes": named},
        "anyOf": [*either, {"required": ["base"]}],
        "$defs": {name: kind for name, kind in shared.items() if name != "Form"},
    }
