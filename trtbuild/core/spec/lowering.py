"""How a float32 graph is written in a precision: what an option of conf/precision says, and a model's exclusions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from trtbuild.core.spec.engine import CALIBRATED, Calibration, LoweringKind, Precision
from trtbuild.core.spec.model import Override

# Widest first, as pages show them: kind, and whether float32 may be TF32.
_ORDER: tuple[tuple[str, bool], ...] = (
    ("none", False), ("none", True), ("float16", False), ("bfloat16", False), ("int8", False),
)  # fmt: skip


@dataclass(frozen=True)
class Lowering:
    """``precision`` is the option's name, which says nothing by itself; the rest is all that the graph depends on.

    ``quantize_ops`` and ``calibration`` are for int8 alone; ``exclude_scopes`` and ``exclude_ops`` stay in float32.
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
        said: str = "float32" if self.kind == "none" else self.kind
        said += f" for {', '.join(self.quantize_ops)}" if self.calibrated else ""
        said += " with TF32" if self.tf32 else ""
        excluded = ", ".join((*self.exclude_scopes, *self.exclude_ops))
        return f"{said}; in float32: {excluded}" if excluded else said


FLOAT32 = Lowering()


def rank(kind: str, tf32: bool) -> int:
    """The place of a precision among others; one of an unknown kind comes last.

    >>> rank("none", True) < rank("int8", True) < rank("", False)
    True
    """
    place = (kind, tf32 and kind == "none")
    return _ORDER.index(place) if place in _ORDER else len(_ORDER)
