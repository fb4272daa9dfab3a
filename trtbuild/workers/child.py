"""Work in a forked child, so that what it loads (TensorFlow: half a gigabyte) is gone when it ends."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

from trtbuild.base.errors import TrtbuildError, WorkerDied, error_named


def in_child(work: Callable[[], None], what: str) -> None:
    """Run ``work`` to its end in a child process.  Fork before threads are started, so before heavy imports.

    Raises:
        TrtbuildError: what ``work`` raised, if it is one of ours.  WorkerDied: the child crashed or raised otherwise.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        status = 1
        try:
            work()
            status = 0
        except TrtbuildError as error:
            told = [type(error).__name__, error.what, error.where, error.hint, list(error.details)]
            os.write(write, json.dumps(told).encode())
        except BaseException:  # the child must end here, whatever it is
            import traceback

            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if said:
        name, message, where, hint, details = json.loads(said)
        raise error_named(name)(message, where=where, hint=hint, details=tuple(details))
    if status != 0:
        how = f"died of signal {-status}" if status < 0 else "failed"
        raise WorkerDied(f"the process {how} while {what}", where=what)
