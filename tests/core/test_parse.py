"""Tests of the strict parser: what it accepts, and the one line it says about everything else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from trtbuild.base.errors import ConfigError
from trtbuild.core.parse import parse
from trtbuild.core.spec import Model


@dataclass(frozen=True)
class Leaf:
    depth: int = 1
    share: float = 0.5
    exact: bool = False


@dataclass(frozen=True)
class Cat:
    lives: int
    kind: Literal["cat"] = "cat"


@dataclass(frozen=True)
class Dog:
    name: str
    kind: Literal["dog"] = "dog"


@dataclass(frozen=True)
class Tree:
    name: str
    leaf: Leaf = Leaf()
    pet: Cat | Dog | str | None = None
    limits: Mapping[str, float] = field(default_factory=dict)
    leaves: tuple[Leaf, ...] = ()
    limit: float | Mapping[str, float] | None = None
    size: Literal["small", "large"] = "small"

    def __post_init__(self) -> None:
        if self.name == "bad":
            raise ValueError("name: bad is taken")


def refusal(value: object) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse(Tree, value, "tree")
    return caught.value


def test_a_mapping_becomes_nested_values() -> None:
    """Nested mappings and lists become frozen values, defaults fill the rest."""
    made = parse(Tree, {"name": "oak", "leaf": {"depth": 2}, "leaves": [{}, {"depth": 3}]}, "tree")

    assert made == Tree("oak", Leaf(depth=2), leaves=(Leaf(), Leaf(depth=3)))


def test_an_unknown_key_names_the_nearest() -> None:
    """The message has the place, the key and the nearest valid one."""
    assert str(refusal({"name": "oak", "leaf": {"dept": 2}})) == "tree.leaf: unknown key 'dept'; did you mean 'depth'?"


def test_a_missing_key_is_named() -> None:
    """A key without a default must be there."""
    assert str(refusal({})) == "tree: missing key 'name'"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"name": 3}, "tree.name: expected text, got 3"),
        ({"name": None}, "tree.name: expected text, got null"),
        ({"name": "oak", "leaf": {"depth": "2"}}, "tree.leaf.depth: expected a whole number, got '2'"),
        ({"name": "oak", "leaf": {"depth": 2.0}}, "tree.leaf.depth: expected a whole number, got 2.0"),
        ({"name": "oak", "leaf": {"depth": True}}, "tree.leaf.depth: expected a whole number, got True"),
        ({"name": "oak", "leaf": {"share": False}}, "tree.leaf.share: expected a number, got False"),
        ({"name": "oak", "leaf": {"exact": 1}}, "tree.leaf.exact: expected true or false, got 1"),
        ({"name": "oak", "leaf": [1]}, "tree.leaf: expected a mapping, got a list"),
        ({"name": "oak", "leaves": {"depth": 1}}, "tree.leaves: expected a list, got a mapping"),
        ({"name": "oak", "leaves": [{}, {"depth": None}]}, "tree.leaves[1].depth: expected a whole number, got null"),
        ({"name": "oak", "limits": {"fp16": "much"}}, "tree.limits.fp16: expected a number, got 'much'"),
        ({"name": "oak", "limits": [1]}, "tree.limits: expected a mapping, got a list"),
        ("oak", "tree: expected a mapping, got 'oak'"),
    ],
)
def test_a_wrong_type_is_one_line_with_its_place(value: object, said: str) -> None:
    """Wrong types are never converted in silence."""
    assert str(refusal(value)) == said


@pytest.mark.parametrize(("given", "read"), [("1e-3", 1e-3), (1, 1.0), (0.25, 0.25), ("2.5E+4", 25000.0)])
def test_a_number_may_be_written_as_yaml_1_1_misreads_it(given: object, read: float) -> None:
    """`1e-3` without a dot reaches the parser as text; whole numbers are numbers too."""
    share = parse(Leaf, {"share": given}, "leaf").share

    assert (share, type(share)) == (read, float)


def test_a_kind_chooses_the_alternative() -> None:
    """Mappings of one place are told apart by their `kind`."""
    pets = [
        parse(Tree, {"name": "oak", "pet": pet}, "tree").pet for pet in ({"kind": "dog", "name": "Rex"}, "none", None)
    ]

    assert pets == [Dog("Rex"), "none", None]


def test_an_unknown_kind_names_the_nearest() -> None:
    """The suggestion is one of the kinds."""
    assert (
        str(refusal({"name": "oak", "pet": {"kind": "cart", "lives": 9}}))
        == "tree.pet.kind: unknown kind 'cart'; did you mean 'cat'?"
    )


def test_a_missing_kind_lists_the_kinds() -> None:
    """Without a kind there is nothing to compare with, so all are listed."""
    assert str(refusal({"name": "oak", "pet": {"lives": 9}})) == "tree.pet.kind: unknown kind null; valid: cat, dog"


def test_a_key_of_another_kind_is_unknown() -> None:
    """The keys that a kind takes are its own."""
    assert str(refusal({"name": "oak", "pet": {"kind": "cat", "lives": 9, "name": "Tom"}})).startswith(
        "tree.pet: unknown key 'name'"
    )


def test_a_number_or_a_table_of_numbers() -> None:
    """One threshold for all precisions, or one for each."""
    limits = [parse(Tree, {"name": "oak", "limit": limit}, "tree").limit for limit in ("1e-3", {"fp16": 1})]

    assert limits == [1e-3, {"fp16": 1.0}]


def test_no_alternative_fits() -> None:
    """All alternatives are listed when none fits."""
    assert str(refusal({"name": "oak", "limit": [1]})).startswith("tree.limit: got a list, expected one of: a number, ")


def test_a_word_outside_a_closed_set() -> None:
    """Closed sets suggest the nearest member."""
    assert str(refusal({"name": "oak", "size": "smal"})) == "tree.size: 'smal' is not allowed; did you mean 'small'?"


def test_a_value_that_contradicts_itself_is_refused_with_its_place() -> None:
    """What a value says about its own meaning gets the place in front."""
    assert str(refusal({"name": "bad"})) == "tree: name: bad is taken"


SOURCES: list[dict[str, Any]] = [
    {"kind": "saved_model", "path": "models/m"},
    {"kind": "keras", "path": "models/m.keras"},
    {"kind": "frozen_graph", "path": "models/m.pb", "inputs": {"x": "x:0"}, "outputs": {"y": "y:0"}},
    {"kind": "onnx", "path": "models/m.onnx"},
    {"kind": "factory", "callable": "pkg:make", "arguments": {"depth": 2}, "seed": 1},
]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: str(source["kind"]))
def test_every_kind_of_source_parses(source: dict[str, Any]) -> None:
    """Each kind is recognised, and keeps what it was given."""
    made = parse(Model, {"source": source, "inputs": {"x": {"dtype": "float32", "shape": [1, 4]}}}, "model")

    assert {key: getattr(made.source, key) for key in source} == source


@pytest.mark.parametrize("number", [float("nan"), float("inf"), "nan", "-inf"])
def test_a_number_is_finite(number: object) -> None:
    """A threshold of NaN or infinity is a mistake in the config, not a crash when the recipe is hashed."""
    with pytest.raises(ConfigError, match="share"):
        parse(Leaf, {"share": number}, "leaf")


def test_a_wrong_entry_of_a_table_is_placed() -> None:
    """The entry of the table that is wrong is named, not the whole table."""
    assert "tree.limit.fp16" in str(refusal({"name": "oak", "limit": {"fp16": "much"}}))
