"""Every reader of bytes that others wrote, with a sound file for each."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.latency.flame.test_damaged_files import TRTEXEC
from tests.support.fakes import chain
from trtbuild.base.errors import TrtbuildError
from trtbuild.base.workspace import Workspace

MD5 = "0123456789abcdef" * 2
ENTRY = {"cmd": "trtbuild step a", "deps": [{"path": "../../../models/source", "hash": "md5", "md5": MD5, "size": 1}],
         "params": {"params.yaml": {"kind": "a", "recipe": "0" * 64}},
         "outs": [{"path": "out.bin", "hash": "md5", "md5": MD5, "size": 3, "nfiles": 2}]}  # fmt: skip
PASSPORT = {"sha256": "0" * 64, "bytes": 3, "profiles": {"x": [[1, 3], [2, 3], [4, 3]]}}
BASELINE = {"schema_version": 2, "variant": {"id": "v", "model": "m"}, "verdict": {"word": "pass"}, "samples": 1}
PARAMS = {"kind": "a", "version": 1, "environment": "main", "inputs": {"x": "../../../models/source"},
          "outs": ["out.bin"], "params": {"a": 1}, "recipe": "0" * 64}  # fmt: skip


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def npz(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def keras() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        layers = [{"class_name": "Dense", "config": {"name": "d", "units": 2}, "module": "keras.layers"}]
        archive.writestr("config.json", json.dumps({"class_name": "Sequential", "config": {"layers": layers}}))
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.0.0"}))
    return stream.getvalue()


def onnx_model() -> bytes:
    from tests.support.graphs import graph

    model = graph("float[n, 3] x => float[n, 3] y { y = Relu(x) }")
    return bytes(model.SerializeToString())


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def record_reader(folder: Path, content: bytes) -> None:
    from trtbuild.store import tracking

    tracking.read_record(written(folder, "build/m/a-1/dvc.lock", content), "a")


def models_reader(folder: Path, content: bytes) -> None:
    from trtbuild.store import tracking

    written(folder, "models.dvc", content)
    tracking.recorded_models(folder)
    tracking.model_remotes(folder)


def listing_reader(folder: Path, content: bytes) -> None:
    from trtbuild.core.record import Digest
    from trtbuild.store import Store

    (folder / ".dvc").mkdir(exist_ok=True)
    store, name = Store(Workspace(folder), note=lambda line: None), hashlib.md5(content).hexdigest()
    written(folder, f".dvc/cache/files/md5/{name[:2]}/{name[2:]}.dir", content)
    store.objects.listing(Digest(f"{name}.dir"))


def run_cache_reader(folder: Path, content: bytes) -> None:
    from trtbuild.building.garbage import _entry
    from trtbuild.remote.resolve import _checked

    (one,) = chain("a")
    _entry(written(folder, "entry", content))
    _checked(one, {}, content, "0" * 64, SimpleNamespace())  # type: ignore[arg-type]


def seal_reader(folder: Path, content: bytes) -> None:
    from trtbuild.remote.seals import _sha256_in

    _sha256_in(written(folder, "passport.json", content))


def document_reader(kind: str) -> Callable[[Path, bytes], None]:
    def read(folder: Path, content: bytes) -> None:
        from importlib import import_module

        from trtbuild.documents import reading

        module, name = kind.split(":")
        reading.read(
            written(folder, "document.json", content), getattr(import_module(f"trtbuild.documents.{module}"), name)
        )

    return read


def baseline_reader(folder: Path, content: bytes) -> None:
    from trtbuild.pipeline.baseline import read_report

    read_report(written(folder, "report.json", content))


def params_reader(folder: Path, content: bytes) -> None:
    from trtbuild.building.rerun import _recipe
    from trtbuild.building.superseded import _words

    _words(written(folder, "build/m/report-1/params.yaml", content))
    _recipe(folder / "build" / "m" / "report-1")


def shortcut_reader(name: str) -> Callable[[Path, bytes], None]:
    """Also one whose checksum is right: a later version's, say."""

    def read(folder: Path, content: bytes) -> None:
        from trtbuild.cli import noop
        from trtbuild.config.composed import Composed, watched
        from trtbuild.store.digests import Digests

        for sealed in (content, hashlib.sha256(content).hexdigest().encode() + b"\n" + content):
            if name == "state.json":
                Digests(folder, written(folder, name, sealed)).of("state.json")
            elif name == "composed.json":
                written(folder, ".trtbuild/composed.json", sealed)
                Composed(folder / ".trtbuild", [folder]).recall(["a=b"])
                watched(folder / ".trtbuild")
            else:
                written(folder, Path(noop._file(str(folder), [])).relative_to(folder).as_posix(), sealed)
                answer = noop.recall(str(folder), [])
                assert answer is None or [type(text) for text in answer.output] == [str, str]

    return read


def arrays_reader(name: str) -> Callable[[Path, bytes], None]:
    def read(folder: Path, content: bytes) -> None:
        from trtbuild.arrays import arrayfile

        path = written(folder, f"data.{name}", content)
        with contextlib.suppress(ValueError):  # which arrays/data.py makes a DataError
            arrays = arrayfile.open_npz(path) if name == "npz" else {"x": arrayfile.open_npy(path)}
            for array in (each for each in arrays.values() if each.shape):
                assert sum(len(block) for _, block in arrayfile.rows_of(array)) == len(array)

    return read


def flame_reader(which: str) -> Callable[[Path, bytes], None]:
    def read(folder: Path, content: bytes) -> None:
        from trtbuild.latency.flame import flame_graph, read_layers, read_profile, read_scopes

        path = written(folder, f"{which}.json", content)
        profile = read_profile(path) if which in ("trace", "trtexec") else read_profile(TRTEXEC)
        flame_graph(
            profile, read_layers(path) if which == "layers" else None, read_scopes(path) if which == "scopes" else None
        )

    return read


def layer_file_reader(folder: Path, content: bytes) -> None:
    from trtbuild.engine.inspection import document, inspect
    from trtbuild.engine.reading import read_engine

    document(inspect(read_engine(written(folder, "layers.json", content))))


def result_reader(folder: Path, content: bytes) -> None:
    from trtbuild.core.job import read_result

    read_result(written(folder, "result.json", content).parent)


def stamp_reader(folder: Path, content: bytes) -> None:
    from trtbuild import toolchains

    want = SimpleNamespace(folder=folder, identity={"a": 1}, flavour="tensorrt", version="1")
    written(folder, toolchains.STAMP, content)
    toolchains.flaw(want)  # type: ignore[arg-type]


def dvc_config_reader(folder: Path, content: bytes) -> None:
    here = Workspace(written(folder, ".dvc/config", content).parents[1])
    assert here.cache and here.default_remote is not None and here.remotes is not None


def onnx_reader(folder: Path, content: bytes) -> None:
    from trtbuild.checker.onnxfile import load
    from trtbuild.sources.onnxsource import parse, whole

    path = written(folder, "m.onnx", content)
    for read in (load, partial(parse, where="m.onnx")):
        with contextlib.suppress(TrtbuildError):
            read(path)
    whole(path, "m.onnx")


def keras_reader(folder: Path, content: bytes) -> None:
    from trtbuild.sources import kerasfile

    kerasfile._lacking(written(folder, "m.keras", content))


def expectation_reader(folder: Path, content: bytes) -> None:
    from trtbuild.suite import expectation

    expectation.read(written(folder, "expectations.yaml", content), "linux")
