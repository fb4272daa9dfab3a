"""The Keras callback: checks the model before the first step of a training, and can stop it there."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from trtbuild.base.errors import ConfigError, ModelError
from trtbuild.base.text import did_you_mean
from trtbuild.checker.functions import CheckOptions, check
from trtbuild.checker.result import Result

if TYPE_CHECKING:
    from types import FrameType

    import keras
    from typing_extensions import Unpack


def _of_data(frame: FrameType | None) -> object:
    """Specs of what ``fit`` will feed to a model that is not built yet; None where Keras keeps them elsewhere."""
    while frame is not None:
        iterator = frame.f_locals.get("epoch_iterator") if frame.f_code.co_name == "fit" else None
        spec = getattr(getattr(iterator, "_distributed_dataset", None), "element_spec", None)
        if spec is not None:
            return spec[0] if isinstance(spec, tuple) else spec
        frame = frame.f_back
    return None


def _refuse_unknown(arguments: Mapping[str, object]) -> None:
    """Refuse them where they are written, not when the training begins."""
    known = list(inspect.signature(check).parameters)[2:]
    for name in arguments:
        if name not in known:
            raise ConfigError(f"unknown argument '{name}'", where="TrtCheck", hint=did_you_mean(name, known))


@functools.cache
def make() -> type[keras.callbacks.Callback]:
    """The class; it needs Keras, which is not imported before somebody asks for it."""
    import keras

    class TrtCheck(keras.callbacks.Callback):  # type: ignore[misc]
        """Check the model at the beginning of ``fit``.

        Args:
            abort: raise when it does not convert; without it that is printed, and the training goes on.
            input_signature: as in ``trt_checker.check``; not needed for a model that was built.
            arguments: of ``trt_checker.check``: versions, precision, profiles, …

        ``result`` is what was found.  A check that could not be done does not stop the training, unless
        ``raise_on_error=True``.
        """

        def __init__(
            self, abort: bool = False, input_signature: object = None, **arguments: Unpack[CheckOptions]
        ) -> None:
            super().__init__()
            _refuse_unknown(arguments)
            self.abort, self.input_signature, self.arguments = abort, input_signature, arguments
            self.result: Result | None = None

        def on_train_begin(self, logs: object = None) -> None:
            signature = self.input_signature
            if signature is None and not self.model.built:
                signature = _of_data(sys._getframe())
            self.result = check(self.model, signature, **self.arguments)
            if self.result:
                return
            print(f"trt_checker: {self.result}", file=sys.stderr, flush=True)
            if self.abort and not self.result.error:
                details = tuple(f"{p.op_type} {p.op} ({p.where}): {p.words}" for p in self.result.errors)
                first = str(self.result).splitlines()[0]
                raise ModelError(first, where="TrtCheck", hint="abort=False trains anyway", details=details)

    return TrtCheck
