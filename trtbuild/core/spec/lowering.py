"""How a float32 graph is written in a precision: an option from conf/precision, with a model's exclusions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property

from trtbuild.core.spec.engine import Calibration
from trtbuild.core.spec.model import Override, Qat
from trtbuild.core.spec.precision import Form, FormOptions, LoweringKind, Precision

# Widest first, as pages show them: kind, and whether TF32 is allowed.
_ORDER: tuple[tuple[LoweringKind, bool], ...] = (
    ("none", False), ("none", True), ("float16", False), ("bfloat16", False), ("int8", False),
    ("float8", False), ("int4", False), ("float4", False),
)  # fmt: skip


@dataclass(frozen=True)
class Lowering(FormOptions):
    """``precision`` is only the option's name; the graph depends on the other fields.

    ``kind`` and its options apply outside ``scopes``, of which the longest that a node is in decides;
    ``exclude_scopes`` and ``exclude_ops`` stay in float32, whatever else is said.  ``calibration`` is for what has
    scales that come from data.
    """

    precision: str = "fp32"
    kind: LoweringKind = "none"
    tf32: bool = False
    scopes: Mapping[str, Form] = field(default_factory=dict)
    exclude_scopes: tuple[str, ...] = ()
    exclude_ops: tuple[str, ...] = ()
    calibration: Calibration = field(default=Calibration("minmax"))
    qat: Qat | None = None  # the model's; None where no config says

    @cached_property
    def base(self) -> Form:
        """What applies outside the scopes."""
        return Form(**{key.name: getattr(self, key.name) for key in fields(Form)})

    @property
    def forms(self) -> tuple[Form, ...]:
        """That, and what applies in each scope."""
        return (self.base, *self.scopes.values())

    @property
    def plain(self) -> bool:
        """Whether everything stays in float32."""
        return all(form.kind == "none" for form in self.forms)

    @property
    def quantised(self) -> bool:
        return any(form.quantised for form in self.forms)

    @property
    def calibrated(self) -> bool:
        """Whether any of its scales come from data."""
        return any(form.calibrated for form in self.forms)

    @property
    def coarsest(self) -> LoweringKind:
        """The kind that loses most."""
        return max((form.kind for form in self.forms), key=lambda kind: rank(kind, False))

    @classmethod
    def of(
        cls, name: str, precision: Precision, calibration: Calibration, override: Override | None = None
    ) -> Lowering:
        own = precision.form(name)
        form = {key.name: getattr(own, key.name) for key in fields(Form)}
        made = cls(**form, tf32=precision.tf32, scopes=dict(precision.scopes))
        if override is not None and not made.plain:
            made = replace(made, exclude_scopes=override.exclude_scopes, exclude_ops=override.exclude_ops)
        return replace(made, calibration=calibration) if made.calibrated else made

    def __str__(self) -> str:
        """
        >>> str(Lowering("mine", "int8", quantize_ops=("Conv", "MatMul"), exclude_ops=("Gemm",)))
        'int8 for Conv, MatMul; in float32: Gemm'
        >>> str(Lowering("mixed", "float16", scopes={"head": Form("fp32", "none"), "stem": Form("bf16", "bfloat16")}))
        'float16; head in float32; stem in bfloat16'
        """
        parts = [f"{self.base} with TF32" if self.tf32 else str(self.base)]
        parts += [f"{scope} in {form}" for scope, form in self.scopes.items()]
        excluded = ", ".join((*self.exclude_scopes, *self.exclude_ops))
        return "; ".join([*parts, *([f"in float32: {excluded}"] if excluded else [])])


FLOAT32 = Lowering()


def rank(kind: str, tf32: bool) -> int:
    """The place of a precision in that order; an unknown kind comes last.

    >>> rank("none", True) < rank("int8", True) < rank("", False)
    True
    """
    place = (kind, tf32 and kind == "none")
    return _ORDER.index(place) if place in _ORDER else len(_ORDER)
