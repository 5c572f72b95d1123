"""The file of a run: .npz of arrays and JSON, no pickle; read from anyone.

It holds the fields of `Run` by their names, `weights` and `biases` as w1, b1, w2, ..., and
in `meta` the experiment, the fingerprint of the data and the format.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ibcore.archive import Archive, Header, open_archive, release, write_arrays
from ibcore.experiment import FORMAT, Experiment, shortened
from ibcore.files import write_whole
from ibcore.stack import Conv, Dense, Pool

MEASURES = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")
ALONG = ("along_mean", "along_std")
_ALWAYS = ("epochs", "diverged", "train_loss", "train_accuracy")
_MAX_META = 4_000_000
"""Bytes of the text about a run, four for each of its characters."""

Fields = dict[str, Any]


def write_run(file: str | Path | BinaryIO, fields: Fields) -> None:
    """Write all fields of a `Run`; a file that is there already is replaced whole."""
    arrays = {name: fields[name] for name in ("epochs", "diverged")}
    arrays |= {f"w{i}": w for i, w in enumerate(fields["weights"], start=1)}
    arrays |= {f"b{i}": b for i, b in enumerate(fields["biases"], start=1)}
    arrays |= {name: fields[name] for name in (*MEASURES, *ALONG) if fields[name] is not None}
    meta = {
        "format": FORMAT,
        "fingerprint": fields["fingerprint"],
        "experiment": json.loads(fields["experiment"].to_json()),
    }
    arrays = {"meta": np.array(json.dumps(meta)), **arrays}
    if hasattr(file, "write"):
        write_arrays(file, arrays)
    else:
        write_whole(Path(file), lambda whole: write_arrays(whole, arrays))


def read_run(file: str | Path | BinaryIO, *, mapped: bool = False) -> Fields:
    """All fields of a `Run`; `mapped` as for `open_archive`.

    Only the arrays that a run has are read, after their headers fit its experiment. Raises
    ValueError, in one line, for a file that is no run, is damaged, holds pickled objects,
    or does not fit its own experiment.
    """
    with open_archive(file, "run file", mapped=mapped) as archive:
        experiment, fingerprint = _read_meta(archive)
        names = _checked_names(experiment, archive)
        fields = _fields(experiment, {name: archive.array(name) for name in names})
        for k in range(len(fields["epochs"])):
            _check_numbers(fields, k)
            release(fields["weights"][0])
    return {"experiment": experiment, "fingerprint": fingerprint, **fields}


def copy_run(file: str | Path | BinaryIO, target: BinaryIO) -> None:
    """Write an uncompressed copy of a run's file; raises what `read_run` raises for headers."""
    with open_archive(file, "run file") as archive:
        experiment, _ = _read_meta(archive)
        archive.copy(["meta", *_checked_names(experiment, archive)], target)


def _checked_names(experiment: Experiment, archive: Archive) -> list[str]:
    """The arrays of this run, whose headers fit its experiment."""
    names = _names(experiment, archive)
    _check_headers(experiment, {name: archive.header(name) for name in names})
    return names


def _fields(experiment: Experiment, arrays: Mapping[str, np.ndarray]) -> Fields:
    """The arrays by the names of the fields, held against the experiment."""
    fields = {name: arrays.get(name) for name in ("epochs", "diverged", *MEASURES, *ALONG)}
    numbers = range(1, len(weighted_layers(experiment)) + 1)
    fields["weights"] = tuple(arrays[f"w{i}"] for i in numbers)
    fields["biases"] = tuple(arrays[f"b{i}"] for i in numbers)
    _check_epochs(experiment, fields)
    return fields


def sound_at(epoch: int, diverged: np.ndarray) -> np.ndarray:
    """Which replicates (R,) had not diverged at an epoch."""
    return (diverged < 0) | (diverged > epoch)


def _read_meta(archive: Archive) -> tuple[Experiment, str]:
    text = ""
    if "meta" in archive and archive.header("meta").n_bytes <= _MAX_META:
        text = str(archive.array("meta")[()])
    try:
        meta = json.loads(text)
        version, experiment = meta["format"], json.dumps(meta["experiment"])
        fingerprint = str(meta["fingerprint"])
    except (KeyError, TypeError, ValueError, RecursionError):
        raise ValueError("this is not a run file: it holds no experiment") from None
    if version != FORMAT or isinstance(version, bool):
        raise ValueError(f"format {shortened(version)} is not {FORMAT}")
    if not re.fullmatch("[0-9a-f]{16}", fingerprint):
        raise ValueError(f"fingerprint {shortened(fingerprint)} is not 16 hexadecimal digits")
    return Experiment.from_json(experiment), fingerprint


