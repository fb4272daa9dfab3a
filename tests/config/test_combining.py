"""Tests of combined compositions: what they say is what Hydra says, on random configs; the rest is left to Hydra."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from trtbuild.base.errors import ConfigError
from trtbuild.config.code import TRUSTED_MODULES
from trtbuild.config.combining import Combiner
from trtbuild.config.composing import compose_config

GROUPS = ("model", "precision", "calibration", "latency")
OWN = ("model: {a: 9}\n", "trusted_modules: [keras]\n", "other: 1\n", "latency:\n  seconds: ${model.a}\n")
OPTIONS = ("base", "o0", "o1", "o2")
HEAD = ("", "", "", "# a comment\n", "# @package _global_\n", "# @package other\n", "\n", "# @ package x\n")
VALUES = ("1", "1e-3", "1.5", "text", "'1'", "[1, 2]", "{x: 1, y: {z: 2}}", "null", "true", "2024-01-01", "é", "???",
          "0x1F", "1_000", "${model.a}", "${latency.seconds}", "\\${x}", "'a: b'", ".inf", "{}")  # fmt: skip
KEYS = ("a", "b", "c", "seconds", "algorithm", "1", "b.c")
ENTRIES = ("_self_", "o0", "o1", "o2", "base", "base.yaml", "/calibration/o0", "calibration@here: o1", "missing",
           "override /precision: o1", "optional o0", "../model/o0", "{}")  # fmt: skip
WORDS = ("latency.seconds=3", "++model.new=1", "+model.new={x: 2}", "~model.a", "model.a={x: 5}", "model.a.x=7",
         "calibration.algorithm=mse", "model.b=[1,2]", "model.c='x'", "precision.lowering=null",
         "model.a=${latency.seconds}", "model.b=1e3", "latency={seconds: 2}", "trusted_modules=[x]", "model.nowhere=1",
         "calibration.batch=4")  # fmt: skip


def option(draw: random.Random, name: str, tame: bool) -> str:
    """A file with random keys and, sometimes, a defaults list; in a tame config no circle and nothing special."""
    lines = [f"{key}: {draw.choice(VALUES[:6] if tame else VALUES)}" for key in draw.sample(KEYS, draw.randint(0, 4))]
    below = [other for other in OPTIONS if other < name]
    if draw.random() < 0.4 and (below or not tame):
        entries = draw.sample(below, 1) if tame else draw.sample(ENTRIES, draw.randint(1, 3))
        if draw.random() < 0.7 and "_self_" not in entries:
            entries.insert(draw.randint(0, len(entries)), "_self_")
        lines.insert(0, "defaults:\n" + "\n".join(f"  - {entry}" for entry in entries))
    return ("" if tame else draw.choice(HEAD)) + "\n".join(lines) + "\n"


def workspace(root: Path, draw: random.Random) -> Path:
    """A random conf/; an option may be a link, and config.yaml may have keys of its own or say nothing of a group."""
    tame = draw.random() < 0.6
    for group in GROUPS:
        folder = root / "conf" / group
        folder.mkdir(parents=True)
        for name in OPTIONS:
            target = folder / f"{name}.yaml"
            if draw.random() < 0.2:
                (root / "shared").mkdir(exist_ok=True)
                elsewhere = root / "shared" / f"{group}-{name}.yaml"
                elsewhere.write_text(option(draw, name, tame), "utf-8")
                target.symlink_to(os.path.relpath(elsewhere, folder))
            else:
                target.write_text(option(draw, name, tame), "utf-8")
    listed = ["_self_", "model: null", *(f"{group}: base" for group in GROUPS[1:]), "tensorrt: rtx-1.7",
              "runtime: onnxruntime", "target: portable", "executor: local"]  # fmt: skip
    if not tame and draw.random() < 0.5:
        listed.append(listed.pop(0))
    own = "" if tame or draw.random() < 0.5 else draw.choice(OWN)
    (root / "conf" / "config.yaml").write_text(
        "defaults:\n" + "".join(f"  - {entry}\n" for entry in listed) + own, "utf-8"
    )
    return root


def words(draw: random.Random) -> list[str]:
    chosen = [f"{group}={draw.choice(('o0', 'o1', 'o2'))}" for group in draw.sample(GROUPS, draw.randint(1, 4))]
    return [*chosen, *draw.sample(WORDS, draw.choice((0, 0, 1, 2)))]


def compared(root: Path, seed: int, rounds: int) -> int:
    """How many of some random compositions were combined, each as Hydra composes it."""
    draw = random.Random(seed)
    combiner, count = Combiner(workspace(root, draw), [TRUSTED_MODULES]), 0
    for _ in range(rounds):
        overrides = words(draw)
        combined = combiner.combine(overrides)
        if combined is None:
            continue
        count += 1
        config, choices = compose_config(root, overrides)
        assert repr(sorted(combined[0].items())) == repr(sorted(config.items())), overrides
        assert combined[1] == {group: choices[group] for group in combined[1]}, overrides
    return count


@pytest.mark.parametrize("seed", range(3))
def test_combined_as_hydra_composes(tmp_path: Path, seed: int) -> None:
    """Also keys in the same order inside each group, and values of the same types; Hydra composes them all."""
    compared(tmp_path, seed, 3)


def test_plain_options_are_combined(tmp_path: Path) -> None:
    """Or the comparison above would compare nothing."""
    counts = []
    for seed in range(8):
        (tmp_path / str(seed)).mkdir()
        draw = random.Random(seed)
        combiner = Combiner(workspace(tmp_path / str(seed), draw), [TRUSTED_MODULES])
        counts.append(sum(combiner.combine(words(draw)) is not None for _ in range(10)))
    assert sum(count > 0 for count in counts) > 3 and 80 > sum(counts) > 15


if __name__ == "__main__":  # python -m tests.config.test_combining FIRST LAST: more seeds
    import sys
    import tempfile

    total = 0
    for number in range(int(sys.argv[1]), int(sys.argv[2])):
        with tempfile.TemporaryDirectory() as scratch:
            try:
                total += compared(Path(scratch).resolve(), number, 8)
            except (AssertionError, ConfigError) as error:
                print(number, type(error).__name__, str(error)[:600])
    print(total, "combined")
