"""Which compute capabilities and TensorRT versions have the number types of a precision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from trtbuild.core.spec.precision import Form

# The least compute capability whose tensor cores have the type.  RTX 1.7 compiles bfloat16 and int4 for 8.0 but not
# 7.5, float8 for 8.9 but not 8.6, and float4 for 12.0 but not 8.9 (measured); NVIDIA's data sheets give 10.0 for it.
LEAST: Mapping[str, str] = {"bfloat16": "8.0", "int4": "8.0", "float8": "8.9", "float4": "10.0"}
# What RTX compiles for if nothing is named.  It leaves out those of them that lack a type, and tells only its log.
PORTABLE = ("8.0", "8.6", "8.9", "12.0")
# The first version of TensorRT whose networks have the type; every version of RTX that we know has all of them.
SINCE: Mapping[str, tuple[int, ...]] = {"float4": (10, 8)}


def types_of(forms: Iterable[Form]) -> tuple[str, ...]:
    """The low types that some node needs.

    >>> types_of([Form("int4", "int4", quantize_ops=("MatMul",), rest="bfloat16", block=32)])
    ('int4', 'bfloat16')
    """
    used = dict.fromkeys(kind for form in forms for kind in (form.kind, form.float_type))
    return tuple(kind for kind in used if kind in LEAST)


def lacking(kind: str, capabilities: Iterable[str]) -> list[str]:
    """Those of the capabilities that do not have a type.

    >>> lacking("float8", ["8.6", "8.9", "12.0"])
    ['8.6']
    """
    return [one for one in capabilities if _numbers(one) < _numbers(LEAST[kind])]


def too_old(kind: str, flavour: str, version: str) -> str:
    """The first version that has a type, if this one does not.

    >>> too_old("float4", "tensorrt", "10.3.0"), too_old("float4", "tensorrt-rtx", "1.4.0.76")
    ('10.8', '')
    """
    since = SINCE.get(kind, ())
    return ".".join(map(str, since)) if flavour == "tensorrt" and _numbers(version) < since else ""


def targets(kind: str, offered: Mapping[str, Sequence[str]]) -> list[str]:
    """The targets (name -> capabilities) whose devices all have a type, oldest first.

    >>> targets("float8", {"portable": (), "sm120": ("12.0",), "sm86": ("8.6",), "sm89": ("8.9",)})
    ['sm89', 'sm120']
    """
    fit = [(_numbers(min(has)), name) for name, has in offered.items() if has and not lacking(kind, has)]
    return [name for _, name in sorted(fit)]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
