"""Importing this compiles the templates of a variant's pages, so that forks need not (workers/zygote.py)."""

from trtbuild.base.packaged import packaged_templates
from trtbuild.reports.render import environment_of

_PAGES = ("base", "deviation", "engine", "flamegraph", "latency", "layers", "macros", "overview", "tables", "task")

_environment = environment_of(packaged_templates())
for _name in _environment.list_templates(filter_func=lambda name: name.split(".")[0] in _PAGES):
    _environment.get_template(_name)
