"""The file of a run: compressed .npz, arrays and JSON, no pickle; read from anyone.

It holds the fields of `Run` by their names, `weights` and `biases` as w1, b1, w2, ..., and
in `meta` the experiment, the fingerprint of the data and the format.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ibcore.archive import read_arrays
from ibcore.experiment import FORMAT, Experiment, FieldError
from ibcore.stack import Conv, Dense, Pool

MEASURES = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")
ALONG = ("along_mean", "along_std")
_ALWAYS = ("epochs", "diverged", "train_loss", "train_accuracy")
Fields = dict[str, Any]


def write_run(file: str | Path | BinaryIO, fields: Fields) -> None:
    """Write all fields of a `Run`."""
    arrays = {name: fields[name] for name in ("epochs", "diverged")}
    arrays |= {f"w{i}": w for i, w in enumerate(fields["weights"], start=1)}
    arrays |= {f"b{i}": b for i, b in enumerate(fields["biases"], start=1)}
    arrays |= {name: fields[name] for name in (*MEASURES, *ALONG) if fields[name] is not None}
    meta = {
        "format": FORMAT,
        "fingerprint": fields["fingerprint"],
        "experiment": json.loads(fields["experiment"].to_json()),
    }
    np.savez_compressed(file, meta=np.array(json.dumps(meta)), **arrays)


def read_run(file: str | Path | BinaryIO) -> Fields:
    """All fields of a `Run`.

    Raises ValueError, in one line, for a file that is no run, is damaged, holds pickled
    objects, or does not fit its own experiment.
    """
    arrays = read_arrays(file, "run file")
    experiment, fingerprint = _read_meta(arrays)
    _check_names(experiment, arrays)
    numbers = range(1, len(weighted_layers(experiment)) + 1)
    fields = {name: arrays.get(name) for name in ("epochs", "diverged", *MEASURES, *ALONG)}
    fields["weights"] = tuple(arrays[f"w{i}"] for i in numbers)
    fields["biases"] = tuple(arrays[f"b{i}"] for i in numbers)
    _check_shapes(experiment, fields)
    _check_finite(fields)
    return {"experiment": experiment, "fingerprint": fingerprint, **fields}


def sound_at(epoch: int, diverged: np.ndarray) -> np.ndarray:
    """Which replicates (R,) had not diverged at an epoch."""
    return (diverged < 0) | (diverged > epoch)


def _read_meta(arrays: dict[str, np.ndarray]) -> tuple[Experiment, str]:
    try:
        meta = json.loads(str(arrays["meta"][()]))
        version, experiment = meta["format"], json.dumps(meta["experiment"])
        fingerprint = str(meta["fingerprint"])
    except (KeyError, TypeError, ValueError, RecursionError):
        raise ValueError("run file: it holds no experiment, so it is no run") from None
    if version != FORMAT:
        raise ValueError(f"run file: format {version!r} is not {FORMAT}")
    try:
        return Experiment.from_json(experiment), fingerprint
    except FieldError as error:
        raise ValueError(f"run file: {error}") from None


def weighted_layers(experiment: Experiment) -> tuple[int, ...]:
    """The numbers, from 1, of the layers that have weights: of all but those that pool."""
    layers = enumerate((*experiment.network.hidden, None), start=1)
    return tuple(number for number, layer in layers if not isinstance(layer, Pool))


def _check_names(experiment: Experiment, arrays: Mapping[str, np.ndarray]) -> None:
    wanted = list(_ALWAYS)
    wanted += [f"{kind}{i + 1}" for kind in "wb" for i in range(len(weighted_layers(experiment)))]
    for together in (MEASURES[2:], ALONG):
        if any(name in arrays for name in together):
            wanted += together
    for name in wanted:
        if name not in arrays:
            raise ValueError(f"run file: the array {name} is missing")


def _check_shapes(experiment: Experiment, fields: Fields) -> None:
    """Refuse arrays that do not fit the experiment."""
    epochs, replicates = fields["epochs"], experiment.training.replicates
    _expect("epochs", epochs, (epochs.size,), "i")
    if tuple(epochs) != experiment.epochs[: epochs.size] or epochs.size == 0:
        raise ValueError("run file: epochs are not those of its experiment")
    lead = (epochs.size, replicates)
    shapes = _weight_shapes(experiment, fields["weights"])
    for i, (shape, w, b) in enumerate(
        zip(shapes, fields["weights"], fields["biases"], strict=True), start=1
    ):
        _expect(f"w{i}", w, (*lead, *shape))
        _expect(f"b{i}", b, (*lead, shape[0]))
    for name in MEASURES:
        if fields[name] is not None:
            _expect(name, fields[name], lead)
    for name in ALONG:
        if fields[name] is not None:
            _expect(name, fields[name], (*lead, len(shapes)))
    _expect("diverged", fields["diverged"], (replicates,), "i")


def _weight_shapes(
    experiment: Experiment, weights: tuple[np.ndarray, ...]
) -> list[tuple[int, ...]]:
    """The shapes that the weights of one network must have, as far as they are known.

    What depends on the data is taken from the weights: the inputs, the classes, and the
    size of the images that the first dense layer sees.
    """
    found = [w.shape if w.ndim > 3 else (0,) * 4 for w in weights]
    output = Dense(1 if experiment.network.output == "sigmoid" else found[-1][2])
    layers = [layer for layer in experiment.network.hidden if not isinstance(layer, Pool)]
    shapes = []
    for before, layer, shape in zip((None, *layers), (*layers, output), found, strict=True):
        if isinstance(layer, Conv):
            below = before.channels if isinstance(before, Conv) else shape[3]
            shapes.append((layer.channels, below, layer.side, layer.side))
        else:
            below = before.units if isinstance(before, Dense) else shape[3]
            shapes.append((layer.units, below))
    return shapes


def _expect(name: str, array: np.ndarray, shape: tuple[int, ...], kind: str = "f") -> None:
    if array.shape != shape:
        raise ValueError(f"run file: {name} has shape {array.shape}, its experiment needs {shape}")
    if array.dtype.kind != kind or (kind == "f" and array.dtype != np.float32):
        wanted = "float32" if kind == "f" else "whole numbers"
        raise ValueError(f"run file: {name} has type {array.dtype}, a run has {wanted}")


def _check_finite(fields: Fields) -> None:
    """Refuse numbers of sound replicates that are not finite, and deviations below 0."""
    for k, epoch in enumerate(fields["epochs"]):
        sound = sound_at(epoch, fields["diverged"])
        pairs = zip(fields["weights"], fields["biases"], strict=True)
        for layer, parameters in enumerate(pairs, start=1):
            if not all(np.isfinite(p[k][sound]).all() for p in parameters):
                raise ValueError(
                    f"run file: the weights of layer {layer} at epoch {epoch} are not finite"
                )
        # Before the first epoch there are no gradients.
        for name in ALONG if epoch else ():
            if fields[name] is not None and not _are_sizes(fields[name][k][sound]):
                raise ValueError(f"run file: {name} at epoch {epoch} is not finite or below 0")


def _are_sizes(values: np.ndarray) -> bool:
    return bool((np.isfinite(values) & (values >= 0)).all())
