"""The Case: one small graph with its inputs, and the decorator that makes one, or a family of them, of a function.

Nothing heavy is loaded: a case is listed, filtered and looked up in the cache without TensorFlow.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from trtbuild.base.packaged import packaged_conf
from trtbuild.core.spec import Lowering, LoweringKind
from trtbuild.suite.values import Values, default

Shape = tuple[int | None, ...]
Parameters = Mapping[str, Any]  # of one point; "id", "issues" and "tolerance" replace the family's
Needs = str | Sequence[str] | Callable[..., str | Sequence[str]]  # of the point's parameters
PACKAGED = Path(__file__).resolve().parent / "cases"
STRUCTURE = "the operation alone"
OPSET = 17  # tf2onnx writes up to 18; past that onnx's version converter goes on


@dataclass(frozen=True)
class Tolerance:
    """A value matches when ``|value - reference| <= absolute + relative * |reference|``; integers match exactly.

    NaN matches NaN, and an infinity the same infinity.
    """

    absolute: float
    relative: float


# What each precision may lose on values near 1: float32 rounding in another order of additions, 11 and 8 bits of
# significand, 8 bits on each side of a short product.
TOLERANCES: Mapping[LoweringKind, Tolerance] = {
    "none": Tolerance(1e-4, 1e-4), "float16": Tolerance(1e-2, 1e-2), "bfloat16": Tolerance(8e-2, 8e-2),
    "int8": Tolerance(0.15, 0.1), "float8": Tolerance(0.2, 0.15), "int4": Tolerance(0.4, 0.3),
    "float4": Tolerance(0.4, 0.3),
}  # fmt: skip


@cache
def lowering_of(root: Path, precision: str) -> Lowering:
    """A precision of conf; raises ConfigError for an unknown one."""
    from trtbuild.config import named

    return named.precision(root, precision)


@dataclass(frozen=True)
class Input:
    """``shape`` has None where it is dynamic; then ``profile`` gives the minimum, optimum and maximum shape."""

    dtype: str
    shape: Shape
    values: Values
    profile: tuple[tuple[int, ...], ...] = ()

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Every shape that the case is run with."""
        return self.profile or (tuple(d or 0 for d in self.shape),)


@dataclass(frozen=True)
class Case:
    """One graph of the suite.

    ``build`` takes the inputs by name, and the parameters; it returns a tensor, a tuple or a dict of tensors.  A case
    made from an ONNX file has ``onnx`` instead.
    """

    id: str
    title: str
    category: str
    inputs: Mapping[str, Input]
    build: Callable[..., object] | None
    onnx: Path | None = None
    issues: tuple[str, ...] = ()
    parameters: Parameters = field(default_factory=dict)
    precision: str = "fp32"
    precision_keys: Mapping[str, Any] = field(default_factory=dict)  # of its Lowering, where they differ from conf
    own_tolerance: Tolerance | None = None
    needs: tuple[str, ...] = ()  # ONNX operations that the exported graph must have
    structure: str = STRUCTURE
    opset: int = OPSET
    file: Path = Path()
    line: int = 0

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"

    @property
    def packaged(self) -> bool:
        """Of the suite that comes with trtbuild, not of a workspace's own."""
        return self.file.parent == PACKAGED

    @property
    def lowering(self) -> Lowering:
        """What its precision is: as packaged, or in the workspace whose suite/ it is of.

        Raises:
            ConfigError: there is no such precision.
        """
        root = packaged_conf().parent if self.packaged else self.file.parent.parent
        return replace(lowering_of(root, self.precision), **self.precision_keys)

    @property
    def tolerance(self) -> Tolerance:
        return self.own_tolerance or TOLERANCES[self.lowering.coarsest]


@dataclass(frozen=True)
class Family:
    """What the decorator leaves in a module: the cases of one function."""

    cases: tuple[Case, ...]


def tensor(
    dtype: str, *shape: int | str | None, values: Values | None = None, profile: Sequence[Sequence[int]] = ()
) -> Input:
    """An input; a word in ``shape`` is the name of a parameter."""
    shapes = tuple(tuple(point) for point in profile)
    return Input(dtype, shape, values or default(dtype), shapes)  # type: ignore[arg-type]


