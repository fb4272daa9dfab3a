"""Tests of version names without Hydra."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from trtbuild.base.errors import ConfigError
from trtbuild.config.checkedversions import wanted


def test_the_default_is_the_builds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also where there is no workspace."""
    monkeypatch.chdir(tmp_path)

    ((want, spec),) = wanted(None)
    assert (want.name, want.version) == ("rtx-1.7", spec.version)


def test_names_are_taken_in_order_and_once() -> None:
    """A version is asked once."""
    assert [want.name for want, _ in wanted(["rtx-1.7", "rtx-1.4", "rtx-1.7"])] == ["rtx-1.7", "rtx-1.4"]


def test_a_misspelt_version_names_the_nearest() -> None:
    """As everywhere."""
    with pytest.raises(ConfigError, match=r"did you mean 'rtx-1\.7'"):
        wanted(["rtx-1.77"])


def test_a_workspaces_own_file_comes_first(workspace: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """conf/tensorrt of the workspace in which the training runs."""
    (tmp_path / "conf" / "tensorrt").mkdir()
    text = "flavour: tensorrt-rtx\nversion: 9.9.9.9\nrequirements: []\ncompute_capabilities: []\n"
    (tmp_path / "conf" / "tensorrt" / "rtx-1.7.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)

    assert wanted(["rtx-1.7"])[0][0].version == "9.9.9.9"


def test_importing_the_checker_loads_no_package() -> None:
    """Nor does naming versions load Hydra: it happens in the training process."""
    script = (
        "import sys, trt_checker; from trtbuild.checker import asked\n"
        "from trtbuild.config.checkedversions import wanted; wanted(None)\n"
        "heavy = {'tensorflow', 'keras', 'onnx', 'numpy', 'hydra', 'dvc', 'onnxruntime', 'tensorrt_rtx'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == ""
