"""Tests of what is refused before anything runs, for want of a GPU; the machine's own is replaced by a named one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core.test_plan import planned
from tests.core.test_plan import variant as of_graph
from trtbuild.base.errors import ToolchainError
from trtbuild.building import fitness
from trtbuild.building.run import refuse, without
from trtbuild.building.states import Outcome
from trtbuild.core.explain import Judgement
from trtbuild.core.plan import make_plan
from trtbuild.core.spec import Executor, Runtime, Target, Variant
from trtbuild.machine import gpu
from trtbuild.steps import Declarations

ADA, HOPPER, TURING = (gpu.Device("a GPU", capability) for capability in ("8.9", "9.0", "7.5"))
ENGINE = Runtime("onnxruntime", ("CPUExecutionProvider",), "tensorrt")
CUDA = Runtime("onnxruntime", ("CUDAExecutionProvider",))
MISSING = Judgement("missing", "never built here")


def variant(runtime: Runtime, flavour: str = "tensorrt-rtx", target: Target = Target()) -> Variant:  # noqa: B008  # frozen
    base = of_graph()
    toolchain = replace(base.spec.tensorrt, flavour=flavour, compute_capabilities=("7.5", "8.9"))
    names = replace(base.names, runtime="chosen")
    spec = replace(base.spec, runtime=runtime, tensorrt=toolchain, target=target)
    return replace(base, spec=spec, names=names, gpu=gpu.identity(None) if runtime != of_graph().spec.runtime else {})


def unfit(made: Variant, judgement: Judgement = MISSING) -> dict[str, str]:
    """Why, by the kind of step."""
    roles = next(iter(planned(made).variants.values()))
    kinds = {step.key: step.kind for step in roles.values()}
    found = fitness.unfit(made, roles, dict.fromkeys(kinds, judgement))
    return {kinds[key]: str(error) for key, error in found.items()}


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The GPU that is here, or the reason why there is none."""
    monkeypatch.setattr(gpu, "_look", lambda: request.param)


@pytest.mark.parametrize("here", ["this machine has no NVIDIA driver (libcuda.so.1)"], indirect=True)
@pytest.mark.parametrize(
    ("made", "kinds", "said"),
    [(variant(ENGINE), {"infer", "latency"}, "runtime=onnxruntime, which runs the graph on the CPU"),
     (variant(CUDA), {"infer", "layers", "latency"}, "CUDA computes on one"),
     (variant(of_graph().spec.runtime, "tensorrt"), {"engine"}, "choose tensorrt=rtx-1.7")],
)  # fmt: skip
def test_without_a_driver_what_needs_it_is_refused(here: None, made: Variant, kinds: set[str], said: str) -> None:
    """And nothing else is; each with what to do instead."""
    found = unfit(made)

    assert set(found) == kinds
    assert all("has no NVIDIA driver" in why and said in why for why in found.values())


@pytest.mark.parametrize("here", ["no driver"], indirect=True)
@pytest.mark.parametrize(
    "judgement", [Judgement("fresh", ""), Judgement("remote", ""), Judgement("missing", "in the cache", True)]
)
def test_what_is_there_already_needs_no_gpu(here: None, judgement: Judgement) -> None:
    """A report of another machine's engine can be pulled and read."""
    assert unfit(variant(ENGINE), judgement) == {}


@pytest.mark.parametrize(
    ("here", "made", "said"),
    [(HOPPER, variant(ENGINE), "9.0, which tensorrt-rtx rtx-1.7 does not support; it supports 7.5, 8.9"),
     (HOPPER, variant(of_graph().spec.runtime, "tensorrt"), "9.0, which tensorrt rtx-1.7 does not support"),
     (TURING, variant(ENGINE), "leaves out by default; build for it: target=sm75"),
     (ADA, variant(ENGINE, target=Target(("7.5",))), "compute capability 8.9, not 7.5")],
    indirect=["here"],
)  # fmt: skip
def test_a_gpu_of_another_kind_is_refused_with_what_fits(here: None, made: Variant, said: str) -> None:
    """Unknown to the toolchain, or not among the engine's targets."""
    assert said in next(iter(unfit(made).values()))


@pytest.mark.parametrize(
    ("device", "said"),
    [(None, "executor.device: the GPU of a worker that computes it is not named"),
     (HOPPER, "9.0, which tensorrt-rtx rtx-1.7 does not support"), (ADA, "")],
)  # fmt: skip
def test_the_gpu_of_a_worker_is_refused_by_its_name(device: gpu.Device | None, said: str) -> None:
    """Before a step is sent there; what computes graphs on it needs no engine for it."""
    made = replace(variant(ENGINE), gpu=gpu.identity(device))
    made = replace(made, spec=replace(made.spec, executor=Executor("dask", address="tcp://build1:8786")))
    graphs = replace(made, spec=replace(made.spec, runtime=CUDA))

    assert said in next(iter(unfit(made).values()), "") and bool(unfit(made)) == bool(said)
    assert bool(unfit(graphs)) == (device is None)


@pytest.mark.parametrize("here", [ADA], indirect=True)
def test_the_package_without_cuda_is_told_from_the_one_with_it(here: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are imported by the same name; the line says which one to install."""

    def version(name: str) -> str:
        if name == fitness.CUDA_PACKAGE and not there:
            raise fitness.PackageNotFoundError(name)
        return "1.31"

    monkeypatch.setattr(fitness, "version", version)
    there = False
    refused = unfit(variant(CUDA))
    there = True

    assert "pip install onnxruntime-gpu" in refused["infer"]
    assert unfit(variant(CUDA)) == unfit(variant(ENGINE)) == {}


def test_a_refused_variant_takes_nothing_with_it() -> None:
    """In a sweep the others are built, with the steps they share; of it nothing is begun."""
    fit, other = of_graph(), replace(variant(ENGINE), gpu={"gpu": "here"})
    plan = make_plan([fit, other], ("report",), Declarations())
    infer = next(r["infer-engine"] for r in plan.variants.values() if "infer-engine" in r)
    error = ToolchainError("no GPU")

    kept = without(plan, {infer.key: error})
    outcome = refuse(Outcome({s.key: "ran" for s in kept.steps}), plan, {infer.key: error})

    assert {s.key for s in kept.steps} == {s.key for s in make_plan([fit], ("report",), Declarations()).steps}
    assert outcome.failures == {infer.key: error}
    assert {outcome.steps[s.key] for s in plan.steps if s not in kept.steps} == {"failed", "blocked"}
