"""Layer times of a profiler export to a flame graph by TensorFlow name scope; standard library only.

profile = read_profile(path)                       # any form that is read: see profile.py
graph = flame_graph(profile, layers, scopes)       # every nanosecond of it in exactly one place
# reports/flamegraph.py writes it: SVG, page, folded, speedscope, Chrome trace, JSON
"""

from trtbuild.latency.flame.attribute import flame_graph
from trtbuild.latency.flame.diff import difference
from trtbuild.latency.flame.latency import read_latency
from trtbuild.latency.flame.layers import read_layers
from trtbuild.latency.flame.profile import read_profile
from trtbuild.latency.flame.reading import read_scopes
from trtbuild.latency.flame.rename import parse_rules

__all__ = [
    "difference",
    "flame_graph",
    "parse_rules",
    "read_latency",
    "read_layers",
    "read_profile",
    "read_scopes",
]
