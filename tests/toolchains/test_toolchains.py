"""Tests of TensorRT environments: the real uv and a wheel of a few lines instead of 300 MB."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from trtbuild import toolchains
from trtbuild.base.errors import ToolchainError
from trtbuild.toolchains import health, request
from trtbuild.toolchains.request import ToolchainRequest

WORKS = (
    "class Logger:\n    ERROR = 1\n    def __init__(self, s): pass\nclass Builder:\n    def __init__(self, l): pass\n"
)
NO_BUILDER = WORKS + "Builder = None\n"
HANGS = WORKS + "import pathlib, time\nif pathlib.Path('{flag}').exists(): time.sleep(60)\n"
ROOT = Path(__file__).resolve().parents[2]

Publish = Callable[..., ToolchainRequest]


@pytest.fixture
def publish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Publish:
    """Put a package into the only index there is, a folder; the cache is empty, and nobody remembers anything."""
    (tmp_path / "index").mkdir()
    for name, value in {
        "XDG_CACHE_HOME": tmp_path / "cache", "UV_CACHE_DIR": tmp_path / "uv", "UV_NO_INDEX": 1,
        "UV_FIND_LINKS": tmp_path / "index",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(toolchains, "_HELD", {})
    monkeypatch.setattr(toolchains, "_FAILED", {})

    def put(version: str = "0.0.1", module: str = WORKS, says: str = "") -> ToolchainRequest:
        with zipfile.ZipFile(tmp_path / "index" / f"tensorrt_rtx-{version}-py3-none-any.whl", "w") as wheel:
            info = f"tensorrt_rtx-{version}.dist-info"
            wheel.writestr("tensorrt_rtx.py", f"__version__ = '{says or version}'\n{module}")
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tensorrt-rtx\nVersion: {version}\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
        return ToolchainRequest("tensorrt-rtx", version, (f"tensorrt-rtx=={version}",), "rtx-0")

    return put


def elsewhere(want: ToolchainRequest, then: str = "") -> subprocess.Popen[str]:
    """Another process that asks for the interpreter."""
    script = (
        "import sys; from trtbuild import toolchains as t;"
        f"w = t.ToolchainRequest({want.flavour!r}, {want.version!r}, {want.requirements!r});"
        f"print(t.interpreter(w, note=print), flush=True); {then}"
    )
    argv = [sys.executable, "-c", script]
    return subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)


def left() -> list[str]:
    """What is in the cache besides locks and what was checked."""
    return sorted(path.name for path in request.cache().glob("*")
                  if path.suffix != ".lock" and path.name != "checked")  # fmt: skip


def test_a_missing_version_is_installed_once_and_runs(publish: Publish) -> None:
    """The interpreter has it; asking again installs nothing."""
    want, notes = publish(), []

    python = toolchains.interpreter(want, note=notes.append)
    assert toolchains.interpreter(want, note=notes.append) == python

    said = subprocess.check_output([python, "-c", "import tensorrt_rtx as t; print(t.__version__)"], text=True)
    assert said == "0.0.1\n"
    assert [note.split()[0] for note in notes] == ["install"]


def test_without_leave_to_install_the_error_says_what_to_run(publish: Publish) -> None:
    """And nothing was made."""
    with pytest.raises(ToolchainError, match="not installed") as error:
        toolchains.interpreter(publish(), install=False)

    assert error.value.hint == "run: trtbuild toolchain install rtx-0"
    assert left() == []


@pytest.mark.parametrize(
    ("module", "says", "why"),
    [(WORKS, "9.9", "9.9 is what its requirements install"), (NO_BUILDER, "", "cannot make a builder"),
     ("import no_such_library\n", "", "cannot be imported: ModuleNotFoundError")],
)  # fmt: skip
def test_what_was_installed_is_checked_before_it_counts(publish: Publish, module: str, says: str, why: str) -> None:
    """Exact version, importable, a builder; else nothing stays."""
    want = publish(module=module, says=says)

    with pytest.raises(ToolchainError, match=why):
        toolchains.interpreter(want)

    assert left() == []


def test_what_cannot_be_installed_is_tried_once(publish: Publish) -> None:
    """The next step of a sweep gets the same answer at once; the message is uv's reason and what to do."""
    want, notes = ToolchainRequest("tensorrt-rtx", "7.7", ("tensorrt-rtx==7.7",), "rtx-7"), []

    errors = []
    for _ in range(2):
        with pytest.raises(ToolchainError, match=r"cannot be installed.*tensorrt-rtx") as error:
            toolchains.interpreter(want, note=notes.append)
        errors.append(error.value)

    assert errors[0] is errors[1]
    assert "trtbuild toolchain install rtx-7" in str(errors[0])
    assert len(notes) == 1


