"""The symmetric rule of Shwartz-Ziv and Tishby (2017, section 3.1).

Twelve binary inputs mark which of twelve points on a sphere are occupied; the
label does not change when the sphere is rotated. With the points n_0..n_11 at
the vertices of an icosahedron the rule is

    f(x) = Σ_i x_i + ‖Σ_i x_i n_i‖,    y = 1 where f(x) > θ = 7.632,

which gives the 4096 labels that the authors released. No f lies between 7.563
and 7.701, so rounding cannot change a label.
"""

import numpy as np
from scipy.special import expit

from ibcore.experiment import Task
from ibcore.tasks.dataset import Dataset
from ibcore.tasks.split import split_indices

N_INPUTS = 12
THRESHOLD = 7.632
_LABEL_STREAM = 1


def load(task: Task) -> Dataset:
    """All 4096 patterns, x (4096, 12) of 0 and 1 in counting order.

    With `task.gamma` = γ the labels are soft, p(y=1|x) = 1/(1 + exp(-γ (f(x) - θ))):
    `p_y_given_x` holds them, and y is drawn from them once, by the split seed.
    Without it y is the rule and `p_y_given_x` is None.
    """
    x = patterns()
    margin = f(x) - THRESHOLD
    p = None if task.gamma is None else _soft_labels(task.gamma * margin)
    y = margin > 0 if p is None else _draw(p[:, 1], task.split_seed)
    train, test = split_indices(len(x), task.train_fraction, task.split_seed)
    return Dataset(x, y.astype(np.int64), 2, p, train, test)


def patterns() -> np.ndarray:
    """(4096, 12) float32: row i is i in binary, most significant bit first."""
    places = np.arange(N_INPUTS)[::-1]
    return (np.arange(2**N_INPUTS)[:, None] >> places & 1).astype(np.float32)


def vertices() -> np.ndarray:
    """(12, 3): the unit vectors n_0..n_11 to the vertices of an icosahedron."""
    golden = (1 + np.sqrt(5)) / 2
    signs = [(a, b) for a in (1, -1) for b in (golden, -golden)]
    corners = [corner for a, b in signs for corner in ((0, a, b), (a, b, 0), (b, 0, a))]
    return np.array(corners) / np.sqrt(1 + golden**2)


def f(x: np.ndarray) -> np.ndarray:
    """f(x) = Σ x_i + ‖Σ x_i n_i‖, (N,) float64, of patterns x (N, 12)."""
    return x.sum(axis=1, dtype=float) + np.linalg.norm(x.astype(float) @ vertices(), axis=1)


def _soft_labels(z: np.ndarray) -> np.ndarray:
    return np.stack([expit(-z), expit(z)], axis=1)


def _draw(p: np.ndarray, split_seed: int) -> np.ndarray:
    rng = np.random.default_rng((split_seed, _LABEL_STREAM))
    return rng.random(len(p)) < p
