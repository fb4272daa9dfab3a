"""Tests of the group executor: what is refused, and how a lab of one's own is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from trtbuild import config
from trtbuild.base.errors import ConfigError
from trtbuild.core.spec import Executor

ROOT = Path(__file__).resolve().parents[2]


def executor(*words: str, root: Path = ROOT) -> Executor:
    return config.load_variant(root, ["model=lenet", *words]).spec.executor


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["+executor.address=tcp://build1:8786"], "address: only for executor=dask"),
        (["executor=dask", "+executor.workers=2"], "workers: only for executor=local"),
        (["executor=dask", "executor.address=build1"], "'build1' is not a scheduler's, such as tcp://host:8786"),
        (["executor=dask", "executor.address=foo://build1:8786"], "'foo://build1:8786' is not a scheduler's"),
        (["executor=dask", "executor.adress=x"], "adress"),
        (["executor=dask", "executor.adaptive.minimum=3"], "below the minimum of 3"),
        (["executor=dask", "executor.patience=0"], "patience: 0.0 is not above 0; null means without end"),
        (["executor=dask", "executor.cluster._target_=os.system"], "neither the workspace's own code nor among"),
        (["executor=dask", "executor.cluster._target_=nowhere.Cluster"], "pip install 'trtbuild[dask]'"),
        (["executor=dask", "+executor.device.cpu=x"], "missing key 'machine'"),
    ],
)
def test_refused(words: list[str], message: str) -> None:
    """Each with the key, and how to mend it."""
    pytest.importorskip("distributed")
    with pytest.raises(ConfigError) as caught:
        executor(*words)
    assert message in str(caught.value)


def test_the_address_of_a_running_scheduler_replaces_the_cluster() -> None:
    """Whose class then need not be installed."""
    made = executor("executor=dask", "executor.address=tcp://h:1", "executor.cluster._target_=nowhere.Cluster")
    assert made.address == "tcp://h:1"


def test_a_lab_of_ones_own_begins_with_a_packaged_option(workspace: object, tmp_path: Path) -> None:
    """As docs/cluster.md shows it."""
    for name in ("config.yaml", "model/lenet.yaml"):
        target = tmp_path / "conf" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / "conf" / name).read_bytes())
    lab = tmp_path / "conf" / "executor" / "lab.yaml"
    lab.parent.mkdir()
    lab.write_text(
        "defaults: [dask]\naddress: tcp://build1:8786\n"
        'device: {machine: x86_64, cpu: AMD, cores: 16, gpu: NVIDIA L4, compute_capability: "8.9", driver: "580"}\n',
        "utf-8",
    )
    made = executor("executor=lab", root=tmp_path)

    assert (made.module, made.address, made.patience_s) == ("dask", "tcp://build1:8786", 900)
    assert made.device is not None and made.device.graphics["compute_capability"] == "8.9"
