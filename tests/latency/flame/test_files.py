"""Tests of the files: formats that other tools open, pictures that hold what they must, bytes that do not change."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.latency.flame.exports import PAIRS, graph, load, path, trtexec
from trtbuild.base import packaged
from trtbuild.latency.flame import difference, flame_graph, read_profile
from trtbuild.latency.flame.formats import chrome_trace, clean, folded, speedscope
from trtbuild.reports.flamegraph import files, write_all

TEMPLATES = packaged.templates(Path("nowhere"))
SCHEMA = json.loads((path("x").parents[1] / "speedscope" / "file-format-schema.json").read_text("utf-8"))
HOSTILE = ["</script><script>alert(1)</script>/a/Conv", 'b"\'/x&y/Conv', "c;d\n/e/Conv", "f\x1e\x1f\x00/g/Conv",
           "h/\ud800/Conv",
           "]]>/i/Conv", "j/" + "k" * 2000, "l/\u2028/Conv", "m/\ufffe/é日本/Conv", "{{ 7 * 7 }}/n/Conv"]  # fmt: skip
SVG = "{http://www.w3.org/2000/svg}"


def hostile() -> dict[str, str]:
    made, old = (flame_graph(read_profile(trtexec(*((n, t) for n in HOSTILE)))) for t in (0.5, 0.25))
    return files(made, "</title><script>", TEMPLATES, difference(made, old))


@pytest.mark.parametrize("name", PAIRS)
def test_speedscope_takes_its_file(name: str) -> None:
    """By its published schema; weights add up to the end."""
    document = json.loads(speedscope([("new", graph(name)), ("old", graph(name, "split"))]))
    jsonschema.validate(document, SCHEMA)
    for profile in document["profiles"]:
        assert sum(profile["weights"]) == profile["endValue"] == graph(name).total_ns


@pytest.mark.parametrize("name", PAIRS)
def test_the_trace_nests_perfectly(name: str) -> None:
    """Every event begins and ends inside the one it opened in, without a tolerance; leaves add up."""
    events = [e for e in json.loads(chrome_trace(graph(name), "t"))["traceEvents"] if e["ph"] == "X"]
    open_: list[dict[str, Any]] = []
    for event in events:
        while open_ and open_[-1]["ts"] + open_[-1]["dur"] <= event["ts"]:
            open_.pop()
        if open_:
            assert event["ts"] + event["dur"] <= open_[-1]["ts"] + open_[-1]["dur"]
        open_.append(event)
    leaves = [e for e in events if e["cat"] != "scope"]
    assert sum(e["dur"] for e in leaves) == pytest.approx(graph(name).total_ns / 1e3, abs=1e-3)
    assert sum(e["args"]["time_ns"] for e in leaves) == graph(name).total_ns


def test_hostile_names_are_safe_in_every_file() -> None:
    """Well-formed XML and JSON, one stack a line, no markup of theirs, not even in the title."""
    made = hostile()
    for name, text in made.items():
        if name.endswith(".svg"):
            assert len(list(ET.fromstring(text).iter(f"{SVG}script"))) == 1
        elif name.endswith(".json"):
            json.loads(text)
        elif name.endswith(".html"):
            assert "alert(1)</" not in text
            assert "49" not in re.findall(r"<code>(\d+)", text)
        else:
            assert all(re.fullmatch(r"[^\x00-\x1f]+( \d+){1,2}", line) for line in text.splitlines())
        text.encode("utf-8")


def test_characters_that_xml_forbids_are_replaced() -> None:
    """And all others kept."""
    assert clean("a\x1eb\ud800c\ufffe\x7f") == "a\ufffdb\ufffdc\ufffd\ufffd"
    assert clean("plain/日本 é 😀") == "plain/日本 é 😀"


def test_the_pages_refer_to_no_network() -> None:
    """A policy forbids it, too."""
    for name, text in hostile().items():
        if name.endswith(("html", "svg")):
            assert not re.search(r"(?:src|href)\s*=\s*[\"']?(?:https?:)?//", text)
        if name.endswith("html"):
            assert "default-src 'none'" in text


def test_the_picture_says_what_qualifies_it() -> None:
    """In words, in the picture itself and in its description."""
    svg = files(graph("tf_resnet50_fp32.profile"), "ResNet50", TEMPLATES)["flamegraph.svg"]
    words = " ".join(ET.fromstring(svg).itertext())
    for said in (
        "profiled layer time",
        "one sample",
        "mode anchor",
        "86.4 %",
        "reformat 2.7 %",
        "unattributed 0.0 %",
        "31 without",
    ):
        assert words.count(said) >= 2


def test_frames_are_as_wide_as_their_time() -> None:
    """In percent of the whole; children inside their parents."""
    svg = files(graph("tf_resnet50_fp32.profile"), "t", TEMPLATES)["flamegraph.svg"]
    group = next(g for g in ET.fromstring(svg).iter(f"{SVG}g") if g.get("class") == "fs")
    frames = [(f.find(f"{SVG}title"), float(f.attrib["x"][:-1]), float(f.attrib["width"][:-1])) for f in group]
    named = {(title.text or "").splitlines()[0]: width for title, _, width in frames if title is not None}
    assert named["all"] == 100
    assert named["conv1_relu"] == pytest.approx(100 * 433.152 / 12399.744, abs=1e-4)
    assert all(0 <= x <= x + width <= 100.001 for _, x, width in frames)


def test_layers_too_small_to_see_are_one_frame() -> None:
    """Named by their number; none of their time is lost."""
    rows = [("a/big/Conv", 100.0), *((f"a/tiny{i}/Conv", 0.001) for i in range(50))]
    svg = files(flame_graph(read_profile(trtexec(*rows))), "t", TEMPLATES)["flamegraph.svg"]
    assert "(50 small layers)" in svg
    assert "tiny7" not in svg


def test_five_thousand_frames_stay_below_a_megabyte() -> None:
    """So that a browser opens them in a moment."""
    names = [
        f"net/stage_{i // 500}/block_{i // 20}/unit_{i}/Conv2D + net/stage_{i // 500}/r_{i}/Relu" for i in range(2500)
    ]
    rows = [(name, 0.01 + i % 7 / 1e3) for i, name in enumerate(names)]
    svg = files(flame_graph(read_profile(trtexec(*rows))), "t", TEMPLATES)["flamegraph.svg"]
    assert svg.count("<title>") > 5000
    assert len(svg.encode()) < 1_000_000


def test_what_vanished_is_visible() -> None:
    """In the picture with the old widths, and in the list."""
    new, old = graph("tf_resnet50_qat.profile"), graph("tf_resnet50_fp32.profile")
    made = files(new, "t", TEMPLATES, difference(new, old))
    assert "− gone conv1_relu" in made["difference-old.svg"]
    assert "− gone conv1_relu" not in made["difference.svg"]
    assert "+ new quant_conv1_conv" in made["difference.svg"]
    assert "<code>resnet50/conv1_relu</code></td><td>vanished" in made["difference.html"]


def test_another_hash_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    """In two processes, every file."""
    script = (
        "import sys; from trtbuild.cli.main import run; p, out = sys.argv[1:]; "
        "run(['flamegraph', p + '/tf_resnet50_qat.profile.json', '--diff', p + '/tf_resnet50_fp32.profile.json', "
        "'--rename', 'quant_=', '-o', out])"
    )
    for seed in ("1", "2"):
        argv = [sys.executable, "-c", script, str(path("x").parent), str(tmp_path / seed)]
        subprocess.run(
            argv, check=True, env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(packaged.__file__).parents[1])}
        )
    first, second = ({f.name: f.read_bytes() for f in (tmp_path / seed).iterdir()} for seed in ("1", "2"))
    assert len(first) == 11
    assert first == second


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    """No file, no temporary, what was there before as it was."""
    (tmp_path / "flamegraph.trace.json").mkdir()
    (tmp_path / "flamegraph.svg").write_text("old")
    with pytest.raises(OSError):
        write_all(graph("tf_resnet50_qat.profile"), tmp_path / "flamegraph.svg", title="t", templates=TEMPLATES)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["flamegraph.svg", "flamegraph.trace.json"]
    assert (tmp_path / "flamegraph.svg").read_text() == "old"


def test_the_table_is_the_whole_truth(tmp_path: Path) -> None:
    """Scopes and layers each add up to the total."""
    write_all(graph("tf_resnet50_fp32.profile"), tmp_path, title="t", templates=TEMPLATES)
    document = load(tmp_path, "flamegraph.json")
    assert sum(scope["time_ns"] for scope in document["scopes"]) == document["summary"]["total_ns"] == 12_399_744
    assert sum(layer["time_ns"] for layer in document["layers"]) == 12_399_744
    assert len(document["layers"]) == 103


def test_separators_in_names_do_not_split_a_stack() -> None:
    """';' is the folded format's own."""
    assert folded(flame_graph(read_profile(trtexec(("a;b/c\nd/Conv", 0.005))))) == "a,b;c\ufffdd;Conv 5\n"
