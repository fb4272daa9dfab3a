"""The chain of digests from the source model through calibration data to the engine, and its in-toto statement."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from trtbuild.base.errors import ConfigError
from trtbuild.base.files import file_sha256
from trtbuild.bundle.artifacts import Artifacts
from trtbuild.core.plan import post_order
from trtbuild.core.record import Digest, dep_path
from trtbuild.core.step import File, Step
from trtbuild.documents.bundle import CalibrationLink, Chain, EngineFacts, OutputLink, SourceLink, StepLink
from trtbuild.documents.engine import Precision
from trtbuild.documents.report import Axes
from trtbuild.remote.attestations import BUILDER, PREDICATE, STATEMENT, digests

BUILD_TYPE = "urn:trtbuild:variant:v1"


def chain(artifacts: Artifacts, *, forced: bool = False) -> Chain:
    """The chain of a variant; ``forced``: a source may be missing, or have changed since.

    Raises:
        ConfigError: a file of the chain is not here.
    """
    steps = post_order(artifacts.step(role) for role in ("engine", "validate"))
    spine = {step.key for step in post_order([artifacts.step("engine")])}  # its files are here, and have a sha256
    sources: dict[str, SourceLink] = {}
    for step in steps:
        for path, digest in _sources(artifacts, step).items():
            here = artifacts.source(path, digest)
            if here is None and not forced:
                hint = "bring it with: dvc pull models.dvc"
                raise ConfigError("the source that its record names is not here", where=path, hint=hint)
            sources[path] = {"path": path, "md5": digest.md5, "sha256": None if here is None else tree_sha256(here)}
    roles = {step.key: role for role, step in artifacts.state.roles.items()}
    return {
        "sources": [sources[path] for path in sorted(sources)],
        "calibration": _calibration(artifacts),
        "steps": [_link(artifacts, step, roles[step.key] if step.key in spine else "") for step in steps],
    }


def _sources(artifacts: Artifacts, step: Step) -> dict[str, Digest]:
    """The source files of a step with the digests in its record."""
    deps = artifacts.record(step).deps
    paths = [source.path for source in step.inputs.values() if isinstance(source, File)]
    return {path: deps[dep_path(step, path)] for path in paths}


def _link(artifacts: Artifacts, step: Step, role: str) -> StepLink:
    outputs: dict[str, OutputLink] = {}
    for name, digest in artifacts.record(step).outs.items():
        outputs[name] = {"md5": digest.md5}
        if role:
            outputs[name]["sha256"] = file_sha256(artifacts.file(role, name))
    inputs = {name: source.path for name, source in step.inputs.items()}
    return {"kind": step.kind, "folder": step.folder, "recipe": step.key, "inputs": inputs, "outputs": outputs}


def _calibration(artifacts: Artifacts) -> CalibrationLink | None:
    facts = artifacts.document("lower", "precision.json", Precision).get("calibration")
    if facts is None:
        return None
    return {"algorithm": facts["algorithm"], "samples": facts["samples"], "sha256": facts["sha256"]}


def tree_sha256(path: Path) -> str:
    """The sha256 of a file, or of a folder's listing: a line ``SHA256  PATH`` for each file, sorted by path."""
    if not path.is_dir():
        return file_sha256(path)
    files = sorted((file.relative_to(path).as_posix(), file) for file in path.rglob("*") if file.is_file())
    listing = "".join(f"{file_sha256(file)}  {name}\n" for name, file in files)
    return hashlib.sha256(listing.encode()).hexdigest()


def statement(engine: EngineFacts, sha256: str, variant: Axes, found: Chain, tools: Mapping[str, str]) -> object:
    """The in-toto statement (v1) with a SLSA provenance predicate (v1); it has no times, so it can be made again."""
    made = {step["folder"]: step for step in found["steps"]}
    return {
        "_type": STATEMENT,
        "subject": [{"name": engine["file"], "digest": {"sha256": sha256}}],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {**variant, "flavour": engine["flavour"], "version": engine["version"]},
                "internalParameters": {folder: {"recipe": step["recipe"]} for folder, step in made.items()},
                "resolvedDependencies": [
                    {"name": source["path"], "digest": _digests(source["md5"], source["sha256"])}
                    for source in found["sources"]
                ],
            },
            "runDetails": {
                "builder": {"id": BUILDER, "version": dict(tools)},
                "byproducts": [
                    {"name": f"{folder}/{name}", "digest": _digests(link["md5"], link.get("sha256"))}
                    for folder, step in made.items()
                    for name, link in step["outputs"].items()
                ],
            },
        },
    }


def _digests(md5: str, sha256: str | None) -> dict[str, str]:
    own = digests(Digest(md5))
    return own if sha256 is None else {**own, "sha256": sha256}
