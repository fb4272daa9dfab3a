"""Builds for a search of precisions whose artifacts follow from a made-up network: errors, costs and a drop."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, product
from pathlib import Path
from random import Random

from tests.support import pages
from trtbuild.base.errors import EngineError
from trtbuild.building.planned import Planned
from trtbuild.building.states import Outcome
from trtbuild.core.spec import Variant
from trtbuild.core.spec.auto import PARTS
from trtbuild.core.step import Step

MODEL = """\
source: {kind: onnx, path: models/m.onnx}
inputs: {x: {dtype: float32, shape: [1, 4], range: [0, 1]}}
data: {calibration: {kind: random}, validation: models/v.npz}
validation: {task: {metric: top1, labels: y, max_drop: 0.01}}
"""


@dataclass
class Network:
    """Groups ``g0``, ``g1``, … in a row.

    ``costs`` and ``errors``: by group and precision; neighbours in different precisions cost ``border`` more, which is
    what no prediction by single groups knows.
    """

    costs: Sequence[Mapping[str, float]]
    errors: Sequence[Mapping[str, float]]
    border: float = 0.0
    refuses: Callable[[Sequence[str]], bool] = lambda precisions: False
    built: list[str] = field(default_factory=list)

    @classmethod
    def seeded(cls, seed: int, groups: int, precisions: Sequence[str]) -> Network:
        random = Random(seed)
        full = [random.uniform(20, 200) for _ in range(groups)]
        costs = [
            {p: cost * (1.0 if i == 0 else random.uniform(0.4, 1.1)) for i, p in enumerate(precisions)} for cost in full
        ]
        errors = [{p: 0.0 if i == 0 else random.lognormvariate(-8, 2) for i, p in enumerate(precisions)} for _ in full]
        return cls(costs, errors, border=random.uniform(0, 8))

    def cost(self, precisions: Sequence[str]) -> float:
        borders = sum(a != b for a, b in pairwise(precisions))
        return 10.0 + sum(one[p] for one, p in zip(self.costs, precisions, strict=True)) + self.border * borders

    def drop(self, precisions: Sequence[str]) -> float:
        return 3.0 * sum(one[p] or 0.0 for one, p in zip(self.errors, precisions, strict=True))

    def optimum(self, max_drop: float) -> float:
        """The least cost of all assignments within the budget."""
        every = product(*(one.keys() for one in self.costs))
        return min(self.cost(one) for one in every if self.drop(one) <= max_drop and not self.refuses(one))

    def build(self, p: Planned) -> Outcome:
        """Write what the steps of a plan would make."""
        outcome = Outcome()
        for name, roles in p.plan.variants.items():
            precisions = self._precisions(p.plan.specs[name])
            for role, step in roles.items():
                if step.kind == "engine" and self.refuses(precisions):
                    outcome.failures[step.key] = EngineError("TensorRT did not do what the graph states")
                    break
                self._write(p.workspace.root, role, step, precisions, p.plan.specs[name])
        return outcome

    def _precisions(self, variant: Variant) -> list[str]:
        precision = variant.spec.precision
        outside = precision.form(variant.names.precision).precision
        scopes = {scope: form.precision for scope, form in precision.scopes.items()}
        return [self._longest(f"net/g{i}/Conv2D", scopes, outside) for i in range(len(self.costs))]

    @staticmethod
    def _longest(operation: str, scopes: Mapping[str, str], outside: str) -> str:
        holding = [scope for scope in scopes if f"{operation}/".startswith(f"{scope}/")]
        return scopes[max(holding, key=len)] if holding else outside

    def _write(self, root: Path, role: str, step: Step, precisions: Sequence[str], variant: Variant) -> None:
        made: dict[str, object] = {}
        if step.kind == "sensitivity":
            made["sensitivity.json"] = self._sensitivity(int(role.rpartition("-")[2]), variant.names.precision)
        elif step.kind == "engine":
            self.built.append(" ".join(precisions))
            made["engine_layers.json"] = {"Layers": self._layers(precisions)}
        elif step.kind == "deviation":
            made["deviation.json"] = pages.artifacts()["deviation"]
        elif step.kind == "validate":
            drop = self.drop(precisions)
            check = {"observed": drop, "limit": 0.01, "passed": drop <= 0.01, "share_of_limit": None, "metric": "top1",
                     "reference": 0.9, "score": 0.9 - drop, "higher_is_better": True}  # fmt: skip
            made["verdict.json"] = {"passed": True, "checks": {"task: top1 drop": check}}
        for name, document in made.items():
            (root / step.folder).mkdir(parents=True, exist_ok=True)
            (root / step.folder / name).write_text(json.dumps(document), "utf-8")

    def _sensitivity(self, part: int, precision: str) -> object:
        groups = [
            {"name": f"net/g{i}", "nodes": [f"g{i}"], "operations": [f"net/g{i}/Conv2D"], "reads": []}
            for i in range(len(self.costs))
        ]
        errors = {f"net/g{i}": self.errors[i][precision] for i in range(part, len(self.costs), PARTS)}
        return {
            "schema_version": 1, "precision": precision, "samples": 8, "measured": {}, "groups": groups,
            "errors": errors, "runs": 1 + len(errors),
            "changed": {name: [f"{name}/Conv2D"] for name, error in errors.items() if error is not None},
        }  # fmt: skip

    def _layers(self, precisions: Sequence[str]) -> list[object]:
        """A layer for each group, and one for what belongs to none; bytes are costs in thousandths."""
        single = [one[p] for one, p in zip(self.costs, precisions, strict=True)]
        rest = self.cost(precisions) - sum(single)
        return [_layer(f"g{i}", cost, f"[ONNX Layer: g{i}]") for i, cost in enumerate(single)] + [
            _layer("io", rest, "")
        ]


def _layer(name: str, cost: float, metadata: str) -> object:
    tensor = {"Name": f"{name}_in", "Dimensions": [1, round(cost * 1000)], "Format/Datatype": "Int8"}
    return {"Name": name, "LayerType": "kgen", "Inputs": [tensor], "Outputs": [], "Metadata": metadata}
