"""Install and build with every Python that pyproject.toml names: the wheel and the pins in a fresh environment."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.arrays.test_arrayfile import NPZ_MD5
from tests.integration.conftest import ROOT
from trtbuild.toolchains.uvenv import uv_program

PYPROJECT = (ROOT / "pyproject.toml").read_text("utf-8")
PYTHONS = re.findall(r"Programming Language :: Python :: (3\.\d+)", PYPROJECT)
MODEL = """
import keras, numpy
keras.utils.set_random_seed(0)
layers = [keras.layers.Input((16, 16, 3), name="image"), keras.layers.Conv2D(8, 3, activation="relu", name="conv"),
          keras.layers.GlobalAveragePooling2D(name="pool"), keras.layers.Dense(4, name="head")]
keras.Sequential(layers).save("small.keras")
image = numpy.random.default_rng(0).uniform(0, 1, (8, 16, 16, 3)).astype("float32")
numpy.savez("data.npz", image=image)
"""
NPZ = """
import hashlib, io, numpy
from trtbuild.arrays.arrayfile import write_npz
file = io.BytesIO()
write_npz(file, {"a": numpy.arange(5, dtype=numpy.float32), "b": numpy.array(True)})
print(hashlib.md5(file.getvalue()).hexdigest())
"""


def run(*words: str | Path, cwd: Path) -> str:
    """Without this checkout, and without the environment the test runs in."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    if (bin := Path(words[0]).parent) != Path():
        environment["PATH"] = f"{bin}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(list(map(str, words)), cwd=cwd, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, f"{words}: {done.stderr[-2000:]}"
    return done.stdout + done.stderr


def test_the_range_and_the_classifiers_are_one() -> None:
    """What pip takes is what is said, and what the test below installs."""
    low, high = (int(minor) for minor in re.findall(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', PYPROJECT)[0])

    assert [f"3.{minor}" for minor in range(low, high)] == PYTHONS
    assert f"Python {', '.join(PYTHONS[:-1])} or {PYTHONS[-1]}" in (ROOT / "README.md").read_text("utf-8")
    assert f"CPython {PYTHONS[0]} to {PYTHONS[-1]}" in (ROOT / "requirements.txt").read_text("utf-8")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (made,) = folder.glob("*.whl")
    return made


@pytest.mark.slow
def test_the_wheel_has_the_defaults_and_no_demonstration_models(wheel: Path) -> None:
    """Config groups and templates that every workspace needs; conf/model and what makes those models stay here."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()

    assert {"trtbuild/conf/config.yaml", "trtbuild/reports_templates/base.html.j2", "trt_checker.py"} <= set(names)
    assert [name for name in names if name.startswith(("trtbuild/demo/", "trtbuild/conf/model/"))] == []


@pytest.mark.slow
@pytest.mark.parametrize("version", PYTHONS)
def test_the_wheel_installs_and_builds(version: str, wheel: Path, tmp_path: Path) -> None:
    """The pins fit, and `init` and an int8 build of a Keras model go through in the installed package alone."""
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no CPython {version} on this machine")
    environment = tmp_path / "venv"
    run(uv_program(), "venv", "-q", "--python", python, environment, cwd=tmp_path)
    install = (uv_program(), "pip", "install", "-q", "--python", environment / "bin" / "python")
    run(*install, "-r", ROOT / "requirements.txt", cwd=tmp_path)
    run(*install, "--no-deps", wheel, cwd=tmp_path)
    run(uv_program(), "pip", "check", "--python", environment / "bin" / "python", cwd=tmp_path)
    assert run(environment / "bin" / "python", "-c", NPZ, cwd=tmp_path).strip() == NPZ_MD5
    run(environment / "bin" / "python", "-c", MODEL, cwd=tmp_path)
    command = environment / "bin" / "trtbuild"
    run(command, "init", "ws", "--from=small.keras", "--calibration=data.npz", "--validation=data.npz", cwd=tmp_path)
    said = run(command, "model=small", "precision=int8", "latency=off", cwd=tmp_path / "ws")

    assert "install" not in said  # TensorRT of the pins is the one that the default toolchain declares
    assert re.search(r"^small-int8-rtx-1\.7-onnxruntime: ", said, re.M)
    assert len(list((tmp_path / "ws" / "build" / "small").glob("engine-*/engine.plan"))) == 1
    assert "nothing to do" in run(command, "model=small", "precision=int8", "latency=off", cwd=tmp_path / "ws")


def interpreter(version: str) -> Path | None:
    """An installed one, wherever uv or pyenv keeps them; nothing is downloaded."""
    argv = [uv_program(), "python", "find", "--no-python-downloads", "--no-project", "--system", version]
    found = subprocess.run(argv, capture_output=True, text=True)
    if found.returncode == 0:
        return Path(found.stdout.strip())
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    return next(iter(sorted(root.glob(f"versions/{version}.*/bin/python"), reverse=True)), None)
