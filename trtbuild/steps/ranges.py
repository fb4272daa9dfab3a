"""ranges: the exported graph -> the same graph with every trained range symmetric, as TensorRT's int8 requires.

A step of its own, so that the deviation report has a hop of its own for what this loses.
"""

from __future__ import annotations

from dataclasses import asdict

from trtbuild.core.job import Job
from trtbuild.core.plan import Need
from trtbuild.core.recipes import tools
from trtbuild.core.spec import Variant
from trtbuild.core.step import Out, Step
from trtbuild.core.warning import StepWarning

VERSION = 3
GRAPH = "symmetric.onnx"


def applies(variant: Variant) -> bool:
    """Whether a variant has this step: where the config says so, and the precision uses the ranges."""
    qat = variant.spec.model.qat
    return qat is not None and qat.ranges == "symmetric" and variant.names.precision not in qat.strip


def declare(variant: Variant, need: Need) -> Step:
    export = need("export")
    return Step(
        kind="ranges",
        version=VERSION,
        model=variant.names.model,
        label="symmetric",
        params={"tools": tools(variant, "onnx", "numpy")},
        inputs={"model": export.out("model.onnx"), "scopes": export.out("scopes.json")},
        outs=(Out(GRAPH), Out("ranges.json")),
    )


def run(job: Job) -> None:
    import onnx

    from trtbuild.core.complaint import operations
    from trtbuild.core.parserwarnings import where
    from trtbuild.graphs import canonical, symmetric
    from trtbuild.graphs.graph import all_nodes, hoist_constants

    model = onnx.load(job.input("model"))
    hoist_constants(model.graph)
    operation = operations(all_nodes(model.graph), job.read_json("scopes")["nodes"])
    found = symmetric.make_symmetric(model)
    places = {one.node: operation(one.node) for one in found}
    warnings = []
    if found:
        what = f'{len(found)} trained range(s) were made symmetric: see the hop "ranges" of the deviation'
        hint = "train with symmetric ranges to lose nothing"
        warnings = [StepWarning(what, where(places[one.node] for one in found), hint).document()]
    ranges = [{**asdict(one), "where": places[one.node]} for one in found]
    job.write_json("ranges.json", {"ranges": ranges, "warnings": warnings})
    canonical.strip(model)
    job.output(GRAPH).write_bytes(canonical.to_bytes(model))
