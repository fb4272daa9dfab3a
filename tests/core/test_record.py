"""Tests of what is recorded about a step, and of the key of its action."""

from __future__ import annotations

import hashlib
import posixpath

from tests.support.fakes import step
from trtbuild.core.record import Digest, Record, action_key, dep_path, params, same, sorted_sha256

STEP = step("a", step("up", x=1), files=("models/source",), depth=2)
DIGESTS = {"models/source": Digest("s1", 7), f"{step('up', x=1).folder}/out.bin": Digest("u1", 8)}


def test_paths_are_seen_from_the_folder() -> None:
    """DVC writes dependencies relative to the folder of dvc.yaml."""
    assert dep_path(STEP, "models/source") == "../../../models/source"
    assert dep_path(STEP, f"{STEP.folder}/params.yaml") == "params.yaml"
    for path in ("build", "build/m2/x/y", "models/./a//b", f"{STEP.folder}-2/out"):
        assert dep_path(STEP, path) == posixpath.relpath(path, STEP.folder)


def test_parameters_are_enough_to_run_the_step() -> None:
    """params.yaml holds the whole recipe, inputs as relative paths."""
    up = step("up", x=1).folder.rpartition("/")[2]

    assert params(STEP) == {
        "kind": "a", "version": 1, "environment": "main", "outs": ["out.bin"], "params": {"depth": 2},
        "recipe": STEP.key,
        "inputs": {"up": f"../{up}/out.bin", "file0": "../../../models/source"},
    }  # fmt: skip


def test_an_action_key_hangs_on_content_alone() -> None:
    """Sizes and the order of inputs are not in it."""
    bare = {path: Digest(digest.md5) for path, digest in reversed(DIGESTS.items())}

    assert action_key(STEP, bare) == action_key(STEP, DIGESTS)


def test_other_content_is_another_action() -> None:
    """One other byte in an input changes the key."""
    assert action_key(STEP, {**DIGESTS, "models/source": Digest("s2")}) != action_key(STEP, DIGESTS)


def test_parameters_that_dvc_leaves_out_still_tell_recipes_apart() -> None:
    """DVC drops ``size`` and ``nfiles`` from a hash, at any depth."""
    small, large = (step("a", files=("models/source",), arguments={"size": size}) for size in (5, 6))
    digests = {"models/source": Digest("s1")}

    assert action_key(small, digests) != action_key(large, digests)


def test_pinned_action_key() -> None:
    """A change that would miss every run-cache entry anywhere must change this test."""
    assert (
        action_key(step("a", files=("models/source",)), {"models/source": Digest("0" * 32)})
        == "b2994f91193781adcfee94cae594e3e82cb83d0f9840077361c555cb1ad9d456"
    )


def test_the_hash_is_of_sorted_json() -> None:
    """DVC's dict_sha256: sorted keys, json's default separators."""
    assert sorted_sha256({"b": 1, "a": 2}) == hashlib.sha256(b'{"a": 2, "b": 1}').hexdigest()


def test_content_decides_sameness() -> None:
    """Sizes do not count, and nothing is the same as nothing."""
    assert same(Digest("a", 1), Digest("a", 2))
    assert not same(Digest("a"), Digest("b"))
    assert not same(None, None)
    assert not same(Digest("a"), None)


def test_a_record_is_sorted_wherever_it_comes_from() -> None:
    """What is made from it must not depend on that."""
    one, two = Digest("1" * 32), Digest("2" * 32)
    record = Record("cmd", {"b": two, "a": one}, {}, {"y": two, "x": one})

    assert [*record.deps, *record.outs] == ["a", "b", "x", "y"]
