"""Tests of what the config edge finds out: the workspace files that a callable is made of."""

from __future__ import annotations

from pathlib import Path

from trtbuild.config import workspace_code


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")


def test_a_callable_is_made_of_all_it_imports_in_the_workspace(tmp_path: Path) -> None:
    """Directly or not, absolute or relative, inside functions or not, in a circle or not."""
    files = {
        "nets/__init__.py": "",
        "nets/make.py": "import numpy\nfrom nets.layers import conv\ndef net():\n    from . import blocks\n",
        "nets/layers.py": "from nets import make",
        "nets/blocks.py": "from .deep import x",
        "nets/deep.py": "x = 1",
        "nets/other.py": "unrelated = 1",
    }
    write(tmp_path, files)

    wanted = ("nets/blocks.py", "nets/deep.py", "nets/layers.py", "nets/make.py")
    assert workspace_code(tmp_path, "nets.make:net") == wanted


def test_a_callable_from_elsewhere_has_no_file_here(tmp_path: Path) -> None:
    """An installed package is covered by its version."""
    assert workspace_code(tmp_path, "keras.applications.ResNet50") == ()


def test_a_file_that_is_no_python_is_still_an_input(tmp_path: Path) -> None:
    """The step that imports it will say what is wrong."""
    write(tmp_path, {"broken.py": "def ("})

    assert workspace_code(tmp_path, "broken:make") == ("broken.py",)
