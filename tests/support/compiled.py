"""Engines of small graphs, compiled by a toolchain's own interpreter without steps and records."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import onnx

import trtbuild
from trtbuild import toolchains
from trtbuild.config import named
from trtbuild.engine import Engine, engine, log
from trtbuild.graphs.idlepairs import idle
from trtbuild.toolchains.request import ToolchainRequest

_SCRIPT = """
import sys
from pathlib import Path
from trtbuild.engine.log import is_wanted
from trtbuild.trt import api, diagnosis, trtlog
trt = api.use_flavour(*sys.argv[1:3])
options = {"profiles": {}, "compute_capabilities": [], "tf32": False}
for path in sorted(Path(sys.argv[3]).glob("*.onnx")):
    log = trtlog.make_log(trt, path.with_suffix(".log"), is_wanted)
    trtlog.use_log(log)
    made = diagnosis.diagnose(trt, log, path.read_bytes(), {}, options, lambda stage: None, every=False)
    if isinstance(made, diagnosis.Refusal):
        raise SystemExit(f"{path.name}: {made.words}")
"""


def engines(models: Mapping[str, onnx.ModelProto], folder: Path, version: str = "rtx-1.7") -> dict[str, Engine]:
    """Each as the ``engine`` step records it, with the pairs that its graph has."""
    (spec,) = named.toolchains(named.root_here(), [version]).values()
    interpreter = toolchains.interpreter(ToolchainRequest(spec.flavour, spec.version, spec.requirements, version))
    for i, model in enumerate(models.values()):
        (folder / f"{i:03}.onnx").write_bytes(model.SerializeToString())
    paths = {**os.environ, "PYTHONPATH": str(Path(trtbuild.__path__[0]).parent)}
    subprocess.run(
        [str(interpreter), "-c", _SCRIPT, spec.flavour, spec.version, str(folder)], env=paths, check=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    found = {}
    for i, (name, model) in enumerate(models.items()):
        document = log.document((folder / f"{i:03}.log").read_text("utf-8"), name)
        found[name] = engine({**document, "IdlePairs": list(idle(model))}, name)
    return found