def test_a_killed_install_leaves_nothing_that_counts(publish: Publish, tmp_path: Path) -> None:
    """kill -9 during the check; the next one sweeps what is left and completes."""
    flag = tmp_path / "hang"
    flag.touch()
    want = publish(module=HANGS.format(flag=flag))
    process = elsewhere(want)
    while not list(request.cache().glob(".tensorrt-rtx-*/lib/*/*/tensorrt_rtx.py")):
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert not toolchains.installed(want)
    flag.unlink()

    toolchains.interpreter(want)

    assert left() == [want.folder.name]


def test_two_builds_at_once_install_it_once(publish: Publish) -> None:
    """Both get the same interpreter."""
    want = publish()
    said = [process.communicate()[0].splitlines() for process in [elsewhere(want), elsewhere(want)]]

    assert said[0][-1] == said[1][-1] == str(want.folder / "bin" / "python")
    assert sum(line.startswith("install") for lines in said for line in lines) == 1


def test_what_a_build_uses_is_not_removed(publish: Publish) -> None:
    """Refused while the other process lives, done afterwards."""
    want = publish()
    user = elsewhere(want, then="sys.stdin.read()")
    assert user.stdout is not None
    while not user.stdout.readline().endswith("python\n"):
        pass

    with pytest.raises(ToolchainError, match="a build is using it"):
        toolchains.remove(want)
    user.communicate()

    assert toolchains.remove(want)
    assert not toolchains.remove(want)
    assert left() == []


def test_an_environment_is_used_where_its_lock_cannot_be_opened(publish: Publish) -> None:
    """A cache that is not ours to write, as a folder in the lock's place is not."""
    want = publish()
    toolchains.make(want, lambda line: None)
    lock = want.folder.with_name(f"{want.folder.name}.lock")
    lock.unlink()
    lock.mkdir()

    assert toolchains.interpreter(want, install=False) == want.folder / "bin" / "python"


def test_a_changed_environment_is_made_again(publish: Publish, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody upgraded a package in there: its record is another one."""
    want = publish()
    site = toolchains.interpreter(want).parents[1] / "lib"
    record = next(site.glob("*/site-packages/*.dist-info"))
    record.rename(record.with_name("tensorrt_rtx-0.0.2.dist-info"))
    for handle in toolchains._HELD.values():
        toolchains.os.close(handle)
    monkeypatch.setattr(toolchains, "_HELD", {})
    notes: list[str] = []

    toolchains.interpreter(want, note=notes.append)

    assert notes
    assert record.is_dir()


def test_this_environment_is_used_if_it_has_it_all() -> None:
    """By the installed distributions' versions."""
    from importlib.metadata import version

    have = version("tensorrt-rtx")
    want = ToolchainRequest("tensorrt-rtx", have, (f"tensorrt-rtx=={have}",))

    assert toolchains.interpreter(want, install=False) == Path(sys.executable)


def test_version_and_requirements_have_to_agree() -> None:
    """Or the wrong version would be installed first and refused afterwards."""
    with pytest.raises(ToolchainError, match=r"1\.0 is declared, but tensorrt-rtx==2\.0 is required"):
        toolchains.interpreter(ToolchainRequest("tensorrt-rtx", "1.0", ("tensorrt-rtx==2.0",)))


def test_a_relative_cache_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the XDG base directory specification says."""
    monkeypatch.setenv("XDG_CACHE_HOME", "somewhere")

    assert request.cache() == Path.home() / ".cache" / "trtbuild" / "toolchains"


def empty(library: Path) -> None:
    library.write_bytes(b"")


@pytest.mark.parametrize("damage", [empty, Path.unlink])
def test_a_library_that_is_gone_or_empty_makes_it_broken(
    publish: Publish, damage: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is called broken, by use; an unchanged one is not tried again; the next install mends it."""
    want, tried = publish(), []
    toolchains.interpreter(want)
    (library,) = want.folder.glob("lib/*/site-packages/tensorrt_rtx.py")
    use = health.use
    monkeypatch.setattr(health, "use", lambda *words: tried.append(words) or use(*words))
    monkeypatch.setattr(health, "_known", {})
    assert toolchains.installed(want) and not tried
    damage(library)

    assert "cannot be imported" in str(toolchains.flaw(want)) or "has no attribute" in str(toolchains.flaw(want))
    assert len(tried) == 1
    for handle in toolchains._HELD.values():
        toolchains.os.close(handle)
    monkeypatch.setattr(toolchains, "_HELD", {})
    with pytest.raises(ToolchainError, match="is installed, but"):
        toolchains.interpreter(want, install=False)
    monkeypatch.setattr(toolchains, "_FAILED", {})
    toolchains.interpreter(want)
    assert toolchains.installed(want)


def test_a_broken_one_of_this_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its packages' records are right; another environment is made instead."""
    here = importlib.metadata.version("tensorrt-rtx")
    want = ToolchainRequest("tensorrt-rtx", here, (f"tensorrt-rtx=={here}",))
    monkeypatch.setattr(health, "flaw", lambda *words: "cannot be imported: ImportError: file too short")

    assert toolchains.in_this_environment(want) == (
        False, "that of this environment cannot be imported: ImportError: file too short",
    )  # fmt: skip
