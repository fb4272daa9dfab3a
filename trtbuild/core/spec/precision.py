"""An option of conf/precision: what nodes compute in, and, in a mixed one, which scopes compute in another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Literal

LoweringKind = Literal["none", "float16", "bfloat16", "int8", "float8", "int4", "float4"]
FloatType = Literal["float32", "float16", "bfloat16"]
WeightScales = Literal["auto", "channel", "tensor"]
INT8_KEYS = ("weight_scales", "quantize_depthwise", "quantize_residual_adds")
QUANTISED: tuple[LoweringKind, ...] = ("int8", "float8", "int4", "float4")
BLOCKWISE: tuple[LoweringKind, ...] = ("int4", "float4")  # scales for blocks of weights along the input channels
BLOCKS = (16, 32, 64, 128)  # of int4 that RTX 1.7 compiles; those of float4 have 16
_FLOATS: Mapping[LoweringKind, FloatType] = {"none": "float32", "float16": "float16", "bfloat16": "bfloat16"}


@dataclass(frozen=True, kw_only=True)
class FormOptions:
    """The keys that a :class:`Form`, a :class:`Precision` and a ``Lowering`` have in common.

    ``quantize_ops`` and ``rest`` (what everything else computes in) are for quantised kinds only, ``block`` for int4,
    and ``activations`` (quantise them as well as weights) for float4.  The other fields are for int8
    (docs/placement.md).  ``weight_scales``: of a convolution's weights, for each channel, or one for the tensor with a
    Mul by channel behind; auto: one where the rest is in half precision.
    """

    quantize_ops: tuple[str, ...] = ()
    rest: FloatType = "float32"
    block: int = 0
    activations: bool = False
    weight_scales: WeightScales = "auto"
    quantize_depthwise: bool = False
    quantize_residual_adds: bool = False


_OPTIONS = tuple(option.name for option in fields(FormOptions))


@dataclass(frozen=True)
class Form(FormOptions):
    """How one node is written.  ``precision``: the name of the option that says so."""

    precision: str
    kind: LoweringKind

    @property
    def quantised(self) -> bool:
        return self.kind in QUANTISED

    @property
    def one_scale(self) -> bool:
        """Whether a convolution's weights have one scale."""
        chosen = self.weight_scales == "tensor" or (self.weight_scales == "auto" and self.rest != "float32")
        return chosen and self.kind == "int8"

    @property
    def calibrated(self) -> bool:
        """Whether its scales come from data."""
        return self.kind in ("int8", "float8") or self.activations

    @property
    def blockwise(self) -> bool:
        return self.kind in BLOCKWISE

    @property
    def float_type(self) -> FloatType:
        """What nodes that are not quantised compute in."""
        return _FLOATS.get(self.kind, self.rest)

    def __str__(self) -> str:
        """
        >>> str(Form("int8", "int8", quantize_ops=("Conv",), rest="float16")), str(Form("fp32", "none"))
        ('int8 for Conv, the rest in float16', 'float32')
        >>> str(Form("mine", "int8", quantize_ops=("Conv",), weight_scales="tensor", quantize_residual_adds=True))
        'int8 for Conv, residual sums, one scale for weights'
        """
        if not self.quantised:
            return self.float_type
        rest = "" if self.rest == "float32" else f", the rest in {self.rest}"
        what = "" if not self.blockwise else " weights and activations" if self.activations else " weights"
        blocks = f" in blocks of {self.block}" if self.block else ""
        scales = {"auto": "", "channel": ", scales by channel", "tensor": ", one scale for weights"}[self.weight_scales]
        more = ", depthwise" if self.quantize_depthwise else ""
        more += ", residual sums" if self.quantize_residual_adds else ""
        return f"{self.kind}{what}{blocks} for {', '.join(self.quantize_ops)}{more}{scales}{rest}"


@dataclass(frozen=True)
class Precision(FormOptions):
    """How ``lower`` writes a precision into the graph, and whether TF32 is allowed.

    A mixed precision is written as ``base`` and ``scopes`` by name; the other fields then say what the base is
    (config/option.py).
    """

    lowering: LoweringKind
    tf32: bool = False
    base: str | None = None
    scopes: Mapping[str, Form] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.lowering in QUANTISED and not self.quantize_ops:
            what = f"quantize_ops: {self.lowering} needs the types of operations to quantise, such as [Conv, MatMul]"
            raise ValueError(what)
        if self.rest != "float32" and self.lowering not in QUANTISED:
            raise ValueError(f"rest: nothing is quantised, so everything computes in {_FLOATS[self.lowering]}")

        if (self.lowering == "int4") != bool(self.block) or (self.block and self.block not in BLOCKS):
            raise ValueError(f"block: int4 needs one of {', '.join(map(str, BLOCKS))}, and nothing else has it")
        if self.activations and self.lowering != "float4":
            raise ValueError("activations: only float4 has the choice")
        for key in INT8_KEYS:
            if self.lowering != "int8" and getattr(self, key) not in ("auto", False):
                raise ValueError(f"{key}: is for int8, and this is {self.lowering}")

    @property
    def forms(self) -> tuple[Form, ...]:
        """What applies outside the scopes, then in each of them."""
        return (self.form(""), *self.scopes.values())

    @property
    def calibrated(self) -> bool:
        """Whether any of its scales come from data."""
        return any(form.calibrated for form in self.forms)

    @property
    def quantised(self) -> bool:
        return any(form.quantised for form in self.forms)

    def form(self, name: str) -> Form:
        """What applies outside the scopes; ``name``: of the option."""
        return Form(self.base or name, self.lowering, **{key: getattr(self, key) for key in _OPTIONS})


def longest_last(scopes: Iterable[str]) -> list[str]:
    """Scopes in the order in which a later one overrules an earlier one.

    >>> longest_last(["encoder/stem", "encoder", "head"])
    ['head', 'encoder', 'encoder/stem']
    """
    return sorted(scopes, key=lambda scope: (scope.count("/"), len(scope), scope))
