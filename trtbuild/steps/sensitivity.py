"""sensitivity: how much each group of operations loses, alone in one precision; for ``precision=auto``.

One step measures every ``parts``-th group of one precision.
"""

from __future__ import annotations

from dataclasses import asdict
from itertools import islice
from pathlib import Path

from trtbuild.core.job import Job
from trtbuild.core.memory import activation_bytes
from trtbuild.core.plan import Need
from trtbuild.core.recipes import data_inputs, data_params, input_params, tools
from trtbuild.core.spec import Variant
from trtbuild.core.spec.data import BATCH
from trtbuild.core.step import Input, Out, Step

VERSION = 2


def declare(variant: Variant, need: Need, part: str = "0") -> Step:
    """``variant``: the one that has everything in the precision, whose scales are taken; ``part``: a number."""
    model, precision = variant.spec.model, variant.spec.precision
    inputs: dict[str, Input] = {"model": need("export").out("model.onnx"), "scopes": need("export").out("scopes.json")}
    if precision.calibrated:
        inputs["precision"] = need("lower").out("precision.json")
    form = precision.form(variant.names.precision)
    return Step(
        kind="sensitivity",
        version=VERSION,
        model=variant.names.model,
        label=f"{variant.names.precision}-{part}of{variant.spec.auto.parts}",
        params={
            "form": {**asdict(form), "quantize_ops": list(form.quantize_ops), "rest": "float32"},
            "part": int(part),
            "parts": variant.spec.auto.parts,
            "samples": variant.spec.auto.samples,
            "data": data_params(model.data.validation),
            "inputs": input_params(model, profiles=True),
            "tools": tools(variant, "onnx", "onnxruntime", "numpy"),
        },
        inputs=inputs | data_inputs(variant, model.data.validation),
        outs=(Out("sensitivity.json"),),
        work_bytes=activation_bytes(model.inputs.values(), BATCH),
    )


def run(job: Job) -> None:
    import onnx

    from trtbuild.arrays import data
    from trtbuild.auto.groups import find_groups, name_of
    from trtbuild.auto.sensitivity import Measurement
    from trtbuild.core.parse import parse
    from trtbuild.core.spec import Form
    from trtbuild.graphs.compute import COMPUTE_OPS
    from trtbuild.graphs.graph import hoist_constants
    from trtbuild.graphs.lowtypes import STORED

    params = job.params
    model = onnx.load(job.input("model"))
    hoist_constants(model.graph)
    constants = {tensor.name for tensor in model.graph.initializer}
    nodes = {
        node.name: [name for name in node.input[:2] if name not in constants]
        for node in model.graph.node
        if node.op_type in COMPUTE_OPS
    }
    nodes = {name: reads for name, reads in nodes.items() if reads}
    groups = find_groups(model.graph, nodes, job.read_json("scopes"))
    mine = groups[params["part"] :: params["parts"]]
    scales = job.read_json("precision")["scales"] if "precision" in job.inputs else {}
    path = job.input("data") if "data" in job.inputs else None
    where = "model.data.validation"
    samples = data.Source(params["data"], path, params["inputs"], where, scratch=Path(job.out)).samples()
    batches = samples.batches(params["inputs"], min(BATCH, params["samples"]))
    calls = list(islice(batches, max(1, -(-params["samples"] // BATCH))))
    form = parse(Form, params["form"], "sensitivity")
    ranges = {name: scale * STORED[form.kind][1] for name, scale in scales.items()}
    measurement = Measurement(model, form, ranges, [call.feeds for call in calls])
    measured = list(measurement.errors(mine))
    entries = job.read_json("scopes")["nodes"]
    job.write_json(
        "sensitivity.json",
        {
            "schema_version": 1, "precision": form.precision, "samples": sum(call.rows or 1 for call in calls),
            "measured": measurement.measured(),
            "errors": {one.group.name: one.error for one in measured},
            "changed": {one.group.name: sorted({name_of(node, entries) for node in one.nodes}) for one in measured},
            "groups": [
                {"name": group.name, "nodes": list(group.nodes), "operations": list(group.operations),
                 "reads": sorted({tensor for node in group.nodes for tensor in nodes[node]})}
                for group in groups
            ],
            "runs": 1 + sum(one.error is not None for one in measured),
        },
    )  # fmt: skip
