"""Tests of the files that a config names: there, and with the arrays that it names, before anything is built."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.versions import OFF, workspace
from trtbuild.api import plan
from trtbuild.base.errors import ConfigError, DataError
from trtbuild.base.workspace import find_workspace
from trtbuild.building.planned import plan_overrides

INT8 = ("model=m", "precision=int8", *OFF)
TASK = "model.validation.task={metric:top1,labels:label,max_drop:0.1}"
GOOD = "model.data.validation=models/good.npz"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = workspace(tmp_path / "ws")
    np.savez(made / "models" / "good.npz", x=np.zeros((2, 4), np.float32), label=np.zeros(2, np.int64))
    np.savez(made / "models" / "lables.npz", x=np.zeros((2, 4), np.float32), lable=np.zeros(2, np.int64))
    np.savez(made / "models" / "noinput.npz", y=np.zeros((2, 4), np.float32))
    (made / "models" / "folder").mkdir()
    np.save(made / "models" / "folder" / "x.npy", np.zeros((2, 4), np.float32))
    return made


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model.data.calibration=models/god.npz"], "model.data.calibration names it; did you mean 'good.npz'"),
        (["model.data.validation=nowhere/x.npz"], "nowhere/x.npz: no such file or folder; model.data"),
        (["model.source.path=models/q.onnx"], "models/q.onnx: no such file or folder; model.source.path names it"),
        (["model.data.inspection.night=models/night.npz"], "file or folder; model.data.inspection.night names it"),
        (["latency=default", "latency.baseline=models/lowered.onnx"], "file or folder; latency.baseline names it"),
        (["model.data.validation=models/noinput.npz"], "models/noinput.npz: no array 'x'"),
        ([TASK, "model.data.validation=models/lables.npz"], "no array 'label'; did you mean 'lable'"),
        (["latency=default", "latency.baseline=models/folder"], "folder: it is a folder; latency.baseline names"),
        ([TASK, GOOD, "model.data.slices=models/folder"], "models/folder: it is a folder; model.data.slices names it"),
        (["model.source.path=models/folder"], "models/folder: it is a folder; model.source.path names it, and needs"),
        (["model.source={kind: saved_model, path: models/good.npz}"], "good.npz: it is a file; model.source.path"),
        ([TASK, "model.data.validation=models/folder"], "models/folder: no array 'label'"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_refused_when_it_is_planned(root: Path, words: list[str], said: str) -> None:
    """No step has run for it."""
    with pytest.raises((ConfigError, DataError)) as error:
        plan(*INT8, *words, workspace=root)
    assert said in str(error.value) and error.value.exit_status == 2


@pytest.mark.parametrize("data", ["models/good.npz", "models/folder"])
def test_what_is_there_is_planned(root: Path, data: str) -> None:
    """An archive, or a folder of arrays; a file that no step reads need not be there."""
    assert plan(*INT8, f"model.data.validation={data}", workspace=root)
    assert plan("model=m", "precision=fp16", *OFF, "model.data.calibration=models/none.npz", workspace=root)


def test_what_is_recorded_and_not_here_yet_is_pulled_by_the_build(root: Path) -> None:
    """A fresh clone has models.dvc and none of its files."""
    (root / "models.dvc").write_text("outs:\n- path: models/q\n  md5: 00000000000000000000000000000000.dir\n", "utf-8")

    assert plan(*INT8, "model.source.path=models/q/m.onnx", workspace=root)


def test_a_variant_without_its_files_stops_no_sweep(root: Path) -> None:
    """It is refused, the others go on."""
    words = (*INT8, "model.data.validation=models/good.npz,models/none.npz")
    p = plan_overrides(find_workspace(root), words, sweep=True)

    assert len(p.plan.variants) == 1 and "none.npz" in str(next(iter(p.invalid.values())))


@pytest.mark.parametrize("files", [True, False])
def test_what_was_built_can_be_moved_without_its_sources(root: Path, files: bool) -> None:
    """Who pulls or compares needs no data."""

    def planned() -> object:
        return plan_overrides(find_workspace(root), [*INT8, "model.data.validation=gone.npz"], sweep=False, files=files)

    expected: Callable[[], object] = planned
    if files:
        with pytest.raises(ConfigError):
            expected()
    else:
        assert expected()


@pytest.mark.parametrize("named", ["model.source.path=models/out", "model.data.validation=models/deep"])
def test_a_link_out_of_the_workspace_is_refused(root: Path, tmp_path: Path, named: str) -> None:
    """A file, or one at any depth of a folder; what it leads to is not read."""
    (tmp_path / "secret").write_bytes(b"secret")
    (root / "models" / "out").symlink_to(tmp_path / "secret")
    (root / "models" / "deep").mkdir()
    (root / "models" / "deep" / "x.npy").symlink_to("../out")
    with pytest.raises(ConfigError, match="a link that leads out of the workspace") as error:
        plan(*INT8, named, workspace=root)

    assert error.value.where in ("models/out", "models/deep/x.npy")


def test_links_that_stay_and_those_of_dvc_are_followed(root: Path, tmp_path: Path) -> None:
    """Within the workspace, and into a cache elsewhere, as with ``cache.type symlink``."""
    (tmp_path / "cache").mkdir()
    (root / ".dvc" / "config.local").write_text(f"[cache]\n    dir = {tmp_path / 'cache'}\n", "utf-8")
    (root / "models" / "good.npz").rename(tmp_path / "cache" / "object")
    (root / "models" / "good.npz").symlink_to(tmp_path / "cache" / "object")
    (root / "models" / "again.npz").symlink_to("good.npz")

    assert plan(*INT8, "model.data.validation=models/again.npz", workspace=root)
