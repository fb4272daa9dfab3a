"""Tests of tf2onnx's zip of a model and its weights."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.support.graphs import constants, graph
from trtbuild.base.errors import ConfigError, SourceError
from trtbuild.checker import onnxfile
from trtbuild.sources import largemodel, onnxsource

MODEL = "__MODEL_PROTO.onnx"


def packed(folder: Path, **members: str) -> Path:
    """``large.onnx``: a zip of a model whose weights are in ``w.bin``; ``members``: further names -> content."""
    model = graph("float[2,4] x => float[2,4] y { y = Mul(x, w) }", w=np.arange(4, dtype=np.float32))
    onnx.save(model, folder / MODEL, save_as_external_data=True, location="w.bin", size_threshold=0)
    with zipfile.ZipFile(folder / "large.onnx", "w") as archive:
        for name in (MODEL, "w.bin"):
            archive.write(folder / name, name)
            (folder / name).unlink()
        for name, content in members.items():
            archive.writestr(name, content)
    return folder / "large.onnx"


def test_it_becomes_one_file(tmp_path: Path) -> None:
    """With all its weights; nothing stays beside it."""
    path = packed(tmp_path)
    model = onnxsource.whole(path, "large.onnx")

    assert constants(model)["w"].tolist() == [0, 1, 2, 3]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["../evil.bin", "/tmp/evil.bin", "a/../../evil.bin"])
def test_no_member_is_written_outside(name: str, tmp_path: Path) -> None:
    """Whatever else is in it."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match="not inside its own folder"):
        largemodel.unpack(packed(tmp_path, **{name: "x"}), "large.onnx", tmp_path / "folder")

    assert not list(tmp_path.rglob("evil.bin"))


def test_what_cannot_be_taken_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two models, none, too much, damage; and what takes it where a plain file is needed."""
    with pytest.raises(SourceError, match=r"does not hold exactly one \.onnx file: __MODEL_PROTO\.onnx, b\.onnx"):
        onnxsource.whole(packed(tmp_path, **{"b.onnx": "x"}), "large.onnx")
    path = packed(tmp_path)
    with pytest.raises(SourceError, match="trtbuild init --from FILE takes it"):
        onnxsource.parse(path, "large.onnx")
    with pytest.raises(SourceError, match="trtbuild init --from FILE takes it"):
        onnxfile.load(path)
    content = bytearray(path.read_bytes())
    content[content.rindex(np.arange(4, dtype=np.float32).tobytes())] ^= 255  # of the weights
    (tmp_path / "bad.onnx").write_bytes(content)
    with pytest.raises(SourceError, match="not a readable zip archive"):
        onnxsource.whole(tmp_path / "bad.onnx", "bad.onnx")
    monkeypatch.setattr(largemodel, "MAX_BYTES", 10)
    with pytest.raises(SourceError, match="over 2 GB"):
        onnxsource.whole(path, "large.onnx")
