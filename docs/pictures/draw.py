"""``python docs/pictures/draw.py``: the README's pictures, from a build of the demonstration model in this checkout.

It needs Chromium.  ``numbers.json`` keeps the checks that the pictures show; a slow test compares them with a build.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
VARIANT = ("model=segnet", "precision=int8")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SIZES_PX = {"overview": (1280, 890), "layers": (1280, 740)}  # pages, and the window in which each is shown


def trtbuild(*words: str) -> str:
    """Standard output of a command in this checkout."""
    argv = [sys.executable, "-m", "trtbuild", *words]
    return subprocess.run(argv, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def photograph(browser: str, page: Path, size_px: tuple[int, int], picture: Path) -> None:
    """A page as a PNG file; its charts are drawn by a script, which gets four seconds of its own clock."""
    argv = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=4000",
            f"--window-size={size_px[0]},{size_px[1]}", f"--screenshot={picture}", page.as_uri()]  # fmt: skip
    subprocess.run(argv, check=True, stderr=subprocess.DEVNULL)


def main() -> None:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit(f"no browser: install one of {', '.join(BROWSERS)}")
    trtbuild(*VARIANT)
    (variant,) = json.loads(trtbuild("show", *VARIANT, "--json"))["variants"]
    report = ROOT / variant["steps"]["report"]["folder"]
    for page, size_px in SIZES_PX.items():
        photograph(browser, report / f"{page}.html", size_px, HERE / f"{page}.png")
    shutil.copyfile(report / "flamegraph.svg", HERE / "flamegraph.svg")
    numbers = {"variant": variant["id"], "verdict": variant["verdict"], "checks": variant["metrics"]["checks"]}
    (HERE / "numbers.json").write_text(json.dumps(numbers, indent=1, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main()
