"""Tests of what the config edge finds out: the workspace files that a callable is made of."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from trtbuild.base.errors import ConfigError
from trtbuild.config import GROUPS, load_variant, sweep, workspace_code
from trtbuild.config.composing import compose_config
from trtbuild.core.parse import keys, knows


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")


def test_a_callable_is_made_of_all_it_imports_in_the_workspace(tmp_path: Path) -> None:
    """Directly or not, absolute or relative, inside functions or not, in a circle or not."""
    files = {
        "nets/__init__.py": "",
        "nets/make.py": "import numpy\nfrom nets.layers import conv\ndef net():\n    from . import blocks\n",
        "nets/layers.py": "from nets import make",
        "nets/blocks.py": "from .deep import x",
        "nets/deep.py": "x = 1",
        "nets/other.py": "unrelated = 1",
    }
    write(tmp_path, files)

    wanted = ("nets/blocks.py", "nets/deep.py", "nets/layers.py", "nets/make.py")
    assert workspace_code(tmp_path, "nets.make:net") == wanted


def test_a_callable_from_elsewhere_has_no_file_here(tmp_path: Path) -> None:
    """An installed package is covered by its version."""
    assert workspace_code(tmp_path, "keras.applications.ResNet50") == ()


def test_a_file_that_is_no_python_is_still_an_input(tmp_path: Path) -> None:
    """The step that imports it will say what is wrong."""
    write(tmp_path, {"broken.py": "def ("})

    assert workspace_code(tmp_path, "broken:make") == ("broken.py",)


def workspace(root: Path, *lines: str) -> Path:
    """A workspace whose config.yaml lists what it lists, with one model."""
    groups = "precision: fp32", "tensorrt: rtx-1.7", "runtime: onnxruntime", "target: portable", "calibration: best"
    defaults = ["_self_", "model: null", *groups, "executor: local", *lines]
    model = "source: {kind: onnx, path: m.onnx}\ninputs: {x: {dtype: float32, shape: [null, 2], "
    model += "profile: {min: 1, opt: 2, max: 4}}}"
    text = "defaults:\n" + "".join(f"  - {line}\n" for line in defaults)
    write(root, {"conf/config.yaml": text, "conf/model/m.yaml": model})
    return root


@pytest.mark.parametrize(
    ("lines", "words", "measured", "seconds"),
    [
        ((), (), True, 0.5), ((), ("latency=off",), False, 0.5), ((), ("+latency=default",), True, 0.5),
        ((), ("latency.seconds=3",), True, 3.0), (("latency: default",), ("latency=off",), False, 0.5),
        (("latency: 'off'",), (), False, 0.5), ((), ("latency=default", "latency.seconds=2"), True, 2.0),
    ],
)  # fmt: skip
def test_a_group_younger_than_the_workspace_has_its_default(
    tmp_path: Path, lines: tuple[str, ...], words: tuple[str, ...], measured: bool, seconds: float
) -> None:
    """config.yaml need not list it, and the command line chooses and overrides it all the same."""
    spec = load_variant(workspace(tmp_path, *lines), ["model=m", *words]).spec

    assert (spec.latency.measure, spec.latency.seconds) == (measured, seconds)


@pytest.mark.parametrize("words", [(), ("latency=off",)])
def test_a_younger_group_has_its_default_beside_a_choice_that_is_replaced(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    """An option that config.yaml chooses need not be there, if the command line chooses another."""
    root = workspace(tmp_path)
    text = (root / "conf/config.yaml").read_text("utf-8")
    (root / "conf/config.yaml").write_text(text.replace("precision: fp32", "precision: gone"), "utf-8")
    config, _ = compose_config(root, ["model=m", "precision=fp16", *words])

    assert config["layers"]["mode"] == "all" and config["latency"]["measure"] == (not words)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("latency=of", "unknown latency 'of'; did you mean 'off'"), ("latency.second=3", "second"),
        ("latency.batch=8", "a batch of 8, but input 'x' takes 1 to 4"),
        ("+model.validation.latency.p99_ms=0", "p99_ms: 0 is not above 0"),
        ("model.validation.engine.max_plan_mb={fp1: 2}", "engine.max_plan_mb.fp1: unknown precision 'fp1'; did you"),
        *(
            pytest.param(word, said, marks=pytest.mark.slow)
            for word, said in [
                ("latency.seconds=0", "seconds: 0 is not above 0"), ("latency.rounds=0", "rounds: 0 is below 1"),
                ("latency.warmup_s=-1", "warmup_s: -1 is not between"),
                ("latency.baseline=/elsewhere/x.onnx", "'/elsewhere/x.onnx' is outside the workspace"),
                ("latency.seconds=4000", "seconds: 4000"), ("latency.threads=two", "threads"),
                ("+model.validation.latency.max_regression=-1", "max_regression: -1 is below 0"),
                ("model.validation.engine.max_plan=2", "did you mean 'model.validation.engine.max_plan_mb'?"),
                ("model.validation.engine.max_bytes_moved_vs=fp61", "moved_vs=fp61: unknown precision 'fp61'; did you"),
                ("model.validation.engine.max_bytes_moved_vs={precison: fp16}", "unknown precision 'precison'"),
            ]
        ),
    ],
)  # fmt: skip
def test_how_to_measure_is_checked(tmp_path: Path, word: str, said: str) -> None:
    """One line, before anything runs, in a workspace old or new."""
    for lines in ((), ("latency: default",)):
        with pytest.raises(ConfigError, match=re.escape(said)):
            load_variant(workspace(tmp_path, *lines), ["model=m", word])


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["target.version_compatible=true"], "rtx-1.7 has no such option; only the flavour tensorrt has"),
        (["tensorrt=11.4", "target.compute_capabilities=['8.9','9.0']"], "builds for the one GPU it runs on"),
        (["tensorrt=11.4", "target.hardware_compatibility=ampere"], "hardware_compatibility"),
        (["tensorrt=11.4", "target.timing_cache=/tmp/x"], "outside the workspace"),
    ],
)
def test_options_of_the_other_flavour_are_refused(tmp_path: Path, words: list[str], why: str) -> None:
    """They would silently do nothing."""
    with pytest.raises(ConfigError, match=re.escape(why)):
        load_variant(workspace(tmp_path), ["model=m", *words])


def test_a_native_engine_has_outputs_and_parameters_of_its_own(tmp_path: Path) -> None:
    """The timing cache of an earlier build is an input; an RTX engine's recipe knows nothing of all that."""
    from trtbuild.core.plan import make_plan
    from trtbuild.steps import Declarations

    root = workspace(tmp_path)
    words = ["tensorrt=11.4", "target.timing_cache=models/old.cache", "target.hardware_compatibility=ampere_plus"]
    native, rtx = (
        next(s for s in make_plan([load_variant(root, ["model=m", *w])], ("engine",), Declarations()).steps
             if s.kind == "engine") for w in (words, [])
    )  # fmt: skip

    assert native.inputs["timing_cache"].path == "models/old.cache"
    assert {out.name for out in native.outs} - {out.name for out in rtx.outs} == {"timing.cache"}
    assert native.slot == "gpu-exclusive"
    assert set(native.params) - set(rtx.params) == {"supported", "hardware_compatibility", "version_compatible"}


