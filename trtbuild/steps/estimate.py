"""estimate: a lower bound of every engine layer's time on the chosen device; nothing is measured, nothing is run."""

from __future__ import annotations

from dataclasses import asdict

from trtbuild.base.errors import ConfigError
from trtbuild.core.job import Job
from trtbuild.core.plan import Need
from trtbuild.core.spec import Device, Variant
from trtbuild.core.step import Out, Step

VERSION = 1


def declare(variant: Variant, need: Need) -> Step:
    spec, names = variant.spec, variant.names
    return Step(
        kind="estimate",
        version=VERSION,
        model=names.model,
        label=f"{names.precision}-{names.tensorrt}",
        params={
            "device": asdict(spec.device),
            "compiled_for": list(spec.target.compute_capabilities),
            "supported": list(spec.tensorrt.compute_capabilities),
            "tf32": spec.precision.tf32,
        },
        inputs={
            "engine_layers": need("engine").out("engine_layers.json"),
            "scopes": need("export").out("scopes.json"),
        },
        outs=(Out("estimate.json"),),
    )


def run(job: Job) -> None:
    from trtbuild.engine import estimate, inspection, reading

    params = job.params
    device = Device(**params["device"])
    record = job.read_json("engine_layers")
    if not record["Layers"]:  # a version that writes it in another way: the engine step says so in Unread
        what = "TensorRT's record of this engine's layers could not be read, so there is nothing to estimate from"
        raise ConfigError(what, where="device", hint="build without device=…")
    engine = reading.engine(record, "engine_layers.json")
    inspected = inspection.inspect(engine, job.read_json("scopes"))
    notes = compiled_for_another(device, params["compiled_for"], params["supported"])
    job.write_json("estimate.json", estimate.document(inspected, device, notes, tf32=params["tf32"]))


def compiled_for_another(device: Device, compiled_for: list[str], supported: list[str]) -> list[str]:
    """A note where this device would not run the engine whose layers are counted, but another one."""
    if device.compute_capability in (compiled_for or supported):
        return []
    what = f"compute capability {', '.join(compiled_for)}" if compiled_for else "the portable set of targets"
    own = f"{device.name} has {device.compute_capability} and would run another one"
    return [f"the engine was compiled for {what}; {own}"]
