"""Labels as people have them, as classes 0..C-1: numbers or text, flat, in a column or one-hot."""

from dataclasses import dataclass

import numpy as np

from ibcore.experiment import FieldError
from ibcore.reprs import brief
from ibcore.stack import MAX_WIDTH

_FEW = 10
_SAMPLES_PER_CLASS = 3
_REMEDY = "or bin y into quantile classes, such as 10 (task.bin_y)"


@dataclass(frozen=True, eq=False)
class Labels:
    """One class for each of N samples.

    Fields: `y` (N,) int64 from 0 to C-1; `classes`, the names of what became 0, ..., C-1;
    `note`, how the labels were read where they were not simply one for each sample.
    """

    y: np.ndarray
    classes: tuple[str, ...]
    note: str = ""

    __repr__ = brief


def read_labels(y: np.ndarray, n: int, bin_y: int | None = None) -> Labels:
    """The labels `y` of `n` samples: (n,), (n, 1), (1, n), or one-hot (n, C) with C >= 2.

    Their sorted distinct values, whole numbers or text, become classes 0..C-1; with
    `bin_y` the numbers are put into so many quantile classes first. Raises FieldError for
    another shape, for numbers that are not finite, and without `bin_y` for numbers that
    are not whole and for more than 10 classes with fewer than 3 samples on average.
    """
    values, note = _one_per_sample(y, n)
    if bin_y is not None:
        return _binned(values, bin_y, note)
    labels = class_labels(values, note)
    if len(labels.classes) > min(MAX_WIDTH, max(_FEW, n // _SAMPLES_PER_CLASS)):
        value = f"{len(labels.classes)} distinct labels of {n} samples"
        raise FieldError("y", value, "fewer classes" + (f", {_REMEDY}" if _is_real(y) else ""))
    return labels


def class_labels(values: np.ndarray, note: str = "") -> Labels:
    """The sorted distinct values of (N,) as classes 0..C-1.

    Raises FieldError for numbers that are not whole and for fewer than 2 distinct values.
    """
    if values.dtype.kind not in "biufUS":
        raise FieldError("y", str(values.dtype), "numbers or text as labels")
    if values.dtype.kind == "f":
        _check_whole(values)
    distinct, y = np.unique(values, return_inverse=True)
    if len(distinct) < 2:
        raise FieldError("y", distinct[0].item(), "labels of at least 2 classes")
    return Labels(y.astype(np.int64), tuple(map(_name, distinct)), note)


def _one_per_sample(y: np.ndarray, n: int) -> tuple[np.ndarray, str]:
    if y.shape == (n,):
        return y, ""
    if y.shape == (n, 1):
        return y.reshape(-1), "y is a column"
    if y.shape == (1, n):
        return y.reshape(-1), "y is a row"
    if y.ndim == 2 and len(y) == n and _is_real(y):
        return _one_hot(y), "y is one-hot"
    allowed = f"one label per sample: shape ({n},), a column, a row or one-hot rows"
    raise FieldError("y", y.shape, allowed)


def _one_hot(y: np.ndarray) -> np.ndarray:
    good = ((y == 1).sum(axis=1) == 1) & ((y == 0).sum(axis=1) == y.shape[1] - 1)
    if not good.all():
        row = int(good.argmin())
        value = f"row {row}: {y[row, :20].tolist()}"
        raise FieldError("y", value, "one label per sample, or rows of one 1 and else 0")
    return y.argmax(axis=1)


def _check_whole(values: np.ndarray) -> None:
    if not np.isfinite(values).all():
        raise FieldError("y", values[np.isfinite(values).argmin()].item(), "finite labels")
    fractions = values != np.floor(values)
    if fractions.any():
        allowed = f"whole numbers or text as labels, {_REMEDY}"
        raise FieldError("y", values[fractions.argmax()].item(), allowed)


def _binned(values: np.ndarray, bin_y: int, note: str) -> Labels:
    """Quantile classes [edge, next edge), of which the empty ones are left out."""
    if not _is_real(values) or note == "y is one-hot":
        raise FieldError("bin_y", bin_y, "none: y holds classes, not numbers")
    numbers = _float64(values)
    if numbers.min() == numbers.max():
        raise FieldError("y", values[0].item(), "labels of at least 2 classes")
    inner = np.unique(np.quantile(numbers, np.linspace(0, 1, bin_y + 1))[1:-1])
    filled, y = np.unique(np.searchsorted(inner, numbers, side="right"), return_inverse=True)
    if len(filled) < 2:
        allowed = "a larger number: most of y is equal, and all of it falls into one class"
        raise FieldError("bin_y", bin_y, allowed)
    edges = [numbers.min(), *inner[filled[1:] - 1], numbers.max()]
    asked = f" of the {bin_y} asked for" if len(filled) < bin_y else ""
    notes = [note, f"{len(filled)} quantile classes{asked}"]
    return Labels(y.astype(np.int64), _intervals(edges), "; ".join(filter(None, notes)))


def _float64(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        numbers = values.astype(np.float64)
        wrong = ~np.isfinite(numbers.astype(np.float32))
    if wrong.any():
        allowed = "finite numbers in the range of float32"
        raise FieldError("y", values[wrong.argmax()].item(), allowed)
    return numbers


def _intervals(edges: list[float]) -> tuple[str, ...]:
    texts = [f"{edge:.6g}" for edge in edges]
    ends = [")"] * (len(texts) - 2) + ["]"]
    rows = zip(texts, texts[1:], ends, strict=False)
    return tuple(f"[{low}, {high}{end}" for low, high, end in rows)


def _is_real(values: np.ndarray) -> bool:
    return values.dtype.kind in "biuf"


def _name(label: np.generic) -> str:
    if label.dtype.kind == "S":
        return label.decode(errors="backslashreplace")
    return str(int(label) if label.dtype.kind == "f" else label.item())