@pytest.mark.parametrize("sign", ["", "+", "++"])
@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("model.validation.deviation.max_abs", "0.5", lambda s: s.model.validation.deviation["max_abs"] == 0.5),
        ("model.validation.deviation.rmse.int8", "0.5", lambda s: s.model.validation.limits("int8") == {"rmse": 0.5}),
        ("model.validation.export.cosine", "0.9", lambda s: s.model.validation.export == {"cosine": 0.9}),
        ("model.overrides.int8.exclude_ops", "[Add]", lambda s: s.model.overrides["int8"].exclude_ops == ("Add",)),
        ("model.export.opset", "18", lambda s: s.model.export.opset == 18),
        ("calibration.batch", "2", lambda s: s.calibration.batch == 2),
        ("calibration.strict", "true", lambda s: s.calibration.strict),
        ("calibration.percentile", "99.0", lambda s: s.calibration.percentile == 99.0),
        ("latency.seconds", "2", lambda s: s.latency.seconds == 2.0),
    ],
)  # fmt: skip
def test_a_key_that_the_schema_knows_needs_no_plus(tmp_path: Path, sign: str, key: str, value: str, found: Any) -> None:
    """Whether the file has it or not."""
    assert found(load_variant(workspace(tmp_path), ["model=m", f"{sign}{key}={value}"]).spec)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model.validation.deviaton.max_abs=1"], "deviaton.max_abs'; did you mean 'model.validation.deviation"),
        (["model.validation.deviation.max_bas=1"], "unknown metric 'max_bas'; did you mean 'max_abs'?"),
        (["model.data.calibration=a.npz", "model.data.calibration.count=2"], "'model.data.calibration' is 'a.npz'"),
        *(
            pytest.param(words, said, marks=pytest.mark.slow)
            for words, said in [
                (["calibration.bach=2"], "unknown key 'calibration.bach'; did you mean 'calibration.batch'?"),
                (["model.validation.taks.metric=top1"], "unknown key 'model.validation.taks.metric'"),
                (["model.source.path.x=1"], "unknown key 'model.source.path.x'"),
                (["model.validation.deviation.cosine=0.9", "model.validation.deviation.cosine.int8=0.8"], "no keys"),
            ]
        ),
    ],
)
def test_what_the_schema_does_not_know_is_one_line(tmp_path: Path, words: list[str], said: str) -> None:
    """With the nearest key that there may be; a value that would be lost is said."""
    with pytest.raises(ConfigError, match=re.escape(said)):
        load_variant(workspace(tmp_path), ["model=m", *words])


def test_every_documented_key_is_one_that_the_command_line_takes() -> None:
    """What the schema has, it knows."""
    names = [name for group, cls in GROUPS.items() for name in keys(cls, group)[1:]]

    assert len(names) > 60
    assert all(knows(GROUPS[group], parts) for group, *parts in (name.split(".") for name in names))


