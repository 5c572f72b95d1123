"""What the app says of each family of estimators: names, slider, definition.

A new estimator needs one entry in FAMILIES, and one in SLIDERS for a new parameter.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ibcore.estimators import (
    KDE,
    KSG,
    Binning,
    Estimator,
    Gaussian,
    Quantised,
    Renyi,
    Sampling,
    to_dict,
)


@dataclass(frozen=True)
class Family:
    """One entry of the registry ESTIMATORS as the pages name it.

    `short`: in the list of estimators; `title`: in captions; `key`: the setting that
    its slider moves (binning by width has another); `define`: the estimator with N
    samples in a few lines of Markdown; `votes`: whether its verdicts count beside those
    of others, which those of a diagnostic do not.
    """

    short: str
    title: str
    key: str
    define: Callable[[Estimator, int], Sequence[str]]
    votes: bool = True


SLIDERS = {
    "bins": "Number of bins",
    "width": "Bin width",
    "var": "Noise variance σ²",
    "alpha": "Order α",
    "k": "Neighbours k",
    "levels": "Bits",
}
"""What a slider is called, by the setting that it moves."""


def of(estimator: Estimator) -> Family:
    """The family that the estimator belongs to."""
    return FAMILIES[to_dict(estimator)["family"]]


def definition(estimator: Estimator, n: int) -> Sequence[str]:
    """The estimator's definition and caveats at N samples, as lines of Markdown."""
    return of(estimator).define(estimator, n)


def title(estimator: Estimator) -> str:
    """The estimator without the value of its parameter."""
    if not isinstance(estimator, Binning):
        return of(estimator).title
    if estimator.width is not None:
        return f"Binning by width{_options(estimator)}"
    if isinstance(estimator.limits, str):
        return f"Binning {_NAMED_LIMITS[estimator.limits]}{_options(estimator)}"
    return f"Binning on [{estimator.limits[0]:g}, {estimator.limits[1]:g}]{_options(estimator)}"


_NAMED_LIMITS = {
    "range": "on the range of the run",
    "layer": "on the range of each layer",
    "rank": "by rank",
}


def _options(estimator: Binning) -> str:
    corrected = ", Miller-Madow" if estimator.correction == "miller-madow" else ""
    return corrected + (f", less {estimator.null} shuffles" if estimator.null else "")


def _of_sampling(estimator: Sampling, n: int) -> Sequence[str]:
    return (
        f"Sample propagation: z = t + noise of variance σ² = {estimator.variance:g} is drawn for"
        " every input, and I(X;T+noise) = mean_i [log2 p(z_i|x_i) − log2 p(z_i)], where p is the"
        f" mixture of the N = {n:,} Gaussians around the activations.",
        "It is unbiased for the noisy network on these inputs, with a standard error (in the CSV),"
        " and its mean lies between the bounds of the KDE. Estimates below 0 are shown as 0.",
    )


def _of_gaussian(estimator: Gaussian, n: int) -> Sequence[str]:
    return (
        f"Gaussian: T is taken to be Gaussian with its own covariance C over the N = {n:,} inputs,"
        f" with noise of variance σ² = {estimator.variance:g}: I(X;T+noise) = ½ log2 det(1 + C/σ²),"
        " and I(T;Y) is the same less its mean within the classes.",
        "It is exact for linear networks with Gaussian input and an upper bound of I(X;T+noise)"
        " for every other T; it may exceed log2 N.",
    )


def _of_renyi(estimator: Renyi, n: int) -> Sequence[str]:
    return (
        f"Matrix-based Rényi entropy of order α = {estimator.alpha:g}: S = log2(Σ λ^α)/(1 − α) of"
        f" the eigenvalues of the kernel matrix of the N = {n:,} activations, divided by N; joint"
        " ones by products of the entries. Beyond N = 1,000 orders other than 2 take 1,000 rows.",
        "**It is not Shannon information**: it depends on the width of the kernel (Scott's rule for"
        " each layer here), and differences of it need not obey the laws of mutual information.",
    )


