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
