"""Tests of the roofline: the arithmetic by hand, and what is not known."""

from __future__ import annotations

from pathlib import Path

import pytest

from trtbuild.base.errors import ConfigError
from trtbuild.config import options
from trtbuild.core.parse import parse
from trtbuild.core.spec import Device
from trtbuild.documents.estimate import Estimate
from trtbuild.engine.estimate import document, roofline
from trtbuild.engine.inspection import inspect
from trtbuild.engine.values import Engine, EngineLayer, Tensor
from trtbuild.engine.work import Work
from trtbuild.store.tracking import read_yaml

ROOT = Path(__file__).resolve().parents[2]
CARD = Device("card", "8.9", bandwidth_gb_s=500.0, peak_tops={"float16": 100.0, "int8": 200.0}, launch_us=2.0)


@pytest.mark.parametrize(
    ("bytes", "macs", "type", "us", "limit"),
    [
        (5_000_000, 0, "", 12.0, "memory"),  # 5 MB at 500 GB/s: 10 µs
        (5_000_000, 2_000_000_000, "float16", 42.0, "arithmetic"),  # 4 GFLOP at 100 TFLOPS: 40 µs
        (5_000_000, 2_000_000_000, "int8", 22.0, "arithmetic"),  # twice as fast in int8
        (1_000, 1_000, "float16", 2.002, "launch"),
        (None, 2_000_000_000, "float16", 42.0, "arithmetic"),  # unknown bytes: the arithmetic alone
        (5_000_000, None, "float16", 12.0, "memory"),  # unknown work: the bytes alone
        (5_000_000, 9, "float4", 12.0, "memory"),  # no peak is published for that type
    ],
)
def test_a_layer_is_as_fast_as_its_slowest_part(
    bytes: int | None, macs: int | None, type: str, us: float, limit: str
) -> None:
    """The maximum of bytes and arithmetic, plus the launch; unknown work counts as none."""
    found = roofline(Work(bytes, 0, 0, macs), type, CARD)

    assert found.us == pytest.approx(us, abs=1e-3)
    assert found.limit == limit


def convolution(type: str, batch: int = 1) -> EngineLayer:
    """64 maps of 32 x 32 by 3 x 3 weights, its result in float16."""
    image = Tensor("in", (batch, 64, 32, 32), type)
    return EngineLayer(
        "conv", "convolution", "correlation", (image,), (Tensor("out", (batch, 64, 32, 32), "float16"),),
        (Tensor("w", (64, 64, 3, 3), type),),
    )  # fmt: skip


def estimate(*layers: EngineLayer, device: Device = CARD, notes: tuple[str, ...] = (), optimum: int | None = None,
             tf32: bool = False) -> Estimate:  # fmt: skip
    """Of an engine of these layers."""
    return document(inspect(Engine("test", layers, optimum=optimum)), device, notes, tf32=tf32)


def test_an_engine_is_the_sum_of_its_layers() -> None:
    """Layers that only synchronise cost nothing, and the document says first that nothing was measured."""
    made = estimate(convolution("int8"), EngineLayer("wait", "control"), notes=("compiled for 8.6",))

    layer, wait = made["layers"]
    assert made["says"] == "an estimate: a lower bound from shapes and data sheets, not measured"
    assert layer["memory_us"] == pytest.approx((64 * 1024 + 2 * 64 * 1024 + 64 * 64 * 9) / 500e3)
    assert layer["arithmetic_us"] == pytest.approx(2 * 64 * 1024 * 64 * 9 / 200e6)
    assert wait["us"] == 0.0 and made["total_us"] == layer["us"] == sum(made["by_limit_us"].values())
    assert made["notes"] == ["compiled for 8.6"]


def test_what_could_not_be_counted_is_noted() -> None:
    """A type without a published peak, bytes that TensorRT does not state, and sizes that are dynamic."""
    other = EngineLayer("odd", "pointwise", "kgen", (Tensor("x", (4,), ""),))
    dynamic = convolution("float8", batch=-1)

    fixed = estimate(convolution("float8"), other)["notes"]
    at_opt = estimate(dynamic, optimum=4)
    unknown = estimate(dynamic)["notes"]

    assert fixed == [
        "no peak of card in float8 is published: those layers count by bytes alone",
        "of 1 of 2 layers TensorRT does not state all bytes: they count by arithmetic alone",
    ]
    assert "dynamic dimensions count as 4, the profile's opt" in at_opt["notes"]
    assert at_opt["layers"][0]["memory_us"] == pytest.approx((4 * 3 * 64 * 1024 + 64 * 64 * 9) / 500e3)
    assert any("no single size" in note for note in unknown)


def test_a_layer_known_by_name_alone_is_noted() -> None:
    """As in a file of names only: its launch is all that can be counted."""
    made = estimate(EngineLayer("conv1 + relu1", "unknown"), EngineLayer("wait", "control"))

    assert made["total_us"] == CARD.launch_us
    assert any("of 1 of 2 layers TensorRT states only the name" in note for note in made["notes"])


def test_float32_products_may_be_tf32() -> None:
    """Which have a peak of their own."""
    card = Device("card", "8.9", bandwidth_gb_s=500.0, peak_tops={"float32": 10.0, "tf32": 50.0})

    plain, fast = (estimate(convolution("float32"), device=card, tf32=t)["layers"][0] for t in (False, True))

    assert (plain["type"], fast["type"]) == ("float32", "tf32")
    assert plain["arithmetic_us"] == pytest.approx(5 * (fast["arithmetic_us"] or 0))


@pytest.mark.parametrize("name", [name for name in options(ROOT, "device") if name != "default"])
def test_every_device_says_where_its_numbers_are_published(name: str) -> None:
    """And its peaks are dense: none is above the float16 one times four."""
    device = parse(Device, read_yaml(ROOT / "conf" / "device" / f"{name}.yaml"), "device")

    assert set(device.sources) == {"bandwidth_gb_s", "peak_tops"}
    assert device.peak_tops["float16"] > device.peak_tops["float32"]
    assert max(device.peak_tops.values()) <= 4.1 * device.peak_tops["float16"]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"name": "x", "compute_capability": "8.9"}, "bandwidth_gb_s: 0 is not above 0"),
        ({"name": "x", "compute_capability": "89", "bandwidth_gb_s": 1}, "is not of the form '8.7'"),
        ({"peak_tops": {"int3": 1}}, "unknown type 'int3'"),
        ({"peak_tops": {"int8": 0}}, "int8: 0 is not above 0"),
        ({"launch_us": -1}, "launch_us: -1 is below 0"),
    ],
)
def test_a_wrong_device_is_one_line(values: dict[str, object], says: str) -> None:
    """Of the config."""
    with pytest.raises(ConfigError, match=says):
        parse(Device, values, "device")