def _of_quantised(estimator: Quantised, n: int) -> Sequence[str]:
    return (
        f"Quantised: every unit of T is rounded to the nearest of 2^{estimator.bits} ="
        f" {2**estimator.bits:,} even levels on the range of its activation, or of the run where it"
        " has none ([0, 1] for the output); I(X;T) = H(T) = log2 N − (1/N) Σ n log2 n over the"
        f" counts n of distinct rows, N = {n:,}, and I(T;Y) = H(T) + H(Y) − H(T,Y).",
        "For a network trained on a grid of as many bits or fewer, rounding changes nothing: the"
        " values are **exact**, with no choice of an estimator left. For any other network they"
        " are those of a **rounded** copy.",
    )


def _of_kde(estimator: KDE, n: int) -> Sequence[str]:
    v = estimator.variance
    return (
        f"KDE: Gaussian noise of variance σ² = {v:g} is added to every unit of T, in the"
        " estimator only. With d the distances of the activations and f(v) = log2 N − mean_i"
        f" log2 Σ_j exp(−d²_ij/2v), f(4σ²) ≤ I(X;T+noise) ≤ f(σ²); N = {n:,}.",
        "The plane shows the upper values, as the papers do; bars reach to the lower bound of"
        " I(X;T) and span the rigorous bracket of I(T;Y).",
    )


def _of_binning(estimator: Binning, n: int) -> Sequence[str]:
    if estimator.by_rank:
        cells = f"{estimator.n_bins} bins of equal counts, anew at every epoch"
    elif estimator.width is not None:
        cells = f"bins of width {estimator.width:g}, without limits"
    elif isinstance(estimator.limits, str):
        where = "all layers and epochs of this run" if estimator.limits == "range" else "its layer"
        cells = f"{estimator.n_bins} equal bins between the extremes of {where}"
    else:
        low, high = estimator.limits
        cells = f"{estimator.n_bins} equal bins on [{low:g}, {high:g}], beyond them the outer bins"
    return (
        f"Binning: every unit of T is cut into {cells}; I(X;T) = H(T) = log2 N − (1/N) Σ n log2 n"
        f" over the counts n of distinct rows, N = {n:,}.",
        *_option_lines(estimator),
        "I(T;Y) = H(T) + H(Y) − H(T,Y). It says nothing of what lies below the bins: a layer that"
        " saturates loses bins, not information.",
    )


def _option_lines(estimator: Binning) -> Sequence[str]:
    """What bias correction and shuffle null do to the numbers."""
    lines = []
    if estimator.correction == "miller-madow":
        lines.append(
            "Miller-Madow: (K − 1)/(2N ln 2) bits are added to each entropy of K occupied cells,"
            " for inputs drawn from a larger population; where these inputs are all there are, it"
            " is wrong."
        )
    if estimator.null:
        lines.append(
            f"Null: the mean I(T;Y) of {estimator.null} shuffles of the labels is subtracted. Where"
            " all rows of T differ, nothing is left of I(T;Y), whatever T knows."
        )
    return lines


def _of_ksg(estimator: KSG, n: int) -> Sequence[str]:
    rows = f", on {estimator.rows:,} of the samples" if n > estimator.rows else ""
    return (
        f"Nearest neighbours: I(X;T) by Kraskov's first estimator, from how many samples are"
        f" closer in X, and in T, than the k-th neighbour in both (k = {estimator.k}); I(T;Y) by"
        f" Ross's form of it for labels{rows}.",
        "**A diagnostic, not a measurement**: T is a function of X, so the true I(X;T) of a"
        " continuous X is infinite and this estimate grows with the samples taken, like log2 of"
        " their number; for inputs that are few"
        " and discrete its distances are tied. Compare layers and epochs, not bits.",
    )


FAMILIES = {
    "binning": Family("Binning", "Binning", "bins", _of_binning),
    "kde": Family("KDE", "KDE with Gaussian noise", "var", _of_kde),
    "sampling": Family("Sampling", "Sample propagation", "var", _of_sampling),
    "gaussian": Family("Gaussian", "Gaussian with noise", "var", _of_gaussian),
    "renyi": Family("Rényi", "Matrix-based Rényi, not Shannon", "alpha", _of_renyi),
    "ksg": Family(
        "KSG, nearest neighbours (diagnostic)",
        "Nearest neighbours (KSG, Ross), a diagnostic",
        "k",
        _of_ksg,
        votes=False,
    ),
    "quantised": Family("Quantised", "Quantised, counted on a grid", "levels", _of_quantised),
}
"""By the names of ESTIMATORS."""
