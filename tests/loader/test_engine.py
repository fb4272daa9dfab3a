"""Tests of the loader behind the checks: version, device, contract, inference, self-test; TensorRT is a fake."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support import fakegpu
from tests.support.bundles import CONTENTS, FakeEngine, FakeRuntime, X, contents, npy, write
from trtbuild.base.errors import BundleError, DataError
from trtbuild.loader import load
from trtbuild.loader.golden import broken_limits, difference
from trtbuild.loader.manifest import Tensor


def bundle(folder: Path, change: Callable[[dict[str, Any]], object] = lambda m: None, **files: bytes) -> Path:
    return write(folder / "bundle", contents(folder, change=change, files={**CONTENTS, **files}))


@pytest.mark.parametrize(
    ("runtime", "reason"),
    [
        (FakeRuntime(installed={}), "flavour"),
        (FakeRuntime(installed={"tensorrt": "1.7.1.116"}), "flavour"),
        (FakeRuntime(installed={"tensorrt-rtx": "1.7.1.117"}), "version"),
        (FakeRuntime(installed={"tensorrt-rtx": "1.8.0.1"}), "version"),
        (FakeRuntime(capability="9.0"), "device"),
        (FakeRuntime(capability="8.0"), "device"),
    ],
)
def test_an_engine_is_not_deserialised_where_it_does_not_belong(
    tmp_path: Path, runtime: FakeRuntime, reason: str
) -> None:
    """The refusal names what is here and what is needed."""
    with pytest.raises(BundleError) as caught:
        load(bundle(tmp_path), runtime=runtime)

    assert caught.value.reason == reason and runtime.plans == []


@pytest.mark.parametrize(
    ("version", "capability", "loads"),
    [("10.3.0.26", "8.0", True), ("10.13.2.6", "12.0", True), ("10.2.0.1", "8.6", False), ("11.0.0.1", "8.6", False),
     ("10.13.2.6", "7.5", False)],
)  # fmt: skip
def test_a_compatible_engine_loads_in_later_versions_and_on_later_devices(
    tmp_path: Path, version: str, capability: str, loads: bool
) -> None:
    """Within the first number of the version, and from the least capability on, compared as numbers."""
    engine = {"flavour": "tensorrt", "version": "10.3.0.26", "version_compatible": True, "or_later": True,
              "compute_capabilities": ["8.0"]}  # fmt: skip
    runtime = FakeRuntime(installed={"tensorrt": version}, capability=capability)
    place = bundle(tmp_path, lambda m: m["engine"].update(engine))
    if loads:
        assert load(place, runtime=runtime).self_test().passed
    else:
        with pytest.raises(BundleError, match=r"version|device"):
            load(place, runtime=runtime)


@pytest.mark.parametrize(
    ("field", "tensor"),
    [("inputs", Tensor("x", "float16", (-1, 6))), ("inputs", Tensor("image", "float32", (-1, 6))),
     ("outputs", Tensor("y", "float32", (-1, 7))), ("outputs", Tensor("y", "float32", (-1, 6, 1)))],
)  # fmt: skip
def test_an_engine_with_another_contract_is_refused(tmp_path: Path, field: str, tensor: Tensor) -> None:
    """Its own tensors are what counts, not the manifest's word."""
    runtime = FakeRuntime(engine=FakeEngine(**{field: (tensor,)}))
    with pytest.raises(BundleError, match=r"contract: (in|out)put .* the manifest says"):
        load(bundle(tmp_path), runtime=runtime)


def test_inference_has_named_buffers(tmp_path: Path) -> None:
    """Arrays of the caller are filled; what does not fit is one line, before anything runs."""
    loaded = load(bundle(tmp_path), runtime=FakeRuntime())
    buffer = np.empty((2, 6), np.float32)

    assert loaded.infer({"x": X}, {"y": buffer})["y"] is buffer and np.array_equal(buffer, 2 * X)
    with pytest.raises(DataError, match="image: no such input; valid: x"):
        loaded.infer({"image": X})
    with pytest.raises(DataError, match="x: this input is missing"):
        loaded.infer({})
    with pytest.raises(DataError, match=r"it is float64 \[2, 6\], the engine takes float32 from \[1, 6\] to \[4, 6\]"):
        loaded.infer({"x": X.astype(np.float64)})
    with pytest.raises(DataError, match=r"it is float32 \[5, 6\]"):
        loaded.infer({"x": np.zeros((5, 6), np.float32)})
    with pytest.raises(DataError, match="no output fits this buffer"):
        loaded.infer({"x": X}, {"y": buffer[:1]})


