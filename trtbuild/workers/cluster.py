"""Which Dask cluster a build uses: a running scheduler by its address, or one of a class that the config names."""

from __future__ import annotations

import atexit
import contextlib
import logging
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any

from trtbuild.base.errors import ConfigError, PlaceError, first_line
from trtbuild.base.text import printable
from trtbuild.base.thread import in_thread
from trtbuild.core.demand import lacking
from trtbuild.core.spec import Executor

if TYPE_CHECKING:
    from distributed import Client

PRELOAD = "trtbuild.workers.lab"
LOOK_S = 5.0  # how often the workers' resources are looked at
_CONNECT_S = 20.0
_TARGET = "_target_"


@dataclass(frozen=True)
class Membership:
    """A connection to a cluster; ``local``: its workers are this machine's.  ``cluster`` was made for this build."""

    client: Client
    address: str
    local: bool
    cluster: Any = None

    def leave(self) -> None:
        """Close the connection, and a cluster that was made for it, unless the command's next build has them."""
        if not any(one is self for one in (_held.get() or {}).values()):
            self.close()

    def close(self) -> None:
        for one in (self.client, self.cluster):
            if one is not None:
                with contextlib.suppress(Exception):  # what is closed may be gone already, in many ways
                    one.close()


class Offers:
    """What each worker of a cluster offers, as of a few seconds ago."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._looked = 0.0
        self._known: dict[str, Mapping[str, float]] = {}

    def by_worker(self) -> Mapping[str, Mapping[str, float]]:
        """By address."""
        if time.monotonic() - self._looked > LOOK_S:
            self._looked = time.monotonic()
            with contextlib.suppress(OSError, RuntimeError):  # a scheduler that is gone ends every future, too
                info = self._client.scheduler_info(n_workers=-1)
                self._known = {address: worker["resources"] for address, worker in info["workers"].items()}
        return self._known

    def takers(self, needed: Mapping[str, float], avoid: Sequence[str] = ()) -> list[str]:
        """Workers that can take a step."""
        return [a for a, offered in self.by_worker().items() if a not in avoid and not lacking(needed, offered)]

    def largest(self, needed: Mapping[str, float]) -> float | None:
        """The most memory of a worker that lacks nothing but memory; None if there is no such worker."""
        offers = [offered for offered in self.by_worker().values() if lacking(needed, offered) == ["memory"]]
        return max((offered["memory"] for offered in offers), default=None)

    def shortage(self, needed: Mapping[str, float], avoid: Sequence[str] = ()) -> str:
        """What no worker has, in words: of the one that lacks the least."""
        offers = [offered for address, offered in self.by_worker().items() if address not in avoid]
        names = min((lacking(needed, offered) for offered in offers), key=len, default=[])
        if "machine" in names:
            return f"no worker takes steps; start them with --preload {PRELOAD}"
        if names:
            return f"no worker has {', '.join(names)}"
        return "no other worker is there" if avoid else "no worker is there yet"


_held: ContextVar[dict[str, Membership] | None] = ContextVar("_held", default=None)  # by what the config says


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Several builds of one command inside share a cluster, which ends with it."""
    if _held.get() is not None:
        yield
        return
    kept: dict[str, Membership] = {}
    token = _held.set(kept)
    try:
        yield
    finally:
        _held.reset(token)
        for one in kept.values():
            one.close()


def join(spec: Executor, note: Callable[[str], None]) -> Membership:
    """The cluster of a build before in this command, or a new connection.  Raises as :func:`_join`."""
    kept, key = _held.get(), repr((spec.address, spec.cluster, spec.adaptive))
    if kept is None:
        return _join(spec, note)
    if key not in kept or kept[key].client.status != "running":
        if key in kept:
            kept.pop(key).close()
        kept[key] = _join(spec, note)
    return kept[key]


def _join(spec: Executor, note: Callable[[str], None]) -> Membership:
    """Connect to the scheduler at the address, or make the cluster, and say where it is.

    Raises:
        ConfigError: the class is not a Dask cluster's, or does not take the arguments.  PlaceError: Dask is not
        installed, or the cluster does not answer.
    """
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError:
        hint = "run: pip install 'trtbuild[dask]'"
        raise PlaceError("dask.distributed is not installed", where="executor", hint=hint) from None
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # the death of a worker or a scheduler is told in our words
    failures = logging.getLogger("tornado.application")  # of a deployment's own commands, sbatch say
    failures.handlers, failures.propagate = [_OneLine(note)], False
    dask.config.set({
        "distributed.comm.timeouts.connect": f"{_CONNECT_S:g}s",
        "distributed.worker.preload": [PRELOAD], "distributed.scheduler.preload": [PRELOAD],
    })  # fmt: skip
    made = None if spec.address is not None else _make(spec)
    try:
        client = Client(spec.address if made is None else made, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        if made is not None:
            made.close()
        hint = "is the scheduler running, and reachable from here?"
        what = f"no answer from the scheduler: {first_line(error)}"
        raise PlaceError(what, where=spec.address or "executor.cluster", hint=hint) from None
    address = str(client.scheduler.address) if client.scheduler is not None else ""
    note(f"dask   {address}, dashboard {client.dashboard_link}")
    return Membership(client, address, isinstance(made, LocalCluster), made)


class _OneLine(logging.Handler):
    """Says what an exception says, without its traceback."""

    def __init__(self, note: Callable[[str], None]) -> None:
        super().__init__(logging.ERROR)
        self._note = note

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self._note(f"dask   {printable(' '.join(str(error or record.getMessage()).split()))}")


def _make(spec: Executor) -> Any:
    """The cluster of the config, scaling as it says."""
    from distributed import LocalCluster
    from distributed.deploy import Cluster
    from distributed.deploy.spec import close_clusters

    arguments = dict(spec.cluster or {})
    where = "executor.cluster"
    name = str(arguments.pop(_TARGET, ""))
    module, _, attribute = name.rpartition(".")
    try:
        cls = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        hint = "such as distributed.LocalCluster; dask_jobqueue's need: pip install 'trtbuild[dask]'"
        raise ConfigError(f"cannot import '{name}': {error}", where=f"{where}.{_TARGET}", hint=hint) from None
    if isinstance(cls, type) and not issubclass(cls, Cluster):
        raise ConfigError(f"'{name}' is not a Dask cluster", where=f"{where}.{_TARGET}")
    warnings.filterwarnings("ignore", "Port .* already in use", module="distributed")  # the note says which one it has
    if cls is LocalCluster:  # what its processes say goes to this terminal; other classes read it
        arguments.setdefault("silence_logs", logging.CRITICAL)
    resource_tracker.ensure_running()  # its start would unblock signals in the thread that happens to need it
    try:  # Ctrl-C at a terminal is for this process, which ends those of the cluster
        made = in_thread(lambda: cls(**arguments), (signal.SIGINT,))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{name}: {first_line(error)}", where=where) from None
    except KeyboardInterrupt:
        atexit.unregister(close_clusters)  # it cannot close what has only begun; the processes end with this one
        raise
    except (OSError, RuntimeError) as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        if isinstance(cause, TypeError):  # of the arguments, which it hands on to its scheduler and workers
            raise ConfigError(f"{name}: {first_line(cause)}", where=where) from None
        raise PlaceError(f"{name} does not start: {first_line(cause)}", where=where) from None
    if not isinstance(made, Cluster):
        raise ConfigError(f"'{name}' does not make a Dask cluster", where=f"{where}.{_TARGET}")
    if spec.adaptive is not None:
        made.adapt(minimum=spec.adaptive.minimum, maximum=spec.adaptive.maximum)
    return made
