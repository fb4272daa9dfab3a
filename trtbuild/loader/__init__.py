"""Deployment bundles on the device: checked, loaded and tested with numpy and TensorRT alone (docs/bundle.md).

Of trtbuild's other dependencies it needs ``cryptography``, and that only if a key is given.
"""

from __future__ import annotations

from trtbuild.base.errors import BundleError
from trtbuild.loader.bundle import Bundle, open_bundle
from trtbuild.loader.engine import LoadedEngine, SelfTest, load

__all__ = ["Bundle", "BundleError", "LoadedEngine", "SelfTest", "load", "open_bundle"]
