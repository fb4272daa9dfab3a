"""What a user should know about a compiled engine before deploying it: each kind with its layers, cost and advice.

Pure.  A generated kernel's name says what it does (``__myl_MulMinMaxRounCast``), its tensors say in which types; a
layer whose record has neither is not part of any finding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trtbuild.engine import dialect, pairs
from trtbuild.engine.values import BITS, COMPUTE, Engine, EngineLayer, Tensor

# Operations of generated kernels, in the letters of their names.
_CONVERT = {"Mul", "Div", "Min", "Max", "Roun", "Cast", "Clip"}
_MOVE = {"Tran", "Resh", "Move", "Copy", "Repl", "Conc", "Slic", "Pad"}
_EPILOGUE = {
    "Mul", "Add", "Sub", "Div", "Relu", "Max", "Min", "Tanh", "Sigm", "Exp", "Erf", "Cast", "Roun", "Clip", "Neg",
    "Silu", "Gelu",
}  # fmt: skip
_VALUES = (*pairs.QUANTISED, "float64", "float32", "float16", "bfloat16")  # integers are indices and shapes
_LARGE_CONSTANT = 4096  # elements; scales and biases are smaller
_SHARE = 0.1  # of the weights: padding or copies above this share are worth a line


@dataclass(frozen=True)
class Finding:
    """``cost_bytes``: bytes moved in one inference (or held, where ``what`` says so); None if shapes leave it open."""

    kind: str
    what: str
    layers: tuple[str, ...]
    cost_bytes: int | None
    advice: str


@dataclass(frozen=True)
class _Kind:
    what: str  # {n} layers
    advice: str


_KINDS: dict[str, _Kind] = {
    "only_requantises": _Kind(
        "{n} kernel(s) only quantise, dequantise or convert",
        "quantise the layer between two quantised layers, too, or keep the layers around it out of int8 (overrides)",
    ),
    "useless_pair": _Kind(
        "{n} kernel(s) quantise values and dequantise them again, and nothing computes in between",
        "take these QuantizeLinear and DequantizeLinear nodes out, or quantise the operation behind them, too",
    ),
    "idle_pair": _Kind(
        "{n} pair(s) of QuantizeLinear and DequantizeLinear let nothing run quantised, and cost no bytes here",
        "take them out: they round values, and TensorRT fuses or removes them only as long as they stand as they do",
    ),
    "only_moves": _Kind(
        "{n} kernel(s) only reformat, transpose or copy",
        "keep one layout through the network, and channels in multiples of 8 (of 32 in int8)",
    ),
    "unfused_epilogue": _Kind(
        "{n} kernel(s) only finish a convolution or product (scale, bias, activation)",
        "compare with fp16, where they are fused; of 46 forms of int8 that were tried, TensorRT-RTX 1.7 fuses none"
        " when it compiles without a GPU",
    ),
    "wide_results": _Kind(
        "{n} layer(s) read quantised values and write wider ones",
        "use fp16 where memory bandwidth is the limit; TensorRT-RTX 1.7 writes float16 rather than float32 if the rest"
        " is float16 and the weights have one scale (docs/placement.md)",
    ),
    "back_and_forth": _Kind(
        "{n} kernel(s) convert values back to the type they were computed from",
        "make the types of neighbours agree: quantise the layer between them, too, or none of the three",
    ),
    "padding_constants": _Kind(
        "{n} kernel(s) read a constant as large as an activation, only to pad channels",
        "keep convolutions with few channels in each group (depthwise, the first) out of int8: overrides.int8",
    ),
    "heavy_weights": _Kind(
        "the engine holds {held:.3f} MB of weights; its convolutions, products, scales and biases have {real:.3f} MB",
        "look for padding above: it stores weights a second time",
    ),
    "not_folded": _Kind(
        "{n} layer(s) compute from constants alone in every inference",
        "compute them in advance, and make the results constants of the network",
    ),
    "moves_more": _Kind(
        "this engine moves more bytes than {other}: {ratio:.2f} times",
        "use {other} where memory bandwidth is the limit, or keep the scopes that move most out of int8",
    ),
}  # fmt: skip


def find(engine: Engine) -> list[Finding]:
    """All findings, most costly first; kinds without a layer are left out."""
    writers = {tensor.name: layer for layer in engine.layers for tensor in layer.outputs}
    readers: dict[str, int] = {}
    for layer in engine.layers:
        for name in {tensor.name for tensor in layer.inputs}:
            readers[name] = readers.get(name, 0) + 1

    def cost_of_all(layer: EngineLayer) -> int | None:
        return _bytes(layer.tensors, engine.optimum)

    def written(layer: EngineLayer) -> int | None:
        return _bytes(layer.outputs, engine.optimum)

    def crossing(layer: EngineLayer) -> int | None:
        """Bytes that the previous layer writes in the wide type and this one reads back."""
        both = _bytes(_came_from(layer, writers), engine.optimum)
        return None if both is None else 2 * both

    tests: Sequence[tuple[str, Callable[[EngineLayer], bool], Callable[[EngineLayer], int | None]]] = (
        ("only_requantises", only_converts, cost_of_all),
        ("only_moves", only_moves, cost_of_all),
        ("unfused_epilogue", lambda layer: _is_epilogue(layer, writers, readers), cost_of_all),
        ("wide_results", writes_wider, written),
        ("back_and_forth", lambda layer: bool(_came_from(layer, writers)), crossing),
        ("not_folded", from_constants_alone, cost_of_all),
    )
    findings = []
    for kind, holds, cost in tests:
        layers = [layer for layer in engine.layers if holds(layer)]
        if layers:
            findings.append(_finding(kind, layers, [cost(layer) for layer in layers]))
    findings += _useless_pairs(engine)
    findings += _padding(engine)
    return sorted(findings, key=lambda one: -(one.cost_bytes or 0))


def _useless_pairs(engine: Engine) -> list[Finding]:
    """A kernel that would be there without the pair counts with its constants alone (scales), any other in full."""
    found = {layer.name: layer for layer in engine.layers if pairs.within(layer)}
    for layer, ends in pairs.across(engine.layers):
        if any(only_converts(one) for one in (layer, *ends)):
            found |= {one.name: one for one in (layer, *ends) if one.kind in ("pointwise", "reformat")}
    costs = [
        _bytes(layer.constants or () if _is_there_anyway(layer, engine) else layer.tensors, engine.optimum)
        for layer in found.values()
    ]
    findings = [_finding("useless_pair", list(found.values()), costs)] if found else []
    listed = {node for layer in found.values() for node in layer.nodes or ()}
    if idle := tuple(name for name in engine.idle_pairs if name not in listed):
        says = _KINDS["idle_pair"]
        findings.append(Finding("idle_pair", says.what.format(n=len(idle)), idle, 0, says.advice))
    return findings


def _is_there_anyway(layer: EngineLayer, engine: Engine) -> bool:
    """Whether a kernel also copies a binding, quantises for the next layer, or does what no other kernel could."""
    if not pairs.within(layer):
        return False
    done = set(dialect.operations(layer.name))
    bound = {tensor.name for tensor in (*layer.inputs, *layer.outputs)} & set(engine.bindings)
    return bool(bound) or bool(_types(layer.outputs) & set(pairs.QUANTISED)) or not done <= _EPILOGUE | _CONVERT | _MOVE


def moves_more(bytes_moved: int | None, other_bytes: int | None, other: str) -> list[Finding]:
    """Whether a quantised engine moves more bytes than another precision's engine."""
    if bytes_moved is None or not other_bytes or bytes_moved <= other_bytes:
        return []
    kind = _KINDS["moves_more"]
    ratio = bytes_moved / other_bytes
    what, advice = kind.what.format(other=other, ratio=ratio), kind.advice.format(other=other)
    return [Finding("moves_more", what, (), bytes_moved - other_bytes, advice)]


