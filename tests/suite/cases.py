"""Cases and toolchains as tests write them; nothing here needs TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trtbuild.core.spec import Toolchain
from trtbuild.suite.case import Case, case, f32
from trtbuild.suite.results import Results
from trtbuild.suite.stage import Stage, Stages

RTX = Toolchain("tensorrt-rtx", "1.7.1.116", ("tensorrt-rtx==1.7.1.116",), ("8.9",))
OK: Stages = {name: Stage("yes") for name in ("exports", "parses", "builds", "matches")}
REFUSED: Stages = {"exports": Stage("yes"), "matches": Stage("yes"), "parses": Stage("no", "Resize: only nearest", "r")}


def simple(name: str = "relu-alone", **more: Any) -> Case:
    def build(x: Any) -> Any:
        return x

    return case(name, "A title", {"x": f32(2, 3)}, category="toys", **more)(build).cases[0]


def results(stages: Stages, name: str = "relu-alone", version: str = "rtx-1.7") -> Results:
    """Results of one case with one version."""
    examined = {stage: told.document() for stage, told in stages.items() if stage in ("exports", "matches")}
    probed = {stage: told for stage, told in stages.items() if stage in ("parses", "builds")}
    outline = [{"op": "", "name": "x", "from": []}, {"op": "Resize", "name": "r", "from": [0]}]
    graph = {"graph": "digest", "outline": outline, "shapes": {}, "profiles": {}}
    return Results({name: {"stages": examined, "exported": graph}}, {version: {name: probed}})


def workspace(root: Path, text: str, name: str = "mine.py") -> Path:
    """A file of cases in a workspace; its path."""
    path = root / "suite" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


ONE = """
from trtbuild.suite import case, f32, tf

@case("mine", "My case", {"x": f32(2, 3)}, needs="Relu")
def mine(x):
    return tf.nn.relu(x)
"""
