"""What the compiled engine does, read without a GPU: layers, types, bytes, memory; standard library only.

engine = read_engine(path)                 # from a layer file (trtexec --exportLayerInfo) or a build's log
"""

from trtbuild.engine.reading import engine, read_engine
from trtbuild.engine.values import Engine, EngineLayer, Memory, Tensor, Unread

__all__ = ["Engine", "EngineLayer", "Memory", "Tensor", "Unread", "engine", "read_engine"]
