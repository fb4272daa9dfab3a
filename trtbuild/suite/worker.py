"""A process that examines cases, one question a line on stdin, one answer a line on a pipe of its own.

``python -m trtbuild.suite.worker FD WATCH ROOT GRAPHS``: ROOT is the workspace ("" without one).  TensorFlow is loaded
once; the process ends when nobody holds WATCH's other end any more.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def main(pipe: int, watch: int, root: Path | None, graphs: Path) -> None:
    from trtbuild.suite.collecting import collect
    from trtbuild.suite.exporting import examine
    from trtbuild.workers.run import die_with_driver

    die_with_driver(watch)
    cases = collect(root)
    calm()
    with os.fdopen(pipe, "w", encoding="utf-8", buffering=1) as answers:
        print(json.dumps({"stage": "ready"}), file=answers)
        for line in sys.stdin:
            case = cases[json.loads(line)["id"]]
            print(f"== {case.id}", flush=True)
            examine(case, graphs, lambda answer: print(json.dumps(answer), file=answers))
            print(json.dumps({"stage": "end"}), file=answers)


def calm() -> None:
    """One thread for each kernel, since workers share the cores; and the source as it is written.

    TensorFlow's run-time optimiser computes log(x + 1) of a maximum of exponentials wrongly (2.21: 0.267 for 0.880,
    which eager execution gives), so the reference does without it.  The export runs its own pass all the same.
    """
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]) if sys.argv[3] else None, Path(sys.argv[4]))
    sys.stdout.flush()
    os._exit(0)  # TensorFlow's destructors take seconds
