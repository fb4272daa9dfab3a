"""Tests of where time goes: golden numbers of real exports, and conservation in every mode."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.latency.flame.exports import PAIRS, SAMPLES, graph, path, trtexec
from trtbuild.base.errors import ConfigError
from trtbuild.latency.flame import flame_graph, parse_rules, read_latency, read_layers, read_profile
from trtbuild.latency.flame.formats import folded
from trtbuild.latency.flame.tree import facts
from trtbuild.latency.flame.values import MODES, Mode, Reformats, rounded, shared

PARTS = st.sampled_from(["a", "b", "quant_c", "conv_1", "", ";", "\x1e", "(", "PWN(", ")", "é", "[x]", "0", ":0"])
PATHS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
NAMES = st.lists(PATHS, min_size=1, max_size=4).flatmap(
    lambda parts: st.sampled_from([" + ", " || ", ", "]).map(lambda sep: sep.join(parts))
)
WRAPPED = st.tuples(
    st.sampled_from(["{}", "PWN({})", "Reformatting CopyNode for Input Tensor 0 to {}", "{{ForeignNode[{}...z]}}"]),
    NAMES,
).map(lambda pair: pair[0].format(pair[1]))
ROWS = st.lists(st.tuples(WRAPPED, st.floats(0, 50)), min_size=1, max_size=12).filter(
    lambda r: sum(t for _, t in r) > 0.01
)


@pytest.mark.parametrize(
    ("name", "mode"), [(n, m) for n in PAIRS for m in MODES if m != "macs" or "names_only" not in n]
)
def test_the_samples_of_real_exports_add_up(name: str, mode: Mode) -> None:
    """12,400 microseconds are 12,400 samples, in every mode the file allows."""
    made = graph(name, mode)
    assert sum(piece.time_ns for piece in made.pieces) == made.total_ns
    assert sum(int(line.rpartition(" ")[2]) for line in folded(made).splitlines()) == SAMPLES[name]


@pytest.mark.parametrize(
    ("name", "share"),
    [("tf_resnet50_fp32.profile", 0.864), ("tf_resnet50_qat.profile", 0.857), ("trt10_resnet18_fp16.profile", 0.779)],
)
def test_most_time_is_in_layers_of_several_scopes(name: str, share: float) -> None:
    """What is fused into a layer, its weights included."""
    made = graph(name)
    assert made.multi_scope_ns / made.total_ns == pytest.approx(share, abs=5e-4)


def test_resnet50_in_fp32_has_its_golden_numbers() -> None:
    """None without a scope, 330.6 µs of reformats, 31 layers without time."""
    made = graph("tf_resnet50_fp32.profile")
    assert (made.unattributed_ns, made.reformat_ns, made.zero_rows) == (0, 330_624, 31)


def test_the_relu_of_a_lost_convolution_names_its_scope() -> None:
    """Conv__435 + resnet50/conv1_relu/Relu is the largest scope of FP32."""
    spent: dict[tuple[str, ...], int] = defaultdict(int)
    for piece in graph("tf_resnet50_fp32.profile", layers=False).pieces:
        spent[piece.scope] += piece.time_ns
    assert max(spent.items(), key=lambda item: item[1]) == (("resnet50", "conv1_relu"), 433_152)


def test_macs_follow_arithmetic() -> None:
    """A convolution takes all but the elementwise members' share."""
    made = graph("tf_resnet50_fp32.profile", "macs")
    parts = {
        p.label: p.time_ns for p in made.pieces if made.profile.rows[p.row].name.startswith("resnet50/conv2_block1_0")
    }
    assert parts["Conv2D"] > 0.95 * sum(parts.values())
    assert parts["add"] == pytest.approx(parts["Relu"], abs=1)


def test_macs_come_from_weights_and_dimensions() -> None:
    """ResNet50's first convolution: 32 x 64 x 112 x 112 outputs of 3 x 7 x 7 inputs."""
    layers = read_layers(path("tf_resnet50_fp32.graph"))
    assert layers[1].macs == 32 * 64 * 112 * 112 * 3 * 7 * 7


def test_split_gives_every_member_its_part() -> None:
    """To the nanosecond."""
    made = flame_graph(read_profile(trtexec(("a/x/Conv + b/y/Add + c/z/Relu", 0.00001))), mode="split")
    assert [(piece.scope[0], piece.time_ns) for piece in made.pieces] == [("a", 4), ("b", 3), ("c", 3)]


def test_reformats_can_be_pulled_out() -> None:
    """Under one frame at the root, by consumer."""
    made = graph("tf_resnet50_fp32.profile", reformats="apart")
    apart = [piece for piece in made.pieces if piece.scope[0] == "[reformat]"]
    assert sum(piece.time_ns for piece in apart) == 330_624
    assert apart[0].scope == ("[reformat]", "resnet50", "pool1_pool")


