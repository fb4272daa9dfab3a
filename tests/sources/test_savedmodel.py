"""Tests of SavedModels: which graph is meant, defaults of inputs, and what cannot be read."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trtbuild.base.errors import ConfigError, SourceError
from trtbuild.sources import savedmodel, tfmodel

pytestmark = pytest.mark.slow
tf = pytest.importorskip("tensorflow")
v1 = tf.compat.v1


def write(folder: Path, tag_sets: Sequence[Sequence[str]], signatures: Sequence[str] = ("serving_default",)) -> str:
    """As TensorFlow 1 did: ``y = x @ ones * gain``, doubled in training; the gain is the number of the graph."""
    builder = v1.saved_model.Builder(str(folder))
    for i, tags in enumerate(tag_sets):
        with v1.Graph().as_default(), v1.Session() as session:
            x = v1.placeholder(tf.float32, [None, 4], "x")
            training = v1.placeholder_with_default(False, [], "training")
            w = v1.get_variable("w", [4, 3], initializer=v1.ones_initializer())
            y = tf.where(training, 2.0, 1.0) * tf.matmul(x, w) * float(i + 1)
            session.run(v1.global_variables_initializer())
            made = v1.saved_model.predict_signature_def({"x": x, "training": training}, {"y": y})
            add = builder.add_meta_graph if i else lambda *a, s=session: builder.add_meta_graph_and_variables(s, *a)
            add(list(tags), dict.fromkeys(signatures, made))
    builder.save()
    return str(folder)


def opened(folder: Path, **source: Any) -> savedmodel.Signature:
    return savedmodel.load({"path": "models/m", **source}, folder)


def result(found: savedmodel.Signature) -> float:
    return float(found.call(x=tf.ones([1, 4]), training=tf.constant(False))["y"][0, 0])


@pytest.mark.parametrize(
    ("tag_sets", "tags", "graph"),
    [
        ([["train"], ["serve", "gpu"], ["serve"]], None, 3),
        ([["train"], ["serve", "gpu"], ["serve"]], ["gpu", "serve"], 2),
        ([["serve", "gpu"]], None, 1),
        ([[]], None, 1),
        ([["a"], []], [], 2),
    ],
)
def test_the_graph_is_serve_or_the_only_one_or_the_one_that_is_asked_for(
    tag_sets: list[list[str]], tags: list[str] | None, graph: int, tmp_path: Path
) -> None:
    """By the whole set of its tags, which may be empty."""
    write(tmp_path / "m", tag_sets)

    assert result(opened(tmp_path / "m", tags=tags)) == 4 * graph


def test_where_several_could_be_meant_one_has_to_be_chosen(tmp_path: Path) -> None:
    """Graphs as well as signatures; what there is, is named."""
    write(tmp_path / "m", [["train"], ["serve", "gpu"]])
    write(tmp_path / "s", [["serve"]], ["predict", "classify"])
    write(tmp_path / "n", [["serve"]], [])
    for folder, source, says in (
        ("m", {}, r"tags \[gpu, serve\], \[train\]; choose one: init --tags"),
        ("m", {"tags": ["serve"]}, r"no graph has exactly these tags; there are \[gpu, serve\], \[train\]"),
        ("s", {}, "several signatures: classify, predict; choose one: --signature"),
        ("s", {"signature": "predit"}, "did you mean 'predict'"),
        ("n", {}, "the SavedModel has no signature"),
    ):
        with pytest.raises(ConfigError, match=says):
            opened(tmp_path / folder, **source)


def test_an_input_with_a_default_says_so(tmp_path: Path) -> None:
    """A switch for training in the signature."""
    found = opened(Path(write(tmp_path / "m", [["serve"]])))

    assert sorted(found.inputs) == ["training", "x"] and found.defaults == {"training": np.array(False)}


def newer(folder: Path) -> None:
    """As TensorFlow 2 does."""
    module = tf.Module()
    module.w = tf.Variable(tf.ones([4, 3]))
    spec = [tf.TensorSpec([None, 4], name="x")]
    module.f = tf.function(lambda x: {"y": tf.matmul(x, module.w)}, input_signature=spec)
    tf.saved_model.save(module, str(folder), signatures=module.f)


def edited(folder: Path, change: Callable[[Any], None]) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    change(saved.meta_graphs[0])
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())


def test_objects_that_cannot_be_read_are_not_needed(tmp_path: Path) -> None:
    """Keras 2 saved some that TensorFlow 2's loader fails on; the graph and its variables are whole."""

    def break_objects(graph: Any) -> None:
        for node in graph.object_graph_def.nodes:
            if node.WhichOneof("kind") == "function":
                node.function.concrete_functions.append("gone")

    newer(tmp_path / "m")
    edited(tmp_path / "m", break_objects)
    with pytest.raises(KeyError, match="gone"):
        tf.saved_model.load(str(tmp_path / "m"))
    source = {"kind": "saved_model", "path": "models/m", "signature": "serving_default"}
    model = tfmodel.open_model(source, tmp_path / "m", {"x": {"dtype": "float32", "shape": [None, 4]}})

    assert model.run({"x": tf.ones([2, 4])})["y"].numpy().tolist() == [[4.0] * 3] * 2


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("form", [newer, lambda folder: write(folder, [["serve"]])], ids=["new", "old"])
@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda m: shutil.rmtree(m / "variables"), "Failed to find any matching files"),
        (lambda m: (m / "variables" / "variables.index").unlink(), "Failed to find any matching files"),
        (lambda m: (m / "variables" / "variables.data-00000-of-00001").unlink(), "No such file"),
        (lambda m: cut(m / "variables" / "variables.data-00000-of-00001"), "less bytes"),
        (lambda m: cut(m / "saved_model.pb"), "Cannot parse file|signature"),
        (lambda m: (m / "saved_model.pb").write_bytes(b""), "it holds no graph"),
        (lambda m: (m / "saved_model.pb").unlink(), "no saved_model.pb in it"),
    ],
    ids=["no variables", "no index", "no data", "short data", "half a graph", "an empty graph", "no graph"],
)
def test_what_is_damaged_is_said_in_one_line(form: Any, damage: Any, says: str, tmp_path: Path) -> None:
    """Under the path of the config, not the sandbox's."""
    form(tmp_path / "m")
    damage(tmp_path / "m")
    with pytest.raises((SourceError, ConfigError), match=says) as caught:
        opened(tmp_path / "m")

    assert caught.value.where == "models/m" and "\n" not in str(caught.value) and str(tmp_path) not in str(caught.value)


def test_assets_lie_in_their_folder(tmp_path: Path) -> None:
    """A path that leads out is refused before anything is loaded."""
    newer(tmp_path / "m")
    edited(tmp_path / "m", lambda graph: graph.asset_file_def.add(filename="../../pw.txt"))

    with pytest.raises(ConfigError, match="not inside its own folder"):
        opened(tmp_path / "m")
