"""A job that takes as long as it is told and writes what it was told and read: device time, simulated.

By it executors are tested and measured.  ``witness``: a file to which it appends its process id when it begins;
``until``: a file at whose sight it goes on; ``unfit``: how many of these have found no place to work.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

from trtbuild.base.errors import ModelError, PlaceError
from trtbuild.core.job import Job

_LOOK_S = 0.05


def run(job: Job) -> None:
    if witness := job.params.get("witness"):
        with open(witness, "a", encoding="ascii") as file:
            file.write(f"{os.getpid()}\n")
    if (unfit := job.params.get("unfit")) and len(Path(str(witness)).read_text("ascii").split()) <= unfit:
        raise PlaceError("no space left on the device")
    print(f"pausing for {job.params['seconds']} s", flush=True)
    deadline, until = time.monotonic() + float(job.params["seconds"]), str(job.params.get("until", ""))
    while (left := deadline - time.monotonic()) > 0 and not (until and os.path.exists(until)):
        time.sleep(min(left, _LOOK_S) if until else left)
    if what := job.params.get("fail"):
        raise ModelError(str(what))
    read = {name: hashlib.sha256(job.input(name).read_bytes()).hexdigest() for name in sorted(job.inputs)}
    job.write_json("out.json", {"read": read, "text": job.params.get("text", "")})
