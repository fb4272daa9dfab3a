"""Tests of comparing two graphs: golden numbers of FP32 against QAT, noise, and sums that add up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.latency.flame.exports import graph, path, trtexec
from trtbuild.latency.flame import difference, flame_graph, read_profile
from trtbuild.latency.flame.formats import difference_table, folded_difference

QUANT = (("quant_", ""),)


@pytest.mark.parametrize(("rules", "common", "share"), [((), 2, 0.038), (QUANT, 57, 0.965)])
def test_rules_bring_fp32_and_qat_together(rules: tuple[tuple[str, str], ...], common: int, share: float) -> None:
    """2 common scopes without, 57 with the one rule."""
    change = difference(graph("tf_resnet50_qat.profile", rename=rules), graph("tf_resnet50_fp32.profile", rename=rules))
    both = [c for c in change.changes if c.old_ns and c.new_ns]
    assert len(both) == common
    assert sum(c.old_ns for c in both) / change.old.total_ns == pytest.approx(share, abs=5e-4)


def test_the_parts_add_up_to_the_difference() -> None:
    """Appeared, vanished, grown, shrunk and noise: 2.381 - 12.400 ms, to the nanosecond."""
    change = difference(graph("tf_resnet50_qat.profile", rename=QUANT), graph("tf_resnet50_fp32.profile", rename=QUANT))
    assert change.delta_ns == 2_380_608 - 12_399_744
    assert sum(change.sums_ns().values()) == change.delta_ns
    assert sum(c.delta_ns for c in change.changes) == change.delta_ns
    assert {c.verdict for c in change.changes} >= {"appeared", "vanished", "shrunk", "grown"}


def test_both_columns_of_the_folded_file_add_up() -> None:
    """To the rounded totals, old first."""
    lines = folded_difference(difference(graph("tf_resnet50_qat.profile"), graph("tf_resnet50_fp32.profile")))
    columns = [line.rsplit(" ", 2)[1:] for line in lines.splitlines()]
    assert [sum(int(column[i]) for column in columns) for i in (0, 1)] == [12400, 2381]


def test_a_profile_against_itself_is_within_noise() -> None:
    """Nothing appeared, nothing grew."""
    made = graph("trt10_resnet18_fp16.profile")
    assert {c.verdict for c in difference(made, made).changes} == {"within noise"}


def test_samples_decide_what_is_noise() -> None:
    """The same 5 % is a change where samples are close, and none where they are wide."""
    noisy = [8.0, 12.0, 9.0, 11.0, 10.0, 10.0]
    old = flame_graph(read_profile({"a/x/Conv": [10.0, 10.01, 9.99, 10.0, 10.0, 10.01], "b/y/Conv": noisy}))
    new = flame_graph(
        read_profile({"a/x/Conv": [10.5, 10.51, 10.49, 10.5, 10.5, 10.5], "b/y/Conv": [v * 1.05 for v in noisy]})
    )
    verdicts = {c.scope[0]: c.verdict for c in difference(new, old).changes}
    assert verdicts == {"a": "grown", "b": "within noise"}
    assert "interval" in difference(new, old).band


def test_one_sample_falls_back_to_a_stated_band() -> None:
    """3 %, or two steps of the timer."""
    old, new = (
        flame_graph(read_profile(trtexec(("a/x/C", a), ("b/y/C", b)))) for a, b in ((1.0, 0.003), (1.02, 0.0045))
    )
    change = difference(new, old)
    assert {c.verdict for c in change.changes} == {"within noise"}
    assert change.band == "within 3 % or 2.048 µs"


TIMES = st.dictionaries(st.sampled_from(["a/x/Conv", "b/Add", "c", "{ForeignNode[a/x/M...a/y/N]}", "[trainStation1]"]),
                        st.floats(0.001, 9), min_size=1)  # fmt: skip


@given(TIMES, TIMES)
def test_any_two_profiles_add_up(old: dict[str, float], new: dict[str, float]) -> None:
    """In the list and in the table."""
    change = difference(*(flame_graph(read_profile(trtexec(*side.items()))) for side in (new, old)))
    assert sum(change.sums_ns().values()) == change.delta_ns
    table = difference_table(change, "t")
    assert sum(c["delta_ns"] for c in table["changes"]) == table["delta_ns"]


def test_reformats_belong_to_their_scope() -> None:
    """So that a copy that is no longer needed shows as a gain of that scope."""
    change = difference(graph("tf_resnet50_qat.profile", rename=QUANT), graph("tf_resnet50_fp32.profile", rename=QUANT))
    pool = next(c for c in change.changes if c.scope == ("resnet50", "pool1_pool"))
    assert pool.old_ns == 156_672 + 66_560


def test_the_data_is_where_it_was_left() -> None:
    """Real exports travel with their source and licence."""
    index = (path("x").parent / "INDEX.md").read_text("utf-8")
    assert all(f"| {file.name} |" in index for file in path("x").parent.glob("*.json"))
