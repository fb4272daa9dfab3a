"""Tests of the import direction, which is the architecture, and of what the command line loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import trtbuild

PACKAGE = Path(trtbuild.__path__[0])
LAYERS = ("bugreport", "checker", "core", "demo", "executors", "flame", "kit", "quantizers", "records", "reducing",
          "remote", "reports", "runtimes", "steps", "suite", "worker")  # fmt: skip
HEAVY = {"tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime", "tensorrt", "tensorrt_rtx", "polygraphy", "dvc",
         "hydra", "omegaconf", "uv", "jinja2", "plotly", "rich", "yaml", "filelock", "pathspec", "psutil"}  # fmt: skip

# What each layer, or module beside them, may import of trtbuild while it is imported.
MAY_IMPORT: dict[str, set[str]] = {
    "__init__": set(),
    "__main__": {"cli"},
    "errors": set(),
    "files": {"core", "errors"},
    "noop": {"shortcut"},
    "shortcut": set(),
    "packaged": set(),
    "device": set(),
    "gpu": {"errors"},
    "fitness": {"core", "errors", "gpu"},
    "worker": set(),
    "render": set(),
    "reports": {"core", "reports"},
    "cli": set(),
    "core": {"core", "errors"},
    "workspace": {"errors"},
    "toolchains": {"core", "errors", "uvenv"},
    "uvenv": {"errors"},
    "tracking": {"core", "errors", "files"},
    "status": {"core", "errors"},
    "steps": {"core", "errors", "steps"},
    "runtimes": {"errors", "runtimes"},
    "quantizers": {"quantizers"},
    "kit": {"core", "errors", "files", "kit", "quantizers", "runtimes"},
    "records": {"core", "errors", "files", "records", "shortcut", "tracking", "workspace"},
    "store": {"core", "files", "records", "tracking", "workspace"},
    "executors": {"core", "errors", "executors"},
    "sandbox": {"core", "errors", "executors"},
    "checker": {
        "checker",
        "config",
        "core",
        "errors",
        "executors",
        "files",
        "packaged",
        "probing",
        "toolchains",
        "tracking",
        "workspace",
    },
    "probing": {"core", "errors", "executors"},
    "remote": {"core", "errors", "files", "records", "remote", "status", "store", "tracking", "workspace"},
    "builder": {"core", "errors", "executors", "records", "remote", "sandbox", "status", "store", "tracking"},
    "composed": {"noop", "shortcut"},
    "config": {"composed", "core", "device", "errors", "gpu", "packaged"},
    "rerun": {"core", "errors", "executors", "files", "records", "sandbox", "toolchains", "tracking", "workspace"},
    "newworkspace": {"core", "errors", "executors", "files", "packaged", "sandbox", "tracking", "workspace"},
    "transfer": {"core", "planned", "remote", "status", "summary"},
    "sweep": {"config", "errors"},
    "toolchainverb": {"config", "core", "errors", "packaged", "toolchains", "workspace"},
    "planned": {"composed", "config", "core", "errors", "sourcefiles", "steps", "store", "sweep", "workspace"},
    "sourcefiles": {"core", "errors", "store"},
    "summary": {"builder", "core", "planned", "store"},
    "sweeppage": {"baseline", "builder", "core", "errors", "packaged", "planned", "summary"},
    "verbs": {
        "builder",
        "building",
        "composed",
        "config",
        "core",
        "errors",
        "gpu",
        "noop",
        "packaged",
        "planned",
        "status",
        "summary",
        "tracking",
        "workspace",
    },
    "building": {"builder", "core", "errors", "fitness", "planned", "status", "summary"},
    "upgrade": {
        "baseline",
        "building",
        "comparison",
        "config",
        "core",
        "errors",
        "packaged",
        "planned",
        "status",
        "sweep",
        "sweeppage",
        "workspace",
    },
    "api": {"builder", "building", "core", "errors", "planned", "status", "summary", "workspace"},
    "bisect": {"builder", "building", "core", "errors", "planned", "sweep", "sweeppage", "workspace"},
    "baseline": {"core", "errors", "files"},
    "comparison": {"baseline", "builder", "core", "errors", "planned", "workspace"},
    "flame": {"errors", "flame"},
    "flamegraph": {"errors", "flame", "packaged"},
    "demo": {"demo"},
    "reducing": {"core", "errors", "files", "kit", "probing", "reducing", "suite", "workspace"},
    "bugreport": {
        "__init__",
        "bugreport",
        "config",
        "core",
        "device",
        "errors",
        "executors",
        "files",
        "probing",
        "reducing",
        "suite",
    },
    "suite": {
        "config",
        "core",
        "device",
        "errors",
        "files",
        "packaged",
        "probing",
        "suite",
        "toolchains",
        "tracking",
        "workspace",
    },
}
# What a layer may reach from inside its functions besides: only a step's run() reaches the tools.
MAY_REACH: dict[str, set[str]] = {
    "__init__": {"api"},
    "core": set(),
    "checker": {"__init__", "kit", "remote", "steps", "store"},
    "reports": {"files", "render"},
    "steps": {"device", "files", "flame", "gpu", "kit", "packaged", "render", "reports", "runtimes"},
    "worker": {"core", "errors"},
    "cli": {"__init__", "core", "errors", "noop", "verbs"},
    "runtimes": {"kit"},
    "kit": {"runtimes"},
    "flame": {"files", "render"},
    "flamegraph": {"core"},
    "sweeppage": {"reports"},
    "building": {"executors", "toolchains"},
    "upgrade": {"files", "remote", "reports", "transfer"},
    "verbs": {
        "bisect",
        "bugreport",
        "checker",
        "comparison",
        "flamegraph",
        "newworkspace",
        "reducing",
        "rerun",
        "suite",
        "sweeppage",
        "toolchainverb",
        "transfer",
        "upgrade",
    },
    "rerun": {"steps"},
    "suite": {"kit", "quantizers", "render", "runtimes", "worker"},
    "reducing": {
        "building",
        "checker",
        "config",
        "kit",
        "planned",
        "quantizers",
        "runtimes",
        "steps",
        "store",
        "toolchains",
    },
    "bugreport": {"checker", "kit", "tracking"},
}
NUMPY_AT_THE_TOP = {"kit", "quantizers", "demo"}
FILES = sorted(path for path in PACKAGE.rglob("*.py"))


def place(path: Path) -> str:
    """The layer of a file, or its own name beside the layers."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Every import of a file as a dotted name, and whether it runs when the file is imported."""

    def walk(node: ast.AST, top: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, ast.Import):
                yield from ((alias.name, top) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, "imports are absolute"
                yield from ((f"{child.module}.{alias.name}", top) for alias in child.names)
            inside = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from walk(child, top and not inside)

    return walk(ast.parse(path.read_text("utf-8")), True)


def of_ours(path: Path, *, top: bool) -> set[str]:
    names = {name for name, at_top in imports(path) if at_top is top and name.startswith("trtbuild.")}
    modules = {place.stem for place in PACKAGE.iterdir() if place.suffix == ".py"} | set(LAYERS)
    return {part if (part := name.split(".")[1]) in modules else "__init__" for name in names}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_one_way(path: Path) -> None:
    """A file imports what its layer may, and reaches from inside a function no more than is written down."""
    layer = place(path)

    assert of_ours(path, top=True) <= MAY_IMPORT[layer]
    assert of_ours(path, top=False) <= MAY_IMPORT[layer] | MAY_REACH.get(layer, set())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_heavy_packages_are_imported_where_they_are_used(path: Path) -> None:
    """Inside the function that runs; numpy stands at the top of files that only such functions reach."""
    names = {name.split(".")[0] for name, top in imports(path) if top}

    assert not names & HEAVY
    assert "numpy" not in names or place(path) in NUMPY_AT_THE_TOP


@pytest.mark.parametrize(
    "path", [p for p in FILES if place(p) in ("core", "flame", "worker")], ids=lambda path: path.stem
)
def test_core_flame_and_worker_need_the_standard_library_only(path: Path) -> None:
    """They run where nothing of ours is installed."""
    names = {name.split(".")[0] for name, _ in imports(path)}

    assert names <= sys.stdlib_module_names | {"trtbuild"}


def loaded_by(statement: str) -> set[str]:
    script = f"import sys; {statement}; print(*sys.modules)"
    return set(
        subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True).stdout.split()
    )


