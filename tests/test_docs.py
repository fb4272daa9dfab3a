"""Documents that cannot rot: what they must name, and the commands they show."""

from __future__ import annotations

import doctest
import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from trtbuild import config
from trtbuild.base import errors
from trtbuild.building.states import variant_states
from trtbuild.building.summary import show_document
from trtbuild.cli import planning, words
from trtbuild.core.spec.validation import LOWER_BOUNDS, UPPER_BOUNDS
from trtbuild.steps import kinds

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
DOCS = README + "".join(path.read_text("utf-8") for path in sorted((ROOT / "docs").rglob("*.md")))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SOURCES = [path for folder in ("trtbuild", "tests", "benchmarks", "docs") for path in (ROOT / folder).rglob("*.py")]
WRITTEN = {"repro.py", "build_tf_graph.py"}  # by trtbuild, for a bug report
OPTIONS = [f"{group}/{name}" for group in config.GROUPS for name in config.options(ROOT, group)]


@pytest.mark.parametrize("verb", sorted(set(words.verbs()) - {"build"}))
def test_every_verb_is_in_the_readme(verb: str) -> None:
    """Build is the verb that needs no name."""
    assert f"`{verb}`" in README


def test_every_page_is_in_the_index_by_task() -> None:
    """A page that nobody finds is not documentation."""
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}

    assert [page for page in sorted(pages) if f"({page}" not in index] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    """To a file of the repository, and where it names a heading, to that heading."""
    links = re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", page.read_text("utf-8"))

    for link in (found[0] or found[1] for found in links):
        path, _, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if "://" not in link:
            assert target.exists(), link
            assert not heading or heading in headings(target), link


def test_the_examples_of_docstrings_hold() -> None:
    """Of every file that has some."""
    files = [path for path in sorted((ROOT / "trtbuild").rglob("*.py")) if ">>>" in path.read_text("utf-8")]
    modules = [import_module(".".join(path.relative_to(ROOT).with_suffix("").parts)) for path in files]

    assert len(modules) > 50 and [module.__name__ for module in modules if doctest.testmod(module).failed] == []


def headings(page: Path) -> set[str]:
    """Anchors as code hosts make them from headings."""
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("word", [*config.GROUPS, *kinds(), *UPPER_BOUNDS, *LOWER_BOUNDS])
def test_every_group_step_and_metric_is_documented(word: str) -> None:
    """By its name in code and conf/."""
    assert word in DOCS


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_is_documented(option: str) -> None:
    """A target by the range it lies in."""
    group, name = option.split("/")
    assert name in DOCS or group == "target"


def test_every_error_is_drawn_in_the_tree_with_its_status() -> None:
    """The docstring of errors.py is the table of exit status."""
    classes = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.TrtbuildError)]
    for cls in classes:
        line = next(line for line in (errors.__doc__ or "").splitlines() if cls.__name__ in line)
        assert f" {cls.exit_status}  " in line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_is_one(page: Path) -> None:
    """In blocks (what stands behind three spaces or a # explains it) and in the text; one word alone is a verb."""
    text = page.read_text("utf-8")
    blocks = "\n".join(re.findall(r"```\w*\n(.*?)```", text, re.S)).replace("\\\n", " ")
    shown = [re.split(r"\s{3,}|\s+#", line)[0] for line in blocks.splitlines() if line.startswith("trtbuild ")]

    for command in [*shown, *re.findall(r"`(trtbuild [^`]* [^`]*)`", text)]:
        words.parse(shlex.split(re.sub(r"\[(.*?)\]", r"\1", command))[1:])


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([a-z0-9_/]+\.py)`", DOCS)) - WRITTEN))
def test_every_module_that_is_named_is_there(name: str) -> None:
    """By its path in the repository, or the end of it."""
    assert any(f"/{path.relative_to(ROOT)}".endswith(f"/{name}") for path in SOURCES)


def test_the_readme_has_exactly_two_commands_to_copy() -> None:
    """And continuous integration runs the second as it stands."""
    assert README.count("```bash") == 2
    assert "<!-- test command -->" in (ROOT / ".ci" / "run").read_text("utf-8")


def test_the_readmes_main_job_is_what_the_command_line_takes() -> None:
    """The first command ends in a build."""
    first = README.split("```bash")[1]
    assert ".venv/bin/trtbuild model=segnet precision=int8" in first


def test_the_installed_toolchain_is_the_pinned_one() -> None:
    """requirements.txt and conf/tensorrt name the same versions."""
    from trtbuild.store.tracking import read_yaml

    pinned = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    for requirement in read_yaml(ROOT / "conf" / "tensorrt" / "rtx-1.7.yaml")["requirements"]:
        assert requirement in pinned


def test_a_workers_pins_are_the_drivers() -> None:
    """A worker with another version of a library takes no step whose recipe names it."""
    pins = {
        name: {line.partition(";")[0].strip() for line in (ROOT / name).read_text("utf-8").splitlines()}
        for name in ("requirements.txt", "requirements-test.txt", "requirements-worker.txt")
    }
    workers = {pin for pin in pins["requirements-worker.txt"] if pin and not pin.startswith("#")}

    assert workers <= pins["requirements.txt"] | pins["requirements-test.txt"]
    assert not [pin for pin in workers if pin.startswith(("tensor", "keras", "tf2onnx"))]


def test_every_key_of_a_variants_document_is_documented(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of `show --json`, that of a variant which was never built here."""
    monkeypatch.chdir(ROOT)
    p = planning.planned(words.parse(["show", "model=lenet"]))
    (entry,) = show_document(p, variant_states(p))["variants"]
    text = (ROOT / "docs" / "json.md").read_text("utf-8")

    assert [key for key in entry if f"`{key}`" not in text] == []
