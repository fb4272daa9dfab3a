"""build_tf_graph.py: TensorFlow source whose export has the failing structure, or a note that there is none."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trtbuild.bugreport import tfops
from trtbuild.graphs.graph import opset_of
from trtbuild.suite.case import Case

if TYPE_CHECKING:
    import onnx

_TAIL = """

if __name__ == "__main__":
    import tf2onnx

    function = tf.function({call}, autograph=False, input_signature=SIGNATURE)
    model, _ = tf2onnx.convert.from_function(function, input_signature=SIGNATURE, opset={opset})
    with open("model_from_tf.onnx", "wb") as file:
        file.write(model.SerializeToString())
    print("tensorflow", tf.__version__, "tf2onnx", tf2onnx.__version__)
    print("OPS", *[node.op_type for node in model.graph.node])
"""
_FROM_AUTHORING = ("weights", "built")  # helpers that a case's function may call


def of_case(case: Case) -> str:
    """The case's own function, with what it uses from its file, as a script that exports it."""
    assert case.build is not None
    used, source = _used(case)
    inner = [text for name in _FROM_AUTHORING if name in used for text in [_authoring(name)]]
    words = ", ".join(f"{name}={value!r}" for name, value in case.parameters.items())
    specs = [f'tf.TensorSpec({list(spec.shape)}, "{spec.dtype}", name="{n}")' for n, spec in case.inputs.items()]
    arguments = ", ".join(case.inputs)
    lines = [
        '"""TensorFlow source of the graph, and its export with tf2onnx to model_from_tf.onnx; needs both."""',
        "", "from __future__ import annotations", "",
        "from concurrent.futures import ThreadPoolExecutor  # a layer is made where no function is traced",
        "from typing import Any, Callable", "", "import keras", "import numpy as np", "import tensorflow as tf", "",
        "T = Any", "_KEPT = []", *inner, "", source, "", "",
        f"SIGNATURE = [{', '.join(specs)}]", "", "",
        f"def graph({arguments}):",
        f"    return {case.build.__name__}({', '.join(filter(None, (arguments, words)))})",
    ]  # fmt: skip
    return "\n".join(lines) + _TAIL.format(call="graph", opset=case.opset)


def _used(case: Case) -> tuple[set[str], str]:
    """Names that the function uses, directly or through helpers in its file, and the source of all that it needs."""
    assert case.build is not None
    text = Path(case.file).read_text("utf-8")
    defined = {name: node for node in ast.parse(text).body for name in _defines(node)}
    wanted, names = [case.build.__name__], set[str]()
    while wanted:
        name = wanted.pop()
        if name in names:
            continue
        names.add(name)
        node = defined.get(name)
        if node is not None:
            body = node.body if isinstance(node, ast.FunctionDef) else [node]
            read = {n.id for part in body for n in ast.walk(part) if isinstance(n, ast.Name)}
            wanted += sorted(read - names)
    lines = text.splitlines()
    parts = [
        "\n".join(lines[node.lineno - 1 : node.end_lineno])  # from its def: without the decorator
        for name, node in defined.items()
        if name in names and name != "T" and not isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    return names, "\n\n\n".join(dict.fromkeys(parts))


def _defines(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        yield node.name
    elif isinstance(node, ast.Assign):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id


def _authoring(name: str) -> str:
    from trtbuild.suite import authoring

    functions = [getattr(authoring, name), *([authoring._make] if name == "built" else [])]
    return "\n\n" + "\n\n".join(inspect.getsource(function) for function in functions)


def of_graph(model: onnx.ModelProto) -> tuple[str, list[str]]:
    """TensorFlow code for an ONNX graph, and the operations that have none; with any, it only prints the graph."""
    missing: list[str] = []
    lines, names = [], dict[str, str]()
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    ranks = _ranks(model)
    for tensor in constants.values():
        names[tensor.name] = tensor.name
        lines.append(f"{tensor.name} = {_literal(tensor)}")
    inputs = [value for value in model.graph.input if value.name not in constants]
    body = []
    for node in model.graph.node:
        attributes = {a.name: _value(a) for a in node.attribute}
        expression = None
        if node.op_type == "Constant" and "value" in attributes:
            expression = _literal(attributes["value"])
        elif not node.domain:
            expression = tfops.code(node.op_type, list(node.input), attributes, ranks.get(next(iter(node.input), "")))
        if expression is None:
            missing.append(node.op_type)
        targets = ", ".join(name or "_" for name in node.output)
        body.append(f"    {targets} = {expression}")
    if missing:
        return _only_onnx(model, missing), missing
    results = ", ".join(f'"{value.name}": {value.name}' for value in model.graph.output)
    specs = ", ".join(_spec(value) for value in inputs)
    opset = opset_of(model) or 17
    head = ['"""TensorFlow code for the reduced graph, written from its ONNX operations; its export with tf2onnx."""',
            "", "import numpy as np", "import tensorflow as tf", ""]  # fmt: skip
    text = [*head, *lines, f"SIGNATURE = [{specs}]", "", "", f"def graph({', '.join(v.name for v in inputs)}):", *body,
            f"    return {{{results}}}"]  # fmt: skip
    return "\n".join(text) + _TAIL.format(call="graph", opset=min(opset, 18)), []


def _only_onnx(model: onnx.ModelProto, missing: list[str]) -> str:
    ops = ", ".join(dict.fromkeys(missing))
    return (
        '"""No TensorFlow source: the graph is known only as ONNX (model.onnx).\n\n'
        f"No TensorFlow code is known that exports to: {ops}.\n"
        'This prints the graph, if onnx is installed.\n"""\n\nimport onnx\n\n'
        'print(onnx.printer.to_text(onnx.load("model.onnx")))\n'
    )


def _value(attribute: onnx.AttributeProto) -> Any:
    import onnx

    value = onnx.helper.get_attribute_value(attribute)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _literal(tensor: onnx.TensorProto) -> str:
    """Constants in a report are small or random: the numbers themselves, or as many new random ones."""
    import onnx

    array = onnx.numpy_helper.to_array(tensor)
    if array.size <= 64:
        return f"np.array({array.tolist()!r}, '{array.dtype.name}').reshape({list(array.shape)})"
    return f"np.random.default_rng(0).standard_normal({list(array.shape)}).astype('{array.dtype.name}')"


def _spec(value: onnx.ValueInfoProto) -> str:
    import onnx

    kind = value.type.tensor_type
    shape = [d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim]
    return f"tf.TensorSpec({shape}, '{onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name}', name='{value.name}')"


def _ranks(model: onnx.ModelProto) -> Mapping[str, int]:
    import onnx

    try:
        graph = onnx.shape_inference.infer_shapes(model).graph
    except Exception:  # a graph that defeats shape inference
        graph = model.graph
    values = (*graph.input, *graph.value_info, *graph.output)
    return {v.name: len(v.type.tensor_type.shape.dim) for v in values if v.type.tensor_type.HasField("shape")}
