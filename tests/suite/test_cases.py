"""Tests of the case format and of the packaged cases as data."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.suite.cases import ONE, workspace
from trtbuild.base.errors import ConfigError
from trtbuild.suite.case import Family, case, f32, grid
from trtbuild.suite.collection import choose, collect
from trtbuild.suite.expectation import PACKAGED, read

CASES = collect(None)


def family(**more: object) -> Family:
    def build(x: object, k: int) -> object:
        return x

    points = [*grid(k=(1, 2)), {"k": 3, "id": "own", "tolerance": (1, 2)}]
    return case("conv-K{k}", "Kernel {k}", {"x": f32(1, "k", None, profile=[(1, "k", 2)] * 3)}, points=points, **more)(
        build
    )  # type: ignore[arg-type, list-item]


def test_a_family_makes_a_case_of_each_point() -> None:
    """Texts, shapes and profiles take the point's parameters; a point may replace what is the family's."""
    first, second, third = family().cases

    assert (first.id, second.title, third.id) == ("conv-k1", "Kernel 2", "own")
    assert second.inputs["x"].shape == (1, 2, None) and second.inputs["x"].shapes == ((1, 2, 2),) * 3
    assert (third.tolerance.absolute, third.parameters) == (1, {"k": 3})


def test_the_packaged_cases_are_many_and_of_every_kind() -> None:
    """At least 150, none of twenty-two kinds with few."""
    kinds = Counter(case.category for case in CASES.values())

    assert len(CASES) >= 600
    assert len(kinds) == 22 and min(kinds.values()) >= 10


def test_no_two_packaged_cases_are_the_same_graph_with_the_same_inputs() -> None:
    """Near copies would make the numbers look better than they are."""
    seen = Counter((c.build, repr(dict(c.parameters)), repr(c.inputs), c.precision, c.opset) for c in CASES.values())

    assert max(seen.values()) == 1


def test_every_case_that_exports_says_what_it_is_about() -> None:
    """The exported graph is checked for these operations, so that an exporter cannot make a case pointless."""
    expected = read(PACKAGED / "rtx-1.7.yaml", "no-gpu")

    assert [name for name, case in CASES.items() if not case.needs and "exports" not in expected[name]] == []


def test_listing_loads_no_tool() -> None:
    """Case files name TensorFlow, and load it when they run."""
    script = "import sys; from trtbuild.suite.collection import collect; collect(None); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True).stdout.split()

    assert "trtbuild.suite.cases.resize" in loaded
    assert not {"tensorflow", "keras", "numpy", "onnx", "hydra"} & set(loaded)


def test_a_workspaces_own_cases_are_found(tmp_path: Path) -> None:
    """Beside the packaged ones."""
    workspace(tmp_path, ONE)

    assert collect(tmp_path)["mine"].category == "mine"


def test_two_cases_of_one_id_are_an_error_that_names_both(tmp_path: Path) -> None:
    """Nothing is overridden silently."""
    workspace(tmp_path, ONE.replace('"mine"', '"resize-area"'))

    with pytest.raises(ConfigError, match=r"mine\.py:4: the case 'resize-area' is defined twice.*resize\.py:\d+"):
        collect(tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import nothing_like_it", "cannot be imported: ModuleNotFoundError"),
        (ONE.replace('"mine"', '"Mine!"').replace("needs", "precision='fp32', needs"), "invalid id 'mine!'"),
        (ONE.replace("needs", 'precision="fp9", needs'), "unknown precision 'fp9'"),
        (ONE.replace("f32(2, 3)", "f32(None, 3)"), "needs a profile of three shapes"),
    ],
)
def test_a_broken_file_of_cases_is_named(tmp_path: Path, text: str, says: str) -> None:
    """With the place, as a configuration error."""
    workspace(tmp_path, text)

    with pytest.raises(ConfigError, match=says):
        collect(tmp_path)


def test_cases_are_chosen_by_words_and_category() -> None:
    """Words are looked for in id, title, category, precision, issues and operations."""
    found = choose(CASES.values(), "fp16 and not (dynamic or int8)", ["convolution"])

    assert found and all(c.category == "convolution" and c.precision == "fp16" for c in found)
    assert [c.id for c in choose(CASES.values(), "TensorRT#4826 and bf16")] == ["transpose-fold-mha-bf16-d16-b2"]
    with pytest.raises(ConfigError, match=r"no case is of category 'resise'.*resize"):
        choose(CASES.values(), "", ["resise"])


@pytest.mark.parametrize("expression", ["a or", "(a", "a b", "and", "a)", "not", "()", "a(b)", "a and ()"])
def test_a_broken_expression_is_an_error(expression: str) -> None:
    """And says what it expects."""
    with pytest.raises(ConfigError, match="not an expression"):
        choose(CASES.values(), expression)
