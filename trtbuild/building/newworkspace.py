"""``trtbuild init``: make a folder with git, DVC and conf/, and add a model with a config read from the model."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args

from trtbuild.base import lifeline
from trtbuild.base.errors import ConfigError, SourceError, WorkspaceError
from trtbuild.base.files import write_atomic
from trtbuild.base.packaged import packaged_conf
from trtbuild.base.workspace import Workspace
from trtbuild.building.datarange import ranges_of
from trtbuild.building.incomingmodel import copy_in, inspected, kind_of, track
from trtbuild.config import named
from trtbuild.core.recipes import DataParams, InputParams, SourceParams
from trtbuild.core.spec import LoweringKind
from trtbuild.core.spec.model import Dtype
from trtbuild.store import tracking

IGNORE = """\
/.trtbuild/
# Of build/, git keeps the records and the small metrics; DVC keeps the artifacts.
/build/**
!/build/**/
!/build/**/dvc.yaml
!/build/**/dvc.lock
!/build/**/params.yaml
!/build/**/deviation.json
!/build/**/verdict.json
!/build/**/latency.json
!/build/**/summary.json
"""
_MADE = (".git", ".dvc", ".dvcignore", ".gitignore", ".trtbuild", "conf", "models", tracking.MODELS_FILE)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_YAML_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "nan", "inf"}
CALIBRATION_SAMPLES, VALIDATION_SAMPLES = 16, 8
# Initial limits for every packaged precision, by its kind and TF32: a precision without a limit is unjudged.
LIMITS: Mapping[tuple[LoweringKind, bool], float] = {
    ("none", False): 0.9999, ("none", True): 0.999, ("float16", False): 0.999, ("bfloat16", False): 0.99,
    ("int8", False): 0.98, ("float8", False): 0.98, ("int4", False): 0.95, ("float4", False): 0.95,
}  # fmt: skip
LIMITS_SAY = """\
# Limits by metric and precision: first ones, of no task in particular; choose them by what your task can bear.
#   fp32   the same arithmetic in another order: one that misses this is a fault of the exporter. Judges the export in
#          every precision, too
#   tf32   factors have 10 bits, as in fp16, but float32's range
#   fp16   every result is rounded to 11 bits; a sound network loses far less than this
#   bf16   8 bits: coarser than fp16, but it does not overflow
#   int8   255 steps a tensor: 0.98 is a fifth of the output's size as error; a task metric says whether that matters:
#          task: {metric: top1, labels: label, max_drop: 0.01}
#   fp8    as much range as a tensor needs, but only 4 bits of significand
#   int4, nvfp4: 15 steps in each block of weights; networks without training for it lose visibly
"""


QAT = """\
  # The export rounds as training did, but sums in another order may reach the next of 255 steps.
  export: {cosine: 0.999}
