"""Tables of a run that looks like the tanh network of the first papers."""

import numpy as np
import pandas as pd

EPOCHS = (0, 1, 3, 10, 40, 100)
NAMES = ("1: 4 tanh", "2: 3 tanh", "3: 2 softmax")


def tables(
    replicates: int = 3, bounds: bool = False, seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Information and history of 3 layers at `EPOCHS`: rising, then the deep layers falling."""
    rng = np.random.default_rng(seed)
    grid = [(e, layer, r) for e in EPOCHS for layer in (1, 2, 3) for r in range(replicates)]
    table = pd.DataFrame(grid, columns=["epoch", "layer", "replicate"])
    u = np.log1p(table["epoch"]) / np.log1p(EPOCHS[-1])
    noise = rng.normal(0, 0.1, len(table))
    table["i_xt"] = 8 - 2 * table["layer"] + 4 * u * (1 - u) - 0.5 * u * table["layer"] + noise
    table["i_ty"] = (0.3 + 0.6 * u + 0.1 * noise).clip(0, 1)
    if bounds:
        table = table.assign(i_xt_lower=table["i_xt"] - 1, i_xt_upper=table["i_xt"])
        table = table.assign(i_ty_lower=table["i_ty"] - 0.1, i_ty_upper=table["i_ty"] + 0.1)
    else:
        table["h_t"] = table["i_xt"]
    table["saturated"] = table["i_xt"] > 6.4
    return table, _history(replicates, rng)


def _history(replicates: int, rng: np.random.Generator) -> pd.DataFrame:
    grid = [(e, r) for e in EPOCHS for r in range(replicates)]
    history = pd.DataFrame(grid, columns=["epoch", "replicate"])
    u = np.log1p(history["epoch"]) / np.log1p(EPOCHS[-1])
    for split in ("train", "test"):
        history[f"{split}_loss"] = 0.7 * (1 - u) + 0.1 * rng.random(len(history))
        history[f"{split}_accuracy"] = 0.5 + 0.4 * u
    return history


def curves(values: tuple[int, ...] = (2, 5, 10, 30)) -> pd.DataFrame:
    """The table of one run for several numbers of bins."""
    parts = [tables(seed=n)[0].assign(n_bins=n) for n in values]
    return pd.concat(parts, ignore_index=True)


def gradient_table(
    epochs: tuple[int, ...] = EPOCHS, n_layers: int = 3, replicates: int = 3, seed: int = 0
) -> pd.DataFrame:
    """Signal and noise of 13 minibatches: the signal falls below the noise after 30 epochs."""
    rng = np.random.default_rng(seed)
    layers, members = range(1, n_layers + 1), range(replicates)
    grid = [(e, layer, r) for e in epochs for layer in layers for r in members]
    table = pd.DataFrame(grid, columns=["epoch", "layer", "replicate"])
    early = 31 / (1 + table["epoch"])
    noise = 0.02 * table["layer"] * (early / (1 + early)) ** 0.4
    ratio = 0.3 + 0.7 * early.clip(upper=4 + table["layer"])
    table["signal"] = noise * ratio * np.exp(rng.normal(0, 0.15, len(table)))
    table["noise"] = noise * np.exp(rng.normal(0, 0.1, len(table)))
    table["floor"] = table["noise"] / np.sqrt(12)
    table["snr"] = table["signal"] / table["noise"]
    return table


def gradient_events(n_layers: int = 3) -> pd.DataFrame:
    """A crossing with its interval in each layer but the last, and a kink of the loss."""
    layers = range(1, n_layers)
    rows = [(i, "crossing", 28.0 + i, 20.0, 40.0, f"crossed at {28 + i} [20, 40]") for i in layers]
    rows += [(i, "onset", 10.0, 5.0, 15.0, "begins at 10 [5, 15]") for i in layers]
    rows += [(i, "turning", 35.0, np.nan, np.nan, "turns at 35") for i in layers]
    rows += [(n_layers, "crossing", np.nan, np.nan, np.nan, "drift-dominated throughout")]
    rows += [(0, "kink", 25.0, 15.0, 30.0, "kink at 25 [15, 30]")]
    names = ["layer", "kind", "epoch", "epoch_lower", "epoch_upper", "words"]
    return pd.DataFrame(rows, columns=names)


def overlay(epochs: tuple[int, ...] = EPOCHS, replicates: int = 3) -> pd.DataFrame:
    """Two definitions, each under two protocols, of one layer."""
    pairs = [(d, p) for d in ("layer", "caption") for p in ("fixed weights", "along the epoch")]
    parts = []
    for i, (definition, protocol) in enumerate(pairs):
        table = gradient_table(epochs, 1, replicates, seed=i)
        scaled = table.assign(signal=table["signal"] / (1 + i), noise=table["noise"] / (1 + i))
        parts.append(scaled.assign(definition=definition, protocol=protocol))
    return pd.concat(parts, ignore_index=True)


def loss_table(
    epochs: tuple[int, ...] = EPOCHS, replicates: int = 3, seed: int = 0
) -> pd.DataFrame:
    """Changes of the loss: as predicted at the virtual rate, with the wrong sign at times else."""
    rng = np.random.default_rng(seed)
    grid = [(e, r) for e in epochs for r in range(replicates)]
    parts = []
    for kind, rate in (("virtual", 1e-3), ("real", 0.1)):
        table = pd.DataFrame(grid, columns=["epoch", "replicate"]).assign(kind=kind, rate=rate)
        decay = 1 / (1 + table["epoch"] / 30) ** 1.5
        predicted = -0.05 * rate * decay * np.exp(rng.normal(0, 0.1, len(table)))
        second = 0.01 if kind == "virtual" else 0.3 + 1.2 * np.log1p(table["epoch"]) / 4
        ratio = 1 - second + rng.normal(0, 0.01 if kind == "virtual" else 0.2, len(table))
        parts.append(table.assign(measured=predicted * ratio, predicted=predicted))
    return pd.concat(parts, ignore_index=True)


def weight_table(
    epochs: tuple[int, ...] = EPOCHS, n_layers: int = 3, replicates: int = 3, seed: int = 0
) -> pd.DataFrame:
    """Growing norms; cosines that rise, but for the last layer, whose units have no partner."""
    rng = np.random.default_rng(seed)
    layers, members = range(1, n_layers + 1), range(replicates)
    grid = [(e, layer, r) for e in epochs for layer in layers for r in members]
    table = pd.DataFrame(grid, columns=["epoch", "layer", "replicate"])
    u = np.log1p(table["epoch"]) / np.log1p(epochs[-1])
    table["weight_norm"] = (1.5 + 0.3 * table["layer"] + 3 * u**3) * np.exp(
        rng.normal(0, 0.05, len(table))
    )
    cosine = (0.15 + 0.1 * table["layer"] * u + rng.normal(0, 0.03, len(table))).clip(0, 1)
    table["cosine"] = cosine.where(table["layer"] < n_layers)
    return table
