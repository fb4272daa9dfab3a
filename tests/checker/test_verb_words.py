"""Tests of the words of ``trtbuild check``: each mistake is one line, before anything is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from trtbuild.base.errors import ConfigError, ToolchainError
from trtbuild.cli import main as cli

MISTAKES = [
    ([], "expects a model from the config, or one path"),
    (["a.onnx", "b.onnx"], "expects a model from the config, or one path"),
    (["a.onnx", "model=tiny"], "'model' is not accepted here"),
    (["a.onnx", "precision=int9"], "did you mean 'int8'?"),
    (["a.onnx", "tensorrt=rtx-9"], "unknown tensorrt 'rtx-9'"),
    (["a.onnx", "target=sm9"], "unknown target 'sm9'"),
    (["a.onnx"], "No such file"),
    (["a.onnx", "--sarif", "."], "--sarif .: is a folder; give the name of a file"),
    (["a.onnx", "opset=13"], "an ONNX file has its own opset"),
    (["saved_model", "opset=x"], "'x' is not a number"),
    (["a.keras", "signature=x"], "only a SavedModel has signatures"),
    (["saved_model"], "there is no such file"),
    (["a.onnx", "--remote", "x"], "'check' takes no option --remote"),
    (["-m", "model=a"], "'check' takes no option -m"),
]


@pytest.mark.parametrize(("words", "says"), MISTAKES, ids=[" ".join(words) for words, _ in MISTAKES])
def test_a_mistake_is_one_line(words: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit status 2."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        cli.run(["check", *words])

    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["precision=fp8"], "the target has 8.0 and 8.6; choose target=sm89 or target=sm120"),
        (["precision=int4", "target=sm75"], "the target has 7.5"),
        (["precision=nvfp4", "target=sm89"], "the target has 8.9; choose target=sm120"),
        (["precision=nvfp4", "target=sm90", "tensorrt=10.3"], "10.3 has no float4"),
        (["target=sm120", "tensorrt=rtx-1.7,10.3"], "10.3 cannot compile for compute capability 12.0"),
    ],
)
def test_what_a_build_would_refuse_is_refused(words: list[str], says: str) -> None:
    """TensorRT-RTX itself would leave devices out, and convert; exit status 3, before a file is read."""
    with pytest.raises(ToolchainError) as caught:
        cli.run(["check", "a.onnx", *words])

    assert says in str(caught.value)
