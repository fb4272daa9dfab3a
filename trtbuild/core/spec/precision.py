"""An option of conf/precision: what nodes compute in, and, in a mixed one, which scopes compute in another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

LoweringKind = Literal["none", "float16", "bfloat16", "int8"]
FloatType = Literal["float32", "float16", "bfloat16"]
CALIBRATED: tuple[LoweringKind, ...] = ("int8",)  # their scales come from data
QUANTISED: tuple[LoweringKind, ...] = CALIBRATED
_FLOATS: Mapping[LoweringKind, FloatType] = {"none": "float32", "float16": "float16", "bfloat16": "bfloat16"}


@dataclass(frozen=True)
class Form:
    """How one node is written.  ``precision``: the name of the option that says so.

    ``quantize_ops`` and ``rest`` (what everything else computes in) are for quantised kinds only.
    """

    precision: str
    kind: LoweringKind
    quantize_ops: tuple[str, ...] = ()
    rest: FloatType = "float32"

    @property
    def quantised(self) -> bool:
        return self.kind in QUANTISED

    @property
    def float_type(self) -> FloatType:
        """What nodes that are not quantised compute in."""
        return _FLOATS.get(self.kind, self.rest)

    def __str__(self) -> str:
        """
        >>> str(Form("int8", "int8", ("Conv",), "float16")), str(Form("fp32", "none"))
        ('int8 for Conv, the rest in float16', 'float32')
        """
        if not self.quantised:
            return self.float_type
        rest = "" if self.rest == "float32" else f", the rest in {self.rest}"
        return f"{self.kind} for {', '.join(self.quantize_ops)}{rest}"


@dataclass(frozen=True)
class Precision:
    """How ``lower`` writes a precision into the graph, and whether TF32 is allowed.

    ``quantize_ops``: operations to quantise; ``rest``: what everything else then computes in.  A mixed precision is
    written as ``base`` and ``scopes`` by name; the other fields then say what the base is (config/mixed.py).
    """

    lowering: LoweringKind
    quantize_ops: tuple[str, ...] = ()
    tf32: bool = False
    rest: FloatType = "float32"
    base: str | None = None
    scopes: Mapping[str, Form] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.lowering in QUANTISED and not self.quantize_ops:
            what = f"quantize_ops: {self.lowering} needs the types of operations to quantise, such as [Conv, MatMul]"
            raise ValueError(what)
        if self.rest != "float32" and self.lowering not in QUANTISED:
            raise ValueError(f"rest: nothing is quantised, so everything computes in {_FLOATS[self.lowering]}")

    @property
    def calibrated(self) -> bool:
        """Whether any of its scales come from data."""
        return any(kind in CALIBRATED for kind in self.kinds)

    @property
    def kinds(self) -> tuple[LoweringKind, ...]:
        """Its kinds, that of the base first."""
        return tuple(dict.fromkeys((self.lowering, *(form.kind for form in self.scopes.values()))))

    def form(self, name: str) -> Form:
        """What applies outside the scopes; ``name``: of the option."""
        return Form(self.base or name, self.lowering, self.quantize_ops, self.rest)


def longest_last(scopes: Iterable[str]) -> list[str]:
    """Scopes in the order in which a later one overrules an earlier one.

    >>> longest_last(["encoder/stem", "encoder", "head"])
    ['head', 'encoder', 'encoder/stem']
    """
    return sorted(scopes, key=lambda scope: (scope.count("/"), len(scope), scope))
