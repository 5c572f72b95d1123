"""The three events that the theory ties together, found in tidy tables.

Where the SNR of a layer's gradients crosses 1, where I(X;T) turns, and where the
loss has its kink: said to be one moment (Shwartz-Ziv & Tishby 2017, section 3.3).
"""

import numpy as np
import pandas as pd

from ibcore.phases import (
    LEAST_REPLICATES,
    Crossing,
    crossing,
    loss_kink,
    smooth,
    snr_onset,
)
from ibcore.tables import by_replicate
from ibcore.verdicts import LEAST_CHECKPOINTS, verdict_map

COLUMNS = ("layer", "kind", "epoch", "epoch_lower", "epoch_upper", "words", "note")


def gradient_events(defined: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """The crossing and the onset of the fall of the SNR, a row each per layer.

    `defined` is the table of `ibcore.probes.defined`. Columns: layer, kind ("crossing",
    "onset"), epoch and its interval over replicates (NaN where there is none), words
    (what happened) and note (which replicates differ, and whether they are too few).
    Empty for fewer than 8 checkpoints.
    """
    rows = []
    for layer, table in defined.groupby("layer"):
        epochs, (signal, noise) = by_replicate(table, "signal", "noise")
        if len(epochs) < LEAST_CHECKPOINTS:
            continue
        crossed = crossing(signal, noise, epochs, seed=seed)
        words = _outcome_words(crossed, signal, noise)
        rows.append(_row(layer, "crossing", crossed, words, _replicate_note(crossed)))
        onset = snr_onset(signal, noise, epochs, seed=seed)
        words = "does not fall for good" if onset.epoch is None else "begins to fall"
        rows.append(_row(layer, "onset", onset, words))
    return pd.DataFrame(rows, columns=COLUMNS)


def turning_events(plane: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Where I(X;T) of each layer turns: a row of kind "turning" per layer.

    `plane` is the table of `information_plane`. The epoch is that of
    `ibcore.phases.compression`; it is NaN, and the words say so, where the verdict is
    not that the layer compresses, and where its interval touches the first or last
    checkpoint.
    """
    rows = []
    for _, found in verdict_map(plane.assign(value=0), "value", seed=seed).iterrows():
        turns = found["resolved"] and found["verdict"] == "compresses"
        words = "turns" if turns else _NO_TURN.get(found["verdict"], "its turn is not resolved")
        row = _row(found["layer"], "turning", found, words)
        missing = {} if turns else dict.fromkeys(COLUMNS[2:5], np.nan)
        rows.append(row | missing)
    return pd.DataFrame(rows, columns=COLUMNS)


_NO_TURN = {"none": "does not turn", "too few replicates": "too few replicates for a turn"}


def loss_events(history: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """The kink of the training loss: one row of kind "kink" and layer 0, or none."""
    epochs, (loss,) = by_replicate(history, "train_loss")
    if len(epochs) < LEAST_CHECKPOINTS:
        return pd.DataFrame(columns=COLUMNS)
    kink = loss_kink(loss, epochs, seed=seed)
    if kink.epoch is None:
        return pd.DataFrame(columns=COLUMNS)
    words = f"slope of log loss {kink.slope_before:.2f}, then {kink.slope_after:.2f}"
    return pd.DataFrame([_row(0, "kink", kink, words)], columns=COLUMNS)


def _outcome_words(found: Crossing, signal: np.ndarray, noise: np.ndarray) -> str:
    """The outcome of the mean, less bluntly where the replicates or the end belie it."""
    most_cross = 2 * found.replicates.count("crossed") > len(found.replicates)
    if found.outcome != "crossed" and most_cross:
        return "no crossing that the replicates agree on"
    if found.outcome != "drift-dominated throughout":
        return found.outcome
    with np.errstate(divide="ignore", invalid="ignore"):
        log_snr = np.log(signal) - np.log(noise)
    mean = smooth(log_snr[np.isfinite(log_snr).all(axis=1)].mean(axis=0))
    return found.outcome if mean.min() > 0 else "drift, and no lasting diffusion after it"


_ALONE = {"drift-dominated throughout": "with drift but no lasting crossing"}


def _replicate_note(found: Crossing) -> str:
    """How the outcomes of the replicates differ, and whether they are too few to tell."""
    own = list(found.replicates)
    if len(own) == 1:
        return "a single curve: no interval, and no guard against noise"
    counts = sorted({name: own.count(name) for name in own}.items(), key=lambda pair: -pair[1])
    notes = [f"{n} of {len(own)} {_ALONE.get(name, name)}" for name, n in counts if len(counts) > 1]
    if found.outcome == "crossed" and len(own) - own.count("undefined") < LEAST_REPLICATES:
        notes.append("too few replicates to tell it from noise")
    return ", ".join(notes)


def _row(layer: int, kind: str, found, words: str, note: str = "") -> dict:
    ends = (found.epoch, found.epoch_lower, found.epoch_upper)
    numbers = [np.nan if end is None else float(end) for end in ends]
    return dict(zip(COLUMNS, (layer, kind, *numbers, words, note), strict=True))
