"""Layer times of a profiler export to a flame graph by TensorFlow name scope; standard library only.

profile = read_profile(path)                       # any form that is read: see profile.py
graph = flame_graph(profile, layers, scopes)       # every nanosecond of it in exactly one place
write_all(graph, folder, title="…", templates=…)   # SVG, page, folded, speedscope, Chrome trace, JSON
"""

from trtbuild.latency.flame.attribute import flame_graph
from trtbuild.latency.flame.diff import difference
from trtbuild.latency.flame.latency import read_latency
from trtbuild.latency.flame.layers import read_layers
from trtbuild.latency.flame.profile import read_profile
from trtbuild.latency.flame.reading import read_scopes
from trtbuild.latency.flame.rename import parse_rules
from trtbuild.reports.flamegraph import files, no_files, write_all

__all__ = [
    "difference",
    "files",
    "flame_graph",
    "no_files",
    "parse_rules",
    "read_latency",
    "read_layers",
    "read_profile",
    "read_scopes",
    "write_all",
]
