"""Planted differences between graph and importer, found by asking TensorRT-RTX itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.plants import PLANTS, SUM_OF_EXPONENTIALS, TWINS, Plant
from trtbuild.checker.options import Options
from trtbuild.checker.probers import Probers
from trtbuild.config import named
from trtbuild.core.parserwarnings import meaning
from trtbuild.workers.prober import Answer, Question

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def probers() -> Iterator[Probers]:
    versions = named.toolchains(named.root_here(), ["rtx-1.6", "rtx-1.7"])
    with closing(Probers(versions, Options(), note=lambda _: None)) as started:
        yield started


def ask(probers: Probers, plant: Plant, folder: Path, version: str = "rtx-1.7") -> tuple[Answer, list[str]]:
    path = folder / "plant.onnx"
    path.write_bytes(plant.model.SerializeToString())
    answer = probers.ask_one(version, Question(path, every=False))
    return answer, [said[0] for one in answer.warnings if (said := meaning(one))]


def test_every_plant_is_found_and_no_twin(probers: Probers, tmp_path: Path) -> None:
    """Refused by TensorRT, refused as misread, or warned of; never passed in silence."""
    silent = {}
    for plant in PLANTS:
        answer, said = ask(probers, plant, tmp_path)
        refused = answer.outcome in ("misread", "parse")  # without a GPU, the parser refuses some shapes
        if not refused and (plant.outcome == "refused" or plant.words not in " ".join(said)):
            silent[plant.name] = (answer, said)
    alarms = {}
    for twin in TWINS:
        answer, said = ask(probers, twin, tmp_path)
        if answer.outcome != "ok" or said:
            alarms[twin.name] = (answer, said)

    assert (silent, alarms) == ({}, {})


def test_what_only_the_network_shows_is_found_by_version(probers: Probers, tmp_path: Path) -> None:
    """RTX 1.6 sums exponentials as they are; 1.7 subtracts the maximum."""
    plant = Plant("exponentials", SUM_OF_EXPONENTIALS, "warned")

    assert "above 88" in " ".join(ask(probers, plant, tmp_path, "rtx-1.6")[1])
    assert ask(probers, plant, tmp_path)[1] == []