@pytest.mark.parametrize("factor", [2.2, -2.0, float("nan")])
def test_an_engine_that_computes_something_else_fails_its_self_test(tmp_path: Path, factor: float) -> None:
    """At start-up, unless the caller tests later."""
    place, runtime = bundle(tmp_path), FakeRuntime(engine=FakeEngine(factor))
    with pytest.raises(BundleError, match="self-test: golden: y: "):
        load(place, runtime=runtime)
    test = load(place, runtime=runtime, self_test=False).self_test()

    assert not test.passed and test.failures


@pytest.mark.parametrize(
    "array",
    [npy(X)[:-1], npy(X) + b"x", npy(X.astype(">f4")), npy(np.asfortranarray(X)), b"PK", npy(np.zeros((9, 6), "f4")),
     npy(X.astype(np.float64)), npy(np.array(["a"]))],
)  # fmt: skip
def test_a_golden_array_that_is_not_one_is_refused(tmp_path: Path, array: bytes) -> None:
    """Before the engine is deserialised."""
    runtime = FakeRuntime()
    with pytest.raises(BundleError) as caught:
        load(bundle(tmp_path, **{"golden/input-0.npy": array}), runtime=runtime)

    assert (caught.value.reason, caught.value.where, runtime.plans) == ("golden", "golden/input-0.npy", [])


def test_the_metrics_are_those_of_the_deviation_page() -> None:
    """On random arrays with what is not finite; a padded batch counts its leading elements."""
    from trtbuild.deviation.statistics import compare

    chance = np.random.default_rng(3)
    expected = chance.normal(size=(5, 7)).astype(np.float32)
    output = (expected + chance.normal(size=(5, 7)) / 10).astype(np.float32)
    output[0, 0], expected[1, 1], output[1, 1] = expected[0, 0], np.nan, np.nan
    found, wanted = difference(expected, np.concatenate([output, output])), compare(expected, output)

    for metric in ("max_abs", "mean_abs", "rmse", "cosine", "sqnr_db", "exact_share"):
        assert found[metric] == pytest.approx(wanted[metric], rel=1e-12)
    assert found["nonfinite"] == 0 and difference(np.zeros(2), np.zeros(2))["sqnr_db"] is None
    assert broken_limits(difference(np.ones(2), np.array([1, np.inf])), {"max_abs": 1.0}) != []
    assert broken_limits(difference(np.zeros(2), np.ones(2)), {"sqnr_db": 1.0, "cosine": 0.5}) != []
    with pytest.raises(BundleError, match="1 elements came out, 2 are expected"):
        difference(np.zeros(2), np.zeros(1))


def test_it_runs_through_tensorrt_with_numpy_alone(tmp_path: Path) -> None:
    """A TensorRT that copies, and the driver; TensorFlow, Hydra, DVC and their like are not even installed."""
    plan = {"inputs": {"x": {"dtype": "FLOAT", "profile": [[1, 6], [2, 6], [4, 6]]}}, "outputs": {"y": {"of": "x"}}}
    engine = {"flavour": "tensorrt", "version": fakegpu.VERSION, "compute_capabilities": [fakegpu.CAPABILITY]}
    files = {"engine.plan": json.dumps(plan).encode(), "golden/output-0.npy": npy(X), "statement.json": b"{}"}
    place = bundle(tmp_path, lambda m: m["engine"].update(engine), **files)
    script = """
import importlib.abc, json, sys
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] not in {*sys.stdlib_module_names, "trtbuild", "numpy", "tensorrt"}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Absent())
import numpy as np
from trtbuild.loader import BundleError, load
engine = load(sys.argv[1])
x = np.arange(18, dtype=np.float32).reshape(3, 6)
same = bool(np.array_equal(engine.infer({"x": x})["y"], x))
print(json.dumps([same, engine.self_test().passed, sorted({m.split(".")[0] for m in sys.modules if m.isidentifier()})]))
"""
    argv = [sys.executable, "-c", script, str(place)]
    done = subprocess.run(argv, cwd=tmp_path, env=fakegpu.environment(tmp_path), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    same, passed, modules = json.loads(done.stdout.splitlines()[-1])

    assert same and passed
    assert {"numpy", "tensorrt"} <= set(modules) and "cryptography" not in modules
