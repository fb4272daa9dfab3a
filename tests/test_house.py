"""Tests of the house: imports go downward only, no circle of files, and heavy packages stay inside functions."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import trtbuild

PACKAGE = Path(trtbuild.__path__[0])
# From the roof to the ground: a file imports from its own folder and from those below it.
FOLDERS = (
    "__main__", "__init__", "api", "cli",
    "pipeline", "bundle", "selftest", "bugreport", "reducing", "suite", "checker",
    "building", "steps", "reports", "layers", "deviation", "auto", "engine", "latency", "workers", "remote",
    "loader", "runtimes", "sources", "trt", "graphs", "quantizers", "arrays",
    "config", "store", "toolchains", "machine", "core", "documents", "base", "demo",
)  # fmt: skip
HEAVY = {"tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime", "tensorrt", "tensorrt_rtx", "polygraphy", "dvc",
         "hydra", "omegaconf", "uv", "jinja2", "plotly", "rich", "yaml", "filelock", "pathspec", "psutil",
         "jsonschema", "cryptography"}  # fmt: skip
# Their files are reached from inside functions only, and may have numpy at the top.
NUMERIC = {"auto", "selftest", "layers", "deviation", "latency", "runtimes", "trt", "graphs", "quantizers", "arrays",
           "demo"}  # fmt: skip
STANDARD_LIBRARY_ONLY = (
    "base",
    "core",
    "engine",
    "latency/flame",
    "workers/run.py",
)  # they run where nothing of ours is installed
MOST_LINES = 300
FILES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}


@cache
def imports(file: str) -> tuple[tuple[str, bool], ...]:
    """Every import of a file as a dotted name, and whether it runs when the file is imported."""

    def walk(node: ast.AST, top: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            checking = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            if isinstance(child, ast.Import):
                yield from ((alias.name, top) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{file}: imports are absolute"
                yield from ((f"{child.module}.{alias.name}", top) for alias in child.names)
            inside = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from walk(child, top and not inside and not checking)

    return tuple(walk(ast.parse(FILES[file].read_text("utf-8")), True))


def file_of(name: str) -> str | None:
    """The file that an import of ``trtbuild.…`` reads, be the last part a module or a name in one."""
    parts = name.split(".")[1:]
    for count in (len(parts), len(parts) - 1):
        stem = "/".join(parts[:count])
        for file in (f"{stem}.py", f"{stem}/__init__.py"):
            if count and file in FILES:
                return file
    return None


def ours(file: str) -> set[str]:
    found = {file_of(name) for name, _ in imports(file) if name.startswith("trtbuild.")}
    return {other for other in found if other is not None and other != file}


def folder(file: str) -> str:
    return file.partition("/")[0].removesuffix(".py")


def test_imports_go_downward() -> None:
    """Those inside functions and of types too."""
    rank = {name: i for i, name in enumerate(FOLDERS)}
    assert [
        f"{f} <- {o}" for f in FILES for o in ours(f) if folder(f) != "__init__" and rank[folder(f)] > rank[folder(o)]
    ] == []


def test_there_is_no_circle_of_files() -> None:
    """Nor one through a function or a type."""
    try:
        TopologicalSorter({file: ours(file) for file in FILES if file != "__init__.py"}).prepare()
    except CycleError as error:
        raise AssertionError(" <- ".join(error.args[1])) from None


def test_the_root_has_three_files_at_most() -> None:
    """The package's own, its way in, and the Python interface."""
    assert {file for file in FILES if "/" not in file} <= {"__init__.py", "__main__.py", "api.py"}


def test_files_are_short() -> None:
    """A file that is longer has two jobs."""
    root = PACKAGE.parent
    files = [path for folder in ("trtbuild", "tests", "benchmarks") for path in (root / folder).rglob("*.py")]
    lengths = {str(path.relative_to(root)): len(path.read_text("utf-8").splitlines()) for path in files}

    assert {file: length for file, length in lengths.items() if length > MOST_LINES} == {}


