"""A ``.keras`` or ``.h5`` file as a Keras model, or why it cannot be one, with tested advice.

Needs Keras, whose own reader refuses HDF5 links and data that lead out of the file, and runs no code from it.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from trtbuild.base.archives import ROOM, check_expansion
from trtbuild.base.errors import SourceError, first_line
from trtbuild.base.text import printable

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class _Layer:
    """A serialised layer: ``kind`` is its class; Keras 2 wrote no ``module``."""

    kind: str
    config: Mapping[str, object]
    module: str | None


def load(path: Path, where: str) -> keras.Model:
    """The model, not compiled.

    Raises:
        SourceError: not a Keras file, one without a network in it, or one that needs Python code.
    """
    import keras

    if path.is_file() and path.suffix == ".keras" and not zipfile.is_zipfile(path):
        raise SourceError("not a readable Keras model: it is not a zip archive", where=where)
    try:
        _check_sizes(path)
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # zip, HDF5, registry and config errors: the file is not a usable Keras model
        if (reason := _lacking(path)) is not None:
            calls = f"load_weights('{Path(where).name}') and export('FOLDER')"
            hint = f"build the model in your own code, call its {calls}, and start from that SavedModel"
            raise SourceError(reason, where=where, hint=hint) from error
        said = first_line(error)[:300].replace(str(path), where)
        raise SourceError(f"not a readable Keras model: {said}", where=where) from error


def _check_sizes(path: Path) -> None:
    """Raise ValueError for a file that is small and declares huge members or arrays."""
    if path.suffix != ".keras":
        check_expansion(path, _array_sizes(path))
        return
    with zipfile.ZipFile(path) as archive:
        check_expansion(path, (member.file_size for member in archive.infolist()))
        for member in archive.infolist():
            if member.filename.endswith((".h5", ".npz")):
                with archive.open(member) as packed, tempfile.SpooledTemporaryFile(ROOM) as file:
                    shutil.copyfileobj(packed, file)
                    file.seek(0)
                    sizes = _zip_sizes(file) if member.filename.endswith(".npz") else _array_sizes(file)
                    check_expansion(path, sizes)


def _zip_sizes(file: IO[bytes]) -> list[int]:
    with zipfile.ZipFile(file) as archive:
        return [member.file_size for member in archive.infolist()]


def _array_sizes(opened: Path | IO[bytes]) -> list[int]:
    """The size of every array of an HDF5 file."""
    import h5py

    sizes: list[int] = []
    with h5py.File(opened) as file:
        file.visititems(lambda _, item: sizes.append(item.nbytes) if isinstance(item, h5py.Dataset) else None)
    return sizes


def _lacking(path: Path) -> str | None:
    """What the model needs and the file does not contain: the network, a lambda's surroundings, a class."""
    try:
        _check_sizes(path)
        config = _config(path)
    except Exception:  # Keras has already said what makes it unreadable
        return None
    if config is None:
        return "it holds only weights, not the network"
    layers = list(_objects(config))
    for layer in layers:
        if layer.kind == "Lambda" and not isinstance(layer.config.get("function"), str):
            return f"its Lambda layer '{_name(layer)}' is Python code, which is not run from a file"
    foreign = sorted({printable(layer.kind) for layer in layers if not _is_kerass(layer)})
    return f"it needs Python classes that it does not contain: {', '.join(foreign)}" if foreign else None


def _config(path: Path) -> object:
    """The network as Keras writes it; None in a file of weights."""
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("config.json"))
    import h5py

    with h5py.File(path) as file:
        text = file.attrs.get("model_config")
    return None if text is None else json.loads(text)


def _objects(config: object) -> Iterator[_Layer]:
    """Every serialised layer, however deep."""
    if isinstance(config, dict):
        if "class_name" in config and isinstance(config.get("config"), dict) and "name" in config["config"]:
            module = str(config["module"]) if "module" in config else None
            yield _Layer(str(config["class_name"]), config["config"], module)
        for value in config.values():
            yield from _objects(value)
    elif isinstance(config, list):
        for value in config:
            yield from _objects(value)


def _is_kerass(layer: _Layer) -> bool:
    import keras

    if layer.module is not None:
        registered = keras.saving.get_registered_object(layer.kind) is not None
        return registered or layer.module.partition(".")[0] == "keras"
    return hasattr(keras.layers, layer.kind) or layer.kind in ("Functional", "Model", "Sequential")


def _name(layer: _Layer) -> str:
    return printable(str(layer.config["name"]))
