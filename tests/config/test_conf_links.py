"""Tests of configs that do not lie in conf/ itself: behind links, on Hydra's search path, where defaults lead up."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.config.test_config import workspace
from trtbuild.base.errors import ConfigError
from trtbuild.cli import noop
from trtbuild.cli.answers import configuration
from trtbuild.config import composed, conf_folders, load_variant
from trtbuild.config.composed import Composed

WORDS = ["model=m"]
OPSETS = ("export: {opset: 17}\n", "export: {opset: 18}\n")


@dataclass(frozen=True)
class Place:
    """A workspace, the file that says the model's opset, and the link on the way to it, if any."""

    root: Path
    file: Path
    link: Path | None = None


def moved(root: Path, path: str, *through: str) -> Place:
    """A file or folder of the workspace moved away, with a link, or a chain of links, in its place."""
    place = root / path
    real = root.parent / f"{root.name}-elsewhere" / place.name
    real.parent.mkdir(exist_ok=True)
    shutil.move(place, real)
    for name in through:
        (real.parent / name).symlink_to(real)
        real = real.parent / name
    place.symlink_to(real)
    below = (root / "conf" / "model" / "m.yaml").resolve()
    return Place(root, below, place)


def linked_conf(root: Path) -> Place:
    return moved(root, "conf")


def linked_group(root: Path) -> Place:
    return moved(root, "conf/model")


def linked_file(root: Path) -> Place:
    return moved(root, "conf/model/m.yaml")


def links_in_links(root: Path) -> Place:
    moved(root, "conf/model/m.yaml", "second.yaml", "third.yaml")
    moved(root, "conf/model", "middle")
    return Place(root, moved(root, "conf", "another").file)


def with_default(root: Path, default: str, file: Path, search: str = "") -> Place:
    """The model's opset comes from a file that its defaults name."""
    model = root / "conf" / "model" / "m.yaml"
    text = model.read_text("utf-8")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(OPSETS[0], "utf-8")
    model.write_text(f"defaults: [{default}@_here_, _self_]\n{text.removesuffix(OPSETS[0])}", "utf-8")
    if search:
        with (root / "conf" / "config.yaml").open("a", encoding="utf-8") as handle:
            handle.write(f"hydra: {{searchpath: ['{search}']}}\n")
    return Place(root, file)


def search_path(root: Path) -> Place:
    folder = root / "shared configs, all"
    return with_default(root, "/more", folder / "more.yaml", f"file://{folder}")


def package(root: Path) -> Place:
    folder = root / "team_configs" / "conf"
    for package in (folder, folder.parent):
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").touch()
    return with_default(root, "/more", folder / "more.yaml", "pkg://team_configs.conf")


def link_on_the_search_path(root: Path) -> Place:
    folder, real = root / "shared", root / "real"
    place = with_default(root, "/deep/more", real / "more.yaml", f"file://{folder}")
    folder.mkdir()
    (folder / "deep").symlink_to(real)
    return Place(root, place.file, folder / "deep")


def dots_in_defaults(root: Path) -> Place:
    return with_default(root, "../../outside/base", root / "outside" / "base.yaml")


PLACES = [linked_conf, linked_group, linked_file, links_in_links, search_path, package, link_on_the_search_path,
          dots_in_defaults]  # fmt: skip


@pytest.fixture(params=PLACES, ids=lambda make: make.__name__)
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    root = tmp_path / "workspace"
    workspace(root, "layers: default", "latency: default")
    with (root / "conf" / "model" / "m.yaml").open("a", encoding="utf-8") as handle:
        handle.write(f"\n{OPSETS[0]}")
    for name in (".trtbuild", ".dvc"):
        (root / name).mkdir()
    monkeypatch.syspath_prepend(str(root))
    for name in ("team_configs", "team_configs.conf"):
        sys.modules.pop(name, None)  # an earlier test's
    made: Place = request.param(root)
    return made


def opset(root: Path) -> int:
    """As a build sees it: composed, or recalled from what was composed before."""
    kept = Composed(root / ".trtbuild", conf_folders(root))
    found = load_variant(root, WORDS, kept).spec.model.export.opset
    kept.keep()
    return found


def remember(root: Path) -> bool:
    """What a build does to remember its answer; whether it did."""
    before = noop.sign(configuration(root))
    kept = Composed(root / ".trtbuild", conf_folders(root))
    load_variant(root, WORDS, kept)
    kept.keep()
    if kept.other_configs is None or not set(kept.other_configs) <= before.keys():
        return False
    noop.remember(str(root), WORDS, before, [], noop.Answer(["", ""], 0))
    return True


def edit(place: Place) -> None:
    place.file.write_text(place.file.read_text("utf-8").replace(*OPSETS), "utf-8")


