"""engine: the lowered graph -> a TensorRT plan, its passport, and the proof that it computes in its precision.

Runs in the toolchain's interpreter, which has TensorRT, Polygraphy, onnx and numpy, but none of our other dependencies.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trtbuild.base.errors import ConfigError, EngineError
from trtbuild.base.thread import in_thread
from trtbuild.core.complaint import Entries, place, readers_of
from trtbuild.core.job import Job
from trtbuild.core.parserwarnings import advice, misread_words, warnings
from trtbuild.core.plan import Need
from trtbuild.core.spec import Variant
from trtbuild.core.step import File, Out, Step
from trtbuild.core.warning import StepWarning
from trtbuild.documents.verdict import WarningDocument

if TYPE_CHECKING:
    from trtbuild.trt.api import BuildOptions

VERSION = 5
OUTS = (Out("engine.plan"), Out("passport.json"), Out("engine_layers.json"), Out("build.log"))
NATIVE_OUTS = (Out("timing.cache"),)
_ADVICE = "rewrite these operations, or keep the model on a version that has them"


def declare(variant: Variant, need: Need) -> Step:
    spec, names = variant.spec, variant.names
    profiles = {name: [list(s) for s in i.shapes] for name, i in spec.model.inputs.items() if None in i.shape}
    lower = need("lower")
    native = spec.tensorrt.flavour == "tensorrt"
    cache = spec.target.timing_cache
    # Only for TensorRT: RTX engines have neither these options nor these outputs.
    options = {
        "supported": list(spec.tensorrt.compute_capabilities),
        "hardware_compatibility": spec.target.hardware_compatibility,
        "version_compatible": spec.target.version_compatible,
    }
    return Step(
        kind="engine",
        version=VERSION,
        model=names.model,
        label=f"{names.precision}-{names.tensorrt}" + (f"-{names.target}" if names.target != "portable" else ""),
        params={
            "flavour": spec.tensorrt.flavour,
            "tensorrt": spec.tensorrt.version,
            "requirements": list(spec.tensorrt.requirements),
            "compute_capabilities": list(spec.target.compute_capabilities),
            "profiles": profiles,
            "shapes": {name: list(i.shapes[1]) for name, i in spec.model.inputs.items()},
            "tf32": spec.precision.tf32,
            **(options if native else {}),
        },
        inputs={
            "model": lower.out("lowered.onnx"),
            "precision": lower.out("precision.json"),
            "scopes": need("export").out("scopes.json"),
            **({"timing_cache": File(cache)} if cache else {}),
        },
        outs=(*OUTS, *(NATIVE_OUTS if native else ())),
        slot="gpu-exclusive" if native else "cpu",  # TensorRT times kernels while it builds
        environment="toolchain",
    )


_DEFAULT_TARGET = {"tensorrt-rtx": "portable default of the builder", "tensorrt": "the GPU it was built on"}


def run(job: Job) -> None:
    from dataclasses import asdict

    import onnx  # noqa: F401  # a module first loaded inside the thread below would change the plan's bytes

    from trtbuild.engine.log import is_wanted
    from trtbuild.machine import gpu
    from trtbuild.trt import api, diagnosis, trtlog

    params = job.params
    device = None
    if params["flavour"] == "tensorrt":
        device = gpu.require_device()
        gpu.check_device(device, params["supported"], params["compute_capabilities"])
    trt = api.use_flavour(params["flavour"], params["tensorrt"])
    api.check_targets(trt, params["compute_capabilities"])
    log = trtlog.make_log(trt, job.output("build.log"), is_wanted)
    trtlog.use_log(log)
    model = job.input("model").read_bytes()
    options: api.BuildOptions = {
        "profiles": params["profiles"], "compute_capabilities": params["compute_capabilities"], "tf32": params["tf32"],
    }  # fmt: skip
    if device is not None:
        options["hardware_compatibility"] = params["hardware_compatibility"]
        options["version_compatible"] = params["version_compatible"]
    if "timing_cache" in job.inputs:
        options["timing_cache"] = job.input("timing_cache").read_bytes()
    shapes = params["shapes"]
    # A plan's bytes depend on addresses (workers/hermetic.py); the main heap's state depends on everything that
    # Python did before, whereas a new thread allocates from its own arena (glibc malloc).
    diagnosed = in_thread(lambda: diagnosis.diagnose(trt, log, model, shapes, options, job.stage))
    if isinstance(diagnosed, diagnosis.Refusal):
        raise _error(job, diagnosed)
    built, passport = diagnosed.built, _passport(job, trt, diagnosed, model, options)
    job.stage("recording")
    job.output("engine.plan").write_bytes(built.plan)
    inspected = None
    if device is not None:
        passport |= {"device": asdict(device), "hardware_compatibility": params["hardware_compatibility"]}
        job.output("timing.cache").write_bytes(built.timing_cache)
        engine = api.load(trt, log, built.plan, host_code=params["version_compatible"])
        inspected = api.inspect(trt, engine)
    layers = _layers(job, inspected)
    job.write_json("engine_layers.json", layers)
    compiled, unread = _prove_compiled(layers, job.read_json("precision"))
    passport |= {"compiled": compiled, "warnings": [*passport["warnings"], *unread]}
    job.write_json("passport.json", passport)


def _passport(job: Job, trt: Any, found: Any, model: bytes, options: BuildOptions) -> dict[str, Any]:
    from trtbuild.trt import network

    parsed, plan = found.parsed, found.built.plan
    inputs, outputs = network.bindings(parsed.network)
    proof = _prove(network.compute_dtypes(trt, parsed.network), job.read_json("precision"))
    return {
        "sha256": hashlib.sha256(plan).hexdigest(),
        "bytes": len(plan),
        "flavour": job.params["flavour"],
        "version": trt.__version__,
        "compute_capabilities": options["compute_capabilities"] or _DEFAULT_TARGET[job.params["flavour"]],
        "strongly_typed": True,
        "tf32": options["tf32"],
        "onnx_sha256": hashlib.sha256(model).hexdigest(),
        "inputs": inputs,
        "outputs": outputs,
        "profiles": options["profiles"],
        "network_layers": parsed.network.num_layers,
        "executed": False,
        **proof,
        "warnings": [warning.document() for warning in _warnings(job, found.warnings)],
    }


def _layers(job: Job, inspected: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the inspector says about the engine, or the builder's log where there is no GPU to load it on."""
    import onnx

    from trtbuild.engine import log
    from trtbuild.graphs import idlepairs

    text = job.output("build.log").read_text("utf-8")
    try:
        document = log.document(text, "build.log") if inspected is None else {**inspected, "Memory": log.memory(text)}
    except ConfigError as error:  # this version writes its log differently
        unread = {"line": 0, "text": "", "why": error.what}
        document = {"Layers": [], "Bindings": [], "Memory": log.memory(text), "Unread": [unread]}
    pairs = idlepairs.idle(onnx.load(job.input("model")))
    return {**document, "Profiles": job.params["profiles"], **({"IdlePairs": list(pairs)} if pairs else {})}


