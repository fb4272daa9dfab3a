"""A sample of the benchmark's 36 networks with fake quantisation, against TensorFlow and the installed TensorRT."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = """
import json
from dataclasses import asdict
from benchmarks.qat import Network, compare
for form, narrow, relu, layer in (("vars", False, False, "dense"), ("per_channel", True, False, "depthwise"),
                                  ("quantize_and_dequantize", False, True, "conv")):
    print(json.dumps(asdict(compare(Network(form, narrow, relu, layer)))))
from benchmarks.qatkinds import judge, kinds
chosen = ("tf.while_loop", "tf.cond", "wide weights, wide input", "concat of two ranges", "end at the beginning")
for kind in kinds():
    if kind.name in chosen:
        print(json.dumps(asdict(judge(kind))))
"""


def test_fake_quantisation_is_int8_and_tensorflows_own() -> None:
    """To the step, but where a value is between two; a ReLU's range loses half a step of the new ones.

    So in loops and branches, and where the zero is at 127; what cannot be is named.
    """
    done = subprocess.run([sys.executable, "-c", SAMPLE], cwd=ROOT, capture_output=True, text=True, check=True)
    every = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    rows, kinds = every[:3], every[3:]

    assert [row["int8"] for row in rows] == [["int8", "int8"]] * 3
    assert [row["steps"] <= 1 for row in rows] == [True] * 3
    assert [row["differing"] <= 260 for row in rows[:2]] == [True] * 2, "only where a value was put between two steps"
    assert all(row["cosine"] > 0.999 for row in rows)
    assert len(kinds) == 5 and [kind for kind in kinds if not kind["good"]] == []
