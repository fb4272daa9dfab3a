"""JSON Schema of config files, derived from the values that they become, for completion and checks in an editor."""

from __future__ import annotations

from trtbuild.config.groups import GROUPS
from trtbuild.documents.schema import Schema, config_schema


def group_schema(group: str) -> Schema:
    """The schema of every ``conf/GROUP/*.yaml``.

    It allows an interpolation (``${…}``) in place of any plain value, and leaves out what a file takes from its
    ``defaults``; what it cannot say (one of two keys, ranges) is checked when the file is read.
    """
    return config_schema(GROUPS[group], title=f"trtbuild: conf/{group}/*.yaml")
