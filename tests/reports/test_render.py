"""Tests of pages: equal bytes, well-formed, no network, and nothing a name can break."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import pytest

from tests.support.pages import page, template_data
from trtbuild.base.packaged import templates
from trtbuild.reports.render import byte_size, csp_hash, embed, number, render

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("overview", "deviation", "layers")
HOSTILE = "</script><img src=x onerror=alert(1)>\"'&amp;{{ 7*7 }}\u2028"
VOID = {"meta", "br", "img", "hr", "input", "link"}


def rendered(name: str, outputs: tuple[str, ...] = ("scores",)) -> str:
    return render(templates(ROOT), f"{name}.html.j2", template_data(page(outputs=outputs), name))


class Parsed(HTMLParser):
    """Elements in order, and whether each one is closed by its own end."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def references(self) -> list[str]:
        return [value or "" for _, found in self.elements for key, value in found.items() if key in ("src", "href")]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_well_formed(name: str) -> None:
    """Every element is closed by its own end, names are unique."""
    parsed = Parsed(rendered(name, ("a", "b")))
    names = [found["id"] for _, found in parsed.elements if "id" in found]

    assert parsed.open == []
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_refers_to_its_neighbours_only(name: str) -> None:
    """No network: all references are files beside it that the report step writes."""
    text = rendered(name)

    files = {"overview.html", "deviation.html", "layers.html", "layers.csv", "report.json", "plotly.min.js"}
    assert {found for found in Parsed(text).references if not found.startswith("#")} <= files
    assert not re.search(r"(?:src|href|url|import)\W{0,3}(?:https?:)?//", text)


@pytest.mark.parametrize("name", PAGES)
def test_a_hostile_name_is_only_text(name: str) -> None:
    """A name of an output adds no element, ends no script, and is shown as it is."""
    plain, hostile = Parsed(rendered(name)), Parsed(rendered(name, (HOSTILE,)))

    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in plain.elements]
    assert HOSTILE in hostile.text


@pytest.mark.parametrize("name", PAGES)
def test_a_page_runs_its_own_scripts_only(name: str) -> None:
    """The policy names the one inline script by its hash, and no network."""
    text = rendered(name)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)

    assert policy is not None and "http" not in policy[1] and "unsafe-eval" not in policy[1]
    assert policy[1].startswith("default-src 'none'; script-src 'self' file: '" + csp_hash(scripts[0]))
    assert len(scripts) == 1


def test_what_is_embedded_in_a_script_is_still_json() -> None:
    """No `<`, no line separator, and the same value when read back."""
    text = str(embed({"b": HOSTILE, "a": [1, None]}))

    assert not set("<\u2028\u2029") & set(text)
    assert json.loads(text) == {"a": [1, None], "b": HOSTILE}


def test_a_page_is_readable_without_scripts() -> None:
    """Verdict, checks and numbers are in the text itself."""
    text = Parsed(rendered("overview")).text

    for said in ("PASS", "scores: max_abs", "0.007813", "the precision", "not executed", "a" * 64):
        assert said in text


def test_every_page_with_tables_folds_them_on_a_narrow_screen() -> None:
    """By the one rule that all pages share: no page scrolls sideways on a phone."""
    sources = {name: path.read_text("utf-8") for name, path in templates(ROOT).items()}
    folding = {
        name for name, text in sources.items() if all(f'include "tables.{kind}.j2"' in text for kind in ("css", "js"))
    }

    assert "base.html.j2" in folding
    for name, text in sources.items():
        if "<table" in text and name != "macros.html.j2":
            assert name in folding or text.startswith('{% extends "base.html.j2" %}'), name


RENDER = """
import sys
from tests.reports.test_render import PAGES, rendered
sys.stdout.write("".join(rendered(name, ("b", "a")) for name in PAGES))
"""


def test_a_page_is_the_same_bytes_in_every_process() -> None:
    """The order of sets and dictionaries does not reach it."""
    argv = [sys.executable, "-c", RENDER]
    pages = [
        subprocess.run(
            argv, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]

    assert pages[0] == pages[1]
    assert pages[0].count(b"</html>") == len(PAGES)


def test_an_undefined_value_is_an_error(tmp_path: Path) -> None:
    """A misspelt name in a template is an error, not an empty cell."""
    (tmp_path / "t.j2").write_text("{{ page.nothing }}", "utf-8")
    with pytest.raises(jinja2.UndefinedError, match="nothing"):
        render({"t.j2": tmp_path / "t.j2"}, "t.j2", {"page": {}})


def test_a_workspaces_template_replaces_the_packaged_one(tmp_path: Path) -> None:
    """By name; the others stay."""
    (tmp_path / "reports_templates").mkdir()
    (tmp_path / "reports_templates" / "macros.html.j2").write_text("mine", "utf-8")
    found = templates(tmp_path)

    assert found["macros.html.j2"].read_text("utf-8") == "mine"
    assert set(found) == set(templates(ROOT))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.000123456, "0.0001235"),
        (12, "12"),
        (1234567, "1 234 567"),
        (None, "–"),
        (True, "yes"),
        (False, "no"),
        ("text", "text"),
        (0.0, "0"),
    ],
)
def test_numbers_have_four_digits(value: object, shown: str) -> None:
    """Whole numbers are grouped, a missing one is a dash."""
    assert number(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(0, "0.0 kB"), (999_999, "1000.0 kB"), (1_234_567, "1.23 MB")])
def test_sizes_are_decimal(value: int, shown: str) -> None:
    """Thousands and millions of bytes."""
    assert byte_size(value) == shown


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ page.__init__.__globals__ }}",
        "{% for x in ().__class__.__base__.__subclasses__() %}{% endfor %}",
    ],
)
def test_a_template_reaches_nothing_but_its_page(tmp_path: Path, text: str) -> None:
    """It is rendered in Jinja's sandbox."""
    (tmp_path / "t.html.j2").write_text(text, "utf-8")
    with pytest.raises(jinja2.exceptions.SecurityError):
        render({"t.html.j2": tmp_path / "t.html.j2"}, "t.html.j2", {"page": page()})


def test_a_template_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """For all pages of a process; one that a workspace replaces is another template."""
    compiled = list[str | None]()
    original = jinja2.Environment.compile

    def watched(self: jinja2.Environment, source: str, name: str | None, *more: object) -> object:
        compiled.append(name)
        return original(self, source, name, *more)  # type: ignore[call-overload]

    monkeypatch.setattr(jinja2.Environment, "compile", watched)
    first, again = rendered("overview"), rendered("overview")
    assert first == again and compiled.count("overview.html.j2") <= 1
    compiled.clear()
    render(templates(ROOT) | {"overview.html.j2": templates(ROOT)["layers.html.j2"]}, "overview.html.j2",
           template_data(page(), "layers"))  # fmt: skip

    assert compiled == ["overview.html.j2"]
