"""A copy of a Keras model that was not built yet, to build in its place: what was built stays built, with its seeds.

Layers and the containers that Keras tracks them in are copied; all else (initialisers, functions, tensors) is shared.
Keras' own way of copying goes through a file, for which every class has to be registered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


def twin(model: keras.Model) -> keras.Model:
    return _Copier().copy(model)


class _Copier:
    def __init__(self) -> None:
        import keras
        from keras.src.utils.tracking import Tracker

        self._owners = (keras.Layer, Tracker)
        self._made: dict[int, Any] = {}

    def copy(self, value: Any) -> Any:
        if id(value) in self._made:
            return self._made[id(value)]
        if isinstance(value, self._owners):
            return self._object(value)
        inner = _wrapped(value)
        if inner is not None:
            self._made[id(value)] = made = type(value)(self.copy(inner))
            return made
        if issubclass(type(value), (list, set, dict)):
            return self._container(value)
        if type(value) is tuple:
            return tuple(self.copy(part) for part in value)
        return value

    def _object(self, value: Any) -> Any:
        made = _new(value)
        self._made[id(value)] = made
        # What __new__ put there (wrappers around build and quantize) refers to its own object.
        own = {name for name, held in vars(made).items() if callable(held) and name in vars(value)}
        for name, held in list(vars(value).items()):
            if name not in own:
                vars(made)[name] = self.copy(held)
        return made

    def _container(self, value: Any) -> Any:
        made = _new(value)
        self._made[id(value)] = made
        # Bypasses the methods of Keras' tracked containers, which would register everything again.
        if isinstance(value, list):
            list.extend(made, [self.copy(part) for part in value])
        elif isinstance(value, set):
            set.update(made, {self.copy(part) for part in value})
        else:
            dict.update(made, {key: self.copy(part) for key, part in value.items()})
        for name, held in getattr(value, "__dict__", {}).items():
            vars(made)[name] = self.copy(held)
        return made


def _new(value: Any) -> Any:
    """An object of the same class, without its ``__init__``."""
    kind: Any = type(value)
    return kind.__new__(kind)


def _wrapped(value: Any) -> Any:
    """What is inside a list or dictionary that TensorFlow wrapped because it was an attribute of a module."""
    kind = type(value)
    if not kind.__module__.startswith("tensorflow.python.trackable"):
        return None
    if kind.__name__ == "_DictWrapper":
        return value.__wrapped__
    return value._storage if kind.__name__ == "ListWrapper" else None
