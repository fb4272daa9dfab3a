"""``python -m benchmarks [imports|flame|noop|memory|suite …]``: each against its baseline, side by side, in one run."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.flame import measure
from benchmarks.measure import Measured, run, say

ROOT = Path(__file__).resolve().parents[1]
TRTBUILD = str(Path(sys.executable).with_name("trtbuild"))
NOOP_RUNS, DVC_RUNS, COLD_RUNS, IMPORT_RUNS, PULL_RUNS = 20, 5, 3, 10, 7
HEAVY = ("tensorflow", "hydra", "omegaconf", "dvc", "onnx", "numpy", "jinja2", "rich", "yaml")


def fresh_workspace(folder: Path) -> Path:
    """A clone of the repository's committed files, its models pulled."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    subprocess.run([sys.executable, "-m", "dvc", "pull", "-q", "models.dvc"], cwd=folder, check=True)
    return folder


def noop(scratch: Path) -> None:
    """Nothing to do: the whole process, against ``dvc repro`` of the same records."""
    workspace = fresh_workspace(scratch / "noop")
    build = [TRTBUILD, "model=segnet", "precision=int8", "latency=off"]  # dvc repro would measure it again
    run(build, workspace)
    repro = [sys.executable, "-m", "dvc", "repro", "-q", "-R", "build"]
    run(repro, workspace)
    ours = [run(build, workspace).seconds for _ in range(NOOP_RUNS)]
    theirs = [run(repro, workspace).seconds for _ in range(DVC_RUNS)]
    mine, other = statistics.median(ours), statistics.median(theirs)
    say("nothing to do, whole process", f"{mine:.3f} s (max {max(ours):.3f}, n={len(ours)})", "bar 0.15 s")
    say("  dvc repro, same records", f"{other:.3f} s (n={len(theirs)})", f"{other / mine:.1f} times slower (bar 5)")


def cold(scratch: Path) -> None:
    """Cold build of mobilenet_v2 int8, against a plain script with the same tools; runs interleaved."""
    ours: list[Measured] = []
    plain: list[Measured] = []
    for i in range(COLD_RUNS):
        out = scratch / f"plain{i}"
        out.mkdir()
        plain.append(run([sys.executable, "-m", "benchmarks.plain", str(ROOT), "mobilenet_v2", str(out)], ROOT))
        workspace = fresh_workspace(scratch / f"cold{i}")
        ours.append(run([TRTBUILD, "model=mobilenet_v2", "precision=int8", "layers=off", "latency=off"], workspace))
    ratio = statistics.median(m.seconds for m in ours) / statistics.median(m.seconds for m in plain)
    for name, runs in (("plain script", plain), ("trtbuild", ours)):
        seconds = ", ".join(f"{m.seconds:.1f}" for m in runs)
        say(f"cold mobilenet_v2 int8, {name}", f"{seconds} s", f"peak {max(m.peak_bytes for m in runs) / 1e9:.2f} GB")
    say("  ratio of medians", f"{ratio:.2f}", "bar 1.10")


def earlier(scratch: Path) -> None:
    """Cold build of segnet int8 with all defaults, against the same at an earlier commit; runs interleaved."""
    from benchmarks import cold as builds

    builds.against_earlier(ROOT, scratch, "segnet int8", builds.SEGNET, 0.65)


def coldsweep(scratch: Path) -> None:
    """Cold sweep of 3 models x 3 precisions x 2 versions, against the same at an earlier commit."""
    from benchmarks import cold as builds

    builds.against_earlier(ROOT, scratch, "sweep of 18", builds.SWEEP, 0.75, pairs=1)


def steps(scratch: Path) -> None:
    """What a step costs from its submission to its record, beyond its own work."""
    from benchmarks import cold as builds

    builds.overhead(fresh_workspace(scratch / "steps"), ["model=lenet", "precision=int8", "latency=off"])


