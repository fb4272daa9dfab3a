"""TensorRT's warnings, and what it changes without one: the meaning of each, and advice; unknown ones are quoted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from trtbuild.core.complaint import Complaint, Entries, place
from trtbuild.core.warning import StepWarning

# Quantisation of another kind than the graph states: not a warning, but a refusal.
_MISREAD = re.compile(r"UINT8 zero_point .*Defaulting to INT8|For zero_point with type .* will use INT8 instead")
_QUANTISATION_ADVICE = (
    "quantise symmetrically to int8 (zero point 0); or take the fake quantisation out of the network, and let "
    "precision=int8 calibrate"
)
# Part of our own words about a node that TensorRT reads in another way (graphs/semantics.py), and what to do.
_ADVICE: tuple[tuple[str, str], ...] = (
    ("above its maximum", "exchange the limits, or use Min and Max, which keep their order"),
    ("absolute values", "take Abs in front of it"),
    ("output_shape crops", "state pads and output_padding in place of output_shape"),
    ("auto_pad=VALID", "leave pads out, or state them with auto_pad=NOTSET"),
    ("divides in float32", "take a Range of integers, and multiply it by the step"),
    ("may be one off", "take a Range of integers, and multiply it by the step"),
    ("layout=1", "transpose its input and its results, and use layout 0"),
    ("its activation Softplus", "use another activation, or write the recurrence out"),
    ("activation_alpha", "state activation_alpha"),
    ("operation of that name", "give the operation another name, or write it with ONNX's own operations"),
    ("wraps around at 255", "cast to int32 in the network, and take the remainder where it is wanted"),
    ("is 0 in float16", "keep the operation in float32 (model.overrides), or use an epsilon of at least 1e-5"),
    ("saturate in an engine", "clip the values to the range of the type in front of the cast"),
    ("2^31", "keep values within int32"),
    ("2^24", "keep values within 2^24, or compute in float32 in the network"),
    ("off by y", "keep quotients small, or compute it in integers"),
    ("alpha and gamma", "state both attributes"),
    ("logarithm of a softmax", "end the network at the logits, or clip them"),
    ("log(sum(exp", "subtract the maximum in the network, or use RTX 1.7"),
    ("occur twice", "make the indices distinct, or add the updates up in the network"),
    ("float16", "keep the operation in float32 (model.overrides)"),
    ("float64", "cast to float32 in the network, so that what is measured is what runs"),
    ("shape", "report it, with the graph"),
)
# About the machine, about bindings that a passport lists anyway, and about rewrites that compute the same.
_HARMLESS = re.compile(
    r"Make sure (input|output) .* has Int64 binding"
    r"|Scatter was deprecated"
    r"|Empty initializer .* was provided with non-empty data"  # a Resize without a region: there are no values to keep
    r"|BatchNormalization node with non-"
    r"|Was not able to infer a? ?kOPT value"  # what it tunes for, not what it computes
    r"|Detected layernorm nodes in FP16"  # the next line says what may come of it
    r"|is unused or used only at compile-time"  # "Unused Input" names those that nothing reads
    r"|IShuffleLayer with zeroIsPlaceHolder=true"  # a 0 keeps the dimension in ONNX too
    r"|Converting conv (activation|weight) scales to fp32"  # float32 holds every float16
    r"|UINT8 data .* converted to INT32"  # arithmetic that may leave 0 to 255 is refused (graphs/semantics.py)
    r"|TensorLocation::k(HOST|DEVICE)"
    r"|CUDA lazy loading|determine GPU memory usage|CUDA initialization|cudaGetDevice|CUDA driver"
    r"|linked against cu|loaded cu(DNN|BLAS)|timing cache|deprecated and will be removed"
)
SEED = "the seed of random numbers is ignored"
UNUSED = "an input is not used by the engine"
# Part of a line, what it means, and what to do.
_MEANINGS: tuple[tuple[str, str, str], ...] = (
    (r"out of range\. Clamping|outside the range of .* (was|were) clamped",
     "constants beyond the range of their type in TensorRT are clamped", "give smaller constants"),
    (r"INT64 .*cast(ing)? (down )?to INT32|doesn't support INT64",
     "int64 is computed as int32: values beyond 2^31 wrap around", "keep values within int32"),
    (r"Performing operation in float32", "integers are computed in float32: values beyond 2^24 lose digits",
     "keep values within 2^24, or compute in float32 in the network"),
    (r'ignores the "seed" field', SEED, "make the random numbers an input"),
    (r"recommended to export loops with only a trip limit",
     "what a loop with a condition collects may have another shape in the engine",
     "give the loop a fixed number of steps"),
    (r"Casting BatchNormalization parameters",
     "constants of a batch normalisation are rounded to the type of its input",
     "keep the operation in float32 (model.overrides)"),
    (r"[Ss]ubnormal FP16|smallest positive FP16|overflow in FP16|converting .*FP32 .*(to|into) FP16",
     "constants change where they are converted to float16", "keep the operation in float32 (model.overrides)"),
    (r"layernorm .*FP16.* overflow|may cause overflow", "float16 may overflow in a normalisation",
     "keep the operation in float32 (model.overrides)"),
    (r"Unused Input", UNUSED, "leave it out of the model"),
)  # fmt: skip
_PLACE = re.compile(r"^(\[[^\]]*\] )?[\w/.]+\.(cpp|h|cu):\d+: ")
SHOWN = 3  # places named in one warning


def misread(complaints: Iterable[Complaint]) -> tuple[Complaint, ...]:
    """Warnings that are refusals: the importer reads another quantisation than the graph states."""
    return tuple(
        Complaint(one.node, one.op_type, "misread", _bare(one.words))
        for one in complaints
        if _MISREAD.search(one.words)
    )


def advice(words: str) -> str:
    """What to do about a node that TensorRT reads in another way than the graph states."""
    return next((said for part, said in _ADVICE if part in words), _QUANTISATION_ADVICE)


def misread_words(who: str, lines: Sequence[str]) -> str:
    """The refusal in one line; ``lines``: one for each misread node."""
    return f"{who} would compute {len(lines)} node(s) otherwise than the graph states; first: {lines[0]}"


def warnings(
    complaints: Iterable[Complaint], entries: Entries, readers: Mapping[str, Sequence[str]]
) -> list[StepWarning]:
    """What a user must know from these lines and doubts, equal ones together; harmless ones stay in the log.

    Args:
        entries, readers: as for :func:`trtbuild.core.complaint.place`.
    """
    meanings: dict[tuple[str, str], list[str]] = {}
    for one in complaints:
        said = meaning(one)
        if said is None:
            continue
        places = meanings.setdefault(said, [])
        if one.node:
            places.append(place(one, entries, readers))
    return [StepWarning(what, where(places), hint) for (what, hint), places in meanings.items()]


def meaning(one: Complaint) -> tuple[str, str] | None:
    """What a warning comes to, and what to do about it; None where it changes nothing."""
    words = _bare(one.words)
    if one.stage == "misread":
        return words, advice(words)
    if _HARMLESS.search(words):
        return None
    known = next(((what, hint) for sign, what, hint in _MEANINGS if re.search(sign, words)), None)
    return known or (f"TensorRT warns: {words}", "")


def where(places: Iterable[str]) -> str:
    """The first few, and how many more there are.

    >>> where(["a", "b", "a", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    each = list(dict.fromkeys(places))
    more = len(each) - SHOWN
    return ", ".join(each[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _bare(words: str) -> str:
    """The words without the place in TensorRT's own sources."""
    return _PLACE.sub("", " ".join(words.split()))
