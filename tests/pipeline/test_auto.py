"""Tests of the search for mixed precisions on made-up networks whose optimum is known by trying everything."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from tests.support import versions
from tests.support.autobuild import MODEL, Network
from trtbuild.base import packaged
from trtbuild.base.errors import ConfigError, ModelError, ToolchainError
from trtbuild.base.workspace import find_workspace
from trtbuild.config.option import content, precision
from trtbuild.core.spec import Variant
from trtbuild.core.spec.auto import PARTS, Auto
from trtbuild.pipeline import auto
from trtbuild.pipeline.auto import Assignment, Search
from trtbuild.pipeline.autobase import check_names, load_base, uniform
from trtbuild.pipeline.autodocument import document, precision_file, sentence
from trtbuild.pipeline.autoresult import first_round, resolve, search
from trtbuild.reports.auto import render_page

WORDS = ("model=m", "latency=off", "layers=off", "auto.base=fp32", "auto.candidates=[bf16,fp16]")
PRECISIONS = ("fp32", "bf16", "fp16")


def workspace_of(folder: Path) -> Path:
    made = versions.workspace(folder, ("m",))
    (made / "conf" / "model" / "m.yaml").write_text(MODEL, "utf-8")
    (made / "models" / "v.npz").write_bytes(b"")
    return made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return workspace_of(tmp_path / "ws")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Variant]:
    """The base of a search, with every variant composed once for all tests of its kind."""
    made = workspace_of(tmp_path_factory.mktemp("search") / "ws")
    workspace = find_workspace(made)
    known = {name: uniform(workspace, WORDS, name, load_base(workspace, WORDS)) for name in PRECISIONS[1:]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auto, "uniform", lambda *given: known.get(given[2]) or uniform(*given))
        patch.chdir(made)
        yield load_base(workspace, WORDS)


def searched(base: Variant, network: Network, max_drop: float) -> tuple[Search, Assignment | None]:
    spec = replace(base.spec, auto=replace(base.spec.auto, max_drop=max_drop))
    workspace = find_workspace(Path.cwd())
    search = Search(workspace, replace(base, spec=spec), WORDS, network.build, lambda line: None)
    return search, search.run()


@pytest.mark.parametrize("seed", range(20))
def test_a_small_network_gets_the_optimum(base: Variant, seed: int) -> None:
    """Within two percent of the cost of the best of all assignments, never outside the budget, in few evaluations."""
    network = Network.seeded(seed, 5, PRECISIONS)
    middle = 1.001 * sorted(network.drop(["fp16"] * i + ["fp32"] * (5 - i)) for i in range(6))[3]
    search, chosen = searched(base, network, middle)
    assert chosen is not None
    assert network.drop(chosen.precisions) <= middle
    assert network.cost(chosen.precisions) <= 1.02 * network.optimum(middle)
    assert len(search.measured) <= 8
    assert search.runs <= 2 * 5 + 10


@pytest.mark.parametrize("seed", range(5))
def test_a_sensitive_part_is_the_first_that_stays(base: Variant, seed: int) -> None:
    """Cheaper everywhere, and one group that loses ten thousand times as much."""
    network = Network.seeded(seed, 6, PRECISIONS)
    network.border = 0.0
    for i, (costs, errors) in enumerate(zip(network.costs, network.errors, strict=True)):
        for name in PRECISIONS[1:]:
            costs[name], errors[name] = 0.5 * costs["fp32"], 1e-3 if i == seed else 1e-7  # type: ignore[index]
    _, chosen = searched(base, network, 0.0001)
    assert chosen is not None
    assert [p == "fp32" for p in chosen.precisions] == [i == seed for i in range(6)]


@pytest.mark.parametrize("seed", [1, 7])
def test_what_no_prediction_knows_is_found_beside_the_front(base: Variant, seed: int) -> None:
    """Neighbours in different precisions cost less here, as where a cast takes the place of a transposition."""
    network = Network.seeded(seed, 4, PRECISIONS)
    network.border = -8.0
    search, chosen = searched(base, network, 0.01)
    assert chosen is not None and network.drop(chosen.precisions) <= 0.01
    assert network.cost(chosen.precisions) <= 1.02 * network.optimum(0.01)
    assert len(search.compiled) <= len(PRECISIONS) + search.auto.builds


def test_two_builds_are_enough_to_search(base: Variant) -> None:
    spec = replace(base.spec, auto=replace(base.spec.auto, builds=2))
    search, chosen = searched(replace(base, spec=spec), Network.seeded(1, 4, PRECISIONS), 0.01)
    assert chosen is not None and len(search.compiled) <= len(PRECISIONS) + 2


def test_a_budget_that_everything_meets_takes_the_cheapest(base: Variant) -> None:
    network = Network.seeded(1, 4, PRECISIONS)
    search, chosen = searched(base, network, 0.9)
    assert chosen is not None and chosen.cost == min(one.cost for one in search.compiled.values())
    assert len(search.measured) == 2


def test_an_impossible_budget_is_said(base: Variant) -> None:
    network = Network.seeded(1, 4, PRECISIONS)
    for errors in network.errors:
        errors["fp32"] = 1.0  # type: ignore[index]
    search, chosen = searched(base, network, 0.0)
    assert chosen is None and len(search.measured) == 1
    assert sentence(search, chosen).startswith("not even fp32 is within the budget: drop 12 of 0; try a larger ")


def test_the_front_follows_from_the_groups_in_the_document(base: Variant) -> None:
    """Every sum of one choice of each group, and of those what no other beats."""
    search, chosen = searched(base, Network.seeded(5, 5, PRECISIONS), 0.01)
    made = document(search, chosen, "", None)
    sums = [
        (sum(c["error"] for c in choices), made["rest"] + sum(c["cost"] for c in choices))
        for choices in product(*(group["choices"] for group in made["groups"]))
    ]
    best = {(e, c) for e, c in sums if not any(a <= e and b <= c and (a, b) != (e, c) for a, b in sums)}
    front = [(point["error"], point["cost"]) for point in made["front"]]
    np.testing.assert_allclose(sorted(front), sorted(best))


def test_a_group_that_a_candidate_changes_nothing_of_has_a_page(base: Variant) -> None:
    """Such as the products of an attention block, of which fp8 leaves some alone; with and without an estimate."""
    network = Network.seeded(3, 3, PRECISIONS)
    network.errors[1]["bf16"] = None  # type: ignore[index]
    search, chosen = searched(base, network, 0.01)
    made = document(search, chosen, "", None)
    assert [len(group["choices"]) for group in made["groups"]] == [3, 2, 3]
    for group in made["groups"]:
        assert render_page(made, packaged.templates(Path.cwd())).count(group["name"]) > 0
        group["base_limits"], group["limits"], group["chosen"] = {"arithmetic": 3.0}, {"memory": 2.0}, "fp16"
    assert "The 3 groups that are not in fp32: arithmetic 9 µs in fp32, memory 6 µs as chosen." in render_page(
        made, packaged.templates(Path.cwd())
    )


def test_what_tensorrt_breaks_is_left_out(base: Variant) -> None:
    network = Network.seeded(2, 4, PRECISIONS)
    network.refuses = lambda precisions: {"fp32", "fp16"} <= set(precisions)
    search, chosen = searched(base, network, 0.01)
    assert chosen is not None and not network.refuses(chosen.precisions)
    made = document(search, chosen, sentence(search, chosen), None)
    assert made["refused"] and all("TensorRT did not do" in why for why in made["refused"])


def test_the_file_means_the_assignment_that_was_certified(base: Variant) -> None:
    network = Network.seeded(3, 6, PRECISIONS)
    search, chosen = searched(base, network, 0.01)
    assert chosen is not None
    root = Path.cwd()
    path = root / "conf" / "precision" / "auto-m.yaml"
    path.parent.mkdir(exist_ok=True)
    text = precision_file(search, chosen, sentence(search, chosen), "auto-m")
    path.write_text(text, "utf-8")
    assert "judge it" not in text
    search.words = [*search.words, "executor=dask", "+executor.patience=1h"]
    assert precision_file(search, chosen, sentence(search, chosen), "auto-m") == text  # wherever the search ran
    search.auto = replace(search.auto, deviation={"sqnr_db": 45.0})
    assert "#   validation: {deviation: {sqnr_db: {auto-m: 45}}}\n" in precision_file(search, chosen, "", "auto-m")
    assert precision(root, content(root, "precision", "auto-m"), "file") == chosen.variant.spec.precision


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("auto.base=fp8",), "auto.base=fp8: 'fp8' is not a floating-point precision; name fp32"),
        (("auto.deviation={cosin: 0.9}",), "unknown metric 'cosin'"),
        (("model.qat.ranges=symmetric",), "the model was trained for int8, and is not searched"),
        (("~model.validation.task",), "no budget of accuracy is set"),
        (("~model.validation.task", "auto.max_drop=0.1"), "the model has no task metric"),
        (("auto.max_drop=2", "model.data.certification=models/no.npz"), "above 1, which top1 cannot drop by"),
        (("model.data.certification=models/no.npz",), "model.data.certification names it"),
        (("precision.tf32=true",), "precision.tf32=true: a search takes precisions as their files have them"),
    ],
)
def test_mistakes_are_one_line_before_anything_runs(root: Path, words: tuple[str, ...], message: str) -> None:
    given = tuple(word for word in WORDS if word.partition("=")[0] not in {w.partition("=")[0] for w in words})
    with pytest.raises(ConfigError, match=re.escape(message)):
        search(
            find_workspace(root), (*given, *words), "auto-m", lambda p: pytest.fail("a step ran"), print, dry_run=True
        )


@pytest.mark.parametrize(
    ("auto", "message"),
    [
        (Auto("int8"), "auto.base: 'int8' is not a floating-point precision; name fp16 or bf16 or fp32"),
        (Auto("fp17"), "auto.base: unknown precision 'fp17'; did you mean 'fp16'?"),
        (Auto("auto"), "auto.base: only a build searches for a precision"),
        (Auto("fp16", ("int8", "fp16")), "auto.candidates: 'fp16' is the base; name others, or another auto.base"),
        (Auto("fp16", ("int9",)), "auto.candidates: unknown precision 'int9'; did you mean 'int8'?"),
        (Auto("fp16", ("tf32",)), "auto.candidates: 'tf32' differs from 'fp16' in TF32"),
    ],
)
def test_names_of_precisions_that_cannot_be_searched(base: Variant, auto: Auto, message: str) -> None:
    del base  # its workspace is the working directory
    with pytest.raises(ConfigError, match=re.escape(message)):
        check_names(Path.cwd(), auto)


def test_what_tensorrt_refuses_everywhere_is_dropped_by_name(base: Variant) -> None:
    """A version that compiles no engine in a candidate, too."""
    network, said = Network.seeded(2, 4, PRECISIONS), list[str]()
    network.refuses = lambda precisions: "bf16" in precisions
    search = Search(find_workspace(Path.cwd()), base, WORDS, network.build, said.append)
    chosen = search.run()
    assert chosen is not None and list(search.dropped) == ["bf16"] and said[0].startswith("auto: without bf16: ")
    network.refuses = lambda precisions: precisions[0] != "fp32"
    with pytest.raises(ModelError, match="none of bf16, fp16 can be built for this target: TensorRT did not do"):
        Search(find_workspace(Path.cwd()), base, WORDS, network.build, said.append).run()


def test_a_search_that_fails_does_not_stop_the_others(root: Path) -> None:
    network = Network.seeded(4, 4, PRECISIONS)
    wanted = [(*WORDS, "precision=auto", f"auto.max_drop={drop}") for drop in (0.01, 2)]
    found = resolve(find_workspace(root), wanted, network.build, lambda line: None, dry_run=False)
    assert [words[-2:] for words in found.words] == [("precision=auto-m-0.01", "auto.max_drop=0.01")]
    assert list(found.invalid) == [" ".join(wanted[1])]
    with pytest.raises(ConfigError, match="above 1"):
        resolve(find_workspace(root), wanted[1:], network.build, lambda line: None, dry_run=False)


def test_a_network_without_groups_stays_as_it_is(base: Variant) -> None:
    """Nothing multiplies in it."""
    search, chosen = searched(base, Network([], []), 0.01)
    assert chosen is not None and sentence(search, chosen).startswith("fp32: drop 0 of 0.01")
    assert document(search, chosen, "", None)["groups"] == []


def test_candidates_that_no_device_of_the_target_has_are_one_line(root: Path) -> None:
    words = [*WORDS, "auto.candidates=[fp8,nvfp4]"]
    with pytest.raises(ToolchainError, match="none of fp8, nvfp4 can be built for this target: fp8 needs"):
        search(
            find_workspace(root),
            words,
            "auto-m",
            Network.seeded(1, 2, PRECISIONS).build,
            lambda line: None,
            dry_run=True,
        )


def test_a_plan_has_the_first_round(root: Path) -> None:
    """An engine in each precision, and the sensitivities, beside what needs no search."""
    found = [(*WORDS, "precision=auto"), ("model=m", "precision=bf16", "latency=off", "layers=off")]
    kinds = Counter(step.kind for step in first_round(find_workspace(root), found).plan.steps)
    assert (kinds["engine"], kinds["sensitivity"], kinds["report"]) == (3, 2 * PARTS, 1)


def test_a_dry_run_writes_no_precision_file_and_a_search_writes_one(root: Path) -> None:
    network = Network.seeded(4, 4, PRECISIONS)
    wanted = [(*WORDS, "precision=auto", "auto.max_drop=0.01"), ("model=m", "precision=fp16")]
    file = root / "conf" / "precision" / "auto-m.yaml"
    found = resolve(find_workspace(root), wanted, network.build, lambda line: None, dry_run=True)
    (one,) = found.searched
    assert (found.words, file.exists(), one.document["file"]) == ([wanted[1]], False, None)
    found = resolve(find_workspace(root), wanted, network.build, lambda line: None, dry_run=False)
    (one,) = found.searched
    assert found.words == [(*WORDS, "precision=auto-m", "auto.max_drop=0.01"), wanted[1]]
    assert file.read_text("utf-8") == one.file
    assert (root / one.page).is_file()