def pull(scratch: Path) -> None:
    """Pull of one variant from a local remote, against ``dvc pull`` of the same files; fresh clones, interleaved."""
    origin = fresh_workspace(scratch / "origin")
    words = ["model=segnet", "precision=int8"]
    run([TRTBUILD, *words], origin)
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "remote", "add", "-q", "-d", "store", str(scratch / "store")], cwd=origin, check=True)
    run([TRTBUILD, "push", *words], origin)
    for command in (["add", "-A"], ["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "records"]):
        subprocess.run(["git", *command], cwd=origin, check=True)
    seconds: dict[str, list[float]] = {"dvc": [], "ours": []}
    for i in range(PULL_RUNS):
        for name, argv in (("dvc", [*dvc, "pull", "-q", "-R", "build"]), ("ours", [TRTBUILD, "pull", *words])):
            clone = scratch / f"{name}{i}"
            subprocess.run(["git", "clone", "-q", str(origin), str(clone)], check=True)
            seconds[name].append(run(argv, clone).seconds)
            shutil.rmtree(clone)
    ours, theirs = statistics.median(seconds["ours"]), statistics.median(seconds["dvc"])
    say("pull of segnet int8, local remote", f"{ours:.2f} s (max {max(seconds['ours']):.2f}, n={PULL_RUNS})", "")
    say("  dvc pull, same files", f"{theirs:.2f} s (n={PULL_RUNS})", f"ratio {ours / theirs:.2f} (bar 1.5)")


def imports(scratch: Path) -> None:
    """``import trtbuild.cli.main`` against an empty interpreter, and what it loads."""
    del scratch
    code = f"import sys, trtbuild.cli.main; print([m for m in {HEAVY!r} if m in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    ).stdout.strip()
    empty = statistics.median(run([sys.executable, "-c", "pass"], ROOT).seconds for _ in range(IMPORT_RUNS))
    cli = statistics.median(
        run([sys.executable, "-c", "import trtbuild.cli.main"], ROOT).seconds for _ in range(IMPORT_RUNS)
    )
    say(
        "import trtbuild.cli.main",
        f"{cli - empty:.3f} s over an empty interpreter's {empty:.3f} s",
        f"heavy modules: {found}",
    )


def flame(scratch: Path) -> None:
    """A flame graph of 388 layers, and one of 5,000 frames."""
    for row in measure(scratch):
        say(*row)


def layers(scratch: Path) -> None:
    """Layer inspection: against one conversion for each op, against the bare runs; its memory."""
    from benchmarks import layers as inspection

    inspection.measure(scratch, fresh_workspace, TRTBUILD, ROOT)


def checker(scratch: Path) -> None:
    """The conversion checker: against the same conversion by hand; its memory in a training process."""
    del scratch
    from benchmarks import checker as conversion

    conversion.measure(ROOT)


def memory(scratch: Path) -> None:
    """Peak memory of every step of three networks, against its estimate."""
    from benchmarks import memory as peaks

    peaks.measure(scratch, peaks.APPLICATIONS)


def sweep(scratch: Path) -> None:
    """3 models x 3 precisions x 2 versions at once, against 18 builds that share nothing."""
    from benchmarks import sweep as sweeps

    sweeps.sharing(scratch, fresh_workspace, TRTBUILD)


def many(scratch: Path) -> None:
    """Nothing to do in a sweep of 256 variants."""
    from benchmarks import sweep as sweeps

    sweeps.nothing(scratch, TRTBUILD)


def scale(scratch: Path) -> None:
    """Planning 10,000 variants, reading the records of 1,000, and drawing the page of 10,000."""
    from benchmarks import scale as variants

    variants.measure(scratch, TRTBUILD)


def engines(scratch: Path) -> None:
    """All demonstration models in 5 precisions and 4 versions: their compiled engines, counted a second time."""
    from benchmarks import engines as compiled

    compiled.measure(ROOT, scratch)


def estimate(scratch: Path) -> None:
    """Lower bounds of engine layers against measured times of real exports."""
    from benchmarks import estimate as bounds

    bounds.measure(ROOT / "tests" / "data" / "trt_profiles")


def placement(scratch: Path) -> None:
    """Forms of int8 by version: the bytes that compiled engines move; writes docs/placement.md."""
    from benchmarks import placement as forms

    forms.measure(ROOT, scratch, fresh_workspace, TRTBUILD)


def types(scratch: Path) -> None:
    """All demonstration models in the low number types; writes docs/precisions.md."""
    from benchmarks import numbertypes

    numbertypes.measure(ROOT, scratch, fresh_workspace(scratch / "types"), TRTBUILD)


def findings(scratch: Path) -> None:
    """Useless pairs of quantisation in compiled engines, against the same graphs without them."""
    from benchmarks import findings as pairs

    pairs.measure(scratch)


def int8(scratch: Path) -> None:
    """Our int8 against that of onnxruntime.quantization and nvidia-modelopt, on six networks."""
    from benchmarks import int8 as libraries

    libraries.measure(ROOT, scratch)


def suite(scratch: Path) -> None:
    """The incompatible graphs: one version, a second, and nothing to do."""
    from benchmarks import suite as cases

    cases.measure(scratch, TRTBUILD)


def executor(scratch: Path) -> None:
    """A step's overhead by executor, and scaling over workers."""
    from benchmarks import executor as executors

    executors.measure(scratch)


def bundle(scratch: Path) -> None:
    """Single-byte changes in a signed bundle, and the same bundle made again."""
    from benchmarks import bundle as bundles

    bundles.measure(scratch, fresh_workspace, TRTBUILD)


def qat(scratch: Path) -> None:
    """Fake quantisation, imported: 36 networks against TensorFlow and against TensorRT."""
    from benchmarks import qat as trained

    trained.measure(scratch)


def perclass(scratch: Path) -> None:
    """Falls of single classes that were planted, and pairs that differ by chance alone."""
    del scratch
    from benchmarks import perclass as falls

    falls.measure(say)


def auto(scratch: Path) -> None:
    """The search for mixed precisions: against all assignments and a greedy search; the demonstration models."""
    from benchmarks import auto as searches

    searches.measure(scratch, TRTBUILD)


def trend(scratch: Path) -> None:
    """The trend of a model over 500 commits."""
    from benchmarks import trend as commits

    commits.measure(scratch, TRTBUILD, say)


BENCHMARKS: dict[str, Callable[[Path], None]] = {
    "imports": imports,
    "flame": flame,
    "noop": noop,
    "cold": cold,
    "earlier": earlier,
    "coldsweep": coldsweep,
    "steps": steps,
    "layers": layers,
    "checker": checker,
    "memory": memory,
    "pull": pull,
    "sweep": sweep,
    "many": many,
    "scale": scale,
    "suite": suite,
    "engines": engines,
    "estimate": estimate,
    "int8": int8,
    "placement": placement,
    "findings": findings,
    "types": types,
    "qat": qat,
    "perclass": perclass,
    "executor": executor,
    "bundle": bundle,
    "auto": auto,
    "trend": trend,
}


def main() -> None:
    for name in sys.argv[1:] or BENCHMARKS:
        with tempfile.TemporaryDirectory(prefix="trtbuild-benchmark-") as scratch:
            BENCHMARKS[name](Path(scratch))


if __name__ == "__main__":
    main()
