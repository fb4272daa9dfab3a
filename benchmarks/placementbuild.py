"""Compiles every ONNX file of a folder without a GPU, in a toolchain's interpreter: FLAVOUR VERSION FOLDER.

Beside each file are its log, with the layers of the engine, and ``.json``: the reason where there is no engine.  Files
that have one are left out, so that a caller can go on after a crash.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

BATCHES = (1, 4, 8)


def main(flavour: str, version: str, folder: Path) -> None:
    from trtbuild.base.errors import TrtbuildError
    from trtbuild.engine.log import is_wanted
    from trtbuild.trt import api, trtlog

    trt = api.use_flavour(flavour, version)
    for path in sorted(folder.glob("*.onnx")):
        answer = path.with_suffix(".json")
        if answer.exists():
            continue
        answer.write_text(json.dumps({"why": "the compiler crashed"}), "utf-8")
        log = trtlog.make_log(trt, path.with_suffix(".log"), is_wanted)
        trtlog.use_log(log)
        try:
            why = _compiled(trt, api, log, path)
        except TrtbuildError as error:
            why = api.known_refusal(error.what) or error.what
        answer.write_text(json.dumps({"why": why}), "utf-8")


def _compiled(trt: Any, api: Any, log: Any, path: Path) -> str:
    """Why it is refused; "" if it is compiled."""
    parsed = api.parse(trt, log, path.read_bytes())
    if parsed.complaints:
        return f"{parsed.complaints[0].op_type} is refused"
    inputs = [parsed.network.get_input(i) for i in range(parsed.network.num_inputs)]
    profiles = {x.name: [[n if size < 0 else size for size in x.shape] for n in BATCHES]
                for x in inputs if -1 in tuple(x.shape)}  # fmt: skip
    api.build(parsed, trt, log, {"profiles": profiles, "compute_capabilities": [], "tf32": False})
    return ""


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
