"""Tests of weights in files beside an ONNX model: nothing outside its folder is read."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.support.graphs import graph
from trtbuild.base.errors import ConfigError
from trtbuild.checker import onnxfile
from trtbuild.checker.options import Options
from trtbuild.graphs import externaldata
from trtbuild.reducing import subject
from trtbuild.sources import onnxsource

INPUTS = {"x": {"dtype": "float32", "shape": [4]}}


def pointing(folder: Path, location: str, **numbers: str) -> Path:
    """``y = x + b`` with the four values of ``b`` in the file ``location``."""
    model = graph("float[4] x => float[4] y { y = Add(x, b) }", b=np.arange(4, dtype=np.float32))
    (tensor,) = model.graph.initializer
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": location, **numbers}.items():
        tensor.external_data.add(key=key, value=value)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    return folder / "m.onnx"


@pytest.fixture(params=["..", "absolute", "link", "linked folder"])
def leaving(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A model whose weights lie outside its folder; ``pw.txt`` holds them."""
    secret, folder = tmp_path / "pw.txt", tmp_path / "a" / "b"
    secret.write_bytes(bytes(16))
    folder.mkdir(parents=True)
    (folder / "w.bin").symlink_to(secret)
    (folder / "d").symlink_to(tmp_path)
    names = {"..": "../../pw.txt", "absolute": str(secret), "link": "w.bin", "linked folder": "d/pw.txt"}
    return pointing(folder, names[request.param])


def test_every_reader_refuses_what_lies_outside(leaving: Path) -> None:
    """In one line, with status 2."""
    readers = (
        lambda: externaldata.load(leaving, "m.onnx"),
        lambda: onnxsource.whole(leaving, "m.onnx"),
        lambda: onnxsource.load_source(leaving, "m.onnx", INPUTS),
        lambda: onnxfile.check(leaving, Options()),
        lambda: subject.of_file(leaving, []),
    )
    for read in readers:
        with pytest.raises(ConfigError, match=r"not inside its own folder|leads out of its folder"):
            read()


def test_weights_below_the_folder_are_read(tmp_path: Path) -> None:
    """In a subfolder, and behind a link that stays in it, symbolic or hard."""
    path = pointing(tmp_path, "sub/w.bin")
    (tmp_path / "sub").mkdir()
    (tmp_path / "values").write_bytes(np.arange(4, dtype=np.float32).tobytes())
    os.link(tmp_path / "values", tmp_path / "hard")
    (tmp_path / "sub" / "w.bin").symlink_to("../hard")

    (tensor,) = onnxsource.whole(path, "m.onnx").graph.initializer

    assert onnx.numpy_helper.to_array(tensor).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ({"offset": "-8"}, "the offset of 'b' in its file of weights is '-8'"),
        ({"length": "4e3"}, "the length of 'b' in its file of weights is '4e3'"),
        ({"offset": "8"}, "too short: 16 bytes, and 'b' ends at 24"),
    ],
)
def test_numbers_that_do_not_fit_the_file_are_said(numbers: dict[str, str], says: str, tmp_path: Path) -> None:
    """They are the file's fault, not a bug."""
    path = pointing(tmp_path, "w.bin", **numbers)
    (tmp_path / "w.bin").write_bytes(bytes(16))

    with pytest.raises(ConfigError, match=says):
        externaldata.load(path, "m.onnx")


def test_a_file_that_has_its_weights_elsewhere_is_no_source(tmp_path: Path) -> None:
    """The step's input is the file: it would stay fresh when the weights change."""
    path = pointing(tmp_path, "w.bin")
    (tmp_path / "w.bin").write_bytes(bytes(16))

    with pytest.raises(ConfigError, match="its weights lie in another file"):
        onnxsource.load_source(path, "m.onnx", INPUTS)


def test_a_file_of_weights_that_is_called_like_the_checkers_own_is_not_written_to(tmp_path: Path) -> None:
    """The checker writes its graph beside links to the weights."""
    path = pointing(tmp_path, "model.onnx")
    (tmp_path / "model.onnx").write_bytes(bytes(16))
    result = onnxfile.check(path, Options())

    assert result and (tmp_path / "model.onnx").read_bytes() == bytes(16)
