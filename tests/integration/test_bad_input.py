"""Each mistake a user can make is one line with what, where and a way out, and the right exit status."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.support.signals import interruptible
from trtbuild.cli.main import main

CONFIG = [
    (["model=tny"], "unknown model 'tny'; did you mean 'tiny'?"),
    (["model=tiny", "precision=int9"], "unknown precision 'int9'; did you mean 'int8'?"),
    (["model=tiny", "precison=int8"], "unknown key 'precison'; did you mean 'precision'?"),
    (["model=tiny", "model.exprt.opset=17"], "did you mean 'model.export.opset'?"),
    (["model=tiny", "export.opset=17"], "did you mean 'model.export.opset'?"),
    (["model=tiny", "model.export.opset=abc"], "expected a whole number, got 'abc'"),
    (["model=tiny", "model.export.opset=99"], "99 is not between 13 and 25"),
    (["model=tiny", "+model.foo=1"], "unknown key 'foo'"),
    (["model=tiny", "model.inputs.image.profile.min=9"], "needs min <= opt <= max"),
    (["model=tiny", "model.source.path=/etc/hostname"], "is outside the workspace"),
    (["model=tiny", "precision=int8", "model.data.calibration=null"], "int8 needs calibration data"),
    (["model=tiny", "runtime=tensort"], "unknown runtime 'tensort'"),
    (["model=tiny", "--jsn"], "did you mean '--json'?"),
    (["model=tiny", "executor.workers=-1"], "-1 is below 1"),
    (["model=tiny", "executor.module=slrum"], "unknown module 'slrum'"),
    (["model=tiny", "calibration.algorithm=minmx"], "did you mean 'minmax'?"),
    (["model=tiny", "calibration=entropy", "calibration.bins=7"], "7 is not an even number"),
    (["model=tiny", "+model.validation.deviation.cosine.fp23=0.9"], "unknown precision 'fp23'; did you mean 'fp32'?"),
    (["model=tiny", "+model.overrides.int88={exclude_ops: [Conv]}"], "unknown precision 'int88'"),
    (["model=tiny", "--calibration=x.npz"], "'build' takes no option --calibration"),
    (["rerun", "x", "model=tiny"], "rerun: unexpected word 'model=tiny'"),
    (["precision=int8"], "no model chosen"),
    (["bild", "model=tiny"], "unknown verb 'bild'; did you mean 'build'?"),
]


@pytest.mark.parametrize(("words", "says"), CONFIG, ids=[" ".join(words) for words, _ in CONFIG])
def test_a_config_mistake_is_one_line(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    """Nothing runs, nothing is written, exit status 2; in this process, which saves the imports."""
    monkeypatch.chdir(workspace)
    monkeypatch.setattr("sys.argv", ["trtbuild", *words])
    monkeypatch.setattr("signal.signal", lambda number, handler: None)

    with pytest.raises(SystemExit) as end:
        main()

    said = capsys.readouterr().err
    assert end.value.code == 2
    assert says in said
    assert len(said.strip().splitlines()) == 1
    assert not (workspace / "build").exists()


def test_a_target_the_toolchain_lacks_is_refused_before_anything_runs(workspace: Path, trtbuild) -> None:
    """TensorRT-RTX knows no compute capability 9.0: exit status 3."""
    done = trtbuild("model=tiny", "target=sm90", check=3)

    assert "cannot compile for compute capability 9.0" in done.stderr


@pytest.mark.slow
def test_another_tensorrt_than_declared_is_an_environment_error(workspace: Path, trtbuild) -> None:
    """The version is compared with what is installed."""
    done = trtbuild("model=tiny", "tensorrt.version=1.0.0.1", check=3)

    assert "1.0.0.1 is declared" in done.stderr


def _arrays(kind: str, path: Path) -> None:
    good = np.random.default_rng(0).normal(size=(4, 3, 16, 16)).astype(np.float32)
    nan = good.copy()
    nan[2, 0, 0, 0] = np.nan
    made = {
        "key": {"imge": good},
        "shape": {"image": good[:, :, :5]},
        "nan": {"image": nan},
        "empty": {"image": good[:0]},
    }
    if kind in made:
        np.savez(path, **made[kind])
    elif kind == "junk":
        path.write_bytes(b"no zip at all")


@pytest.mark.parametrize(
    ("kind", "says"),
    [("key", "no array 'image'; did you mean 'imge'?"), ("shape", "have shape [3, 5, 16]"), ("nan", "in sample 2"),
     ("empty", "holds no sample"), ("junk", "not an .npz file"), ("missing", "no such file")],
)  # fmt: skip
@pytest.mark.slow
def test_bad_calibration_data_is_exit_2(workspace: Path, trtbuild, kind: str, says: str) -> None:
    """Wrong keys, shapes, NaN, no samples, not a file: the data is named, and no record is written."""
    _arrays(kind, workspace / "models" / f"{kind}.npz")

    done = trtbuild("model=tiny", "precision=int8", f"model.data.calibration=models/{kind}.npz", check=2)

    assert says in done.stderr
    assert not list(workspace.glob("build/tiny/lower-*/dvc.lock"))


@pytest.mark.parametrize("content", [b"", b"junk" * 50], ids=["empty", "junk"])
@pytest.mark.slow
def test_a_corrupt_onnx_file_is_exit_4(workspace: Path, trtbuild, content: bytes) -> None:
    """Said once, for both steps that read it."""
    (workspace / "models" / "bad.onnx").write_bytes(content)

    done = trtbuild("model=tiny", "model.source.path=models/bad.onnx", check=4)

    assert done.stderr.count("not a valid ONNX model") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("override", "says"),
    [("model.inputs.image.shape=[null,3,17,16]", "does not fit the model's"),
     ("model.inputs.image.dtype=int32", "does not match the model's float32")],
)  # fmt: skip
def test_inputs_that_do_not_fit_the_model_are_exit_2(workspace: Path, trtbuild, override: str, says: str) -> None:
    """The config is compared with the model before anything is computed."""
    assert says in trtbuild("model=tiny", override, check=2).stderr


@pytest.mark.parametrize(
    ("git", "dvc", "says"), [(False, False, "no git or DVC"), (True, False, "no DVC"), (False, True, "git")]
)
def test_a_folder_that_is_no_workspace_is_exit_3(tmp_path: Path, trtbuild, git: bool, dvc: bool, says: str) -> None:
    """No git, no DVC repository, or neither."""
    for name, wanted in ((".git", git), (".dvc", dvc)):
        if wanted:
            (tmp_path / name).mkdir()

    assert says in trtbuild("model=x", cwd=tmp_path, check=3).stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_leaves_nothing_half_done(workspace: Path, trtbuild, number: int) -> None:
    """Exit status 130, no sandbox, no child; the next run completes, and DVC agrees with the records."""
    driver = subprocess.Popen(
        [sys.executable, "-m", "trtbuild", "model=tiny"], cwd=workspace, stderr=subprocess.PIPE, text=True,
        preexec_fn=interruptible,
    )  # fmt: skip
    assert driver.stderr is not None
    driver.stderr.readline()  # the first step has started
    time.sleep(0.2)
    driver.send_signal(number)

    said = driver.communicate()[1]

    assert driver.returncode == 130, said
    assert not list((workspace / ".trtbuild" / "work").iterdir())
    trtbuild("model=tiny", check=0)
    status = subprocess.run([sys.executable, "-m", "dvc", "status"], cwd=workspace, capture_output=True, text=True)
    assert "up to date" in status.stdout


@pytest.mark.parametrize("wrong", ["--calibration=nowhere.npz", "--validation=nowhere.npz"])
def test_a_failed_init_takes_nothing_with_it(workspace: Path, trtbuild, wrong: str) -> None:
    """A model that lay there already, its neighbours and models.dvc are as they were."""
    folder = workspace / "models" / "other"
    folder.mkdir()
    shutil.copyfile(workspace / "models" / "tiny" / "tiny.onnx", folder / "other.onnx")
    (folder / "notes.txt").write_text("mine")
    before = (workspace / "models.dvc").read_bytes()

    trtbuild("init", ".", "--from=models/other/other.onnx", wrong, check=2)

    assert sorted(path.name for path in folder.iterdir()) == ["notes.txt", "other.onnx"]
    assert (workspace / "models.dvc").read_bytes() == before
    assert not (workspace / "conf" / "model" / "other.yaml").exists()


@pytest.mark.parametrize("there", ["../../../../pw.txt", "w.bin"])
def test_init_of_a_model_that_points_outside_touches_nothing(workspace: Path, trtbuild, there: str) -> None:
    """What it names is not written, here or in the workspace; what a link leads to is not read."""
    import onnx

    target = (workspace / "models" / "evil" / there).resolve()
    folder = workspace.parent / "a" / "b" / "c" / "d"
    folder.mkdir(parents=True)
    (folder / there).resolve().write_bytes(bytes(64)) if ".." in there else (folder / there).symlink_to("/dev/zero")
    model = onnx.load(workspace / "models" / "tiny" / "tiny.onnx")
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == "b")
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=there)
    (folder / "evil.onnx").write_bytes(model.SerializeToString())
    before = (workspace / "models.dvc").read_bytes()

    said = trtbuild("init", ".", f"--from={folder / 'evil.onnx'}", check=2).stderr

    assert "not inside its own folder" in said or "leads out of its folder" in said
    assert not target.exists() and not (workspace / "models" / "evil").exists()
    assert (workspace / "models.dvc").read_bytes() == before


@pytest.mark.slow
def test_a_model_that_cannot_be_pulled_is_exit_3(workspace: Path, trtbuild) -> None:
    """Said once, and no step starts on files that are not there."""
    shutil.rmtree(workspace / "models" / "tiny")
    shutil.rmtree(workspace / ".dvc" / "cache")

    said = trtbuild("model=tiny", check=3).stderr

    assert "models.dvc: an incomplete checkout: models/tiny is not here, and " in said
    assert "run  " not in said


@pytest.mark.slow
def test_a_reader_that_leaves_does_not_stop_the_build(workspace: Path) -> None:
    """``trtbuild … 2>&1 | head -1`` still builds."""
    argv = f"{sys.executable} -m trtbuild model=tiny 2>&1 | head -n 1"
    subprocess.run(["bash", "-c", argv], cwd=workspace, capture_output=True)

    assert list(workspace.glob("build/tiny/report-*/dvc.lock"))


@pytest.mark.parametrize("name", ["..", "null", "größe", "a,b", "1e3"])
def test_a_model_name_is_plain(workspace: Path, trtbuild, name: str) -> None:
    """What Hydra or the file system would take for something else is refused before anything is touched."""
    done = trtbuild("init", ".", "--from=models/tiny/tiny.onnx", f"--name={name}", check=2)

    assert "is not a model name" in done.stderr
    assert (workspace / ".git").is_dir()


@pytest.mark.parametrize("text", ["a:\tb: 1\n\t- x", "a: 1\na: [", "source: \xff"], ids=["tab", "open", "bytes"])
def test_a_broken_config_file_is_one_line(workspace: Path, trtbuild, text: str) -> None:
    """YAML errors are the user's, not ours."""
    (workspace / "conf" / "model" / "tiny.yaml").write_bytes(text.encode("latin-1"))

    done = trtbuild("model=tiny", check=2)

    assert len(done.stderr.strip().splitlines()) == 1
