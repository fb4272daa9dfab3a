"""A reduced graph as a case of the user's own suite: ``suite/NAME.py``, ``NAME.onnx`` and its values ``NAME.npz``."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.base.errors import ConfigError
from trtbuild.base.files import write_atomic
from trtbuild.core.complaint import PHRASES
from trtbuild.reducing.failure import Failure
from trtbuild.suite.case import Tolerance
from trtbuild.suite.collection import ID
from trtbuild.workers.prober import Profiles

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array

_TEXT = '''"""{title}; made by trtbuild reduce."""

from trtbuild.suite import onnx_case, tensor

CASE = onnx_case(
    "{id}",
    "{title}",
    "{file}.onnx",
    {{{inputs}}},
    structure="{structure}",{tolerance}
)
'''


def case_id(name: str, failure: Failure) -> str:
    """
    >>> case_id("My net", Failure("parse", "parse", "Det", "", ""))
    'my-net-det'
    """
    return re.sub(r"[^a-z0-9._-]+", "-", f"{name}-{failure.op_type or failure.kind}".lower()).strip("-._")


def title_of(failure: Failure, ops: Sequence[str]) -> str:
    """What fails, in one line; TensorRT's own words are in the result, not in the title."""
    return f"{structure_of(ops)}: {PHRASES[failure.kind]}"


def structure_of(ops: Sequence[str]) -> str:
    """
    >>> structure_of(["Conv", "Relu", "Conv"])
    'Conv, Relu, Conv'
    """
    return ", ".join(ops[:6]) + (f" and {len(ops) - 6} more" if len(ops) > 6 else "")


def ops_of(model: onnx.ModelProto) -> list[str]:
    """Operations in order; those of a body follow their owner in brackets."""
    from trtbuild.graphs.graph import subgraphs

    found = []
    for node in model.graph.node:
        inner = dict.fromkeys(n.op_type for body in subgraphs(node) for n in body.node if n.op_type != "Constant")
        if node.op_type != "Constant":
            found.append(f"{node.op_type} ({', '.join(inner)})" if inner else str(node.op_type))
    return found


def check_free(folder: Path, name: str) -> None:
    """Raise ConfigError, before any work, if the case would replace another one or could not be read back."""
    if not ID.fullmatch(name):
        hint = "use lower-case letters, digits, '.', '_' and '-'"
        raise ConfigError(f"'{name}' is not an id of a case", where="--name", hint=hint)
    for path in (folder / f"{_file(name)}{end}" for end in (".py", ".onnx", ".npz")):
        if path.exists():
            raise ConfigError(f"{path.name} already exists", where=str(folder), hint="choose another name: --name NAME")


def write(
    folder: Path, name: str, model: onnx.ModelProto, failure: Failure, feeds: Mapping[str, Array],
    golden: Mapping[str, Array], profiles: Profiles, tolerance: Tolerance | None,
) -> Path:  # fmt: skip
    """Write the case and return its Python file, which is written last because it makes the case one."""
    from trtbuild.arrays.arrayfile import write_npz
    from trtbuild.graphs import canonical

    check_free(folder, name)
    file = _file(name)
    write_atomic(folder / f"{file}.onnx", canonical.to_bytes(model))
    if golden:
        buffer = io.BytesIO()
        write_npz(buffer, {**feeds, **golden}, texts=True)
        write_atomic(folder / f"{file}.npz", buffer.getvalue())
    ops = ops_of(model)
    inputs = ", ".join(f'"{value.name}": {_input(value, profiles)}' for value in _inputs(model))
    limit = f"\n    tolerance=({tolerance.absolute:g}, {tolerance.relative:g})," if tolerance and golden else ""
    text = _TEXT.format(id=name, title=title_of(failure, ops), file=file, inputs=inputs, structure=structure_of(ops),
                        tolerance=limit)  # fmt: skip
    write_atomic(folder / f"{file}.py", text.encode())
    return folder / f"{file}.py"


def _file(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


def _inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    constants = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in constants]


def _input(value: onnx.ValueInfoProto, profiles: Profiles) -> str:
    import onnx

    kind = value.type.tensor_type
    dtype = "string" if kind.elem_type == onnx.TensorProto.STRING else str(
        onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name)  # fmt: skip
    dims = [str(d.dim_value) if d.HasField("dim_value") else "None" for d in kind.shape.dim]
    words = ", ".join([f'"{dtype}"', *dims])
    if "None" in dims and value.name in profiles:
        words += f", profile={[tuple(point) for point in profiles[value.name]]}"
    return f"tensor({words})"
