"""A real engine in a bundle: verified by OpenSSL too, and by the loader with the real TensorRT-RTX."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from trtbuild.loader import BundleError, load
from trtbuild.loader.device import InstalledRuntime
from trtbuild.machine.gpu import find_device

pytestmark = pytest.mark.slow

WORDS = ("model=tiny", "precision=fp16", "layers=off")


def test_a_real_bundle_is_made_again_and_loaded_where_it_belongs(workspace: Path, tmp_path: Path, trtbuild) -> None:
    """The version is the one that is installed; without a GPU the loader stops there."""
    key, public = tmp_path / "key.pem", tmp_path / "key.pub.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True)
    trtbuild(*WORDS, check=0)
    first, second = tmp_path / "first", tmp_path / "second"
    said = trtbuild("bundle", *WORDS, "-o", str(first), f"--key={key}", check=0).stderr
    other = shutil.copytree(workspace, tmp_path / "elsewhere" / "ws", symlinks=True)
    trtbuild("bundle", *WORDS, "-o", str(second), f"--key={key}", check=0, cwd=other)
    openssl = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", public, "-rawin", "-in", first / "manifest.json"]

    assert "executed: no" in said
    assert not subprocess.run(["diff", "-r", first, second], capture_output=True).stdout
    assert subprocess.run([*openssl, "-sigfile", first / "manifest.sig"], capture_output=True).returncode == 0
    assert json.loads(trtbuild("verify", str(first), f"--key={public}", "--json", check=0).stdout)["verdict"] == "pass"
    manifest = json.loads((first / "manifest.json").read_text("ascii"))
    assert manifest["engine"]["version"] == InstalledRuntime().version("tensorrt-rtx")
    device = find_device()
    if device is None or device.compute_capability not in manifest["engine"]["compute_capabilities"]:
        with pytest.raises(BundleError, match=r"device: .*"):
            load(first, key=public)
    else:
        assert load(first, key=public).self_test().passed