def _origins(job: Job, model: Any) -> tuple[Entries, dict[str, list[str]]]:
    return job.read_json("scopes")["nodes"], readers_of(model.graph.node)


def _warnings(job: Job, said: Any) -> list[StepWarning]:
    """What TensorRT warned about, and what it changes silently."""
    import onnx

    return warnings(said, *_origins(job, onnx.load(job.input("model"))))


def _prove(found: Mapping[str, str], precision: Mapping[str, Any]) -> dict[str, Any]:
    """Compare what the parsed network computes in with what ``lower`` promised; a difference is an error."""
    promise: Mapping[str, str] = precision["compute"]
    wrong = [
        f"{node}: promised {want}, is {found[node]}" for node, want in promise.items() if found.get(node, want) != want
    ]
    if wrong:
        what = f"{len(wrong)} node(s) would not compute in the promised precision; first: {wrong[0]}"
        raise EngineError(
            what, where="engine", hint="this is a silent loss of precision; report it", details=tuple(wrong)
        )
    if promise and not set(promise) & set(found):
        raise EngineError(
            "the parsed network names no node of the graph, so no precision is proved", where="engine"
        )
    macs: Mapping[str, int] = precision["macs"]
    proved = [node for node in promise if node in found]
    work: Counter[str] = Counter()
    for node in proved:
        work[found[node]] += macs.get(node, 0)
    total = sum(work.values())
    return {
        "compute_nodes": dict(sorted(Counter(found[node] for node in proved).items())),
        "unproved_nodes": sorted({*set(promise) - set(found), *precision["unpromised"]}),
        "work_share": {kind: round(count / total, 6) for kind, count in sorted(work.items())} if total else {},
    }


def _prove_compiled(
    layers: Mapping[str, Any], precision: Mapping[str, Any]
) -> tuple[dict[str, Any], list[WarningDocument]]:
    """What became of the promise in the compiled engine (a broken one is an error), and what was not understood."""
    from trtbuild.engine import engine, promise

    unread = layers.get("Unread", [])
    compiled = engine(layers, "engine_layers.json") if layers["Layers"] else None
    reasons = [one.why for one in compiled.unread] if compiled else [one["why"] for one in unread]
    hint = "its numbers are incomplete; report it, with engine_layers.json and build.log"
    what = f"{len(reasons)} entries on the compiled engine were not understood: {reasons[0]}" if reasons else ""
    nodes = precision["compute"]
    proof = promise.prove(compiled, nodes) if compiled else promise.Proof((), tuple(nodes))
    if proof.broken:
        wrong = tuple(one.complaint() for one in proof.broken)
        what = f"{len(wrong)} node(s) were compiled into layers of another precision; first: {wrong[0]}"
        advice = (
            "TensorRT did not do what the graph states: try another version, or keep these nodes out of it (overrides)"
        )
        raise EngineError(what, where="engine", hint=advice, details=wrong)
    return proof.document(precision["macs"]), [StepWarning(what, "engine", hint).document()] if reasons else []


def _error(job: Job, refusal: Any) -> EngineError:
    """One line with all op types; the details have every node, its TensorFlow operation and TensorRT's own words."""
    import onnx

    version = f"{job.params['flavour']} {job.params['tensorrt']}"
    known = _origins(job, onnx.load(job.input("model")))
    lines = [f"{c.op_type} ({place(c, *known)}): {c.words}" for c in refusal.complaints]
    if refusal.why:
        what = f"{version} cannot build this graph: {refusal.why}"
        hint = "choose another precision, or a version that has them (tensorrt=rtx-1.7)"
        return EngineError(what, where="build", hint=hint, details=tuple(lines) or refusal.words)
    if lines and refusal.stage == "misread":
        what = misread_words(version, lines)
        return EngineError(what, where="engine", hint=advice(refusal.complaints[0].words), details=tuple(lines))
    if lines:
        kinds = ", ".join(sorted({c.op_type for c in refusal.complaints if c.op_type})) or "the graph"
        what = f"{version} refuses {len(lines)} node(s) ({kinds}) at {refusal.stage}; first: {lines[0]}"
        return EngineError(what, where="engine", hint=_ADVICE, details=tuple(lines))
    if refusal.stage == "misread":
        return EngineError(refusal.words[0], where="engine", hint="declare it with the engine's type")
    return EngineError(refusal.words[0], where="build", details=refusal.words)
