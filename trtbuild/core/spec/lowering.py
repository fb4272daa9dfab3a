"""How a float32 graph is written in a precision: an option from conf/precision, with a model's exclusions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from trtbuild.core.spec.engine import CALIBRATED, Calibration, LoweringKind, Precision
from trtbuild.core.spec.model import Override

# Widest first, as pages show them: kind, and whether TF32 is allowed.
_ORDER: tuple[tuple[str, bool], ...] = (
    ("none", False), ("none", True), ("float16", False), ("bfloat16", False), ("int8", False),
)  # fmt: skip


@dataclass(frozen=True)
class Lowering:
    """``precision`` is only the option's name; the graph depends on the other fields.

    ``quantize_ops`` and ``calibration`` are for int8 only; ``exclude_scopes`` and ``exclude_ops`` stay in float32.
    """

    precision: str = "fp32"
    kind: LoweringKind = "none"
    tf32: bool = False
    quantize_ops: tuple[str, ...] = ()
    exclude_scopes: tuple[str, ...] = ()
    exclude_ops: tuple[str, ...] = ()
    calibration: Calibration = field(default=Calibration("minmax"))

    @property
    def calibrated(self) -> bool:
        """Whether its scales come from data."""
        return self.kind in CALIBRATED

    @classmethod
    def of(
        cls, name: str, precision: Precision, calibration: Calibration, override: Override | None = None
    ) -> Lowering:
        made = cls(name, precision.lowering, precision.tf32)
        if override is not None and made.kind != "none":
            made = replace(made, exclude_scopes=override.exclude_scopes, exclude_ops=override.exclude_ops)
        if made.calibrated:
            made = replace(made, quantize_ops=precision.quantize_ops, calibration=calibration)
        return made

    def __str__(self) -> str:
        """
        >>> str(Lowering("mine", "int8", quantize_ops=("Conv", "MatMul"), exclude_ops=("Gemm",)))
        'int8 for Conv, MatMul; in float32: Gemm'
        """
        text: str = "float32" if self.kind == "none" else self.kind
        text += f" for {', '.join(self.quantize_ops)}" if self.calibrated else ""
        text += " with TF32" if self.tf32 else ""
        excluded = ", ".join((*self.exclude_scopes, *self.exclude_ops))
        return f"{text}; in float32: {excluded}" if excluded else text


FLOAT32 = Lowering()


def rank(kind: str, tf32: bool) -> int:
    """The place of a precision in that order; an unknown kind comes last.

    >>> rank("none", True) < rank("int8", True) < rank("", False)
    True
    """
    place = (kind, tf32 and kind == "none")
    return _ORDER.index(place) if place in _ORDER else len(_ORDER)
