"""Tests of the scopes of a precision file: as few as possible, and they mean exactly the assignment."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

import pytest

from trtbuild.auto.scopes import common, shortest


def read_back(scopes: Mapping[str, str], operation: str, base: str) -> str:
    """The longest scope that holds the operation decides."""
    holding = [scope for scope in scopes if f"{operation}/".startswith(f"{scope}/")]
    return scopes[max(holding, key=len)] if holding else base


@pytest.mark.parametrize("seed", range(20))
def test_the_scopes_mean_the_assignment(seed: int) -> None:
    random = Random(seed)
    names = {"/".join(random.choice("abc") for _ in range(random.randint(1, 4))) for _ in range(12)}
    assignment = {f"{name}/Conv2D": random.choice(["fp16", "int8", "fp8"]) for name in names}
    scopes = shortest(assignment, "fp16")
    assert {name: read_back(scopes, name, "fp16") for name in assignment} == assignment
    assert len(scopes) <= sum(precision != "fp16" for precision in assignment.values())


def test_a_whole_part_takes_one_line_and_its_exception_another() -> None:
    assignment = {f"net/encoder/b{i}/conv/Conv2D": "int8" for i in range(9)} | {
        "net/encoder/b3/conv/Conv2D": "fp16", "net/head/Conv2D": "fp16",
    }  # fmt: skip
    assert shortest(assignment, "fp16") == {"net/encoder": "int8", "net/encoder/b3": "fp16"}


def test_the_base_needs_no_line() -> None:
    assert shortest({"net/a/Conv2D": "fp16"}, "fp16") == {}


def test_an_operation_whose_name_is_also_a_scope_keeps_its_own_precision() -> None:
    assignment = {"net/dense": "int8", "net/dense/inner": "fp16"}
    scopes = shortest(assignment, "fp16")
    assert {name: read_back(scopes, name, "fp16") for name in assignment} == assignment


@pytest.mark.parametrize(("names", "path"), [(["a/b/c"], "a/b/c"), (["ab/c", "a/c"], ""), ([], "")])
def test_a_common_path_has_whole_components(names: list[str], path: str) -> None:
    assert common(names) == path
