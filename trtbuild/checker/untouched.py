"""State of the training process that a check must leave as it was: random generators."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator


@contextlib.contextmanager
def random_state() -> Iterator[None]:
    """Python's, NumPy's and TensorFlow's global generators are afterwards as they were."""
    import numpy as np
    import tensorflow as tf
    from tensorflow.python.eager import context

    python, arrays = random.getstate(), np.random.get_state()
    eager = context.context()
    rng = getattr(eager, "_rng", None)
    drawn = rng.getstate() if rng is not None else None
    generator = tf.random.get_global_generator()
    state = generator.state.numpy() if hasattr(generator.state, "numpy") else None
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(arrays)
        if rng is not None and drawn is not None:
            rng.setstate(drawn)
        if state is not None:
            generator.state.assign(state)
