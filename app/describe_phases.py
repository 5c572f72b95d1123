"""Gradient phases in words: protocols, definitions, and what the events say."""

import math

import pandas as pd

from describe import plain
from ibcore import GradientProbe, Run
from ibcore.gradients import GradientStats, noise_floor, noise_scale

PROTOCOLS = {
    "epoch": "Weights fixed, one epoch",
    "sampled": "Weights fixed, sampled",
    "along": "Along the epoch",
    "networks": "Over parallel networks",
}
DEFINITIONS = {
    "layer": "Layer by layer",
    "caption": "Divided by ‖W‖",
    "cumulative": "Original code",
}
FORMULAS = {
    "layer": "mean m and standard deviation s of each layer by itself",
    "caption": "m/‖W‖ and s/‖W‖, the caption of the original figure; their ratio is that of m and"
    " s, only the levels differ",
    "cumulative": "Σ m over the layers up to this one and √(Σ s), as the original code computes"
    " them; the root is one too many, so that signal and noise do not scale alike",
}


def protocol_words(probe: GradientProbe, run: Run, n_batches: int) -> str:
    """Where the gradients come from, with this run's numbers."""
    size = probe.size(run)
    minibatches = f"{n_batches:,} minibatches of {size:,}"
    return {
        "epoch": f"weights fixed at the checkpoint, the {minibatches} of the epoch that follows",
        "sampled": f"weights fixed at the checkpoint, {minibatches} drawn at random",
        "along": f"the {minibatches} of the epoch that ends at the checkpoint, while the weights"
        " move",
        "networks": f"{n_batches:,} networks that started alike, each on its own {size:,} samples",
    }[probe.protocol]


def phase_lines(probe: GradientProbe, run: Run, n_batches: int, definition: str) -> list[str]:
    """What the figure of signal and noise shows, with this run's numbers."""
    return [
        f"Gradients: {protocol_words(probe, run, n_batches)}. g is the gradient of the loss in the"
        " weights of one layer; m = ‖mean of g over minibatches‖ is the signal, s = ‖standard"
        " deviation of g‖ the noise.",
        f"Compared here: {FORMULAS[definition]}. Drift is where the signal is above the noise,"
        " diffusion where it is below.",
        f"Noise alone does not give a signal of 0: of {n_batches:,} minibatches without any"
        f" signal, m/s would still be about 1/√(n − 1) = {noise_floor(n_batches):.3f}"
        f"{_FLOOR[definition]}. A curve near it may be noise altogether; the mean over one whole"
        " epoch can fall below it, because it is the full gradient, which vanishes at a minimum.",
        f"{_GROWTH[definition]}, so a crossing of 1 belongs to the minibatch of"
        f" {probe.size(run):,} as much as to the network. The noise scale B_simple = B tr Cov/|G|²"
        " does not depend on it: the minibatch at which signal and noise are level.",
        "A crossing counts where the smoothed log SNR was once above ln 1.25 and later stays below"
        " −ln 1.25 for three checkpoints, and 95 % of the resamples of the replicates agree.",
    ]


_OWN_FLOOR = ", the dotted floor"
_FLOOR = {
    "layer": _OWN_FLOOR,
    "caption": _OWN_FLOOR,
    "cumulative": "; the dotted floor is what the sums make of that, another one at every epoch",
}
_OWN_GROWTH = "m/s grows with the square root of the minibatch"
_GROWTH = {
    "layer": _OWN_GROWTH,
    "caption": _OWN_GROWTH,
    "cumulative": "Σ m/√(Σ s) grows with the fourth root of the minibatch, and with the root of"
    " the loss",
}


def outcome_lines(events: pd.DataFrame, scales: pd.DataFrame, names: tuple[str, ...]) -> list[str]:
    """One sentence per layer: its crossing, the fall of its SNR, the turn of I(X;T), its noise."""
    lines = []
    for layer, name in enumerate(names, start=1):
        of_layer = events[events["layer"] == layer].set_index("kind")
        parts = [_sentence(of_layer, kind) for kind in SUBJECTS]
        parts.append(_scale_words(scales.loc[layer]) if layer in scales.index else "")
        lines.append(f"**{plain(name)}**: {'; '.join(filter(None, parts))}.")
    return lines


def loss_line(events: pd.DataFrame) -> str:
    """The kink of the loss in a sentence, empty where there is none."""
    kinks = events[events["kind"] == "kink"]
    if kinks.empty:
        return ""
    kink = kinks.iloc[0]
    return f"**Loss**: its kink {epoch_words(kink)}, {kink['words']}."


SUBJECTS = {"crossing": "", "onset": "the SNR ", "turning": "I(X;T) "}


def for_panels(events: pd.DataFrame) -> pd.DataFrame:
    """The events with the epoch of a crossing in its words, short enough for a panel."""
    crossing = events["kind"] == "crossing"
    dated = [f"{event['words']} {epoch_words(event)}".strip() for _, event in events.iterrows()]
    return events.assign(words=events["words"].where(~crossing, dated))


def _sentence(of_layer: pd.DataFrame, kind: str) -> str:
    if kind not in of_layer.index:
        return ""
    event = of_layer.loc[kind]
    note = f"({event['note']})" if event["note"] else ""
    said = [f"{SUBJECTS[kind]}{event['words']}", epoch_words(event), note]
    return " ".join(filter(None, said))


def epoch_words(event: pd.Series) -> str:
    """ "at epoch 66 [50, 80]", empty where there is no epoch."""
    if not math.isfinite(event["epoch"]):
        return ""
    ends = event["epoch_lower"], event["epoch_upper"]
    known = all(math.isfinite(end) for end in ends)
    interval = f" [{ends[0]:,.0f}, {ends[1]:,.0f}]" if known else ""
    return f"at epoch {event['epoch']:,.0f}{interval}"


def noise_scales(table: pd.DataFrame, probe: GradientProbe, run: Run) -> pd.DataFrame:
    """The median B_simple over replicates at the first and last epoch, by layer."""
    n, size = int(table["n_batches"].iloc[0]), int(table["batch_size"].iloc[0])
    drawn_from = {
        "sampled": run.sample_index("train").shape[1],
        "networks": len(run.dataset.train),
    }.get(probe.protocol)
    stats = GradientStats(*(table[c].to_numpy() for c in ("mean_norm", "std_norm", "weight_norm")))
    scaled = table.assign(scale=noise_scale(stats, n, size, drawn_from))
    wide = scaled.groupby(["layer", "epoch"])["scale"].median().unstack()
    return wide.iloc[:, [0, -1]]


def _scale_words(scales: pd.Series) -> str:
    first, last = scales.tolist()
    if math.isnan(first) or math.isnan(last):
        return ""
    return f"noise scale B_simple {_count(first)} at first, {_count(last)} at the end"


def _count(value: float) -> str:
    if math.isinf(value):
        return "beyond measure (no signal left)"
    return f"{value:,.0f} samples" if value >= 10 else f"{value:.2g} samples"