def test_heavy_packages_are_imported_where_they_are_used() -> None:
    """Inside the function that runs."""
    at_the_top = {file: {name.split(".")[0] for name, top in imports(file) if top} for file in FILES}

    assert {file: names & HEAVY for file, names in at_the_top.items() if names & HEAVY} == {}
    assert {file for file, names in at_the_top.items() if "numpy" in names and folder(file) not in NUMERIC} == set()


def test_what_runs_anywhere_needs_the_standard_library_only() -> None:
    """In a toolchain's interpreter, and in a training process."""
    for file in FILES:
        if file.startswith(STANDARD_LIBRARY_ONLY):
            assert {name.split(".")[0] for name, _ in imports(file)} <= sys.stdlib_module_names | {"trtbuild"}, file


def loaded_by(statement: str) -> set[str]:
    script = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    return set(done.stdout.split())


def test_the_command_line_loads_nothing_heavy() -> None:
    """The answer to an unchanged build costs the standard library, and little of it."""
    loaded = loaded_by("import trtbuild.cli.main, trtbuild.cli.noop")

    assert "trtbuild.cli.main" in loaded
    assert not loaded & (HEAVY | {"numpy", "argparse", "trtbuild.store", "trtbuild.building.loop", "trtbuild.config"})


def test_importing_the_package_loads_nothing_of_it() -> None:
    """What it offers is loaded when it is asked for, and then without a tool."""
    loaded = loaded_by("from trtbuild import build, plan, load")

    assert {name for name in loaded_by("import trtbuild") if name.startswith("trtbuild")} == {"trtbuild"}
    assert "trtbuild.api" in loaded and not loaded & (HEAVY | {"numpy"})


def test_a_plan_loads_no_tool() -> None:
    """Declaring every step needs neither TensorFlow nor ONNX, nor numpy."""
    declare = "from trtbuild.steps import Declarations; list(Declarations().values())"
    loaded = loaded_by(f"{declare}; from trtbuild.cli import words; [words.command(verb) for verb in words.verbs()]")

    assert {"trtbuild.steps.export", "trtbuild.steps.engine", "trtbuild.cli.commands.build"} <= loaded
    assert not loaded & (HEAVY | {"numpy"})


def test_every_library_is_declared() -> None:
    """In pyproject.toml by its own name, or as a part of what is declared there."""
    declared = set(
        re.findall(r'^    "([A-Za-z0-9._-]+)[<>=]', (PACKAGE.parent / "pyproject.toml").read_text("utf-8"), re.M)
    )
    other_name = {
        "hydra": "hydra-core", "yaml": "pyyaml", "tensorrt_rtx": "tensorrt-rtx", "tensorflow": "tensorflow-cpu",
        "keras": "tensorflow-cpu", "h5py": "tensorflow-cpu", "google": "onnx", "ml_dtypes": "onnx",
        "typing_extensions": "onnx", "markupsafe": "jinja2", "fsspec": "dvc",
    }  # fmt: skip
    own = {"trtbuild", "pytest"}  # the suite runs inside a pytest that its user has
    files = [file for file in FILES if folder(file) != "demo"]
    roots = {name.partition(".")[0] for file in files for name, _ in imports(file)} - own - set(sys.stdlib_module_names)

    assert [root for root in sorted(roots) if other_name.get(root, root) not in declared] == []


def test_what_is_imported_exists_in_the_oldest_python() -> None:
    """Names of typing that Python 3.10 lacks; mypy looks at a newer one."""
    newer = ("NotRequired", "Required", "Self", "Never", "LiteralString", "Unpack", "TypeVarTuple", "assert_never",
             "assert_type", "reveal_type", "dataclass_transform", "override", "TypeAliasType", "ReadOnly")  # fmt: skip
    names = {f"typing.{name}" for name in newer} | {"enum.StrEnum", "datetime.UTC", "itertools.batched"}
    modules = {"tomllib", "asyncio.TaskGroup"}

    assert [f"{f}: {name}" for f in FILES for name, _ in imports(f) if name in names | modules] == []
