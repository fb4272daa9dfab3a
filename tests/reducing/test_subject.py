"""Tests of what a command line names to be reduced: a target, with the types that its devices have."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.graphs import graph
from trtbuild.base.errors import ConfigError, ToolchainError
from trtbuild.config import named
from trtbuild.core.spec import Target
from trtbuild.reducing import failinggraph
from trtbuild.reducing.subject import Subject, aimed, of_file

PRODUCT = graph("float[2, 4] x, float[4, 3] w => float[2, 3] y { y = MatMul(x, w) }")


@pytest.fixture
def of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.onnx").write_bytes(PRODUCT.SerializeToString())

    def make(*words: str) -> Subject:
        return of_file(Path("net.onnx"), words)

    return make


def test_a_target_without_the_type_is_refused_before_tensorrt_is_asked(of) -> None:
    """As a check and a build refuse it; the one that the words name is taken."""
    with pytest.raises(ToolchainError, match=r"fp8 needs compute capability 8\.9 or later .* choose target=sm89"):
        of("precision=fp8")
    with pytest.raises(ConfigError, match="unknown target 'sm98'"):
        of("precision=fp8", "target=sm98")
    with pytest.raises(ConfigError, match="tensorrt: names no version"):
        of("tensorrt=")

    assert of("precision=fp8", "target=sm89").target == Target(("8.9",)) and of().target == Target()


def test_tensorrt_is_asked_about_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise it compiles for the devices of its default that have the type, whatever was named."""
    started: list[dict[str, object]] = []

    class FakeProber:
        def __init__(self, *about: object, **options: object) -> None:
            started.append(options)

        def __enter__(self) -> FakeProber:
            return self

        def __exit__(self, *about: object) -> None: ...

    monkeypatch.setattr(failinggraph, "Prober", FakeProber)
    versions, target = aimed({"target": "sm89"}, named.packaged_precisions()["fp8"])
    ((name, toolchain),) = versions.items()
    with failinggraph.prober(name, toolchain, target, install=False):
        pass

    assert [options["compute_capabilities"] for options in started] == [("8.9",)]
