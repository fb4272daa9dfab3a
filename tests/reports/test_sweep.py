"""Tests of the overview of a sweep: its data, its pages, hostile names, equal bytes."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import trtbuild.documents
from tests.reports.test_render import HOSTILE, ROOT, Parsed
from tests.support.sweeps import AXES, entry, latency, rendered, sweep
from trtbuild.base.packaged import templates
from trtbuild.reports.sweep import collect, write
from trtbuild.reports.sweeptext import cell
from trtbuild.reports.sweepversions import GRAPHS_ONLY

SCHEMA = Path(trtbuild.documents.__path__[0]) / "sweep.schema.json"
PAGES = ["deviation-segnet.html", "layers-segnet.html", "sweep.html"]


def of(page: dict[str, Any], **axes: str) -> dict[str, Any]:
    """The one variant with these options."""
    (found,) = [v for v in page["variants"] if all(v[axis] == value for axis, value in axes.items())]
    return found


def test_the_matrix_is_models_by_version_and_precision() -> None:
    """Only axes that vary are columns; a combination that was not requested is empty."""
    page = collect(sweep())

    assert page["axes"] == ["tensorrt", "precision"]
    assert [c["place"] for c in page["columns"]] == [
        ["rtx-1.6", "fp32"], ["rtx-1.6", "int8"], ["rtx-1.7", "fp32"], ["rtx-1.7", "fp16"], ["rtx-1.7", "int8"],
    ]  # fmt: skip
    assert [[len(ids) for ids in model["cells"]] for model in page["models"]] == [[0, 0, 0, 1, 1], [1, 1, 1, 0, 1]]


def test_versions_are_in_the_order_of_their_numbers() -> None:
    """1.10 comes after 1.9."""
    page = collect([entry(tensorrt=f"rtx-{version}") for version in ("1.10", "1.9", "1.4")])
    assert [c["tensorrt"] for c in page["columns"]] == ["rtx-1.4", "rtx-1.9", "rtx-1.10"]


def test_columns_are_in_the_order_of_what_precisions_are() -> None:
    """Widest first, whatever their names; an unknown one comes last."""
    ranked = {"zeta": 2, "fp32": 0, "alpha": 5, "int8": 4}
    page = collect([{**entry(precision=name), "precision_rank": rank} for name, rank in ranked.items()])

    assert [v["precision"] for v in page["variants"]] == ["fp32", "zeta", "int8", "alpha"]


def test_calibration_is_an_axis_where_a_precision_has_several() -> None:
    """The other precisions carry one without using it."""
    page = collect([entry(calibration="entropy"), entry(), entry(precision="fp32", calibration="entropy")])
    assert [c["label"] for c in page["columns"]] == ["fp32", "int8 entropy", "int8 minmax"]


def test_what_nothing_judged_is_counted_by_itself_and_says_why() -> None:
    """It is neither green nor a failure."""
    page = collect([entry("unjudged"), entry(model="lenet")])

    assert (page["counts"]["unjudged"], page["counts"]["pass"], page["failures"]) == (1, 1, [])
    assert of(page, state="unjudged")["reason"] == "no threshold for int8"
    assert "UNJUDGED: no threshold for int8" in rendered([entry("unjudged")])["sweep.md"]
    jsonschema.validate(json.loads(rendered([entry("unjudged")])["sweep.json"]), json.loads(SCHEMA.read_text("utf-8")))


def test_failures_come_with_limit_margin_and_first_bad_layer() -> None:
    """What fails a threshold comes first, then what was refused."""
    page = collect(sweep())
    failed = of(page, state="fail")

    assert page["failures"] == [failed["id"], of(page, state="refused")["id"]]
    assert failed["failed_checks"] == [
        {"name": "scores: max_abs", "observed": 0.3, "limit": 0.1, "margin": pytest.approx(-0.2), "share": 3.0}
    ]
    assert failed["first_bad"]["path"] == "net/scores"
    assert page["counts"] == {
        "pass": 3,
        "fail": 1,
        "unjudged": 0,
        "failed": 0,
        "refused": 1,
        "invalid": 0,
        "not built": 1,
    }


def test_equal_reasons_are_told_once() -> None:
    """Forty models that one version refuses for one reason are one line."""
    page = collect([entry("refused", "no int8", model=name) for name in "abc"])
    assert [(g["reason"], len(g["ids"])) for g in page["reasons"]] == [("no int8", 3)]


def test_what_changed_has_the_version_since_which() -> None:
    """Compared with the version before; numbers with the last that was built."""
    entries = [entry(tensorrt="rtx-1.4"), entry("refused", "no", tensorrt="rtx-1.5"), entry(tensorrt="rtx-1.6")]
    entries[2]["report"]["latency"] = latency(3.0)
    first, second = collect(entries)["versions"]["changes"]

    assert (first["since"], first["what"]) == ("rtx-1.5", ["pass → refused: no"])
    assert (second["since"], second["before"], second["what"][0]) == ("rtx-1.6", "rtx-1.5", "refused → pass")
    assert second["what"][1] == "p50 1 → 3 ms (slower, 3 times) (against rtx-1.4, the last that was built)"


def test_the_accepted_baseline_is_compared() -> None:
    """One variant is as accepted, one is worse, the others have no baseline."""
    page = collect(sweep())
    accepted = page["accepted"]

    assert (len(accepted["changed"]), len(accepted["same"]), len(accepted["without"])) == (1, 1, 2)
    assert of(page, state="fail")["baseline_changes"][0] == "PASS → FAIL"


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("variant", "opset"), 18, "segnet: compared cells differ in opset: 17 (segnet-int8-rtx-1.6-"),
        (("latency", "batch"), 8, "segnet: compared cells differ in the batch of the latency: 1 ("),
        (("engine", "onnx_sha256"), "c" * 64, "segnet: compared cells differ in the ONNX file: sha256 bbbbbbbbbbbb ("),
    ],
)
def test_cells_that_differ_in_more_than_the_axes_are_named(place: tuple[str, str], value: Any, said: str) -> None:
    """With the values and who has them."""
    entries = [entry(tensorrt="rtx-1.6"), entry(tensorrt="rtx-1.7")]
    assert collect(entries)["warnings"] == [GRAPHS_ONLY]
    entries[1]["report"][place[0]][place[1]] = value
    _, warning = collect(entries)["warnings"]
    assert warning.startswith(said)


def test_two_variants_in_one_cell_are_both_shown() -> None:
    """And that they share it is a warning: they differ in an override."""
    page = collect([entry(), {**entry(), "id": "other"}])
    assert [len(ids) for ids in page["models"][0]["cells"]] == [2]
    assert "share a cell" in page["warnings"][1]


@pytest.mark.parametrize(
    ("entries", "said"), [([entry(), entry()], "is given twice"), ([{**entry(), "state": "pased"}], "mean 'pass'")]
)
def test_entries_that_contradict_each_other_are_refused(entries: list[dict[str, Any]], said: str) -> None:
    """A mistake of the caller, not a page that hides it."""
    with pytest.raises(ValueError, match=said):
        collect(entries)


def test_page_data_fits_its_schema() -> None:
    """The schema that others rely on describes what is written."""
    jsonschema.validate(json.loads(rendered(sweep())["sweep.json"]), json.loads(SCHEMA.read_text("utf-8")))


def test_the_order_of_the_entries_does_not_matter() -> None:
    """Steps finish in any order."""
    shuffled = sweep()
    random.Random(1).shuffle(shuffled)
    assert rendered(shuffled) == rendered(sweep())


def test_all_files_are_written(tmp_path: Path) -> None:
    """Overlays for models with several reports; nothing is left of temporary files."""
    written = write(sweep(), tmp_path, templates(ROOT))

    assert [path.name for path in written] == ["sweep.html", *PAGES[:2], "plotly.min.js", "sweep.json", "sweep.md"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in written)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_well_formed_and_refers_to_neighbours_only(name: str) -> None:
    """Every element is closed, ids are unique, links lead to files of the sweep or to reports beside it."""
    parsed = Parsed(rendered(sweep())[name])
    names = [found["id"] for _, found in parsed.elements if "id" in found]
    files = {*rendered(sweep()), "plotly.min.js"}

    assert parsed.open == []
    assert len(names) == len(set(names))
    assert all(found[1:] in names for found in parsed.references if found.startswith("#"))
    outside = {found.partition("#")[0] for found in parsed.references if found[0] != "#"} - files
    assert all(re.fullmatch(r"\.\./build/[\w.-]+/[\w.-]+/\w+\.html", found) for found in outside)


@pytest.mark.parametrize("name", PAGES)
def test_a_table_that_can_be_sorted_has_a_cell_in_every_column(name: str) -> None:
    """A row without one would stop the sort."""
    tables = re.findall(r'<table class="sort">(.*?)</table>', rendered(sweep())[name], re.DOTALL)

    assert tables
    for table in tables:
        cells = {len(re.findall(r"<t[hd][ >]", row)) for row in re.findall(r"<tr.*?</tr>", table, re.DOTALL)}
        assert len(cells) == 1


def hostile() -> list[dict[str, Any]]:
    """Names and a reason that contain markup, and a folder that contains a script."""
    axes = {"model": HOSTILE, "precision": HOSTILE}
    made = [entry("fail", tensorrt=t, **axes) for t in ("a", "b")]
    made.append(entry("refused", f"{HOSTILE}\x1b[31m", tensorrt="c", **axes))
    made[0]["folder"] = "javascript:alert(1)//"
    return made


def test_a_hostile_name_is_only_text() -> None:
    """It adds no element, ends no script, and becomes neither an address nor a file outside the folder."""
    plain = [entry("fail", tensorrt=t) for t in ("a", "b")] + [entry("refused", "why", tensorrt="c")]
    wanted, files = rendered(plain), rendered(hostile())

    assert all(re.fullmatch(r"[\w.-]+", name) for name in files)
    for name, before in zip(sorted(files), sorted(wanted), strict=True):
        if name.endswith(".html"):
            found = Parsed(files[name])
            assert [tag for tag, _ in found.elements] == [tag for tag, _ in Parsed(wanted[before]).elements]
            assert HOSTILE in found.text
            assert not any(reference.startswith("javascript:") for reference in found.references)
    assert "\x1b" not in files["sweep.html"] + files["sweep.md"]
    assert "<script" not in files["sweep.md"]


def test_a_table_of_markdown_stays_a_table() -> None:
    """A bar, a line end and markup are text."""
    assert cell("a|b\n<b>`") == "a\\|b\\\\n&lt;b&gt;\\`"


def test_a_large_sweep_stays_usable() -> None:
    """Forty models by eight columns, under a megabyte and with every cell."""
    options = [(p, t) for p in ("fp32", "int8") for t in ("rtx-1.4", "rtx-1.5", "rtx-1.6", "rtx-1.7")]
    kinds = [entry(precision=p, tensorrt=t) for p, t in options]
    entries = [{**e, "id": e["id"].replace(AXES["model"], f"m{i}"), "model": f"m{i}"} for i in range(40) for e in kinds]
    text = rendered(entries)["sweep.html"]

    assert text.count("of limit") == 320
    assert len(text.encode()) < 1_000_000


RENDER = """
import sys
from tests.support.sweeps import rendered, sweep
sys.stdout.write("".join(text for name, text in sorted(rendered(sweep()).items())))
"""


def test_pages_are_the_same_bytes_in_every_process() -> None:
    """The order of sets and dictionaries does not reach them."""
    runs = [
        subprocess.run([sys.executable, "-c", RENDER], cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed},
                       capture_output=True, check=True).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert runs[0] == runs[1]
    assert runs[0].count(b"</html>") == len(PAGES)