def weighted_layers(experiment: Experiment) -> tuple[int, ...]:
    """The numbers, from 1, of the layers that have weights: of all but those that pool."""
    layers = enumerate((*experiment.network.hidden, None), start=1)
    return tuple(number for number, layer in layers if not isinstance(layer, Pool))


def _names(experiment: Experiment, archive: Archive) -> list[str]:
    """The arrays of this run; ValueError where one is missing."""
    wanted = list(_ALWAYS)
    wanted += [f"{kind}{i + 1}" for kind in "wb" for i in range(len(weighted_layers(experiment)))]
    for together in (MEASURES[2:], ALONG):
        if any(name in archive for name in together):
            wanted += together
    for name in wanted:
        if name not in archive:
            raise ValueError(f"the array {name} is missing")
    return wanted


def _check_headers(experiment: Experiment, headers: Mapping[str, Header]) -> None:
    """Refuse arrays whose shapes or types do not fit the experiment."""
    n_epochs, replicates = math.prod(headers["epochs"].shape), experiment.training.replicates
    if not 1 <= n_epochs <= len(experiment.epochs):
        raise ValueError("epochs are not those of its experiment")
    lead = (n_epochs, replicates)
    numbers = range(1, len(weighted_layers(experiment)) + 1)
    shapes = _weight_shapes(experiment, [headers[f"w{i}"].shape for i in numbers])
    expected = {"epochs": (n_epochs,), "diverged": (replicates,)}
    expected |= dict.fromkeys(MEASURES, lead) | dict.fromkeys(ALONG, (*lead, len(shapes)))
    for i, shape in zip(numbers, shapes, strict=True):
        expected |= {f"w{i}": (*lead, *shape), f"b{i}": (*lead, shape[0])}
    for name, header in headers.items():
        _expect(name, header, expected[name])


def _check_epochs(experiment: Experiment, fields: Fields) -> None:
    epochs, diverged = fields["epochs"], fields["diverged"]
    if tuple(epochs) != experiment.epochs[: epochs.size]:
        raise ValueError("epochs are not those of its experiment")
    wrong = diverged[(diverged < -1) | (diverged > experiment.training.epochs)]
    if wrong.size:
        raise ValueError(
            f"diverged holds {wrong[0]}; it is an epoch up to {experiment.training.epochs}, or -1"
        )


def _weight_shapes(
    experiment: Experiment, weights: Sequence[tuple[int, ...]]
) -> list[tuple[int, ...]]:
    """The shapes that the weights of one network must have, as far as they are known.

    What depends on the data is taken from the shapes found: the inputs, the classes, and
    the size of the images that the first dense layer sees.
    """
    found = [shape if len(shape) > 3 else (0,) * 4 for shape in weights]
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


def _expect(name: str, header: Header, shape: tuple[int, ...]) -> None:
    if header.shape != shape:
        raise ValueError(f"{name} has shape {header.shape}, its experiment needs {shape}")
    whole = name in ("epochs", "diverged")
    if header.dtype.kind != "i" if whole else header.dtype != np.float32:
        wanted = "whole numbers" if whole else "float32"
        raise ValueError(f"{name} has type {header.dtype}, a run has {wanted}")


def _check_numbers(fields: Fields, k: int) -> None:
    """Refuse numbers of a checkpoint that are not finite or not in their range.

    Those of replicates that had diverged do not count.
    """
    epoch = fields["epochs"][k]
    sound = sound_at(epoch, fields["diverged"])
    pairs = zip(fields["weights"], fields["biases"], strict=True)
    for layer, parameters in enumerate(pairs, start=1):
        if not all(np.isfinite(p[k][sound]).all() for p in parameters):
            raise ValueError(f"the weights of layer {layer} at epoch {epoch} are not finite")
    # Before the first epoch there are no gradients.
    for name in (*MEASURES, *(ALONG if epoch else ())):
        if fields[name] is not None:
            high = 1.0 if name.endswith("accuracy") else np.inf
            _check_between(name, epoch, fields[name][k][sound], high)


def _check_between(name: str, epoch: int, values: np.ndarray, high: float) -> None:
    if not (np.isfinite(values) & (values >= 0) & (values <= high)).all():
        limits = "finite and at least 0" if high == np.inf else f"from 0 to {high:g}"
        raise ValueError(f"{name} at epoch {epoch} is not {limits}")
