"""Settings in words: what a caption and a sentence on the page need."""

import math
import re
from collections.abc import Sequence
from importlib.metadata import version

import torch

from charts import PlaneSettings
from ibcore import Experiment, Run
from ibcore.estimators import KDE, Binning, Estimator, Gaussian, Renyi, Sampling, to_dict
from ibcore.tasks import Dataset


def plain(text: object) -> str:
    """Text from outside as Markdown that shows it as it is: no links, images or markup."""
    return re.sub(r"([\\`*_{}\[\]()<>#+\-!|$:~])", r"\\\1", str(text))


def layer_names(experiment: Experiment, n_classes: int) -> tuple[str, ...]:
    """One short name per layer, the output layer included."""
    network = experiment.network
    hidden = [f"{width} {network.activation}" for width in network.widths]
    outputs = 1 if network.output == "sigmoid" else n_classes
    names = [*hidden, f"{outputs} {network.output}"]
    return tuple(f"{i}: {name}" for i, name in enumerate(names, start=1))


def experiment_line(experiment: Experiment) -> str:
    """Task, network and training in one line."""
    task, network = experiment.task, experiment.network
    data = f"{task.name}, train fraction {task.train_fraction:g}, split seed {task.split_seed}"
    if task.gamma is not None:
        data += f", soft labels with γ = {task.gamma:g}"
    return (
        f"Task {data}. Network {network.layers}, {network.activation}, init {network.init},"
        f" {network.output} output. {training_words(experiment)}."
    )


def training_words(experiment: Experiment) -> str:
    """Optimiser, batches, epochs, replicates and seed."""
    training = experiment.training
    batch = {
        "full": "full batch",
        "mini": f"minibatches of {training.batch_size}",
        "single": "single examples",
        "parallel": f"parallel networks with a fixed minibatch of {training.batch_size} each",
    }[training.batch_mode]
    momentum = f" {training.momentum:g}" if training.optimizer == "momentum" else ""
    return (
        f"{training.optimizer}{momentum}, learning rate {training.learning_rate:g}, {batch},"
        f" {training.epochs} epochs, {training.replicates} replicates, seed {training.seed}"
        + (", a split for every replicate" if training.resample_split else "")
    )


def caption(run: Run, seen: str, command: str) -> list[str]:
    """The lines below an exported figure: settings, estimator, versions, reproduction.

    `seen` says what is drawn: by which estimator or probe, in which units.
    """
    reached = "" if run.complete else f" Stopped at epoch {run.epochs[-1]}."
    lost = [f"{r} from epoch {e} on" for r, e in enumerate(run.diverged) if e >= 0]
    diverged = f" Diverged and left out: replicate {', '.join(lost)}." if lost else ""
    return [
        experiment_line(run.experiment),
        f"{seen}.{reached}{diverged}",
        f"ibcore {version('ibcore')}, PyTorch {torch.__version__}. Reproduce: {command}",
    ]


FAMILIES = {
    "binning": "Binning",
    "kde": "KDE with Gaussian noise",
    "sampling": "Sample propagation",
    "gaussian": "Gaussian with noise",
    "renyi": "Matrix-based Rényi, not Shannon",
}


def family(estimator: Estimator) -> str:
    """The estimator without the value of its parameter."""
    if not isinstance(estimator, Binning):
        return FAMILIES[to_dict(estimator)["family"]]
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


def spread(run: Run) -> str:
    """What the bands of the curves are."""
    if run.n_replicates == 1:
        return "one replicate"
    return f"mean of {run.n_replicates} replicates, band ± 1 standard deviation"


def duration(seconds: float) -> str:
    """A length of time as a person would say it."""
    if seconds < 1:
        return "less than a second"
    if seconds < 100:
        return f"about {seconds:.0f} s"
    if seconds < 5400:
        return f"about {seconds / 60:.0f} min"
    return f"about {seconds / 3600:.1f} h"


def what_am_i_looking_at(
    run: Run, dataset: Dataset, estimator: Estimator, settings: PlaneSettings
) -> list[str]:
    """The estimator's definition with this run's numbers, in five lines."""
    n_samples, h_x = settings.n_samples, settings.h_x
    distinct = math.isclose(h_x, math.log2(n_samples), abs_tol=1e-6)
    return [
        f"Each point is one layer T at one epoch, the mean of {run.n_replicates} networks:"
        " how many bits of T tell which input X came in, and how many tell its label Y.",
        *_definition(estimator, n_samples),
        f"Dashed lines: H(X) = {f'log2 {n_samples:,} = ' if distinct else ''}{h_x:.2f} bits, all"
        f" that these samples can show, and H(Y) = {settings.h_y:.4f} bits{_soft(dataset)}. A point"
        " within half a bit of log2 N is marked saturated: there the number of samples decides,"
        " not the network.",
        "The network is deterministic: the true I(X;T) is infinite for continuous X, and for"
        " discrete X it is H(X), less where units are dead or rounding merges inputs. A rise or"
        " fall of the curve is a statement about T at this estimator's resolution; see"
        " Sensitivity for whether it lasts when the resolution changes.",
    ]


def _soft(dataset: Dataset) -> str:
    if dataset.p_y_given_x is None:
        return ""
    return f"; the labels are noisy, and no layer can tell more than I(X;Y) = {dataset.i_xy:.4f}"


def _definition(estimator: Estimator, n: int) -> Sequence[str]:
    return _DEFINITIONS[to_dict(estimator)["family"]](estimator, n)


def _of_sampling(estimator: Sampling, n: int) -> Sequence[str]:
    return (
        f"Sample propagation: z = t + noise of variance σ² = {estimator.variance:g} is drawn for"
        " every input, and I(X;T+noise) = mean_i [log2 p(z_i|x_i) − log2 p(z_i)], where p is the"
        f" mixture of the N = {n:,} Gaussians around the activations.",
        "It is unbiased for the noisy network on these inputs, with a standard error (in the CSV),"
        " and lies between the bounds of the KDE. Estimates below 0 are shown as 0.",
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
        "I(T;Y) = H(T) + H(Y) − H(T,Y). It is exact for the quantised network, and says nothing"
        " of what lies below the bins: a layer that saturates loses bins, not information.",
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


_DEFINITIONS = {
    "binning": _of_binning,
    "kde": _of_kde,
    "sampling": _of_sampling,
    "gaussian": _of_gaussian,
    "renyi": _of_renyi,
}
