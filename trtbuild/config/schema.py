"""JSON Schema of config files, derived from the values that they become, for completion and checks in an editor."""

from __future__ import annotations

from trtbuild.config.groups import GROUPS
from trtbuild.documents.schema import Schema, config_schema


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
