"""The functions of trt_checker: register inputs and outputs, check, assert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict, TypeVar

from trtbuild.checker.places import caller
from trtbuild.checker.registry import REGISTRY
from trtbuild.checker.result import Result

if TYPE_CHECKING:
    import tensorflow as tf
    from typing_extensions import Unpack

# AutoGraph, which rewrites whatever a tf.function calls, leaves alone what has this attribute; its own decorator, which
# sets it, needs TensorFlow.
_LEAVE_ALONE = "autograph_info__"

Profiles = Mapping[str, Sequence[Sequence[int]]]
T = TypeVar("T")


class CheckOptions(TypedDict, total=False):
    """The keyword arguments of :func:`check`."""

    versions: str | Sequence[str] | None
    precision: str
    opset: int
    profiles: Profiles | None
    limit_s: float
    install: bool
    target: str | None
    raise_on_error: bool


def register_input(tensor: T, name: str | None = None) -> T:
    """Note a tensor (or a list or dictionary of them) as an input of the network; returns it."""
    REGISTRY.add("inputs", tensor, name, caller())
    return tensor


def register_output(tensor: T, name: str | None = None) -> T:
    """Note a tensor (or a list or dictionary of them) as an output of the network; returns it."""
    REGISTRY.add("outputs", tensor, name, caller())
    return tensor


def clear() -> None:
    """Forget everything that was registered."""
    REGISTRY.clear()


def check_conversion(
    *, versions: str | Sequence[str] | None = None, precision: str = "fp32", opset: int = 17,
    profiles: Profiles | None = None, graph: tf.Graph | None = None, limit_s: float = 60.0, install: bool = True,
    target: str | None = None, raise_on_error: bool = False,
) -> Result:  # fmt: skip
    """Whether what was registered converts to TensorRT; true when it does.

    Args:
        versions: names of TensorRT versions ("rtx-1.7"); by default the one that builds use.
        precision: an option of conf/precision: "fp32", "tf32", "fp16", "bf16", "int8", or the workspace's own.
        profiles: input -> (min, opt, max) shapes, where dimensions are not known; a batch is taken as 1 to 8.
        graph: check this tf.Graph alone; by default the current one, or all that were registered.
        limit_s: time for each question to a TensorRT version, and for all further ones together.
        install: install a TensorRT version that is missing.
        target: an option of conf/target ("sm89"); its devices need to have the precision's types.
        raise_on_error: let a failure of the checker itself raise, instead of reporting it in ``Result.error``.
    """
    from trtbuild.checker import checks

    return checks.registered(
        graph, checks.Arguments(versions, precision, opset, profiles, limit_s, install, target),
        raise_on_error=raise_on_error,
    )  # fmt: skip


def check(
    model: object, input_signature: object = None, *, versions: str | Sequence[str] | None = None,
    precision: str = "fp32", opset: int = 17, profiles: Profiles | None = None, limit_s: float = 60.0,
    install: bool = True, target: str | None = None, raise_on_error: bool = False,
) -> Result:  # fmt: skip
    """Whether a model converts to TensorRT: a Keras model, a function, a module, or a path to one (also ``.onnx``).

    Args:
        input_signature: one tf.TensorSpec, or a list or dictionary of them; not needed where the model says it itself.
        versions, precision, opset, profiles, limit_s, install, target, raise_on_error: as in :func:`check_conversion`.
    """
    from trtbuild.checker import checks

    arguments = checks.Arguments(versions, precision, opset, profiles, limit_s, install, target)
    return checks.model(model, input_signature, arguments, raise_on_error=raise_on_error)


def assert_converts(model: object, input_signature: object = None, **arguments: Unpack[CheckOptions]) -> Result:
    """Fail with the whole report unless the model converts; arguments are those of ``trt_checker.check``.

    Raises:
        AssertionError: it does not convert, or could not be checked.
    """
    __tracebackhide__ = True  # pytest: show the line of the test
    result = check(model, input_signature, **arguments)
    if not result:
        raise AssertionError(str(result))
    return result


for _function in (register_input, register_output, clear, check_conversion, check):
    setattr(_function, _LEAVE_ALONE, {})
