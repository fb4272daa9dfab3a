"""Values of TensorFlow's intermediate tensors, written to files: one run fetches as many as fit the byte budget."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trtbuild.errors import SourceError
from trtbuild.kit.layererror import groups

UNKNOWN_BYTES = 1 << 62  # a tensor of unknown shape is fetched alone


def write_values(
    frozen: Path, wanted: Mapping[str, str], feeds: Mapping[str, np.ndarray[Any, Any]], folder: Path, max_bytes: int
) -> None:
    """Run the frozen graph and write ``folder/<i>.npy`` for the i-th wanted tensor, and ``index.json``: name -> file.

    Args:
        frozen: the optimised GraphDef that was exported; wanted: our name -> TensorFlow tensor (``op:0``).
        feeds: TensorFlow tensor -> array.  What cannot be fetched (a branch not taken, say) is left out of the index.
    """
    import tensorflow as tf

    graph_def = tf.compat.v1.GraphDef.FromString(frozen.read_bytes())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    del graph_def
    batch = max((len(array) for array in feeds.values()), default=1)
    tensors = {name: tensor for name, tf_name in wanted.items() if (tensor := _tensor(graph, tf_name)) is not None}
    sizes = {name: _bytes(tensor, batch) for name, tensor in tensors.items()}
    numbers = {name: i for i, name in enumerate(wanted)}
    index: dict[str, str] = {}
    with tf.compat.v1.Session(graph=graph, config=_as_written(tf)) as session:
        for group in groups(sizes, max_bytes):
            for name, value in _fetch(tf, session, {name: tensors[name] for name in group}, feeds).items():
                index[name] = f"{numbers[name]}.npy"
                np.save(folder / index[name], value, allow_pickle=False)
    (folder / "index.json").write_text(json.dumps(index), "utf-8")


def _as_written(tf: Any) -> Any:
    """No rewriting: fetching a tensor must not decide how the others are computed."""
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    config.graph_options.optimizer_options.opt_level = tf.compat.v1.OptimizerOptions.L0
    return config


def _tensor(graph: Any, name: str) -> Any:
    try:
        return graph.get_tensor_by_name(name)
    except (KeyError, ValueError):
        return None


def _bytes(tensor: Any, batch: int) -> int:
    dims = tensor.shape.as_list() if tensor.shape.rank is not None else [None]
    if None in dims[1:] or not tensor.dtype.is_numpy_compatible:
        return UNKNOWN_BYTES
    elements = int(np.prod([batch if d is None else d for d in dims], dtype=np.int64))
    return elements * int(tensor.dtype.size)


def _fetch(tf: Any, session: Any, tensors: Mapping[str, Any], feeds: Mapping[str, Any]) -> dict[str, Any]:
    """All at once; one by one where that fails, since one dead tensor fails the whole run."""
    try:
        values: dict[str, Any] = session.run(dict(tensors), feeds)
        return values
    except tf.errors.InvalidArgumentError as error:
        if len(tensors) == 1:
            return {}
        found: dict[str, Any] = {}
        for name, tensor in tensors.items():
            found |= _fetch(tf, session, {name: tensor}, feeds)
        if not found:
            said = (error.message or "").splitlines()
            raise SourceError(
                f"TensorFlow cannot run the frozen graph: {said[0] if said else error}", where="layers"
            ) from error
        return found
