"""A bundle's files from the records of a variant: everything but where they are written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

from trtbuild import __version__
from trtbuild.base.errors import ConfigError
from trtbuild.base.files import file_sha256
from trtbuild.bundle import chain, facts, triton
from trtbuild.bundle.artifacts import Artifacts
from trtbuild.bundle.golden import golden, last_run, runtime_facts
from trtbuild.documents.bundle import FORMAT, FORMAT_VERSION, MANIFEST, SIGNATURE, FileFacts, Layout, Manifest
from trtbuild.documents.deviation import Deviation, RecordedOutputs, metrics
from trtbuild.documents.engine import Passport
from trtbuild.documents.report import Axes
from trtbuild.documents.verdict import Verdict
from trtbuild.loader.bundle import ENVELOPE, STATEMENT
from trtbuild.loader.manifest import parse_manifest
from trtbuild.loader.signature import PrivateKey, envelope

ENGINE = "engine.plan"
Content = Path | bytes
NO_SAMPLES = (
    "no golden samples, so a device has no self-test: the validation data has changed since, or no output of the first "
    "call is known"
)


@dataclass(frozen=True)
class Made:
    """``contents``: every file of the bundle by its path, the manifest and its signature too; ``notes``: for people."""

    manifest: Manifest
    contents: Mapping[str, Content]
    notes: tuple[str, ...]


def make(artifacts: Artifacts, *, layout: Layout, samples: int, forced: str, key: PrivateKey | None) -> Made:
    """The files of a bundle; the same records, options and key give the same bytes.

    Args:
        samples: how many golden samples, if the engine takes so few.
        forced: what speaks against the bundle, where it is made all the same.

    Raises:
        ConfigError: something is not here, or the config states what the engine is not.
    """
    passport = artifacts.document("engine", "passport.json", Passport)
    plan = artifacts.file("engine", ENGINE)
    variant = artifacts.variant
    engine = facts.engine_facts(ENGINE if layout == "dir" else triton.PLAN, variant, passport)
    inputs, outputs = facts.input_facts(variant, passport), facts.output_facts(variant, passport)
    found = chain.chain(artifacts, forced=bool(forced))
    contents: dict[str, Content] = {engine["file"]: plan}
    tools = {"trtbuild": __version__}
    axes = cast(Axes, asdict(variant.names))
    contents[STATEMENT] = stated = _text(chain.statement(engine, passport["sha256"], axes, found, tools))
    if key is not None:
        contents[ENVELOPE] = _text(envelope(key, stated))
    arrays = golden(artifacts, samples)
    contents |= arrays.files if arrays else {}
    contents |= _report(artifacts)
    notes = [NO_SAMPLES] if samples and arrays is None else []
    if layout == "triton":
        contents[triton.CONFIG] = triton.config(variant.id, engine["flavour"], inputs, outputs).encode()
        notes += [triton.RTX_NOTE] if engine["flavour"] == "tensorrt-rtx" else []
    run = artifacts.document(last_run(artifacts), "runtime.json", RecordedOutputs)
    total = artifacts.document("deviation", "deviation.json", Deviation)["hops"]["total"]
    manifest: Manifest = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "layout": layout,
        "name": variant.id,
        "variant": axes,
        "made_by": tools,
        "key_id": None if key is None else key.id,
        "forced": forced or None,
        "engine": engine,
        "inputs": inputs,
        "outputs": outputs,
        "golden": None if arrays is None else arrays.golden,
        "validation": {
            "executed": variant.spec.runtime.engine is not None,
            "computed_by": runtime_facts(run),
            "samples": run["samples"],
            "verdict": artifacts.document("validate", "verdict.json", Verdict),
            "measured": {name: metrics(stats) for name, stats in sorted(total.items())},
        },
        "warnings": artifacts.state.warnings,
        "chain": found,
        "files": {name: _facts(content) for name, content in sorted(contents.items())},
    }
    if manifest["files"][engine["file"]]["sha256"] != passport["sha256"]:
        hint = "delete both and build again"
        raise ConfigError("it is not the engine that its passport describes (sha256)", where=str(plan), hint=hint)
    contents[MANIFEST] = text = _text(manifest)
    parse_manifest(text)  # as a device does
    if key is not None:
        contents[SIGNATURE] = key.sign(text)
    return Made(manifest, contents, tuple(notes))


def _report(artifacts: Artifacts) -> dict[str, Content]:
    return {f"report/{out.name}": artifacts.file("report", out.name) for out in artifacts.step("report").outs}


def _facts(content: Content) -> FileFacts:
    if isinstance(content, bytes):
        return {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    return {"sha256": file_sha256(content), "size": content.stat().st_size}


def _text(document: object) -> bytes:
    """One form for equal values: ASCII, sorted keys, indented by one space."""
    return (json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n").encode("ascii")
