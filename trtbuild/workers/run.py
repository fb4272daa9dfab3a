"""Run one job in this interpreter: job.json in, result.json out.  ``run.py SANDBOX [fixed-addresses]``

``run.py FD zygote`` imports what takes long, and runs each job that is asked for on that socket in a fork of itself.

Executed by path inside an environment that need not have trtbuild installed, so it mounts the package from its own
location; ``trtbuild/__init__.py`` runs, and imports nothing.
"""

from __future__ import annotations

import errno
import os
import resource
import sys
import time
import traceback
from pathlib import Path

# Not resolved: a link's short path is wanted (see workers/hermetic.py).
PACKAGE = Path(os.path.abspath(__file__)).parents[1]


def mount_package() -> None:
    """Make ``import trtbuild`` find the driver's copy, and nothing else of the driver's."""
    here = str(PACKAGE / "workers")
    sys.path[:] = [p for p in sys.path if p and os.path.abspath(p) != here]
    if "trtbuild" not in sys.modules:
        from importlib.util import module_from_spec, spec_from_file_location

        spec = spec_from_file_location("trtbuild", PACKAGE / "__init__.py", submodule_search_locations=[str(PACKAGE)])
        assert spec is not None and spec.loader is not None
        module = module_from_spec(spec)
        sys.modules["trtbuild"] = module
        spec.loader.exec_module(module)


def fix_addresses() -> None:
    """Switch address randomisation off for this process by restarting it; nothing is done where that is forbidden."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    query, no_randomize = 0xFFFFFFFF, 0x0040000  # sys/personality.h
    now = libc.personality(ctypes.c_ulong(query))
    if now >= 0 and not now & no_randomize and libc.personality(ctypes.c_ulong(now | no_randomize)) >= 0:
        os.execv(sys.executable, [sys.executable, "-s", *sys.argv])


def use_temporary_folder(folder: Path) -> None:
    """For all that libraries leave behind (TensorFlow: a file for each traced function): it goes with the sandbox."""
    folder.mkdir(exist_ok=True)
    os.environ["TMPDIR"] = str(folder)
    if "tempfile" in sys.modules:
        vars(sys.modules["tempfile"])["tempdir"] = None  # it remembers the first answer


def module_of(kind: str) -> str:
    """A step's own file; a job that is not a step names its module."""
    return kind if "." in kind else f"steps.{kind}"


def main(folder: Path) -> int:
    from importlib import import_module

    from trtbuild.base import callables, environment
    from trtbuild.base.errors import TrtbuildError
    from trtbuild.core.job import Failure, Result, read_job, write_result

    job = read_job(folder)
    use_temporary_folder(folder / "tmp")
    sys.path.append(job.workspace)  # a workspace's own factories and metrics are importable
    callables.listener.announce = job.stage
    started = time.monotonic()
    try:
        import_module(f"trtbuild.{module_of(job.kind)}").run(job)
        result = Result(ok=True)
    except TrtbuildError as error:
        trace = traceback.format_exc()
        result = Result(False, Failure(type(error).__name__, error.what, error.where, error.hint, error.details, trace))
    except Exception as error:  # whatever a step raises belongs in the answer
        place = isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _PLACE)
        # With its module: a library may have a ConfigError, too, which is not ours.
        kind = type(error)
        full = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        name = "PlaceError" if place else full
        what = (str(error).splitlines() or [""])[0] or type(error).__name__
        result = Result(False, Failure(name, what, traceback=traceback.format_exc()))
    if result.failure is not None:
        failure = result.failure.changed(environment.hidden)
        result = Result(False, failure)
        print(failure.traceback, file=sys.stderr, flush=True)
    peak_bytes = 1024 * max(
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    facts = {"seconds": round(time.monotonic() - started, 3), "peak_bytes": peak_bytes}
    write_result(folder, Result(result.ok, result.failure, facts))
    return 0 if result.ok else 1


_PLACE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)

if __name__ == "__main__":
    sandbox, *how = sys.argv[1:]
    if "fixed-addresses" in how:
        fix_addresses()
    mount_package()
    if "zygote" in how:
        from trtbuild.workers.zygote import await_step

        sandbox = await_step(int(sandbox))
    status = main(Path(sandbox))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # skip the destructors: TensorFlow's and TensorRT's take seconds and have crashed at exit
