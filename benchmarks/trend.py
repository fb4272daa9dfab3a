"""A generated repository of many commits with records, and how long its trend takes, as a whole process."""

from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.measure import run

COMMITS, RUNS = 500, 7
VARIANT = {
    "id": "net-int8-rtx-1.7-onnxruntime", "model": "net", "precision": "int8", "tensorrt": "rtx-1.7",
    "runtime": "onnxruntime", "target": "portable", "calibration": "minmax",
}  # fmt: skip
REPORT = "report-int8-rtx-1.7-onnxruntime-0a1b2c3d"
Files = Mapping[str, bytes | None]  # by path; None: deleted


def variant(model: str = "net", precision: str = "int8") -> dict[str, str]:
    own = {"id": f"{model}-{precision}-rtx-1.7-onnxruntime", "model": model, "precision": precision}
    return {**VARIANT, **own}


def summary(i: int, model: str = "net", precision: str = "int8") -> dict[str, object]:
    """summary.json of the i-th commit."""
    return {
        "schema_version": 1, "variant": variant(model, precision), "verdict": "pass" if i % 7 else "fail",
        "task": {"metric": "top1", "score": 0.9 + i * 1e-4, "source": 0.95, "higher_is_better": True, "fell": []},
        "deviation": {"rmse": 0.01 + 1e-5 * (i % 13), "cosine": 0.999}, "plan_bytes": 4_000_000 + 1000 * i,
        "moved_bytes": 50_000_000 - 10_000 * i, "layers": 80, "p50_ms": 2.0 + 0.01 * (i % 17),
    }  # fmt: skip


def lock(i: int, model: str = "net", precision: str = "int8") -> bytes:
    """dvc.lock of the report, as the store writes it."""
    deps = "".join(
        f"    - path: ../{path}\n      hash: md5\n      md5: {i:032x}\n      size: 1000\n"
        for path in ("deviation-int8-0/deviation.json", "engine-int8-0/passport.json", "validate-int8-0/verdict.json")
    )
    facts = "".join(f"            {key}: {value}\n" for key, value in variant(model, precision).items())
    return (
        "schema: '2.0'\nstages:\n  report:\n    cmd: trtbuild step report\n    deps:\n" + deps
        + f"    params:\n      params.yaml:\n        kind: report\n        params:\n          variant:\n{facts}"
        + "            opset: 17\n        version: 5\n    outs:\n    - path: report.json\n      hash: md5\n"
        + f"      md5: {i:032x}\n      size: 100000\n"
    ).encode()  # fmt: skip


def records(i: int, model: str = "net", precision: str = "int8") -> Files:
    """What the i-th commit changes."""
    folder = f"build/{model}/{REPORT.replace('int8', precision)}"
    made = json.dumps(summary(i, model, precision), indent=1, sort_keys=True).encode()
    return {f"{folder}/dvc.lock": lock(i, model, precision), f"{folder}/summary.json": made}


def repository(folder: Path, commits: list[tuple[str, Files]]) -> Path:
    """A workspace whose history has these commits (subject and files), one a day; by one ``git fast-import``."""
    subprocess.run(["git", "init", "-q", "-b", "main", str(folder)], check=True)
    stream = b""
    for i, (subject, files) in enumerate(commits):
        who = f"A <a@example.org> {1_700_000_000 + 86_400 * i} +0000\n"
        stream += f"commit refs/heads/main\nmark :{i + 1}\nauthor {who}committer {who}".encode()
        stream += b"data %d\n%s\n" % (len(subject.encode()), subject.encode())
        stream += f"from :{i}\n".encode() if i else b""
        for path, content in files.items():
            if content is None:
                stream += f"D {path}\n".encode()
            else:
                stream += f"M 100644 inline {path}\n".encode() + b"data %d\n%s\n" % (len(content), content)
    subprocess.run(["git", "-C", str(folder), "fast-import", "--quiet"], input=stream, check=True)
    subprocess.run(["git", "-C", str(folder), "reset", "-q", "--hard", "main"], check=True)
    (folder / "conf" / "model").mkdir(parents=True, exist_ok=True)
    (folder / ".dvc").mkdir(exist_ok=True)
    (folder / "conf" / "config.yaml").touch()
    return folder


def measure(scratch: Path, trtbuild: str, say: Callable[[str, str, str], None]) -> None:
    root = repository(scratch / "history", [(f"Change {i}", records(i)) for i in range(COMMITS)])
    for what, words in (("table", []), ("page", ["-o", str(scratch / "trend.html")])):
        taken = [run([trtbuild, "trend", "model=net", *words], root).seconds for _ in range(RUNS)]
        median = f"{statistics.median(taken):.2f} s (largest {max(taken):.2f}, n={RUNS})"
        say(f"trend over {COMMITS} commits, {what}", median, "bar 1.0 s")