def f32(*shape: int | str | None, values: Values | None = None, profile: Sequence[Sequence[int]] = ()) -> Input:
    return tensor("float32", *shape, values=values, profile=profile)


def i32(*shape: int | str | None, values: Values | None = None, profile: Sequence[Sequence[int]] = ()) -> Input:
    return tensor("int32", *shape, values=values, profile=profile)


def grid(**axes: Iterable[object]) -> tuple[Parameters, ...]:
    """Every combination of the parameters' values.

    >>> grid(k=(1, 2), s=(3,))
    ({'k': 1, 's': 3}, {'k': 2, 's': 3})
    """
    return tuple(dict(zip(axes, values, strict=True)) for values in product(*axes.values()))


def case(
    id: str, title: str, inputs: Mapping[str, Input], *, points: Iterable[Parameters] = ({},),
    issues: str | Sequence[str] = (), needs: Needs = (), structure: str = STRUCTURE,
    category: str = "", precision: str = "fp32", tolerance: tuple[float, float] | None = None, opset: int = OPSET,
    precision_keys: Mapping[str, object] | None = None,
) -> Callable[[Callable[..., object]], Family]:  # fmt: skip
    """Make the decorated function a case, or one case for each of ``points``.

    ``{name}`` in a text stands for the point's parameter.  A point may also carry ``id``, ``issues`` or ``tolerance``,
    which replace the family's.  The category is the file's name unless it is given.
    """

    def decorate(build: Callable[..., object]) -> Family:
        file = Path(build.__code__.co_filename)
        cases = []
        for given in points:
            point = dict(given)
            own = {name: point.pop(name) for name in ("id", "issues", "tolerance") if name in point}
            allowed = own.get("tolerance", tolerance)
            cases.append(
                Case(
                    id=own.get("id") or _text(id, point).lower(),
                    title=_text(title, point),
                    category=category or file.stem.replace("_", "-"),
                    inputs={name: _at(spec, point) for name, spec in inputs.items()},
                    build=build,
                    issues=_words(own.get("issues", issues)),
                    parameters=point,
                    precision=_text(precision, point),
                    precision_keys=dict(precision_keys or {}),
                    own_tolerance=Tolerance(*allowed) if allowed else None,
                    needs=_words(needs(**point) if callable(needs) else needs),
                    structure=_text(structure, point),
                    opset=opset,
                    file=file,
                    line=build.__code__.co_firstlineno,
                )
            )
        return Family(tuple(cases))

    return decorate


def onnx_case(
    id: str, title: str, file: str, inputs: Mapping[str, Input], *, issues: str | Sequence[str] = (),
    category: str = "", structure: str = STRUCTURE, tolerance: tuple[float, float] | None = None,
) -> Family:  # fmt: skip
    """A case made from an ONNX file beside the Python file that calls this.

    There is no TensorFlow to compare with: ``NAME.npz`` beside ``NAME.onnx``, with an array for every input and
    output, gives inputs and reference values; without it nothing is compared.
    """
    caller = inspect.stack()[1]
    here = Path(caller.filename)
    made = Case(
        id=id, title=title, category=category or here.stem.replace("_", "-"), inputs=inputs, build=None,
        onnx=here.parent / file, issues=_words(issues), structure=structure,
        own_tolerance=Tolerance(*tolerance) if tolerance else None, file=here, line=caller.lineno,
    )  # fmt: skip
    return Family((made,))


def _words(given: str | Sequence[str]) -> tuple[str, ...]:
    return tuple(given.split()) if isinstance(given, str) else tuple(given)


def _text(text: str, point: Parameters) -> str:
    return text.format(**point) if "{" in text else text


def _at(spec: Input, point: Parameters) -> Input:
    """The input of one point: named dimensions and types filled in."""
    shape = tuple(point[d] if isinstance(d, str) else d for d in spec.shape)
    profile = tuple(tuple(point[d] if isinstance(d, str) else d for d in shape) for shape in spec.profile)
    return replace(spec, dtype=_text(spec.dtype, point), shape=shape, profile=profile)
