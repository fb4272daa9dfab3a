"""Tests of every reader of bytes that others wrote: damaged in any way, they are read, ignored, or named in one line.

A few examples of each by default; ``pytest --hypothesis-profile=long tests/test_foreign_bytes.py`` tries 10,000, and
``EXAMPLES=1000`` as many.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.latency.flame.test_damaged_files import LAYERS, SCOPES, TRACE, TRTEXEC, damaged
from tests.support import configreaders, readers
from trtbuild.base.errors import TrtbuildError

_CHOSEN = hypothesis.settings.default.max_examples if hypothesis.settings.default else 0
EXAMPLES = int(os.environ.get("EXAMPLES", _CHOSEN if _CHOSEN > 1000 else 4))
NASTY = [b"", b"\0", b"\xff\xfe", b"9" * 400, b"1e999", b"NaN", b"null", b"[]", b"{}", b"../x", b"[" * 3000, b": ",
         b"- ", b'"', b"\n", b"&a ", b"*a", b"!!python/object:os.system ", b"${x}", b"<<<<<<< HEAD\n", b"\xed\xa0\x80",
         b"2026-99-99", b"%", b"- &x [*x]", b"=", b".inf", b"0x", b"1" * 40, b"\\ud800"]  # fmt: skip


Read = Callable[[Path, bytes], None]
READERS: dict[str, tuple[Any, Read]] = {
    "dvc.lock": ({"schema": "2.0", "stages": {"a": readers.ENTRY}}, readers.record_reader),
    "models.dvc": (
        {"outs": [{"md5": f"{readers.MD5}.dir", "path": "models/m", "remote": "r", "size": 2}]},
        readers.models_reader,
    ),
    "listing": ([{"md5": readers.MD5, "relpath": "a/b"}, {"md5": readers.MD5, "relpath": "c"}], readers.listing_reader),
    "run cache": (readers.ENTRY, readers.run_cache_reader),
    "passport": (readers.PASSPORT, readers.seal_reader),
    "params.yaml": (readers.PARAMS, readers.params_reader),
    "state.json": ({"/a": [1, 2, 3, 4, readers.MD5]}, readers.shortcut_reader("state.json")),
    "composed.json": (
        {"digest": "", "beyond": ["/a"], "entries": {"a=b": [{}, {}]}},
        readers.shortcut_reader("composed.json"),
    ),
    "noop": ({"output": ["a", "b"], "status": 0, "signatures": {"/a": None}}, readers.shortcut_reader("noop")),
    "report.json": (readers.BASELINE, readers.baseline_reader),
    "deviation.json": ({"outputs": {}, "samples": 1}, readers.document_reader("deviation:Deviation")),
    "precision.json": ({"kept_float32": [], "scales": {"a": 1.0}}, readers.document_reader("engine:Precision")),
    "passport.json": (readers.PASSPORT, readers.document_reader("engine:Passport")),
    "auto.json": ({"groups": [], "candidates": [{"name": "a"}]}, readers.document_reader("auto:AutoDocument")),
    "recorded.json": (
        {"bytes": {"rtx 1.7": {"m": {"fp16": 1, "int8": 2}}}},
        readers.document_reader("recorded:Recorded"),
    ),
    "npy": (readers.npy(np.arange(6, dtype=np.float32).reshape(2, 3)), readers.arrays_reader("npy")),
    "npz": (readers.npz(x=np.ones((2, 3), np.float32), y=np.arange(3)), readers.arrays_reader("npz")),
    "trace": (TRACE, readers.flame_reader("trace")),
    "trtexec": (TRTEXEC, readers.flame_reader("trtexec")),
    "layers": (LAYERS, readers.flame_reader("layers")),
    "scopes": (SCOPES, readers.flame_reader("scopes")),
    "layer file": (LAYERS, readers.layer_file_reader),
    "result.json": (
        {"ok": False, "failure": {"error": "DataError", "what": "w", "details": []}, "facts": {}},
        readers.result_reader,
    ),
    "model.yaml": (configreaders.MODEL_YAML, configreaders.model_config),
    "config.yaml": (
        b"defaults:\n- _self_\n- model: null\n- precision: fp32\ntrusted_modules: [keras]\n",
        configreaders.main_config_reader,
    ),
    "overrides": (
        b"model.export.opset=17\nmodel.overrides={int8: {exclude_ops: [Conv]}}\nlatency.seconds=1",
        configreaders.overrides,
    ),
    "precision file": (b"lowering: int8\nquantize_ops: [Conv]\nrest: float16\n", configreaders.precision_file),
    "mixed precision": (b"base: fp16\nscopes: {a: int8, a/b: fp32}\n", configreaders.precision_file),
    "toolchain file": (configreaders.TOOLCHAIN, configreaders.toolchain_reader),
    "stamp": ({"identity": {"a": 1}, "records": ["lib/x.dist-info"]}, readers.stamp_reader),
    "DVC config": (
        b"[core]\n    remote = r\n['remote \"r\"']\n    url = ../x\n[cache]\n    dir = c\n",
        readers.dvc_config_reader,
    ),
    "onnx": (readers.onnx_model(), readers.onnx_reader),
    "keras": (readers.keras(), readers.keras_reader),
    "expectations": ({"case": {"parse": "no", "says": "x"}, "other": "yes"}, readers.expectation_reader),
}
SLOW = {"keras"}  # TensorFlow is imported


@st.composite
def contents(draw: st.DrawFn, seed: Any) -> bytes:
    """The file with values of its document replaced, or with bytes cut out and put in."""
    if not isinstance(seed, bytes):
        document = damaged(draw(st.data()), seed) if draw(st.booleans()) else seed
        try:
            content = json.dumps(document).encode()
        except (TypeError, ValueError):
            content = b"{}"
        if document is not seed:
            return content
    else:
        content = seed
    for _ in range(draw(st.integers(1, 3))):
        at, cut = draw(st.integers(0, len(content))), draw(st.integers(0, 12))
        content = content[:at] + draw(st.sampled_from(NASTY) | st.binary(max_size=4)) + content[at + cut :]
    return content


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Written over by each example."""
    return tmp_path_factory.mktemp("foreign")


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in READERS])
def test_damaged_bytes_are_read_ignored_or_named(name: str, folder: Path) -> None:
    """No other exception than one that becomes a line and a status."""
    seed, read = READERS[name]
    here = folder / name.replace(" ", "_")
    here.mkdir(exist_ok=True)

    @hypothesis.settings(max_examples=EXAMPLES, suppress_health_check=list(hypothesis.HealthCheck), deadline=None)
    @given(content=contents(seed))
    def attempt(content: bytes) -> None:
        try:
            read(here, content)
        except TrtbuildError as error:
            assert error.exit_status != 70 and "\n" not in str(error)

    attempt()
