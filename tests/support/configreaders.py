"""Readers of configs that others wrote: files of conf/, and words on the command line."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from unittest import mock

from tests.support.readers import written

MODEL_YAML = b"""source: {kind: onnx, path: models/m.onnx}
inputs:
  x: {dtype: float32, shape: [1, 3]}
export: {opset: 17}
"""
# Hydra reads a file for each group, its own included; one of ours that is listed anywhere is not added.
_OWN = b"output launcher sweeper help hydra_help hydra_logging job_logging callbacks env".split()
NONE_OF_ITS_OWN = b"".join(b"  - override hydra/%s: null\n" % name for name in _OWN)
ONE_GROUP = b"defaults:\n  - _self_\n  - model: null\n" + NONE_OF_ITS_OWN
ONE_GROUP += b"public_key: |\n  - layers: 0\n  - latency: 0\n  - device: 0\n  - auto: 0\n"
TOOLCHAIN = b"flavour: tensorrt\nversion: 1.2.3\nrequirements: [a==1]\ncompute_capabilities: ['8.9']\n"


def model_config(folder: Path, content: bytes) -> None:
    from trtbuild.config.origins import settings
    from trtbuild.config.places import placing

    written(folder, "conf/config.yaml", ONE_GROUP)
    written(folder, "conf/model/m.yaml", content)
    with placing(folder, ["model=m"]):
        settings(folder, ["model=m"])


def main_config_reader(folder: Path, content: bytes) -> None:
    from trtbuild.config import load_variant

    written(folder, "conf/config.yaml", content)
    written(folder, "conf/model/m.yaml", MODEL_YAML)
    load_variant(folder, ["model=m"])


@cache
def kept_compositions(folder: Path) -> Callable[..., Any]:
    """Hydra's compose() of a conf/ that does not change: the sound words that precede damaged ones, once."""
    from hydra import compose

    config(folder)
    written(folder, "conf/model/m.yaml", MODEL_YAML)
    composed = lru_cache(64)(lambda words, all_of_it: compose("config", list(words), return_hydra_config=all_of_it))
    return lambda _, words=(), return_hydra_config=False: composed(tuple(words), return_hydra_config)


def overrides(folder: Path, content: bytes) -> None:
    from trtbuild.config import load_variant

    with mock.patch("hydra.compose", kept_compositions(folder)):
        load_variant(folder, ["model=m", *content.decode(errors="replace").split("\n")])


def precision_file(folder: Path, content: bytes) -> None:
    from trtbuild.config import named

    config(folder)
    written(folder, "conf/precision/own.yaml", content)
    named.precision(folder, "own")


def toolchain_reader(folder: Path, content: bytes) -> None:
    from trtbuild import toolchains
    from trtbuild.config import named

    config(folder)
    written(folder, "conf/tensorrt/own.yaml", content)
    assert named.toolchain(folder, "own").version is not None and toolchains.environments() is not None


def config(folder: Path) -> None:
    from trtbuild.base.packaged import packaged_conf

    written(folder, "conf/config.yaml", (packaged_conf() / "config.yaml").read_bytes() + NONE_OF_ITS_OWN)
