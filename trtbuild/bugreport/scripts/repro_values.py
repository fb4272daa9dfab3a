"""Shows that model.onnx gives values other than golden.json for inputs.json; all are beside this file.

Needs numpy and onnxruntime.  usage: python repro.py
Exit status: 0 the values deviate as reported, 1 they do not, 2 the model cannot be run here.
"""

from __future__ import annotations

import base64
import io
import json
import os
import sys
from typing import Any

EXPECTED = json.loads(r"""{}""")
HERE = os.path.dirname(os.path.abspath(__file__))


def arrays(found: dict[str, Any]) -> dict[str, Any]:
    """Polygraphy writes an array as base64 of an .npy file."""
    import numpy as np

    return {
        name: np.load(io.BytesIO(base64.b64decode(value.get("values", value)["array"])), allow_pickle=False)
        for name, value in found.items()
    }


def read(name: str) -> Any:
    with open(os.path.join(HERE, name)) as file:
        return json.load(file)


def main() -> int:
    import numpy as np
    import onnxruntime as ort

    feeds = arrays(read("inputs.json")[0])
    golden = arrays(read("golden.json")["lst"][0][1][0]["outputs"])
    options = ort.SessionOptions()
    # What the graph states, and nothing else: even the basic level quantises biases behind Q/DQ pairs.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(os.path.join(HERE, EXPECTED["model"]), options, ["CPUExecutionProvider"])
        values = dict(zip(golden, session.run(list(golden), feeds)))  # noqa: B905  # Python 3.8 has no strict
    except Exception as error:  # what ONNX Runtime raises has no common base class
        print(f"onnxruntime {ort.__version__} cannot run it: {error}")
        return 2
    print(f"onnxruntime {ort.__version__} (reported for {EXPECTED['version']})")
    worst = 0
    for name, wanted in golden.items():
        have = values[name]
        if have.shape != wanted.shape:
            print(f"{name}: shape {have.shape} instead of {wanted.shape}")
            worst += 1
            continue
        a, b = wanted.astype(np.float64), have.astype(np.float64)
        with np.errstate(all="ignore"):
            apart = np.abs(a - b)
            close = apart <= EXPECTED["absolute"] + EXPECTED["relative"] * np.abs(a)
        wrong = ~(close | (a == b) | (np.isnan(a) & np.isnan(b)))
        worst += int(wrong.sum())
        largest = float(np.nanmax(apart)) if apart.size else 0.0
        print(f"{name}: {wrong.sum()} of {wrong.size} values differ, by {largest:g} at most")
    print("REPRODUCED" if worst else "NOT REPRODUCED")
    return 0 if worst else 1


if __name__ == "__main__":
    sys.exit(main())
