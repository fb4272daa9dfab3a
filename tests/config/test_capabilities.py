"""Tests of targets and versions that lack a precision's type: refused when a build is planned."""

from __future__ import annotations

import shutil

import pytest

from trtbuild import config
from trtbuild.base.errors import ToolchainError
from trtbuild.base.packaged import packaged_conf
from trtbuild.base.workspace import Workspace


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("precision=fp8", "the target has 8.0 and 8.6; choose target=sm89 or target=sm120 or target=sm121"),
        ("precision=fp8 target=sm86", "fp8 needs compute capability 8.9 or later (float8), but the target has 8.6"),
        ("precision=fp8 target=sm89", ""),
        ("precision=int4", ""),
        ("precision=int4 target=sm75", "int4 needs compute capability 8.0 or later (int4), but the target has 7.5"),
        ("precision=nvfp4 target=sm89", "the target has 8.9; choose target=sm120 or target=sm121"),
        ("precision=nvfp4-weights target=sm120", ""),
        ("precision=bf16 target=sm75", "bf16 needs compute capability 8.0 or later (bfloat16)"),
        ("precision=int8 precision.rest=bfloat16 target=sm75", "(bfloat16), but the target has 7.5"),
        ("precision=nvfp4 tensorrt=10.3 target=sm90", "10.3 has no float4, which nvfp4 needs; it exists since 10.8"),
        ("precision=mine target=sm86", "mine needs compute capability 8.9 or later (float8)"),
    ],
)
def test_what_a_device_lacks_is_refused_with_what_has_it(workspace: Workspace, words: str, says: str) -> None:
    """The portable default includes 8.0 and 8.6; of a mixed precision, every scope counts."""
    shutil.copy(packaged_conf() / "config.yaml", workspace.conf)
    for group in ("model", "precision"):
        (workspace.conf / group).mkdir()
    shutil.copy(packaged_conf() / "model" / "segnet.yaml", workspace.conf / "model" / "net.yaml")
    (workspace.conf / "precision" / "mine.yaml").write_text("base: fp16\nscopes: {head: fp8}\n")
    overrides = ["model=net", *words.split()]

    if not says:
        assert config.load_variant(workspace.root, overrides).names.precision in words
        return
    with pytest.raises(ToolchainError) as refused:
        config.load_variant(workspace.root, overrides)
    assert says in str(refused.value)
