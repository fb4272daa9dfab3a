"""Accepted baselines: one report.json for each variant that a person has approved, kept in git."""

from __future__ import annotations

import json
from pathlib import Path

from trtbuild.base.errors import ConfigError
from trtbuild.base.files import write_atomic
from trtbuild.documents import reading
from trtbuild.documents.deviation import Detail
from trtbuild.documents.layers import LayerRow
from trtbuild.documents.report import VERSION, VERSIONS, Output, Report, Versioned

FOLDER = "baselines"
# An output's details as the schema requires them, without the pictures.
_NO_DETAIL: Detail = {"worst": [], "channels": [], "positions": None, "samples": None, "argmax": None,
                      "no_argmax": "left out of a baseline", "tolerance": [], "by_magnitude": []}  # fmt: skip


def path_of(root: Path, model: str, variant: str) -> Path:
    """``baselines/<model>/<variant id>.json`` of a workspace."""
    return root / FOLDER / model / f"{variant}.json"


def read_report(path: Path) -> Report:
    """A report.json or a baseline, for comparison; one of schema 1 is converted to the current form.

    Raises:
        ConfigError: it cannot be read, is not JSON or not a report; it names the first unexpected place.
    """
    where, hint = str(path), "give a report.json that trtbuild wrote"
    page = reading.read_json(path, error=ConfigError, hint=hint)
    version = reading.checked(page, Versioned, where=where, error=ConfigError, hint=hint, name="report")[
        "schema_version"
    ]
    if version not in VERSIONS:
        what = f"a report of schema {version}, this trtbuild writes {VERSION}"
        raise ConfigError(what, where=where, hint="build and accept it anew")
    if version == 1 and isinstance(page, dict):
        page = {**page, "schema_version": VERSION, "notes": page.get("warnings", []), "warnings": []}
    return reading.checked(page, Report, where=where, error=ConfigError, hint=hint, name="report")


def find(root: Path, model: str, variant: str) -> Report | None:
    """The accepted report of a variant, or None; a broken one is an error, as :func:`read_report` says.

    One of several that differ in an override has none.
    """
    if "#" in variant:
        return None
    path = path_of(root, model, variant)
    return read_report(path) if path.exists() else None


def known(root: Path) -> list[str]:
    """Ids of all variants with an accepted baseline."""
    return sorted(path.stem for path in (root / FOLDER).rglob("*.json"))


def accept(root: Path, page: Report) -> tuple[Path, str]:
    """Record a report as the accepted one; returns the path, and "new", "replaced" or "same"."""
    path = path_of(root, page["variant"]["model"], page["variant"]["id"])
    content = (json.dumps(slim(page), indent=1, sort_keys=True, allow_nan=False) + "\n").encode()
    before = path.read_bytes() if path.exists() else None
    if before != content:
        write_atomic(path, content)
    return path, "new" if before is None else "same" if before == content else "replaced"


def slim(page: Report) -> Report:
    """A report without its pictures and the layers' errors on single hops: it compares like the full one."""
    made = without_pictures(page)
    if layers := page.get("layers"):
        made["layers"] = {**layers, "rows": [_slim_layer(row) for row in layers["rows"]]}
    return made


def without_pictures(page: Report) -> Report:
    """A report without heat maps, strips, worst elements and further sets of inputs: it still fits its schema.

    Histograms are kept: others are drawn over them.
    """
    outputs = {name: _slim_output(output) for name, output in page["outputs"].items()}
    made: Report = {**page, "sets": {}, "outputs": outputs}
    if latency := page.get("latency"):
        made["latency"] = {**latency, "pictures": None}
    return made


def _slim_output(output: Output) -> Output:
    return {**output, "details": dict.fromkeys(output["details"], _NO_DETAIL)}


def _slim_layer(row: LayerRow) -> LayerRow:
    cumulative, local = ({hop: v for hop, v in row[view].items() if hop == "total"} for view in ("cumulative", "local"))
    return {**row, "cumulative": cumulative, "local": local}