def test_the_command_line_loads_nothing_heavy() -> None:
    """`import trtbuild.cli.main`, and the answer to an unchanged build, cost the standard library."""
    loaded = loaded_by("import trtbuild.cli.main, trtbuild.cli.noop")

    assert "trtbuild.cli.main" in loaded
    assert not loaded & (HEAVY | {"numpy", "trtbuild.store", "trtbuild.building.loop", "trtbuild.config"})


def test_importing_the_package_loads_nothing_of_it() -> None:
    """What it offers is loaded when it is asked for, and then without a tool."""
    ours = {name for name in loaded_by("import trtbuild") if name.startswith("trtbuild")}
    loaded = loaded_by("from trtbuild import build, plan, load")

    assert ours == {"trtbuild"}
    assert "trtbuild.api" in loaded and not loaded & (HEAVY | {"numpy"})


def test_a_plan_loads_no_tool() -> None:
    """Declaring every step needs neither TensorFlow nor ONNX, nor numpy."""
    loaded = loaded_by(
        "from trtbuild.steps import Declarations; list(Declarations().values()); import trtbuild.cli.verbs"
    )

    assert {"trtbuild.steps.export", "trtbuild.steps.engine", "trtbuild.cli.verbs"} <= loaded
    assert not loaded & (HEAVY | {"numpy"})


def test_the_table_names_what_there_is() -> None:
    """A module that is gone leaves no rule behind."""
    assert set(MAY_IMPORT) == {place(path) for path in FILES}
