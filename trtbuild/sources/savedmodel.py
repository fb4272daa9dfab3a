"""A SavedModel on disk: which of its graphs is meant, its signature as a function, and inputs that have a default.

Needs TensorFlow.  TensorFlow 2's loader reads the objects of the program that saved it, which fails for some that
Keras 2 wrote; the loader of TensorFlow 1 reads the graph alone, which is all that is needed here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.base.errors import ConfigError, SourceError
from trtbuild.base.files import inside
from trtbuild.base.text import did_you_mean
from trtbuild.sources import fileaccess

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef, SignatureDef
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    from trtbuild.arrays.arrayfile import Array
    from trtbuild.core.recipes import SourceParams
    from trtbuild.sources.frozengraph import Tensors

    _Loaded = tuple[Callable[..., Tensors], Mapping[str, tf.TensorSpec], object]


@dataclass(frozen=True)
class Signature:
    """``call(**inputs) -> {output: tensor}`` of the signature ``name``.

    ``inputs`` have .shape and .dtype; ``defaults``: values of those that need not be given; ``keep`` owns variables.
    """

    name: str
    call: Callable[..., Tensors]
    inputs: Mapping[str, tf.TensorSpec]
    defaults: Mapping[str, Array]
    keep: object
    is_graph: bool  # as in tfmodel.UntracedModel


def load(source: SourceParams, path: Path) -> Signature:
    """The signature that ``source`` (``model.source`` of the config) names.

    Raises:
        SourceError: not a readable SavedModel, or one that reads or writes files.  ConfigError: it has no such
        signature or graph, several that could be meant, or it names files outside its folder.
    """
    where = source["path"]
    graph = _graph(parse(path, where), source.get("tags"), where)
    name = choose_signature(graph, source.get("signature"), where)
    for asset in graph.asset_file_def:
        inside(path / "assets", asset.filename, where=where)
    fileaccess.check_saved_model(graph, (info.name for info in graph.signature_def[name].outputs.values()), where)
    tags = sorted(graph.meta_info_def.tags)
    try:
        if any(node.op == "Enter" for node in graph.graph_def.node):
            raise NotImplementedError("it makes functions, and TensorFlow 1's loops cannot be inlined out of those")
        is_graph, (call, inputs, keep) = False, _by_objects(path, tags, name)
    except Exception as error:  # protobuf, I/O and registry errors alike: this loader cannot use it
        try:
            is_graph, (call, inputs, keep) = True, _by_graph(path, tags, graph.signature_def[name])
        except Exception:  # the same: then the first reason is the one to report
            raise _unreadable(error, path, where) from error
    return Signature(name, call, inputs, _defaults(graph, name), keep, is_graph)


def parse(path: Path, where: str) -> SavedModel:
    """The SavedModel's description (a protobuf), without variables.

    Raises:
        SourceError: it is missing or damaged.
    """
    from tensorflow.python.saved_model import loader_impl

    if not ((path / "saved_model.pb").exists() or (path / "saved_model.pbtxt").exists()):
        raise SourceError("no saved_model.pb in it", where=where, hint="give a SavedModel's folder")
    try:
        found = loader_impl.parse_saved_model(str(path))
    except Exception as error:  # OSError; protobuf raises its own types, which moved between versions
        raise _unreadable(error, path, where) from error
    if not found.meta_graphs:
        raise SourceError("not a readable SavedModel: it holds no graph", where=where)
    return found


def _graph(saved: SavedModel, tags: Sequence[str] | None, where: str) -> MetaGraphDef:
    """The graph with these tags; without tags, the one tagged only ``serve``, or the only one there is."""
    by_tags = {frozenset(graph.meta_info_def.tags): graph for graph in saved.meta_graphs}
    shown = ", ".join(sorted(f"[{', '.join(sorted(found))}]" for found in by_tags))
    if tags is not None:
        if frozenset(tags) not in by_tags:
            raise ConfigError(f"no graph has exactly these tags; there are {shown}", where="model.source.tags")
        return by_tags[frozenset(tags)]
    if frozenset({"serve"}) in by_tags:
        return by_tags[frozenset({"serve"})]
    if len(by_tags) > 1:
        hint = "choose one: init --tags A,B, or tags: [A, B] in the model's source"
        raise ConfigError(f"several graphs, with the tags {shown}", where=where, hint=hint)
    return next(iter(by_tags.values()))


def choose_signature(graph: MetaGraphDef, name: str | None, where: str) -> str:
    """``name``; without it ``serving_default``, or the only one there is.  Those without an output do not count."""
    names = sorted(name for name, made in graph.signature_def.items() if made.outputs and not name.startswith("__"))
    if not names:
        hint = (
            "save it with one: tf.saved_model.save(model, PATH, signatures=FUNCTION), or freeze it to a GraphDef (.pb)"
        )
        raise ConfigError("the SavedModel has no signature", where=where, hint=hint)
    if name is not None and name not in names:
        hint = did_you_mean(name, names)
        raise ConfigError(f"no signature '{name}'", where="model.source.signature", hint=hint)
    if name is None and "serving_default" not in names and len(names) > 1:
        hint = "choose one: --signature NAME"
        raise ConfigError(f"several signatures: {', '.join(names)}", where=where, hint=hint)
    return name or ("serving_default" if "serving_default" in names else names[0])


def _by_objects(path: Path, tags: Sequence[str], name: str) -> _Loaded:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path), tags=tags)
    function = loaded.signatures[name]
    return function, function.structured_input_signature[1], loaded


def _by_graph(path: Path, tags: Sequence[str], signature: SignatureDef) -> _Loaded:
    import tensorflow as tf
    from tensorflow.python.framework import convert_to_constants

    from trtbuild.sources import frozengraph

    feeds = {key: info.name for key, info in signature.inputs.items()}
    fetches = {key: info.name for key, info in signature.outputs.items()}
    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
        tf.compat.v1.saved_model.load(session, list(tags), str(path))
        frozen = convert_to_constants.convert_variables_to_constants_from_session_graph(
            session, graph.as_graph_def(), sorted({name.partition(":")[0] for name in fetches.values()})
        )
        inputs = {key: tf.TensorSpec.from_tensor(graph.get_tensor_by_name(name)) for key, name in feeds.items()}
    call = frozengraph.caller(frozen, feeds, fetches)
    return lambda **arguments: call(arguments), inputs, frozen


def _defaults(graph: MetaGraphDef, name: str) -> dict[str, Array]:
    """Defaults of the signature, and of placeholders with a constant one (TensorFlow 1's dropout rates, modes)."""
    import tensorflow as tf

    signature = graph.signature_def[name]
    nodes = {node.name: node for node in graph.graph_def.node}
    found = {key: tf.make_ndarray(value) for key, value in signature.defaults.items()}
    for key, info in signature.inputs.items():
        node = nodes.get(info.name.partition(":")[0])
        if node is not None and node.op == "PlaceholderWithDefault":
            constant = nodes.get(node.input[0].partition(":")[0])
            if constant is not None and constant.op == "Const":
                found[key] = tf.make_ndarray(constant.attr["value"].tensor)
    return found


def _unreadable(error: Exception, path: Path, where: str) -> SourceError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # In an error raised while the graph runs, the first lines say where it was built.
    told = next((line for line in lines if not line.endswith(":") and line[:5] not in ("File ", "Detec")), "")
    said = (told or type(error).__name__)[:300].replace(str(path), where)
    return SourceError(f"not a readable SavedModel: {said}", where=where)
