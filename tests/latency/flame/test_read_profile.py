"""Tests of reading profiles: real exports, every form, and files that are not profiles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.latency.flame.exports import path, trtexec, trtexec_text
from trtbuild.base.errors import ConfigError
from trtbuild.latency.flame import read_profile


@pytest.mark.parametrize(
    ("name", "total_ns", "rows", "count"),
    [
        ("tf_resnet50_fp32.profile", 12_399_744, 103, 1),
        ("tf_resnet50_qat.profile", 2_380_608, 63, 1),
        ("trt10_resnet18_fp16.profile", 363_516, 26, 21071),
        ("names_only_resnet18_qat.profile", 403_815_802, 86, 11),
    ],
)
def test_the_sum_of_real_exports_is_the_files_own(name: str, total_ns: int, rows: int, count: int) -> None:
    """To the nanosecond: rounding a layer takes nothing from the total."""
    profile = read_profile(path(name))
    assert (profile.total_ns, len(profile.rows), profile.iterations) == (total_ns, rows, count)


def test_names_are_taken_as_trtexec_writes_them(tmp_path: Path) -> None:
    """It escapes neither quotes nor backslashes, which is not JSON, or JSON with another name."""
    names = ['say "hi"', r"C:\new\table", "tab\tbed", "two\nlines", "a; b", "</script>", "\x1e\x1f", "é" * 2000]
    (tmp_path / "p.json").write_text(trtexec_text(*((name, 0.5) for name in names)), "utf-8")
    assert [row.name for row in read_profile(tmp_path / "p.json").rows] == names


@pytest.mark.parametrize("percentage", ["nan", "-nan", "-nan(ind)", "inf", "1e-05"])
def test_a_share_that_is_no_number_is_not_needed(tmp_path: Path, percentage: str) -> None:
    """trtexec divides by a total that may be zero."""
    (tmp_path / "p.json").write_text(trtexec_text(("a", 0.5), percentage=percentage))
    assert read_profile(tmp_path / "p.json").total_ns == 500_000


def test_duplicate_names_stay_separate_layers() -> None:
    """TensorRT does name two layers alike."""
    profile = read_profile(trtexec(("a", 1.0), ("a", 2.0), ("a", 0.0)))
    assert [row.time_ns for row in profile.rows] == [1_000_000, 2_000_000, 0]


@pytest.mark.parametrize(
    ("content", "total_ns", "iterations"),
    [
        ({"a": [1.0, 3.0], "b": [2.0, 2.0]}, 4_000_000, 2),
        ({"a": [1.0, 3.0], "twice": [1.0, 1.0, 2.0, 2.0]}, 5_000_000, 2),
        ([{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 2.0}], 4_000_000, 2),
        ([[["a", 1.0], ["a", 2.0]], [["a", 3.0], ["a", 2.0]]], 4_000_000, 2),
        ([[{"name": "a", "ms": 1.0}]], 1_000_000, 1),
        ([{"name": "a", "timeMs": 4.0, "averageMs": 2.0, "percentage": 100}], 2_000_000, None),
        ([{"count": 2}, {"name": "a", "timeMs": 4.0}], 2_000_000, 2),
        ([{"ph": "X", "name": "a", "ts": 0, "dur": 5}, {"ph": "X", "name": "a", "ts": 9, "dur": 7}], 6_000, 2),
        ({"profile": [{"count": 2}, {"name": "a", "timeMs": 4.0}]}, 2_000_000, 2),
    ],
)
def test_other_forms_are_read(content: Any, total_ns: int, iterations: int | None) -> None:
    """Samples by layer or by run, older exports, trace events."""
    profile = read_profile(content)
    assert (profile.total_ns, profile.iterations) == (total_ns, iterations)


def test_onnx_runtimes_first_run_is_warm_up() -> None:
    """Of five runs, four count; the latency is that of the same four."""
    profile = read_profile(path("ort_cpu_1.31.1.profile"))
    assert (profile.form, profile.iterations, profile.latency_ms) == ("onnxruntime", 4, 0.059)
    assert profile.rows[0].name == "r0_nchwc"
    assert profile.rows[0].samples_ns == (11_000, 7_000, 7_000, 7_000)


def test_the_body_of_a_loop_is_counted_once() -> None:
    """ONNX Runtime's event of an If or Loop lasts as long as its body."""
    events = [
        {
            "cat": "Node",
            "ph": "X",
            "name": "loop_kernel_time",
            "ts": 0,
            "dur": 100,
            "tid": 1,
            "args": {"op_name": "Loop"},
        },
        {
            "cat": "Node",
            "ph": "X",
            "name": "body_kernel_time",
            "ts": 10,
            "dur": 30,
            "tid": 1,
            "args": {"op_name": "Add"},
        },
        {
            "cat": "Node",
            "ph": "X",
            "name": "body_kernel_time",
            "ts": 50,
            "dur": 30,
            "tid": 1,
            "args": {"op_name": "Add"},
        },
    ]
    profile = read_profile(events)
    assert profile.total_ns == 100_000
    assert profile.rows[0].time_ns == 40_000


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the file is empty"),
        ('[ { "count" : 1 }\n, { "name" : "a", "timeM', "is not JSON at line 2"),
        ('[\n  { "count" : 1 }\n, { "name" : "a", "averageMs" : 1.2.3 }\n]', "is not JSON at line 3"),
        ('{"a": [1], "b": [2], "a": [3]}', '"a" occurs twice in one object'),
        ("[]", "holds no layer"),
        ('[{"count": 3}]', "holds no layer"),
        ('{"Layers": ["a"]}', "give it with --layers"),
        ('[{"computeMs": 1}]', "give it with --times"),
        ('{"performance_summary": {}}', "give it with --metadata"),
        ('{"a": "b"}', "expected a layer profile"),
        ("7", "expected a layer profile"),
        ('[{"count": 1}, {"name": "a", "averageMs": -0.5}]', "entry 1 ('a'): a layer's time cannot be -0.5 ms"),
        ('[{"count": 1}, {"name": "a", "averageMs": NaN}]', "entry 1 ('a'): a layer's time cannot be nan ms"),
        ('[{"count": 1}, {"name": "a", "averageMs": "x"}]', "expected a time in milliseconds"),
        ('[{"count": 1}, {"name": "a", "averageMs": 1}, 3]', "entry 2: expected a layer"),
        ('[{"count": 1}, {"name": 5, "averageMs": 1}]', "entry 1: expected a layer"),
        ('[{"count": -1}, {"name": "a", "averageMs": 1}]', "expected the number of iterations"),
        ('{"a": [1, -2]}', "layer 'a', sample 1: a layer's time cannot be -2 ms"),
        ('[{"a": 1}, {"b": 1}]', "run 1 has other layers than run 0, from layer 0 on"),
        ('[{"cat": "Session", "ph": "X", "name": "model_run", "ts": 1, "dur": 2}]', "no node event"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_profile_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    """Which file, which entry, what was expected."""
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(ConfigError, match=r"p\.json: ") as caught:
        read_profile(tmp_path / "p.json")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_measured_is_said(tmp_path: Path) -> None:
    """A count of 0 makes trtexec's averages 0/0."""
    text = trtexec_text(("a", 0.0), count=0, percentage="nan").replace('"averageMs" : 0', '"averageMs" : -nan')
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(ConfigError, match="no layer of the profile has any time"):
        read_profile(tmp_path / "p.json")


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_a_file_that_cannot_be_read_is_the_users(tmp_path: Path, name: str) -> None:
    """Exit status 2, not 3: another path mends it."""
    with pytest.raises(ConfigError, match="cannot read the file"):
        read_profile(tmp_path / name)


def test_bytes_that_are_no_text_are_said(tmp_path: Path) -> None:
    """An engine file, say."""
    (tmp_path / "p.json").write_bytes(b"[\xff\xff\x00")
    with pytest.raises(ConfigError, match="byte 1 is not UTF-8"):
        read_profile(tmp_path / "p.json")


def test_other_line_ends_are_read(tmp_path: Path) -> None:
    """trtexec on Windows."""
    (tmp_path / "p.json").write_bytes(trtexec_text((r"a\b/Conv", 1.0), ("c", 2.0)).replace("\n", "\r\n").encode())
    assert [row.name for row in read_profile(tmp_path / "p.json").rows] == [r"a\b/Conv", "c"]


def test_marks_of_a_shells_redirection_are_read_over(tmp_path: Path) -> None:
    """UTF-8 and UTF-16 byte order marks."""
    text = json.dumps(trtexec(("a", 1.0)))
    for encoding in ("utf-8-sig", "utf-16"):
        (tmp_path / "p.json").write_text(text, encoding)
        assert read_profile(tmp_path / "p.json").total_ns == 1_000_000
