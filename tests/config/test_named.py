"""Tests of options by their names: one reader, which composes only where a file asks for it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from trtbuild import config
from trtbuild.base.errors import ConfigError
from trtbuild.base.packaged import packaged_conf
from trtbuild.base.workspace import Workspace
from trtbuild.config import named

ROOT = packaged_conf().parent


def test_versions_are_read_as_composing_has_them() -> None:
    """Without Hydra, which takes as long as a run of the suite."""
    names = config.options(ROOT, "tensorrt")

    composed = {name: config.composed_option(ROOT, "tensorrt", name) for name in names}
    assert {name: spec.version for name, spec in named.toolchains(ROOT, names).items()} == {
        name: option["version"] for name, option in composed.items()
    }
    assert named.default_option(ROOT, "tensorrt") == config.default_option(ROOT, "tensorrt")


def test_the_default_is_the_builds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also where there is no workspace."""
    monkeypatch.chdir(tmp_path)

    assert list(named.toolchains(named.root_here(), None)) == ["rtx-1.7"]


def test_names_are_taken_in_order_and_once() -> None:
    """A version is asked once."""
    assert list(named.toolchains(ROOT, ["rtx-1.7", "rtx-1.4", "rtx-1.7"])) == ["rtx-1.7", "rtx-1.4"]


def test_a_misspelt_version_names_the_nearest() -> None:
    """As everywhere."""
    with pytest.raises(ConfigError, match=r"unknown tensorrt 'rtx-1.77'; did you mean 'rtx-1\.7'"):
        named.toolchains(ROOT, ["rtx-1.77"])


def test_a_workspaces_own_file_comes_first(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """conf/tensorrt of the workspace in which a training runs; it may build on a packaged one, as in a build."""
    shutil.copy(packaged_conf() / "config.yaml", workspace.conf)
    (workspace.conf / "tensorrt").mkdir()
    text = "flavour: tensorrt-rtx\nversion: 9.9.9.9\nrequirements: []\ncompute_capabilities: []\n"
    (workspace.conf / "tensorrt" / "rtx-1.6.yaml").write_text(text)
    (workspace.conf / "tensorrt" / "mine.yaml").write_text("defaults: [rtx-1.7]\ncompute_capabilities: ['8.9']\n")
    monkeypatch.chdir(workspace.root)
    mine = named.toolchain(named.root_here(), "mine")

    assert named.toolchain(named.root_here(), "rtx-1.6").version == "9.9.9.9"
    assert (mine.version, mine.compute_capabilities) == (named.toolchain(ROOT, "rtx-1.7").version, ("8.9",))


def test_importing_the_checker_loads_no_package() -> None:
    """Nor does naming versions load Hydra: it happens in the training process."""
    script = (
        "import sys, trt_checker; from trtbuild.checker import checks\n"
        "from trtbuild.config import named; named.toolchains(named.root_here(), None)\n"
        "heavy = {'tensorflow', 'keras', 'onnx', 'numpy', 'hydra', 'dvc', 'onnxruntime', 'tensorrt_rtx'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == ""