def _finding(kind: str, layers: Sequence[EngineLayer], costs: Sequence[int | None]) -> Finding:
    known = None if None in costs else sum(cost or 0 for cost in costs)
    says = _KINDS[kind]
    return Finding(kind, says.what.format(n=len(layers)), tuple(layer.name for layer in layers), known, says.advice)


def _bytes(tensors: Sequence[Tensor], optimum: int | None) -> int | None:
    sizes = [tensor.bytes(optimum) for tensor in tensors]
    return None if None in sizes else sum(size or 0 for size in sizes)


def _types(tensors: Sequence[Tensor]) -> set[str]:
    return {tensor.type for tensor in tensors}


def only_converts(layer: EngineLayer) -> bool:
    """Whether a layer only converts values from one type to another, apart from scaling and moving them."""
    read, written = _types(layer.inputs), _types(layer.outputs)
    if not layer.inputs or not layer.outputs or read == written or not (read | written) & set(_VALUES):
        return False
    if layer.kind == "reformat":
        return True
    done = set(dialect.operations(layer.name))
    return layer.kind == "pointwise" and "Cast" in done and done <= _CONVERT | _MOVE


def only_moves(layer: EngineLayer) -> bool:
    """Whether a layer only puts the same values, in the same type, in another place or order."""
    if not layer.inputs or not layer.outputs or _types(layer.inputs) != _types(layer.outputs):
        return False
    if layer.kind == "reformat" or layer.type == "Shuffle":
        return True
    done = set(dialect.operations(layer.name))
    return layer.kind == "pointwise" and bool(done) and done <= (_MOVE - {"Conc"}) | {"Cast"}  # to the same type


