"""TensorFlow: the source model itself, the reference for every deviation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.base.errors import SourceError

if TYPE_CHECKING:
    from trtbuild.arrays.arrayfile import Array
    from trtbuild.core.recipes import InputParams, SourceParams
    from trtbuild.sources.tfmodel import TfModel


class TensorFlowSession:
    def __init__(self, model: TfModel) -> None:
        import tensorflow as tf

        self.model = model
        self._constant = tf.constant
        self.about: Mapping[str, object] = {
            "runtime": "tensorflow", "version": tf.__version__, "executes": "source model", "emulated": None,
        }  # fmt: skip

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        tensors = {name: self._constant(value) for name, value in feeds.items()}
        try:
            result = self.model.run(tensors)
        except Exception as error:  # TensorFlow's run-time errors, and whatever the model's own code raises
            lines = (line.strip() for line in str(error).splitlines())
            said = next((line for line in lines if line and line[0] != "<" and line[-1] != ":"), type(error).__name__)
            raise SourceError(f"TensorFlow cannot run it: {said[:300]}", where="reference") from error
        return {
            f"{name}_output" if name in self.model.inputs else name: result[name].numpy() for name in self.model.outputs
        }


def open_session(source: SourceParams, path: Path | None, inputs: Mapping[str, InputParams]) -> TensorFlowSession:
    from trtbuild.sources.tfmodel import open_model

    return TensorFlowSession(open_model(source, path, inputs))


def limit_threads(threads: int) -> None:
    """Compute on this many CPU threads; call it before anything else of TensorFlow's."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    tf.config.set_visible_devices([], "GPU")
