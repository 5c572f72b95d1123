"""Columns of X, the input dimensions: how large they are, and how they become equally large."""

from collections.abc import Iterator

import numpy as np

from ibcore.experiment import FieldError
from ibcore.tasks.npy import StoredArray

LARGE = 3.0
"""Root mean square of all of X from which it is large.

At the start the input of a first-layer unit varies by about this much (std 1/√fan-in
weights); tanh is within 0.5 % of its limit from 3 on.
"""


def column_sizes(x: np.ndarray) -> np.ndarray:
    """(D,) float64: the root mean square of every column of x (N, ...), flattened to (N, D)."""
    rows = x.reshape(len(x), -1)
    squares = np.einsum("nd,nd->d", rows, rows, dtype=np.float64)
    return np.sqrt(squares / len(rows))


def size_notice(x: np.ndarray) -> str:
    """One line on columns that are too large for the first layer; empty where none are."""
    sizes = column_sizes(x)
    if np.sqrt(np.mean(sizes**2)) <= LARGE:
        return ""
    largest = int(sizes.argmax())
    smallest = int(np.where(sizes > 0, sizes, np.inf).argmin())
    return (
        f"x: the largest column, {largest} counted from 0, has size {sizes[largest]:.4g}, the"
        f" smallest, {smallest}, has {sizes[smallest]:.4g} (root mean square); saturating units"
        " of the first layer saturate before training; turn on Standardise"
        " (task.standardise=true)"
    )


def float32(_: int, values: np.ndarray) -> np.ndarray:
    """The values as float32; FieldError for one that is not finite then."""
    with np.errstate(over="ignore", invalid="ignore"):
        converted = values.astype(np.float32)
    finite = np.isfinite(converted)
    if not finite.all():
        value = values[finite.argmin()].item()
        raise FieldError("x", value, "finite numbers in the range of float32")
    return converted


def standardised(x: StoredArray) -> np.ndarray:
    """X in float32, every column minus its mean, divided by its standard deviation.

    Both are over all samples and in float64; a constant column becomes 0. The file is
    read three times, so that no more of it than a block is ever in memory in float64.
    Raises FieldError for values that are not finite in float32.
    """
    n = x.shape[0]
    first, total, squares = np.zeros((3, x.count // n))
    for columns, rows, values in _placed(x):
        first[columns[rows == 0]] = values[rows == 0]
        np.add.at(total, columns, values - first[columns])
    # From the first sample on: the mean of a constant column is exact.
    mean = first + total / n
    for columns, _, values in _placed(x):
        np.add.at(squares, columns, (values - mean[columns]) ** 2)
    deviation = np.sqrt(squares / n)
    scale = np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 0)

    def convert(start: int, values: np.ndarray) -> np.ndarray:
        columns, _ = _places(x, start, len(values))
        return (values.astype(np.float64) - mean[columns]) * scale[columns]

    return x.converted(np.float32, convert)


def _placed(x: StoredArray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Columns, rows and values in float64, block by block."""
    for start, values in x.blocks():
        float32(start, values)
        yield *_places(x, start, len(values)), values.astype(np.float64)


def _places(x: StoredArray, start: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The columns and rows of n values from `start` in the order of the file."""
    places, n_rows = np.arange(start, start + n), x.shape[0]
    if x.order == "F":
        return divmod(places, n_rows)
    rows, columns = divmod(places, x.count // n_rows)
    return columns, rows
