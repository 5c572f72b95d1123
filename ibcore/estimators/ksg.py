"""KSG: the information between points by the distances to their nearest neighbours.

Kraskov, Stögbauer and Grassberger (2004), Estimating mutual information, Section II,
algorithm 1, for I(X;T); Ross (2014), Mutual information between discrete and continuous
data sets, for I(T;Y). Equal points count as in Gao et al. (2017), Estimating mutual
information for discrete-continuous mixtures, algorithm 1.
"""

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import digamma

from ibcore.estimators._rows import some_rows
from ibcore.estimators.information import (
    LARGEST,
    Information,
    Sample,
    dense_label_entropy,
    samples,
    stack,
)
from ibcore.experiment import FieldError

K_LADDER = (1, 2, 3, 5, 8, 12, 20, 30)
"""Numbers of neighbours for a slider."""

_MOST_NEIGHBOURS = 1000
_MOST_ROWS = 100_000
_LABELS_SEED = 20140219
# Entries of a distance matrix that are held at a time: what fits into a cache.
_BLOCK = 2**18


@dataclass(frozen=True)
class KSG:
    """I(X;T) and I(T;Y) from the `k`-th nearest neighbours: a diagnostic, not a measure.

    For a T with a density given X this approaches Shannon's I(X;T). A network has none:
    where T is a function of a continuous X, I(X;T) is infinite, and the estimate grows
    like log2 N, of the N samples taken, and says only how evenly T stretches X. T = X gives
    (psi(N) - psi(k)) / ln 2, the most there is; T = tanh(X) of X ~ N(0, 1) about
    log2 N - 2.5 at k = 3 and log2 N - 3.2 at k = 5. For a discrete X, whose distances
    tie, it says nothing of Shannon's information either. I(T;Y) is finite, and sound
    as far as T has a density.

    The distance of two samples is the larger of that of their inputs and that of their
    activations, each Euclidean and in units of its root total variance. With
    r_i the distance to the k-th neighbour of sample i, and n_i, nx_i, nt_i how many
    samples (i too) are nearer than r_i, by both, by X and by T,
    I(X;T) = psi(N) + mean_i [psi(n_i) - psi(nx_i) - psi(nt_i)]; n_i is k. I(T;Y) is the same
    with samples of different labels infinitely far apart.

    Distances are compared in single precision. Ties are not broken by random numbers:
    where so many samples lie at r_i exactly that fewer than k are nearer, those at r_i
    count in all three numbers. Of equal points that leaves the entropies of counting,
    with psi for the logarithm.

    At most `rows` samples are taken, for a given N always the same ones: the cost grows with
    their square.
    """

    k: int = 3
    rows: int = 1000

    needs_inputs = True
    """`information` and `ladder` take the inputs as points."""

    def __post_init__(self):
        object.__setattr__(self, "k", _checked_whole("k", self.k, 1, _MOST_NEIGHBOURS))
        object.__setattr__(self, "rows", _checked_whole("rows", self.rows, 2, _MOST_ROWS))

    @property
    def most_samples(self) -> int:
        """Of more samples, so many are taken."""
        return self.rows

    @property
    def parameter(self) -> str:
        """The field a ladder varies."""
        return "k"

    @property
    def default_ladder(self) -> tuple[int, ...]:
        return K_LADDER

    @property
    def label(self) -> str:
        neighbours = "nearest neighbour" if self.k == 1 else f"{self.k} nearest neighbours"
        return f"KSG, {neighbours}, on at most {self.rows} samples; diverges where T = f(X)"

    def information(self, t, y, x=None, *, inputs=None) -> Information:
        """I(X;T), at least 0, and I(T;Y), clipped to [0, H(Y)], in bits.

        Of N samples at most N - 1 are neighbours; a smaller number stands for a `k`
        above it, in each class too. Classes of a single sample have no neighbours and are
        left out of I(T;Y). Class probabilities are made labels by one draw for each
        sample, always the same. `h_t` is None: T is continuous. `saturated`: I(X;T)
        is within half a bit of the most that so many samples allow, if that is above half a bit.

        Arguments: t (N, D) or (R, N, D); y (N,) or (R, N) labels, or p(y|x) as
        (N, C) or (R, N, C); inputs (N, D0) or (R, N, D0), the points X. Ids of equal
        inputs `x` are checked and add nothing: equal inputs are equal points. Raises
        ValueError for input that does not fit or is not finite, and without inputs.
        """
        return self.ladder(t, y, [self.k], x, inputs=inputs)[0]

    def ladder(self, t, y, values: Sequence[int], x=None, *, inputs=None) -> list[Information]:
        """`information` for each k; one search for neighbours serves all of them."""
        ks = [replace(self, k=value).k for value in values]
        checked = samples(t, y, x)
        own_x = _points(inputs, len(checked), len(checked[0].t))
        if not ks:
            return []
        taken = some_rows(len(checked[0].t), self.rows)
        networks = [_Network.of(s, taken) for s in checked]
        clouds = [_cloud(points, taken) for points in own_x]
        if len(clouds) < len(networks):
            clouds *= len(networks)
        per_network = _informations(clouds, networks, np.array(ks))
        return [stack(results, np.ndim(t) == 3) for results in zip(*per_network, strict=True)]


