"""The data of one task: samples X, labels Y and the split into train and test."""

import hashlib
import numbers
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import entr

from ibcore.experiment import FieldError, printable
from ibcore.stack import MAX_WIDTH
from ibcore.tasks.columns import size_notice

_LISTED = 6


@dataclass(frozen=True, eq=False)
class Dataset:
    """N samples with their labels, checked once.

    Every array is a read-only copy, or the array given where that is read-only already.

    Fields:
        x: (N, ...) float32, finite, at least one value per sample.
        y: (N,) int64, labels from 0 to n_classes - 1.
        n_classes: C, at least 2.
        p_y_given_x: (N, C) float64, p(y|x) where the task knows it, the same
            for equal inputs; else None, and each y is taken as certain.
        train, test: (n,) int64 indices without repetition and disjoint; `test`
            may be empty.
        fixed_split: True where the files bring their own train and test sets.
        classes: C names, of what the files call class 0, ..., C-1; the numbers
            themselves where nothing is given.
        labels_note: how the labels were read, where that says more than the names.

    Raises FieldError, naming the field, for anything else.
    """

    x: np.ndarray
    y: np.ndarray
    n_classes: int
    p_y_given_x: np.ndarray | None
    train: np.ndarray
    test: np.ndarray
    fixed_split: bool = False
    classes: tuple[str, ...] = ()
    labels_note: str = ""

    def __post_init__(self):
        self._set("x", _inputs(self.x))
        self._set("n_classes", _class_count(self.n_classes))
        self._set("y", _labels(self.y, len(self.x), self.n_classes))
        if self.p_y_given_x is not None:
            shape = (len(self.x), self.n_classes)
            self._set("p_y_given_x", _probabilities(self.p_y_given_x, shape))
            self._check_function_of_x()
        self._set("train", _indices("train", self.train, len(self.x)))
        self._set("test", _indices("test", self.test, len(self.x)))
        self._check_split()
        self._check_classes()

    def __repr__(self) -> str:
        shape, soft = self.x.shape[1:], "" if self.p_y_given_x is None else ", soft labels"
        return (
            f"Dataset: {len(self.x):,} samples of shape {shape}, {self.n_classes} classes{soft},"
            f" H(Y) = {self.h_y:.3f} bits\n{len(self.train):,} to train, {len(self.test):,} to test"
        )

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _check_function_of_x(self) -> None:
        differs = (self.p_y_given_x != self.p_y_given_x[self.x_ids]).any(axis=1)
        if differs.any():
            value = f"sample {int(differs.argmax())}"
            raise FieldError("p_y_given_x", value, "the same row for equal inputs")

    def _check_split(self) -> None:
        if not len(self.train):
            raise FieldError("train", 0, "at least one training example")
        shared = np.intersect1d(self.train, self.test)
        if len(shared):
            raise FieldError("test", int(shared[0]), "samples that are not in train")
        if not isinstance(self.fixed_split, bool):
            raise FieldError("fixed_split", self.fixed_split, "true or false")

    def _check_classes(self) -> None:
        numbers = tuple(map(str, range(self.n_classes)))
        self._set("classes", tuple(self.classes) or numbers)
        if len(self.classes) != self.n_classes:
            raise FieldError("classes", len(self.classes), f"{self.n_classes} names")

    @property
    def labels_line(self) -> str:
        """What in the files became which class, in one line; of many classes some."""
        names = [f"{printable(name, 24)} -> {c}" for c, name in self._named_classes()]
        if self.n_classes > _LISTED:
            names = [*names[:-1], "...", names[-1]]
        note = f" ({self.labels_note})" if self.labels_note else ""
        return f"Labels: {', '.join(names)}{note}"

    def _named_classes(self) -> list[tuple[int, str]]:
        pairs = list(enumerate(self.classes))
        return pairs if len(pairs) <= _LISTED else [*pairs[: _LISTED - 2], pairs[-1]]

    @cached_property
    def size_notice(self) -> str:
        """One line on columns that are too large for the first layer; empty where none are."""
        return size_notice(self.x)

    @cached_property
    def x_ids(self) -> np.ndarray:
        """(N,) int64: for every sample the index of the first one with equal x."""
        first: dict[bytes, int] = {}
        rows = self.x.reshape(len(self.x), -1)
        ids = [first.setdefault(_digest(row), i) for i, row in enumerate(rows)]
        return _frozen(ids, np.int64)

    @cached_property
    def h_y(self) -> float:
        """H(Y) in bits, of p(y) = (1/N) Σ_i p(y|x_i); of the label counts for hard labels."""
        if self.p_y_given_x is None:
            return _entropy_of_counts(self.y)
        return float(_entropy(self.p_y_given_x.mean(axis=0)))

    @cached_property
    def i_xy(self) -> float:
        """I(X;Y) = H(Y) - H(Y|X) in bits, with p(x) = 1/N for every sample.

        For hard labels H(Y|X) = H(X,Y) - H(X) of the samples, which is 0 unless
        equal inputs bear different labels.
        """
        return max(0.0, self.h_y - self._h_y_given_x())

    def _h_y_given_x(self) -> float:
        if self.p_y_given_x is not None:
            return float(_entropy(self.p_y_given_x).mean())
        pairs = self.x_ids * self.n_classes + self.y
        return _entropy_of_counts(pairs) - _entropy_of_counts(self.x_ids)

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that name x, y, n_classes and p(y|x), not split or names."""
        digest = hashlib.sha256(f"{self.x.shape} {self.n_classes}".encode())
        digest.update(self.x.astype("<f4", copy=False).data)
        digest.update(self.y.astype("<i8", copy=False).data)
        if self.p_y_given_x is not None:
            # The last digits of exp differ between processors; the name must not.
            digest.update(self.p_y_given_x.round(9).astype("<f8", copy=False).data)
        return digest.hexdigest()[:16]


def check_input_shape(shape: tuple[int, ...]) -> None:
    """Raises FieldError unless `x` may have that shape."""
    if len(shape) < 2 or shape[0] < 2 or 0 in shape:
        allowed = "shape (N, ...) with N >= 2 and at least one value per sample"
        raise FieldError("x", shape, allowed)


def _digest(row: np.ndarray) -> bytes:
    """16 bytes that name the values of a row, which may be thousands."""
    # Adding 0.0 turns -0.0 into 0.0, which equals it but has other bytes.
    return hashlib.blake2b((row + np.float32(0)).data, digest_size=16).digest()


def _frozen(values: object, dtype: type) -> np.ndarray:
    if _is_frozen(values, dtype):
        return values
    array = np.array(values, dtype=dtype, order="C")
    array.flags.writeable = False
    return array


def _is_frozen(values: object, dtype: type) -> bool:
    """Whether it is such an array already: images of a gigabyte need not be there twice."""
    if not isinstance(values, np.ndarray) or values.dtype != dtype:
        return False
    flags = values.flags
    return flags.owndata and flags.c_contiguous and not flags.writeable


def _check_kind(name: str, array: np.ndarray, kinds: str = "biuf") -> None:
    if array.dtype.kind not in kinds:
        allowed = "real numbers" if "f" in kinds else "whole numbers"
        raise FieldError(name, str(array.dtype), allowed)


def _inputs(values: object) -> np.ndarray:
    array = np.asarray(values)
    _check_kind("x", array)
    check_input_shape(array.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        x = _frozen(array, np.float32)
    finite = np.isfinite(x)
    if not finite.all():
        where = np.unravel_index(finite.argmin(), x.shape)
        raise FieldError("x", array[where].item(), "finite numbers in the range of float32")
    return x


def _class_count(value: object) -> int:
    if not isinstance(value, numbers.Integral) or not 2 <= value <= MAX_WIDTH:
        raise FieldError("n_classes", value, f"a whole number from 2 to {MAX_WIDTH}")
    return int(value)


def _labels(values: object, n: int, n_classes: int) -> np.ndarray:
    array = np.asarray(values)
    if array.shape != (n,):
        raise FieldError("y", array.shape, f"one label per sample: shape ({n},)")
    _check_kind("y", array, "iu")
    wrong = (array < 0) | (array >= n_classes)
    if wrong.any():
        raise FieldError("y", int(array[wrong.argmax()]), f"labels from 0 to {n_classes - 1}")
    return _frozen(array, np.int64)


def _probabilities(values: object, shape: tuple[int, int]) -> np.ndarray:
    array = np.asarray(values)
    if array.shape != shape:
        raise FieldError("p_y_given_x", array.shape, f"shape {shape}")
    _check_kind("p_y_given_x", array)
    p = _frozen(array, np.float64)
    good = (p >= 0).all(axis=1) & (abs(p.sum(axis=1) - 1) <= 1e-9)
    if not good.all():
        row = p[good.argmin()].tolist()
        raise FieldError("p_y_given_x", row, "rows of probabilities that sum to 1")
    return p


def _indices(name: str, values: object, n: int) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != 1:
        raise FieldError(name, array.shape, "a row of indices")
    if array.size:
        _check_kind(name, array, "iu")
    wrong = (array < 0) | (array >= n)
    if wrong.any():
        raise FieldError(name, int(array[wrong.argmax()]), f"indices from 0 to {n - 1}")
    indices = _frozen(array, np.int64)
    counts = np.bincount(indices, minlength=n)
    if counts.max() > 1:
        raise FieldError(name, int(counts.argmax()), "indices without repetition")
    return indices


def _entropy(p: np.ndarray) -> np.ndarray:
    """H = -Σ p log2 p over the last axis."""
    return entr(p).sum(axis=-1) / np.log(2)


def _entropy_of_counts(symbols: np.ndarray) -> float:
    counts = np.unique(symbols, return_counts=True)[1]
    return float(_entropy(counts / len(symbols)))