@pytest.mark.slow
def test_a_key_that_no_file_has_may_be_swept(tmp_path: Path) -> None:
    """As any other word."""
    words = ["model=m", "calibration.batch=1,2", "model.validation.deviation.cosine=0.5,0.9"]
    specs = [load_variant(tmp_path, c).spec for c in sweep.expand(workspace(tmp_path), words)]

    assert [(s.calibration.batch, s.model.validation.limits("fp32")["cosine"]) for s in specs] == [
        (1, 0.5), (1, 0.9), (2, 0.5), (2, 0.9),
    ]  # fmt: skip


LABELLED = "model.data.validation=a.npz"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model.data.inspection.n={kind:factory,callable:'nets.m:f'}"], "n.callable: cannot import 'nets.m:f'"),
        (["model.data.validation={kind:factory,callable:'dta.read'}"], "model.data.validation.callable: cannot import"),
        (["model.data.inspection.n={kind:random,seed:-1}"], "seed: -1 is not between 0 and 4294967295"),
        (["model.data.validation={kind:random,seed:5000000000}"], "seed: 5000000000 is not between"),
        (["model.validation.task={metric:top1,labels:y,max_drop:0.1}"], "random data has no labels"),
        ([LABELLED, "model.validation.task={metric:'m:f',labels:y,max_drop:0.1}"], "there is no module 'm'"),
        ([LABELLED, "model.validation.task={metric:top2,labels:y,max_drop:0.1}"], "did you mean 'top1'?"),
        (["model.data.slices=data/s.npz"], "no validation.task is scored on them"),
        ([LABELLED, "model.validation.task={metric:top1,labels:y,max_drop:0}", "model.data.slices=/s"], "outside the"),
    ],
)  # fmt: skip
def test_what_only_a_late_step_would_refuse_is_refused_when_it_is_read(
    tmp_path: Path, words: list[str], said: str
) -> None:  # fmt: skip
    """Status 2, before anything runs."""
    with pytest.raises(ConfigError, match=re.escape(said)) as error:
        load_variant(workspace(tmp_path), ["model=m", *words])
    assert error.value.exit_status == 2


def test_the_variant_that_an_engine_is_compared_with(tmp_path: Path) -> None:
    """The same in the other precision as its file says it; without a threshold, or for itself, there is none."""
    words = ["model=m", "model.validation.engine.max_bytes_moved_vs=bf16"]
    root = workspace(tmp_path)
    made = load_variant(root, [*words, "precision=fp32", "precision.tf32=true", "target=sm89"])
    assert made.against is not None

    assert made.against.id == "m-bf16-rtx-1.7-onnxruntime-sm89"
    assert (made.against.spec.precision.lowering, made.against.spec.precision.tf32) == ("bfloat16", False)
    assert load_variant(root, [*words, "precision=bf16"]).against is None


FROM = "model.data.validation={{kind:factory,callable:'{}'}}"


@pytest.mark.parametrize(("name", "top"), [("os:system", "os"), ("trtbuild.base.lifeline:run", "trtbuild")])
def test_a_callable_of_a_module_that_is_not_trusted_is_refused(tmp_path: Path, name: str, top: str) -> None:
    """With the line to add; a list of one's own replaces the default."""
    root = workspace(tmp_path)
    with pytest.raises(ConfigError, match=re.escape(f"trusted_modules: [keras, tensorflow, trtbuild.demo, {top}]")):
        load_variant(root, ["model=m", FROM.format(name)])
    config = root / "conf" / "config.yaml"
    config.write_text(config.read_text("utf-8") + f"trusted_modules: [{top}]\n", "utf-8")

    assert load_variant(root, ["model=m", FROM.format(name)])
    with pytest.raises(ConfigError, match=r"keras.*is neither the workspace's own code nor"):
        load_variant(root, ["model=m", FROM.format("keras.utils:normalize")])


def test_callables_of_the_workspace_and_of_keras_are_trusted(tmp_path: Path) -> None:
    root = workspace(tmp_path)
    (root / "own.py").write_text("", "utf-8")

    for name in ("own:make", "keras.utils:normalize"):
        assert load_variant(root, ["model=m", FROM.format(name)])


def test_a_list_of_trusted_modules_is_a_list_of_names(tmp_path: Path) -> None:
    root = workspace(tmp_path)
    with (root / "conf" / "config.yaml").open("a", encoding="utf-8") as config:
        config.write("trusted_modules: os\n")
    with pytest.raises(ConfigError, match="trusted_modules: expected a list of names of modules"):
        load_variant(root, ["model=m"])


@pytest.mark.slow
def test_a_config_without_end_is_one_line(tmp_path: Path) -> None:
    """Brackets in brackets, and an option that builds on itself."""
    root = workspace(tmp_path)
    write(
        root,
        {"conf/model/deep.yaml": f"source: {'[' * 5_000}{']' * 5_000}", "conf/model/self.yaml": "defaults: [self]"},
    )
    for model in ("deep", "self"):
        with pytest.raises(
            ConfigError, match=r"defaults go round in a circle, or a file is nested too deeply; look for"
        ):
            load_variant(root, [f"model={model}"])