# Trained for quantisation: precision=int8 takes its ranges as they are, and the other precisions refuse it.
#   ranges     symmetric: TensorRT's int8 has no zero point: what is not symmetric becomes so, and the deviation has a
#              hop "ranges" for the loss; exact: refuse it
#   untrained  operations without fake quantisation on both operands: float, or calibrate
#   strip      precisions that take the rounding out, such as [fp32, fp16]
qat: {ranges: symmetric, untrained: float, strip: []}
"""


def _limits() -> dict[str, float]:
    return {name: LIMITS[one.kind, one.tf32] for name, one in named.packaged_precisions().items()}


def init(directory: Path, options: Mapping[str, str], shapes: Sequence[str] = ()) -> None:
    """Make the workspace, or add a model to one that exists.

    Args:
        options: ``--from`` model path, ``--name``, ``--signature``, ``--tags``, ``--calibration`` and ``--validation``
            data files.
        shapes: ``NAME=null,224,224,3`` of inputs that the model leaves open.

    Raises:
        ConfigError: a missing file, or a name that is taken.  WorkspaceError: git or dvc cannot make the repository.
    """
    model = Path(options["--from"]) if "--from" in options else None
    if model is not None and not model.exists():
        raise ConfigError(
            "no such file or folder", where=str(model), hint="--from takes a SavedModel, .keras, .h5, .pb or .onnx"
        )
    name = options.get("--name") or (_default_name(model) if model else "")
    workspace = Workspace(directory.resolve())
    if model is not None and not (_NAME.fullmatch(name) and name.lower() not in _YAML_WORDS):
        hint = "use letters, digits, _ . and -, with a letter first: --name NAME"
        raise ConfigError(f"'{name}' is not a model name", where="--name", hint=hint)
    if model is not None and (workspace.conf / "model" / f"{name}.yaml").exists():
        raise ConfigError(
            f"model '{name}' already exists", where=str(directory), hint="choose another name: --name NAME"
        )
    open_shapes = dict(map(_shape, shapes))
    with _undone(directory):
        directory.mkdir(parents=True, exist_ok=True)
        _repositories(workspace.root)
        workspace.prepare()
        (workspace.conf / "model").mkdir(parents=True, exist_ok=True)
        if not (workspace.conf / "config.yaml").exists():
            shutil.copyfile(packaged_conf() / "config.yaml", workspace.conf / "config.yaml")
        added = [] if model is None else _add_model(workspace, Path(os.path.abspath(model)), name, options, open_shapes)
    for line in (f"workspace {workspace.root}", *added):  # not before it is sure to stay
        say(line)


@contextlib.contextmanager
def _undone(directory: Path) -> Iterator[None]:
    """If the block fails, a folder that it made is gone again, and one that was there has nothing new."""
    lacking = [folder for folder in (directory.absolute(), *directory.absolute().parents) if not folder.exists()]
    before = {name for name in _MADE if os.path.lexists(directory / name)}
    ignore = directory / ".gitignore"
    ignored = ignore.read_bytes() if ignore.is_file() else None
    try:
        yield
    except BaseException:
        if ".dvc" not in before and (directory / ".dvc").is_dir():
            with contextlib.suppress(OSError):  # what dvc init adds to the index of a repository around it
                lifeline.run(["git", "reset", "-q", "--", ".dvc", ".dvcignore"], cwd=directory)
        if lacking:
            shutil.rmtree(lacking[-1], ignore_errors=True)
            raise
        for path in (directory / name for name in _MADE if name not in before):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        if ignored is not None and ignore.read_bytes() != ignored:
            write_atomic(ignore, ignored)
        raise


def _default_name(model: Path) -> str:
    stem = model.resolve().parent.name if model.name in ("saved_model", "export") else model.stem
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in stem)
    return plain if plain[:1].isalpha() else f"model_{plain.lstrip('_')}"


def _repositories(root: Path) -> None:
    if not any((folder / ".git").exists() for folder in (root, *root.parents)):
        _call(root, ["git", "init", "-q"])
    if not (root / ".dvc").is_dir():
        top = (root / ".git").exists()
        _call(root, [sys.executable, "-m", "dvc", "init", "-q", *([] if top else ["--subdir"])])
        _call(root, [sys.executable, "-m", "dvc", "config", "core.analytics", "false"])
    ignore = root / ".gitignore"
    text = ignore.read_text("utf-8") if ignore.exists() else ""
    if "/build/**" not in text:
        write_atomic(ignore, (text + IGNORE).encode())


def _call(root: Path, argv: list[str]) -> None:
    try:
        done = lifeline.run(argv, cwd=root)
    except FileNotFoundError:
        raise WorkspaceError(f"{argv[0]} is not installed", where=str(root), hint=f"install {argv[0]}") from None
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise WorkspaceError(f"{' '.join(argv[:3])} failed: {lines[-1] if lines else done.returncode}", where=str(root))


def _shape(word: str) -> tuple[str, list[int | None]]:
    """The name and shape in ``image=null,224,224,3``."""
    name, _, dims = word.partition("=")
    parts = [part.strip() for part in dims.strip("[]").split(",") if part.strip()]
    if not name or any(part != "null" and not (part.isdigit() and int(part)) for part in parts):
        raise ConfigError(f"expects NAME=null,224,224,3, got '{word}'", where="--shape")
    return name, [None if part == "null" else int(part) for part in parts]


def _add_model(
    workspace: Workspace, model: Path, name: str, options: Mapping[str, str], shapes: Mapping[str, list[int | None]]
) -> list[str]:
    """What to tell the user about it."""
    root, folder = workspace.root, Path("models", name)
    config = workspace.conf / "model" / f"{name}.yaml"
    tracked = root / tracking.MODELS_FILE
    before = tracked.read_bytes() if tracked.exists() else None
    source: SourceParams = {"kind": kind_of(model), "path": str(model)}
    if source["kind"] == "saved_model":
        source["signature"] = options.get("--signature")
        if "--tags" in options:
            source["tags"] = [tag for tag in options["--tags"].split(",") if tag]
    data = {key: _data(folder, key, options.get(f"--{key}")) for key in ("calibration", "validation")}
    made: list[Path] = []  # new files and folders
    try:
        with inspected(workspace, source, shapes, model) as (about, file):
            path = folder / model.name
            copy_in(file, root / path, made)
            for key, value in data.items():
                if isinstance(value, str):
                    copy_in(Path(options[f"--{key}"]).resolve(), root / value, made)
        given = next((options[f"--{key}"] for key in data if f"--{key}" in options), None)
        ranges = {} if given is None else ranges_of(Path(given).resolve(), about["inputs"])
        text = model_yaml({**about["source"], "path": path.as_posix()}, about["inputs"], data, ranges)
        write_atomic(config, (text + (QAT if about["quantised"] else "")).encode())
        track(root, folder)
    except BaseException:  # whatever the error, the workspace is as it was before
        config.unlink(missing_ok=True)
        if before is None:
            tracked.unlink(missing_ok=True)
        else:
            write_atomic(tracked, before)
        for new in made:
            shutil.rmtree(new) if new.is_dir() else new.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # not empty
            (root / folder).rmdir()
        raise
    precision = "int8" if about["quantised"] else "fp16"
    return [
        f"model     {name}: {os.path.relpath(config)} (look it over: profiles, ranges, data, thresholds)",
        f"next      cd {os.path.relpath(root)} && trtbuild model={name} precision={precision}",
    ]


def _data(folder: Path, key: str, given: str | None) -> str | DataParams:
    if given is None:
        count = CALIBRATION_SAMPLES if key == "calibration" else VALIDATION_SAMPLES
        return {"kind": "random", "count": count, "seed": 0 if key == "calibration" else 1}
    if not Path(given).exists():
        raise ConfigError("no such file or folder", where=given)
    return (folder / f"{key}{Path(given).suffix}").as_posix()


def model_yaml(
    source: SourceParams, inputs: Mapping[str, InputParams], data: Mapping[str, object],
    ranges: Mapping[str, list[float]],
) -> str:  # fmt: skip
    """conf/model/NAME.yaml with the known values filled in, and comments where the user knows better.

    Args:
        ranges: of the inputs whose data is known.
    """
    odd = next((name for name, spec in inputs.items() if spec["dtype"] not in get_args(Dtype)), None)
    if odd is not None:
        what = f"input '{odd}' is of type {inputs[odd]['dtype']}, which an engine does not take"
        hint = "look up, hash or decode before the network, and make the numbers its input"
        raise SourceError(what, where=Path(source["path"]).name, hint=hint)
    filled = {name: describe_input(spec, ranges.get(name)) for name, spec in inputs.items()}
    parts = [
        tracking.to_yaml({"source": dict(source)}).decode(),
        "# range: what values lie in, random ones too; profile: the shapes the engine is built for (min, opt, max).\n",
        tracking.to_yaml({"inputs": filled, "export": {"opset": 17}}).decode(),
        "# Random data tries the tools; accuracy needs real samples: an .npz with an array for each input.\n",
        tracking.to_yaml({"data": dict(data)}).decode(),
        LIMITS_SAY,
        tracking.to_yaml({"validation": {"deviation": {"cosine": _limits()}}}).decode(),
    ]
    return "".join(parts)


def describe_input(spec: InputParams, known: list[float] | None = None) -> dict[str, object]:
    """An input's config: what the model declares, and the known range or an initial one.

    >>> describe_input({"dtype": "uint8", "shape": [1, 8]})["range"]
    [0, 256]
    """
    described: dict[str, object] = {"dtype": spec["dtype"], "shape": spec["shape"]}
    if profile := spec.get("profile"):
        described["profile"] = {point: profile[point] for point in ("min", "opt", "max")}
    integer = str(spec["dtype"]).startswith(("int", "bool"))
    initial = [0, 256] if spec["dtype"] == "uint8" else [0, 2] if integer else [0.0, 1.0]
    described["range"] = known or initial
    return described


def say(line: str) -> None:
    print(line, file=sys.stderr)
