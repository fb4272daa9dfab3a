"""Accepted baselines: the report.json of a variant that a person took for good, one file each, kept by git."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trtbuild.base.errors import ConfigError
from trtbuild.base.files import write_atomic
from trtbuild.base.printable import printable
from trtbuild.reports.shape import REPORT, fault

FOLDER = "baselines"
SCHEMA_VERSIONS = (1, 2)  # of report.json; what comparing reads is the same in both
# Of an output's details: what the schema asks for, without the pictures.
_NO_DETAIL: dict[str, Any] = {"worst": [], "channels": [], "positions": None, "samples": None, "argmax": None,
                              "no_argmax": "left out of a baseline", "tolerance": [], "by_magnitude": []}  # fmt: skip


def path_of(root: Path, model: str, variant: str) -> Path:
    """``baselines/<model>/<variant id>.json`` of a workspace."""
    return root / FOLDER / model / f"{variant}.json"


def read_report(path: Path) -> dict[str, Any]:
    """A report.json, or a baseline, that can be compared.

    Raises:
        ConfigError: it cannot be read, is no JSON, or no report: with the first place that is not as expected.
    """
    hint = "give a report.json that trtbuild wrote"
    try:
        page = json.loads(path.read_bytes(), parse_constant=_no_number)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"not a JSON document: {printable(str(error))}", where=str(path), hint=hint) from None
    if said := fault(page, REPORT):
        raise ConfigError(f"not a report: {said}", where=str(path), hint=hint)
    if page["schema_version"] not in SCHEMA_VERSIONS:
        what = f"a report of schema {page['schema_version']}, this trtbuild writes {SCHEMA_VERSIONS[-1]}"
        raise ConfigError(what, where=str(path), hint="build and accept it anew")
    found: dict[str, Any] = page
    return found


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number in JSON")


def find(root: Path, model: str, variant: str) -> dict[str, Any] | None:
    """The accepted report of a variant, or None; a broken one is an error, as :func:`read_report` says."""
    path = path_of(root, model, variant)
    return read_report(path) if path.exists() else None


def known(root: Path) -> list[str]:
    """Ids of all variants with an accepted baseline."""
    return sorted(path.stem for path in (root / FOLDER).rglob("*.json"))


def accept(root: Path, page: Mapping[str, Any]) -> tuple[Path, str]:
    """Record a report as the accepted one; returns the path, and "new", "replaced" or "same"."""
    path = path_of(root, page["variant"]["model"], page["variant"]["id"])
    content = (json.dumps(slim(page), indent=1, sort_keys=True, allow_nan=False) + "\n").encode()
    before = path.read_bytes() if path.exists() else None
    if before != content:
        write_atomic(path, content)
    return path, "new" if before is None else "same" if before == content else "replaced"


def slim(page: Mapping[str, Any]) -> dict[str, Any]:
    """A report without its pictures: it still fits its schema and compares like the whole one.

    Histograms stay (a new build is laid over them); heat maps, strips and worst elements, further sets of inputs, and
    the layers' errors on single hops go.
    """
    made = {**page, "sets": {}, "outputs": {name: _slim_output(output) for name, output in page["outputs"].items()}}
    if page.get("latency"):
        made["latency"] = {**page["latency"], "pictures": None}
    if page.get("layers"):
        made["layers"] = {**page["layers"], "rows": [_slim_layer(row) for row in page["layers"]["rows"]]}
    return made


def _slim_output(output: Mapping[str, Any]) -> dict[str, Any]:
    return {**output, "details": dict.fromkeys(output["details"], _NO_DETAIL)}


def _slim_layer(row: Mapping[str, Any]) -> dict[str, Any]:
    views = ("cumulative", "local")
    return {**row, **{view: {hop: v for hop, v in row[view].items() if hop == "total"} for view in views}}