def retarget(place: Place) -> None:
    """The link leads to a copy with another opset."""
    assert place.link is not None
    copy = place.link.parent / "copy"
    real = place.link.resolve()
    (shutil.copytree if real.is_dir() else shutil.copyfile)(real, copy)
    below = copy / place.file.relative_to(real) if real.is_dir() else copy
    below.write_text(below.read_text("utf-8").replace(*OPSETS), "utf-8")
    place.link.unlink()
    place.link.symlink_to(copy)


@pytest.mark.parametrize("change", [edit, retarget])
def test_a_change_behind_it_is_composed_anew(place: Place, change: Callable[[Place], None]) -> None:
    """Also when everything was composed before, twice."""
    if change is retarget and place.link is None:
        pytest.skip("no link on the way")
    assert [opset(place.root) for _ in range(3)] == [17] * 3
    kept = Composed(place.root / ".trtbuild", conf_folders(place.root))
    assert kept.recall(WORDS) is not None  # there is something to forget
    change(place)

    assert [opset(place.root) for _ in range(3)] == [18] * 3


@pytest.mark.parametrize("change", [edit, pytest.param(retarget, marks=pytest.mark.slow)])
def test_a_change_behind_it_forgets_the_answer(place: Place, change: Callable[[Place], None]) -> None:
    """An unchanged build has one, as soon as it is known what was read."""
    if change is retarget and place.link is None:
        pytest.skip("no link on the way")
    assert remember(place.root) or remember(place.root)
    assert noop.recall(str(place.root), WORDS) is not None
    change(place)

    assert noop.recall(str(place.root), WORDS) is None


def test_a_link_that_leads_nowhere_is_one_line_until_it_does(tmp_path: Path) -> None:
    """What it leads to may come later."""
    root = workspace(tmp_path, "layers: default", "latency: default")
    (root / ".trtbuild").mkdir()
    model, real = root / "conf" / "model" / "m.yaml", tmp_path / "m.yaml"
    text = model.read_text("utf-8") + f"\n{OPSETS[0]}"
    model.unlink()
    model.symlink_to(real)
    with pytest.raises(ConfigError, match="model"):
        opset(root)
    real.write_text(text, "utf-8")
    assert opset(root) == 17
    real.unlink()
    with pytest.raises(ConfigError, match="model"):
        opset(root)


def test_a_conf_that_leads_nowhere_is_not_replaced_by_the_packaged_one(tmp_path: Path) -> None:
    """Its models are not the workspace's."""
    (tmp_path / "conf").symlink_to(tmp_path / "nothing")

    with pytest.raises(ConfigError):
        load_variant(tmp_path, ["model=segnet", "precision=fp32"])


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    """Each folder on the way is entered once."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "m.yaml").touch()
        for link, target in (("here", "."), ("up", ".."), ("other", "../a"), ("another", "../b")):
            (tmp_path / name / link).symlink_to(target)
    found = list(noop.everything([str(tmp_path / "a")]))

    assert str(tmp_path / "a" / "another" / "m.yaml") in found
    assert len(found) < 200


def test_a_file_that_comes_to_a_searched_folder_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may stand before another of its name."""
    root = workspace(tmp_path / "w", "layers: default", "latency: default")
    (root / ".trtbuild").mkdir()
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    with_default(root, "/more", second / "more.yaml")
    with (root / "conf" / "config.yaml").open("a", encoding="utf-8") as handle:
        handle.write(f"hydra: {{searchpath: ['file://{first}', 'file://{second}']}}\n")
    assert [opset(root) for _ in range(3)] == [17] * 3
    (first / "more.yaml").write_text(OPSETS[1], "utf-8")

    assert opset(root) == 18


@pytest.mark.slow
def test_a_searched_config_that_reads_the_environment_is_composed_every_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one in conf/ is."""
    root = workspace(tmp_path / "w", "layers: default", "latency: default")
    (root / ".trtbuild").mkdir()
    place = with_default(root, "/more", tmp_path / "s" / "more.yaml", f"file://{tmp_path / 's'}")
    place.file.write_text('export: {opset: "${oc.decode:${oc.env:OPSET}}"}\n', "utf-8")
    for value in (17, 18, 17):
        monkeypatch.setenv("OPSET", str(value))
        assert opset(root) == value
    assert not remember(root) and not remember(root)


def test_what_was_searched_is_known_to_the_next_build(place: Place) -> None:
    """Beyond conf/, and nothing of Hydra's own."""
    opset(place.root)
    known = composed.watched(place.root / ".trtbuild")

    assert all("site-packages" not in path for path in known)
    inside = {os.path.realpath(path) for path in noop.everything([str(place.root / "conf"), *known])}
    assert str(place.file.resolve()) in inside