def _checked_whole(name: str, value: object, low: int, high: int) -> int:
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not low <= value <= high or value != int(value):
        raise FieldError(name, value, f"a whole number from {low} to {high}")
    return int(value)


def _points(inputs: object, n_replicates: int, n: int) -> list[np.ndarray]:
    """The inputs, checked: of every replicate, or once where all share them."""
    allowed = f"use finite numbers of shape ({n}, D) or ({n_replicates}, {n}, D)"
    if inputs is None:
        raise ValueError(f"inputs: None is not allowed, KSG needs X as points; {allowed}")
    inputs = np.asarray(inputs)
    fits = inputs.ndim in (2, 3) and inputs.shape[:-1] in ((n,), (n_replicates, n))
    if inputs.dtype.kind not in "fiub" or not fits or inputs.shape[-1] == 0:
        raise ValueError(
            f"inputs: {inputs.dtype} of shape {inputs.shape} is not allowed; {allowed}"
        )
    # Both extremes are NaN where any value is, and NaN compares as false.
    if not (float(inputs.max()) <= LARGEST and float(inputs.min()) >= -LARGEST):
        raise ValueError(f"inputs: a value is not finite or above {LARGEST:g} in size; {allowed}")
    return [inputs] if inputs.ndim == 2 else list(inputs)


@dataclass(frozen=True, eq=False)
class _Cloud:
    """Points (M, D) whose distances count in units of `scale`."""

    points: np.ndarray
    scale: float

    def distances(self, rows: slice) -> np.ndarray:
        """From some points to all, (B, M).

        In single precision what differs by rounding alone, as in X and a rotated X, is equal.
        """
        return (cdist(self.points[rows], self.points) / self.scale).astype(np.float32)


@dataclass(frozen=True, eq=False)
class _Network:
    """Activations, labels (M,) of the samples taken, and H(Y) of all samples in bits."""

    activations: _Cloud
    labels: np.ndarray
    h_y: float

    @classmethod
    def of(cls, s: Sample, taken: np.ndarray) -> "_Network":
        labels = _drawn_labels(s.y) if s.soft else s.y
        return cls(_cloud(s.t, taken), labels[taken], dense_label_entropy(s.y))


def _cloud(points: np.ndarray, taken: np.ndarray) -> _Cloud:
    points = points[taken].astype(np.float64)
    # Less the first row, constant units are 0 exactly.
    scale = math.sqrt((points - points[0]).var(axis=0).sum())
    return _Cloud(points, scale if scale > 0 else 1.0)


def _drawn_labels(p_y: np.ndarray) -> np.ndarray:
    """A label from p(y|x_i) for every sample, (N, C) -> (N,); a certain one is itself."""
    chance = np.random.default_rng(_LABELS_SEED).random((len(p_y), 1))
    return (np.cumsum(p_y, axis=1)[:, :-1] <= chance).sum(axis=1)


