"""Tests of Keras files that lack what the model needs: the advice is tried."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trtbuild.base.errors import SourceError
from trtbuild.sources import kerasfile

pytestmark = pytest.mark.slow
keras = pytest.importorskip("keras")


class Thrice(keras.layers.Layer):  # type: ignore[misc]
    def call(self, t: Any) -> Any:
        return t * 3.0


MADE: dict[str, tuple[Callable[[], Any], str]] = {
    "lambda.keras": (lambda: keras.layers.Lambda(lambda t: keras.ops.relu(t), name="twice"), "Lambda layer 'twice'"),
    "lambda.h5": (lambda: keras.layers.Lambda(lambda t: keras.ops.relu(t), name="twice"), "Lambda layer 'twice'"),
    "custom.keras": (Thrice, "needs Python classes that it does not contain: Thrice"),
    "custom.h5": (Thrice, "needs Python classes that it does not contain: Thrice"),
    "only.weights.h5": (keras.layers.ReLU, "it holds only weights"),
}


@pytest.mark.parametrize("name", MADE)
def test_what_a_file_lacks_is_said_and_the_advice_works(name: str, tmp_path: Path) -> None:
    """Build it in code, take its weights, export it."""
    make, says = MADE[name]
    image = keras.Input((8,), name="x")

    def build() -> Any:
        return keras.Model(image, make()(keras.layers.Dense(4)(image)))

    path = tmp_path / name
    build().save_weights(path) if "weights" in name else build().save(path)
    with pytest.raises(SourceError, match=says) as caught:
        kerasfile.load(path, f"models/{name}")

    assert f"load_weights('{name}') and export('FOLDER')" in caught.value.hint
    model = build()
    model.load_weights(path)
    model.export(tmp_path / "m", verbose=False)
    assert (tmp_path / "m" / "saved_model.pb").exists()


def test_what_keras_knows_is_not_called_foreign(tmp_path: Path) -> None:
    """Activations, initialisers and nested models are its own; a damaged file is just that."""
    x = keras.Input((8,), name="x")
    inner = keras.Sequential([keras.layers.Dense(4, activation="gelu", kernel_initializer="he_normal")], name="inner")
    keras.Model(x, inner(x)).save(tmp_path / "good.keras")
    (tmp_path / "bad.keras").write_bytes((tmp_path / "good.keras").read_bytes()[:300])

    assert kerasfile.load(tmp_path / "good.keras", "good.keras").count_params() == 36
    assert kerasfile._lacking(tmp_path / "good.keras") is None
    with pytest.raises(SourceError, match=r"bad\.keras: not a readable Keras model: it is not a zip archive"):
        kerasfile.load(tmp_path / "bad.keras", "bad.keras")
