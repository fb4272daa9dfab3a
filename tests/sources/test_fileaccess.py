"""Tests of graphs that read or write files: refused before they run, while ordinary SavedModels are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trtbuild.base.errors import SourceError
from trtbuild.sources import frozengraph, savedmodel

pytestmark = pytest.mark.slow
tf = pytest.importorskip("tensorflow")
v1 = tf.compat.v1
SPEC = tf.TensorSpec([1, 4], tf.float32)


def writing(path: str) -> Any:
    tf.io.write_file(path, "written")


def reading(path: str) -> Any:
    return tf.strings.length(tf.io.read_file(path))


def printing(path: str) -> Any:
    tf.print("written", output_stream=f"file://{path}")


def saving(path: str) -> Any:
    tf.raw_ops.SaveV2(prefix=path, tensor_names=["a"], shape_and_slices=[""], tensors=[tf.constant(1.0)])


def listing(path: str) -> Any:
    return tf.size(tf.io.matching_files(path))


class Calls(tf.Module):
    """The operation is in the signature's own function, or in a branch of it."""

    def __init__(self, touch: Callable[[str], Any], path: str, branch: bool) -> None:
        super().__init__()
        self.w = tf.Variable(2.0)

        def act() -> Any:
            touch(path)
            return tf.constant(1)

        def call(x: Any) -> Any:
            done = tf.cond(tf.reduce_sum(x) > 0, act, lambda: tf.constant(0)) if branch else act()
            return {"y": x * self.w + tf.cast(done, tf.float32)}

        self.call = tf.function(call, input_signature=[SPEC])


@pytest.mark.parametrize("branch", [False, True])
@pytest.mark.parametrize("touch", [writing, reading, printing, saving, listing])
def test_a_saved_model_that_touches_files_is_refused(touch: Callable[[str], Any], branch: bool, tmp_path: Path) -> None:
    """By the operation's name; nothing was written."""
    module = Calls(touch, str(tmp_path / "touched"), branch)
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=module.call)
    with pytest.raises(SourceError, match="reads or writes files"):
        savedmodel.load({"path": "models/m"}, tmp_path / "m")

    assert not list(tmp_path.glob("touched*"))


def test_an_initialiser_that_writes_is_refused(tmp_path: Path) -> None:
    """TensorFlow 2 runs it when it loads the objects; the signature does not call it."""

    class Resource(tf.saved_model.experimental.TrackableResource):
        def _create_resource(self) -> Any:
            writing(str(tmp_path / "touched"))
            return tf.raw_ops.MutableHashTableV2(key_dtype=tf.int64, value_dtype=tf.float32)

    module = tf.Module()
    module.made = Resource()
    module.call = tf.function(lambda x: {"y": x * 2}, input_signature=[SPEC])
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=module.call)
    (tmp_path / "touched").unlink(missing_ok=True)
    with pytest.raises(SourceError, match="WriteFile"):
        savedmodel.load({"path": "models/m"}, tmp_path / "m")

    assert not (tmp_path / "touched").exists()


def test_a_main_operation_that_writes_is_refused(tmp_path: Path) -> None:
    """TensorFlow 1 runs it when it loads the graph."""
    with v1.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [1, 4], "x")
        written = tf.raw_ops.WriteFile(filename=str(tmp_path / "touched"), contents="x")
        builder = v1.saved_model.Builder(str(tmp_path / "m"))
        made = v1.saved_model.predict_signature_def({"x": x}, {"y": x * 2})
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": made}, main_op=written)
        builder.save()
    with pytest.raises(SourceError, match="WriteFile"):
        savedmodel.load({"path": "models/m"}, tmp_path / "m")


def test_a_frozen_graph_that_writes_is_refused(tmp_path: Path) -> None:
    """Also where only a control dependency leads to it."""
    with v1.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [1, 4], "x")
        with graph.control_dependencies([tf.raw_ops.WriteFile(filename=str(tmp_path / "touched"), contents="x")]):
            tf.identity(x, "y")
    (tmp_path / "m.pb").write_bytes(graph.as_graph_def().SerializeToString())

    with pytest.raises(SourceError, match="WriteFile"):
        frozengraph.parse(tmp_path / "m.pb", "m.pb")


def test_variables_and_tables_of_the_saved_model_itself_are_read(tmp_path: Path) -> None:
    """Its checkpoint, and a vocabulary that it carries as an asset."""
    words = tmp_path / "words.txt"
    words.write_text("a\nb\n", "utf-8")
    module = tf.Module()
    source = tf.lookup.TextFileInitializer(
        str(words), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
    )
    module.table, module.w = tf.lookup.StaticHashTable(source, -1), tf.Variable(2.0)
    module.call = tf.function(
        lambda x: {"y": x * module.w * tf.cast(module.table.lookup(tf.constant("b")), tf.float32)},
        input_signature=[SPEC],
    )
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=module.call)

    found = savedmodel.load({"path": "models/m"}, tmp_path / "m")
    assert not found.is_graph
    assert float(found.call(x=tf.ones([1, 4]))["y"][0, 0]) == 2.0
