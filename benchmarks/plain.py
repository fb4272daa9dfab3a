"""The baseline of a cold build: the same tools with the same settings, one after another, in one process.

No cache, no record, no report, no child process: what a person would write in a script for this one model.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def main(root: Path, name: str, out: Path) -> None:
    import onnx
    import yaml

    from trtbuild.arrays import data, outputs
    from trtbuild.config import named
    from trtbuild.deviation import statistics
    from trtbuild.graphs import canonical, lowered, qdq
    from trtbuild.graphs.graph import hoist_constants
    from trtbuild.graphs.placement import Placement
    from trtbuild.quantizers import minmax
    from trtbuild.runtimes import calibration, onnxruntime, tensorflow
    from trtbuild.sources import tfonnx
    from trtbuild.trt import api as kit
    from trtbuild.trt import trtlog

    model = yaml.safe_load((root / "conf" / "model" / f"{name}.yaml").read_text("utf-8"))
    source, inputs = {"seed": 0, "arguments": {}, **model["source"]}, model["inputs"]
    path = root / source["path"] if "path" in source else None

    def samples(key: str) -> Any:
        return data.Source(model["data"][key], root / model["data"][key], inputs, key).samples()

    # TensorFlow's outputs, then ONNX.
    session = tensorflow.open_session(source, path, inputs)
    outputs.record(out / "reference.npz", outputs.run_all(session, samples("validation"), inputs))
    converted = tfonnx.convert(session.model, model["export"]["opset"])
    canonical.canonicalise(converted.model, keep=converted.ops)
    (out / "model.onnx").write_bytes(canonical.to_bytes(converted.model))
    running = onnxruntime.open_session(out / "model.onnx", {"providers": ["CPUExecutionProvider"]})
    outputs.record(out / "exported.npz", outputs.run_all(running, samples("validation"), inputs))

    # int8 with min-max calibration.
    graph = onnx.load(out / "model.onnx")
    hoist_constants(graph.graph)
    placement = Placement(named.precision(root, "int8"))
    lowered.prepare(graph, placement)
    nodes, _ = lowered.quantised_nodes(graph, placement)
    quantizer, tensors = minmax.make({}), qdq.activations(nodes, graph.graph, placement)
    calibration.calibrate(graph, tensors, [samples("calibration")], inputs, 8, quantizer)
    lowered.write(graph, placement, nodes, quantizer.ranges())
    canonical.strip(graph)
    (out / "lowered.onnx").write_bytes(canonical.to_bytes(graph))
    running = onnxruntime.open_session(out / "lowered.onnx", {"providers": ["CPUExecutionProvider"]})
    outputs.record(out / "lowered.npz", outputs.run_all(running, samples("validation"), inputs))

    # The engine.
    trt = kit.use_flavour("tensorrt-rtx", kit_version())
    log = trtlog.make_log(trt, out / "build.log")
    trtlog.use_log(log)
    parsed = kit.parse(trt, log, (out / "lowered.onnx").read_bytes())
    shape = inputs["image"]["shape"][1:]
    profile = [[n, *shape] for n in inputs["image"]["profile"].values()]
    options = {"profiles": {"image": profile}, "compute_capabilities": [], "tf32": False}
    (out / "engine.plan").write_bytes(kit.build(parsed, trt, log, options).plan)

    # Deviation.
    sides = [outputs.load(out / f"{side}.npz") for side in ("reference", "exported", "lowered")]
    hops = {"export": (0, 1), "precision": (1, 2), "total": (0, 2)}
    numbers = {
        hop: {k: statistics.measure(sides[a][k], sides[b][k], per_sample=True).summary for k in sides[a]}
        for hop, (a, b) in hops.items()
    }
    (out / "deviation.json").write_text(json.dumps(numbers), "utf-8")


def kit_version() -> str:
    from importlib.metadata import version

    return version("tensorrt-rtx")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
