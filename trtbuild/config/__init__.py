"""Configs -> variants: the one way in (loading), and what other folders ask about options and code."""

from __future__ import annotations

from trtbuild.config.code import workspace_code
from trtbuild.config.composing import composed_option, default_option
from trtbuild.config.groups import GROUPS, check_choices, conf_folders, options, unknown
from trtbuild.config.loading import Loader, installed, load_variant, templates_digest

__all__ = [
    "GROUPS", "Loader", "check_choices", "composed_option", "conf_folders", "default_option", "installed",
    "load_variant", "options", "templates_digest", "unknown", "workspace_code",
]  # fmt: skip