def writes_wider(layer: EngineLayer) -> bool:
    """Whether a layer is a convolution or product of quantised values with a wider result."""
    if layer.kind not in COMPUTE or not _types(layer.inputs) & set(pairs.QUANTISED):
        return False
    return any(BITS.get(tensor.type, 0) >= 16 for tensor in layer.outputs)


def from_constants_alone(layer: EngineLayer) -> bool:
    if layer.kind == "constant":
        return True
    works = layer.kind not in ("shape", "control", "nothing", "region", "unknown")
    return works and not layer.inputs and bool(layer.constants) and bool(layer.outputs)


def _is_epilogue(layer: EngineLayer, writers: dict[str, EngineLayer], readers: dict[str, int]) -> bool:
    """Whether a layer could be fused into the convolution or product before it, whose result nobody else reads."""
    done = set(dialect.operations(layer.name)) - _MOVE
    only_a_pair = pairs.within(layer) and done <= _CONVERT
    if layer.kind != "pointwise" or not done or not done <= _EPILOGUE or only_a_pair:
        return False
    if only_converts(layer) or only_moves(layer):
        return False
    return any(
        tensor.name in writers and writers[tensor.name].kind in COMPUTE and readers.get(tensor.name) == 1
        for tensor in layer.inputs
    )


def _came_from(layer: EngineLayer, writers: dict[str, EngineLayer]) -> list[Tensor]:
    """Inputs in a wider type than this layer's outputs that were computed from values of the narrower type."""
    if layer.kind not in ("pointwise", "reformat") or not layer.outputs:
        return []
    back = _types(layer.outputs) - {""}
    return [
        tensor
        for tensor in layer.inputs
        if tensor.type and tensor.type not in back and (before := writers.get(tensor.name)) is not None
        and back & _types(before.inputs) and BITS.get(tensor.type, 0) > min(BITS.get(kind, 64) for kind in back)
    ]  # fmt: skip


def _padding(engine: Engine) -> list[Finding]:
    """Large constants that a kernel does not multiply by (so not weights or scales), and weights that are too many."""

    def large(layer: EngineLayer) -> list[Tensor]:
        if layer.kind in COMPUTE or dialect.multiplies_and_sums(layer.name):
            return []
        return [one for one in layer.constants or () if (one.elements(engine.optimum) or 0) >= _LARGE_CONSTANT]

    findings = []
    layers = [layer for layer in engine.layers if large(layer)]
    read = _bytes([tensor for layer in layers for tensor in large(layer)], engine.optimum)
    listed = {tensor.name: tensor for layer in engine.layers for tensor in layer.constants or ()}
    padding = {tensor.name for layer in layers for tensor in large(layer)}
    real = _bytes([tensor for name, tensor in listed.items() if name not in padding], engine.optimum)
    if layers and read is not None and real is not None and read >= _SHARE * real:
        findings.append(_finding("padding_constants", layers, [read, *[0] * (len(layers) - 1)]))
    held = engine.memory.weights
    if held and real and held > (1 + _SHARE) * real:
        says = _KINDS["heavy_weights"]
        what = says.what.format(held=held / 1e6, real=real / 1e6)
        findings.append(Finding("heavy_weights", what, tuple(layer.name for layer in layers), held - real, says.advice))
    return findings
