"""A job: values of TensorFlow's intermediate tensors, written to files; one run fetches as many as fit the budget.

It runs in its own process, so TensorFlow's half a gigabyte is freed when it ends, and a crash is an ordinary error.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from trtbuild.arrays import arrayfile
from trtbuild.arrays.arrayfile import Array
from trtbuild.base.errors import SourceError
from trtbuild.core.job import Job
from trtbuild.layers.layererror import groups
from trtbuild.workers.child import run_job

if TYPE_CHECKING:
    from types import ModuleType

    import tensorflow as tf


def write_aside(
    frozen: Path, wanted: Mapping[str, str], feeds: Mapping[str, Array], folder: Path, max_bytes: int, *,
    environment: Mapping[str, str] | None = None, limit_s: float | None = None, own_log: bool = False,
) -> Path:  # fmt: skip
    """Run :func:`write_values` in its own process; returns the folder with the files.

    Raises:
        SourceError: TensorFlow cannot run the graph.  WorkerDied: it crashed, or took longer than the limit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    texts = {name: array.astype(str) for name, array in feeds.items() if array.dtype.hasobject}
    arrayfile.write_npz(folder / "feeds.npz", {**feeds, **texts})
    inputs = {"frozen": frozen, "feeds": folder / "feeds.npz"}
    params = {"wanted": dict(wanted), "max_bytes": max_bytes}
    return run_job(
        "layers.tfvalues", params, inputs, folder, where="TensorFlow", environment=environment, limit_s=limit_s,
        own_log=own_log,
    )  # fmt: skip


def run(job: Job) -> None:
    feeds = {name: np.asarray(stored) for name, stored in arrayfile.open_npz(job.input("feeds")).items()}
    write_values(job.input("frozen"), job.params["wanted"], feeds, Path(job.out), job.params["max_bytes"])


def write_values(
    frozen: Path, wanted: Mapping[str, str], feeds: Mapping[str, Array], folder: Path, max_bytes: int
) -> None:
    """Run the frozen graph; write the i-th wanted tensor to ``folder/<i>.npy``, and ``index.json`` (name -> file).

    Args:
        frozen: the optimised GraphDef that was exported; wanted: our name -> TensorFlow tensor (``op:0``).
        feeds: TensorFlow tensor -> array.

    A tensor that cannot be fetched (in a branch not taken, say) is missing from the index.
    """
    import tensorflow as tf

    graph_def = tf.compat.v1.GraphDef.FromString(frozen.read_bytes())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    del graph_def
    tensors = {name: tensor for name, tf_name in wanted.items() if (tensor := _tensor(graph, tf_name)) is not None}
    sizes = _sizes(tf, graph, tensors, feeds)
    numbers = {name: i for i, name in enumerate(wanted)}
    index: dict[str, str] = {}
    for group in groups(sizes, max_bytes):
        values = _run(tf, graph, {name: tensors[name] for name in group}, feeds)
        for name in group:
            index[name] = f"{numbers[name]}.npy"
            np.save(folder / index[name], values.pop(name), allow_pickle=False)
    (folder / "index.json").write_text(json.dumps(index), "utf-8")


def _as_written(tf: ModuleType) -> tf.compat.v1.ConfigProto:
    """No rewriting: fetching a tensor must not decide how the others are computed."""
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    config.graph_options.optimizer_options.opt_level = tf.compat.v1.OptimizerOptions.L0
    return config


def _tensor(graph: tf.Graph, name: str) -> tf.Tensor | None:
    try:
        return graph.get_tensor_by_name(name)
    except (KeyError, ValueError):
        return None


def _sizes(
    tf: ModuleType, graph: tf.Graph, tensors: Mapping[str, tf.Tensor], feeds: Mapping[str, Array]
) -> dict[str, int]:
    """Bytes of every tensor that can be fetched, from a run that keeps no values: only a run knows every shape."""
    plain = {name: tensor for name, tensor in tensors.items() if tensor.dtype.is_numpy_compatible}
    with graph.as_default():
        counts = {name: tf.size(tensor, tf.int64) for name, tensor in plain.items()}
    refusals: list[str] = []
    sizes = _fetchable(tf, graph, counts, feeds, refusals)
    if refusals and not sizes:
        raise SourceError(f"TensorFlow cannot run the frozen graph: {refusals[0]}", where="layers")
    return {name: int(sizes[name]) * int(plain[name].dtype.size) for name in plain if name in sizes}


def _fetchable(
    tf: ModuleType, graph: tf.Graph, tensors: Mapping[str, tf.Tensor], feeds: Mapping[str, Array], refusals: list[str]
) -> dict[str, Array]:
    """Fetch all at once; by halves where that fails, since one dead tensor fails the whole run."""
    try:
        return _run(tf, graph, tensors, feeds)
    except tf.errors.InvalidArgumentError as error:
        if len(tensors) < 2:
            refusals.append(((error.message or "").splitlines() or [str(error)])[0])
            return {}
        names, half = list(tensors), len(tensors) // 2
        parts = ({name: tensors[name] for name in part} for part in (names[:half], names[half:]))
        return {name: value for part in parts for name, value in _fetchable(tf, graph, part, feeds, refusals).items()}


def _run(
    tf: ModuleType, graph: tf.Graph, tensors: Mapping[str, tf.Tensor], feeds: Mapping[str, Array]
) -> dict[str, Array]:
    """Fetch in a new session: a session keeps a copy of the weights for every set of tensors that it has fetched."""
    with tf.compat.v1.Session(graph=graph, config=_as_written(tf)) as session:
        values: dict[str, Array] = session.run(dict(tensors), feeds)
        return values