@given(rows=ROWS, mode=st.sampled_from(["anchor", "split"]), reformats=st.sampled_from(["inside", "apart"]))
def test_no_nanosecond_is_lost_whatever_the_names(
    rows: list[tuple[str, float]], mode: Mode, reformats: Reformats
) -> None:
    """Leaves add up to the total, folded samples to its rounded microseconds."""
    made = flame_graph(read_profile(trtexec(*rows)), mode=mode, reformats=reformats, rename=(("quant_", ""), ("a", "")))
    assert sum(piece.time_ns for piece in made.pieces) == made.total_ns
    assert sum(int(line.rpartition(" ")[2]) for line in folded(made).splitlines()) == round(made.total_ns / 1e3)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.integers(0, 10**9), st.lists(st.integers(0, 10**12), min_size=1))
def test_rounding_keeps_sums(values: list[float], total: int, weights: list[int]) -> None:
    """Of values, and of a total in proportion to weights."""
    import math

    assert sum(rounded(values)) == round(math.fsum(values))
    assert sum(shared(total, weights)) == total
    assert min(shared(total, weights)) >= 0


def test_a_scope_may_be_very_deep() -> None:
    """A name of a thousand slashes is one stack, not a stack overflow."""
    made = flame_graph(read_profile(trtexec(("a/" * 1000 + "Conv", 1.0))))
    assert len(made.pieces[0].scope) == 40


def test_rules_apply_to_the_path_or_to_each_component() -> None:
    """Keras' flat block names become a tree below the model's own scope."""
    rules = parse_rules([r"^(conv\d)_(block\d+)_=\1/\2/", "resnet50/conv1_relu=stem"])
    scopes = {"/".join(piece.scope) for piece in graph("tf_resnet50_fp32.profile", rename=rules).pieces}
    assert {"resnet50/conv2/block1/1_conv", "stem"} <= scopes


@pytest.mark.parametrize("value", ["(=x", "quant_", "=x", r"a=\3", r"(a)=\g<nope>"])
def test_a_rule_that_cannot_work_is_refused(value: str) -> None:
    """Before anything is read."""
    with pytest.raises(ConfigError, match="--rename"):
        parse_rules([value])


def test_a_profile_of_another_engine_is_refused() -> None:
    """The first disagreement is named."""
    with pytest.raises(ConfigError, match=r"layer 0 of the profile, 'resnet50/conv1_pad/Pad', .*Conv2D__6.*61 of 63"):
        flame_graph(read_profile(path("tf_resnet50_qat.profile")), read_layers(path("tf_resnet50_fp32.graph")))


def test_layers_in_another_order_are_joined_by_name_and_occurrence() -> None:
    """Each of two equal names to its own layer."""
    layers = read_layers({"Layers": [{"Name": n, "Metadata": f"[ONNX Layer: {m}]"} for n, m in
                                     [("k", "b/q/Add"), ("x", "a/p/Add"), ("x", "c/r/Add")]]})  # fmt: skip
    made = flame_graph(read_profile(trtexec(("x", 1.0), ("x", 2.0), ("k", 3.0))), layers)
    assert [piece.scope[0] for piece in made.pieces] == ["a", "c", "b"]


def test_layers_of_several_optimisation_profiles_are_joined() -> None:
    """8.x lists them once for each profile, with a suffix that the layer times may lack."""
    names = [f"{name} [profile {i}]" for i in (0, 1) for name in ("a/x/Conv", "b/y/Conv")]
    layers = read_layers({"Layers": names})
    made = flame_graph(read_profile(trtexec(("a/x/Conv", 1.0), ("b/y/Conv", 2.0))), layers)
    assert [piece.scope for piece in made.pieces] == [("a", "x"), ("b", "y")]


def test_macs_without_dimensions_is_refused() -> None:
    """Names alone do not say how large a layer is."""
    with pytest.raises(ConfigError, match="mode macs needs the layers' dimensions"):
        graph("names_only_resnet18_qat.profile", "macs")


def test_latency_is_without_warm_up() -> None:
    """The times file of 8.4 holds 15 warm-up iterations; without them the mean is the log's own."""
    times, metadata = path("tf_resnet50_fp32.timing"), path("tf_resnet50_fp32.profile.metadata")
    assert read_latency(times, None) == (pytest.approx(12.1952, abs=5e-5), "248 iterations, 15 warm-up")
    assert read_latency(None, metadata)[0] == 12.1952
    assert read_latency(None, path("mobilenet_qat.profile.metadata"))[0] == 0.352143


def test_what_qualifies_the_picture_is_said() -> None:
    """One sample, the ratio to the latency, what is hidden and what the timer cannot see."""
    lines = "\n".join(facts(graph("tf_resnet50_fp32.profile", latency_ms=12.1952, latency_source="log")).lines)
    for words in ("one sample, no statistics", "1.017", "31 without time hidden", "86.4 %", "2.7 %", "below timer"):
        assert words in lines