def _informations(
    clouds: Sequence[_Cloud], networks: Sequence[_Network], ks: np.ndarray
) -> list[list[Information]]:
    """For every network the information at every k."""
    n = len(networks[0].labels)
    sums = np.zeros((len(networks), 2, len(ks)))
    n_rows = max(1, _BLOCK // n)
    for start in range(0, n, n_rows):
        rows = slice(start, start + n_rows)
        known, to_x = None, None
        for cloud, network, of_network in zip(clouds, networks, sums, strict=True):
            if cloud is not known:
                known, to_x = cloud, cloud.distances(rows)
            to_t = network.activations.distances(rows)
            of_network[0] += input_terms(to_x, to_t, ks)
            of_network[1] += label_terms(to_t, network.labels, rows, ks)
    return [
        [
            _information(i_xt, i_ty, k, network)
            for i_xt, i_ty, k in zip(*_bits(of_network, network.labels), ks.tolist(), strict=True)
        ]
        for network, of_network in zip(networks, sums, strict=True)
    ]


def _bits(sums: np.ndarray, labels: np.ndarray) -> list[list[float]]:
    """psi(N) + sums / N in bits: of I(X;T), and of I(T;Y) with N the samples with neighbours."""
    counts = np.bincount(labels)
    found = [
        (digamma(n) + s / n) / math.log(2) if n else np.zeros(len(s))
        for s, n in zip(sums, (len(labels), int(counts[counts > 1].sum())), strict=True)
    ]
    return [values.tolist() for values in found]


def _information(i_xt: float, i_ty: float, k: int, network: _Network) -> Information:
    n = len(network.labels)
    # With no more than k samples all but one are neighbours.
    most = min(math.log2(n), (digamma(n) - digamma(max(1, min(k, n - 1)))) / math.log(2))
    i_xt = max(0.0, i_xt)
    return Information(
        i_xt=i_xt,
        i_ty=min(max(0.0, i_ty), network.h_y),
        saturated=bool(most > 0.5 and i_xt > most - 0.5),
    )


def input_terms(to_x: np.ndarray, to_t: np.ndarray, ks: np.ndarray) -> np.ndarray:
    """sum_i psi(n_i) - psi(nx_i) - psi(nt_i) over some samples, in nats, for every k: (V,).

    Distances (B, N) of B samples to all N, to themselves 0.
    """
    together = np.maximum(to_x, to_t)
    n_neighbours = np.minimum(ks, to_x.shape[1] - 1)
    radii, held = balls(together, np.broadcast_to(n_neighbours, (len(to_x), len(ks))))
    margins = digamma(nearer(to_x, radii)) + digamma(nearer(to_t, radii))
    return (digamma(held) - margins).sum(axis=0)


def label_terms(to_t: np.ndarray, labels: np.ndarray, rows: slice, ks: np.ndarray) -> np.ndarray:
    """sum_i psi(n_i) - psi(N_y) - psi(nt_i), (V,), over those of some samples with neighbours.

    Distances (B, N), all labels (N,): N_y are of the label of sample i.
    """
    sizes = np.bincount(labels)[labels]
    with_neighbours = sizes > 1
    of_rows = with_neighbours[rows]
    if not of_rows.any():
        return np.zeros(len(ks))
    if not with_neighbours.all():
        to_t = to_t[np.ix_(of_rows, with_neighbours)]
    own, own_sizes = labels[rows][of_rows], sizes[rows][of_rows, None]
    together = np.where(own[:, None] == labels[with_neighbours], to_t, np.inf)
    radii, held = balls(together, np.minimum(ks, own_sizes - 1))
    return (digamma(held) - digamma(own_sizes) - digamma(nearer(to_t, radii))).sum(axis=0)


def balls(distances: np.ndarray, n_neighbours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The radii (B, V) of open balls about B samples, and how many of all N samples they hold.

    Distances (B, N), numbers of neighbours k (B, V). A ball ends at the k-th neighbour
    and holds k samples with its own centre, unless neighbours tie there: then
    it ends just beyond them.
    """
    most = int(n_neighbours.max())
    nearest = np.sort(np.partition(distances, most, axis=1)[:, : most + 1], axis=1)
    radii = np.take_along_axis(nearest, n_neighbours, axis=1)
    inside = np.stack([(nearest < r[:, None]).sum(axis=1) for r in radii.T], axis=1)
    # A sample without neighbours is alone with those that equal it.
    tied = inside < np.maximum(n_neighbours, 1)
    if not tied.any():
        return radii, n_neighbours
    radii = np.where(tied, np.nextafter(radii, np.inf), radii)
    return radii, np.where(tied, nearer(distances, radii), n_neighbours)


def nearer(distances: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """How many of the distances (B, N) lie below each radius (B, V): (B, V)."""
    counts = [np.count_nonzero(distances < r[:, None], axis=1) for r in radii.T]
    return np.stack(counts, axis=1)
