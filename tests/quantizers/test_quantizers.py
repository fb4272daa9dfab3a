"""Tests of calibration algorithms: which range they choose, and that streaming loses nothing."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trtbuild.quantizers
from trtbuild.quantizers import Quantizer
from trtbuild.quantizers._histogram import Magnitudes
from trtbuild.quantizers.entropy import divergence
from trtbuild.quantizers.mse import squared_error

Array = np.ndarray[Any, Any]
OPTIONS = {"algorithm": "", "percentile": 99.0, "bins": 512, "batch": 8}
ALGORITHMS = sorted(p.stem for p in Path(trtbuild.quantizers.__path__[0]).glob("*.py") if not p.stem.startswith("_"))
VALUES = arrays.arrays(np.float32, st.integers(1, 30), elements=st.floats(-(2.0**40), 2.0**40, width=32))


def made(algorithm: str, **options: Any) -> Quantizer:
    quantizer: Quantizer = import_module(f"trtbuild.quantizers.{algorithm}").make({**OPTIONS, **options})
    return quantizer


def range_of(algorithm: str, *batches: Array, **options: Any) -> float:
    quantizer = made(algorithm, **options)
    for batch in batches:
        quantizer.observe("t", batch)
    return quantizer.ranges()["t"]


def normal(count: int = 20_000) -> Array:
    return np.random.default_rng(0).standard_normal(count).astype(np.float32)


# --- histograms ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["mse", "percentile", "entropy"])
def test_a_part_of_a_large_sample_says_as_much(algorithm: str) -> None:
    """Of images, say; the batch does not matter."""
    images = normal(4 * 16 * 120 * 120).reshape(4, 16, 120, 120)
    each = range_of(algorithm, *images.reshape(-1, 100), bins=2048)
    found = range_of(algorithm, images, bins=2048)

    assert found == pytest.approx(each, rel=0.1)
    assert found == range_of(algorithm, images[:1], images[1:], bins=2048)


@pytest.mark.parametrize(("algorithm", "options"), [("best", {}), ("percentile", {"percentile": 100.0})])
def test_the_largest_value_is_seen_wherever_it_is(algorithm: str, options: dict[str, Any]) -> None:
    """Also where only a part of a sample is counted."""
    for place in range(0, 40_000, 7_919):
        image = np.ones((1, 200, 200), np.float32)
        image.flat[place] = -9.0
        assert range_of(algorithm, image, **options) == 9.0


# --- every algorithm ----------------------------------------------------------------------------------------------


def test_there_is_one_file_for_each_algorithm() -> None:
    """The folder is the registry."""
    assert ALGORITHMS == ["best", "entropy", "minmax", "mse", "percentile"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_range_for_each_tensor(algorithm: str) -> None:
    """Tensors do not mix; a range is a number above zero that is no larger than the largest value."""
    quantizer = made(algorithm)
    for scale in (1, 3):
        quantizer.observe("a", normal() * scale)
        quantizer.observe("b", normal().reshape(100, 2, -1) * 100)
    ranges = quantizer.ranges()

    assert list(ranges) == ["a", "b"]
    assert 0 < ranges["a"] <= 3 * np.abs(normal()).max() < ranges["b"]
    assert all(isinstance(value, float) for value in ranges.values())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("value", [0.0, 2.5, -2.5, 1e-30])
@pytest.mark.filterwarnings("ignore:invalid value encountered in divide")
def test_a_constant_tensor_has_its_own_range(algorithm: str, value: float) -> None:
    """One value only, or only zeros."""
    assert range_of(algorithm, np.full(100, value, np.float32)) == pytest.approx(abs(value), rel=0.01)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_empty_batch_changes_nothing(algorithm: str) -> None:
    """A tensor without elements has nothing to say."""
    assert range_of(algorithm, normal(), np.zeros(0, np.float32)) == range_of(algorithm, normal())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_sign_does_not_matter(algorithm: str) -> None:
    """int8 is symmetric here."""
    assert range_of(algorithm, -normal()) == range_of(algorithm, np.abs(normal()))


# --- the histogram below two of them ------------------------------------------------------------------------------


@settings(max_examples=60)
@given(st.lists(VALUES, min_size=1, max_size=4))
def test_streaming_equals_one_histogram(batches: list[Array]) -> None:
    """Doubling the range merges bins exactly: every value is counted once, in the bin it lies in."""
    magnitudes = Magnitudes(16)
    for batch in batches:
        magnitudes.add(batch)
    together = np.abs(np.concatenate(batches))

    assert magnitudes.largest == together.max()
    if magnitudes.width:
        once = Magnitudes(16)
        once.add(together)
        assert once.width == magnitudes.width and magnitudes.zeros == (together == 0).sum()
        np.testing.assert_array_equal(magnitudes.counts, once.counts)
        np.testing.assert_array_equal(
            magnitudes.counts, np.bincount(np.int64(together.astype(float) / once.width), minlength=32)
        )
    assert magnitudes.counts.sum() == together.size


def brighter(count: int = 11) -> list[Array]:
    """Samples of growing range, the last one an outlier: what is seen first has another range than what follows."""
    samples = np.random.default_rng(0).standard_normal((count, 500)).astype(np.float32)
    return list(samples * np.append(np.linspace(0.1, 1, count - 1), 9)[:, None].astype(np.float32))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("batch", [1, 3, 8])
def test_a_range_hangs_on_the_values_alone(algorithm: str, batch: int) -> None:
    """Neither on the batch size nor on the order of samples, to the bit."""
    samples = brighter()
    shuffled = [samples[i] for i in np.random.default_rng(1).permutation(len(samples))]
    wanted = range_of(algorithm, np.stack(samples))

    for order in (samples, samples[::-1], shuffled):
        batches = [np.stack(order[i : i + batch]) for i in range(0, len(order), batch)]
        assert range_of(algorithm, *batches) == wanted


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("largest", [1.0, 6.0, 255.0, 2.0])
def test_the_last_bit_of_a_value_moves_a_range_by_little(algorithm: str, largest: float) -> None:
    """Runtimes sum in another order for another batch size; the grid has no edge where networks end."""
    values = np.append(normal() % np.float32(largest), np.float32(largest))
    ranges = [
        range_of(algorithm, np.append(values, np.nextafter(np.float32(largest), np.float32(to)))) for to in (0, 999)
    ]

    assert ranges[0] == pytest.approx(ranges[1], rel=1e-6)


@pytest.mark.parametrize("bins", [0, 1, 7])
def test_a_histogram_halves(bins: int) -> None:
    """Only an even number of bins can be merged in pairs."""
    with pytest.raises(ValueError, match=f"bins: {bins}"):
        Magnitudes(bins)


# --- minmax -------------------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(st.lists(VALUES, min_size=1, max_size=4))
def test_minmax_is_exact(batches: list[Array]) -> None:
    """The largest magnitude of all batches, to the bit."""
    assert range_of("minmax", *batches) == np.abs(np.concatenate(batches)).max()


# --- percentile ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("percentile", [50.0, 90.0, 99.0, 99.9])
@pytest.mark.parametrize("batches", [1, 7])
def test_percentile_is_numpys_within_one_bin(percentile: float, batches: int) -> None:
    """Whether the values come at once or in batches of growing range."""
    values = normal() * np.linspace(0.1, 4, 20_000, dtype=np.float32)
    width = 2 * float(np.abs(values).max()) / OPTIONS["bins"]
    found = range_of("percentile", *np.array_split(values, batches), percentile=percentile)

    assert found == pytest.approx(np.percentile(np.abs(values), percentile, method="inverted_cdf"), abs=width)


def test_all_values_are_the_hundredth_percentile() -> None:
    """Nothing saturates."""
    assert range_of("percentile", normal(), percentile=100.0) == np.abs(normal()).max()


# --- entropy ------------------------------------------------------------------------------------------------------


def test_entropy_lets_a_far_outlier_saturate() -> None:
    """One value far from the bulk is not worth the resolution of all others."""
    values = np.append(normal(), np.float32(100.0))

    assert range_of("entropy", values, bins=2048) < 15.0
    assert range_of("minmax", values) == 100.0


def test_entropy_keeps_a_uniform_distribution_whole() -> None:
    """Where every magnitude is as likely, nothing can be cut off."""
    values = np.random.default_rng(0).uniform(-1, 1, 200_000).astype(np.float32)

    assert range_of("entropy", values, bins=2048) > 0.98


@pytest.mark.filterwarnings("ignore:invalid value encountered in divide")
def test_entropy_does_not_cut_off_everything() -> None:
    """Where all values lie far from zero, a range below all of them loses them all."""
    values = np.random.default_rng(0).uniform(5, 6, 10_000).astype(np.float32)

    assert range_of("entropy", values, bins=2048) > 5.5


def test_zeros_do_not_decide() -> None:
    """After a ReLU half of all values are exactly zero, which every range represents."""
    values = np.abs(normal())

    assert range_of("entropy", np.append(values, np.zeros(10 * len(values), np.float32))) == pytest.approx(
        range_of("entropy", values), rel=0.1
    )


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_a_value_that_is_repeated_does_not_decide(share: float) -> None:
    """Behind a convolution of padding: the range would be cut off behind it, to give it a level of its own."""
    values = np.random.default_rng(0).exponential(1.0, 100_000).astype(np.float32)
    repeated = np.full(int(share * len(values)), 0.77, np.float32)

    assert range_of("entropy", np.append(values, repeated), bins=2048) > 0.98 * range_of("entropy", values, bins=2048)


def test_divergence_of_the_whole_is_least_when_levels_fit() -> None:
    """A distribution that has no more bins than levels loses nothing."""
    counts = np.random.default_rng(0).integers(1, 100, 256).astype(np.float64)

    assert divergence(counts[:128], 128, 0.0) == pytest.approx(0.0, abs=1e-12)
    assert divergence(counts, 128, counts[128:].sum()) > 0.0


# --- mse ----------------------------------------------------------------------------------------------------------


def int8_error(values: Array, largest: float) -> float:
    scale = np.float64(largest) / 127
    return float(((np.clip(np.rint(values / scale), -127, 127) * scale - values.astype(np.float64)) ** 2).mean())


@pytest.mark.parametrize("shape", ["normal", "outlier", "relu", "uniform", "heavy"])
def test_mse_finds_what_trying_finds(shape: str) -> None:
    """No range of a fine grid has a smaller error on the values themselves, but for what a bin hides."""
    rng = np.random.default_rng(0)
    values = {
        "normal": normal(), "outlier": np.append(normal(), np.float32(40)), "relu": np.maximum(normal(), 0),
        "uniform": rng.uniform(-1, 1, 20_000), "heavy": rng.standard_t(2, 20_000),
    }[shape].astype(np.float32)  # fmt: skip
    found = range_of("mse", values, bins=2048)
    least = min(int8_error(values, top) for top in np.abs(values).max() * np.linspace(0.01, 1, 500))

    assert int8_error(values, found) <= 1.03 * least


@given(st.floats(0.01, 3), st.floats(0.001, 0.05))
def test_the_squared_error_is_an_integral(x: float, scale: float) -> None:
    """Against the midpoint rule: whole steps, the rest of one, and what saturates."""
    middles = (np.arange(200_000) + 0.5) * (x / 200_000)
    exact = (np.minimum(np.rint(middles / scale), 127) * scale - middles) ** 2

    assert squared_error(np.array([x]), scale)[0] == pytest.approx(exact.mean() * x, rel=1e-4)
