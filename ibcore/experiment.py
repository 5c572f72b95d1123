"""What to do: a task, a network, how to train it and what to record.

An `Experiment` is a frozen value. It is validated once, when it is made; it
travels as JSON; and its `key` names the result on every machine.
"""

import hashlib
import json
import numbers
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import BinaryIO

from ibcore.stack import Conv, Layer, Part, Pool, drops, layers, parse

FORMAT = 1
"""Version of the meaning of an experiment: a part of every key and JSON text."""

MAX_JSON = 1_000_000
"""Characters that the JSON of an experiment may have."""

TASK_NAMES = (
    "symmetric",
    "digits",
    "mnist",
    "fashion_mnist",
    "cifar10",
    "cifar100",
    "idx",
    "npz",
)
FILE_TASKS = ("idx", "npz")
FIXED_SPLIT_TASKS = ("mnist", "fashion_mnist", "cifar10", "cifar100")
"""Tasks with a training and a test set of their own: nothing of the split is to be chosen."""

ACTIVATION_NAMES = (
    "tanh",
    "relu",
    "sigmoid",
    "linear",
    "softsign",
    "softplus",
    "leaky_relu",
    "elu",
    "gelu",
    "hardtanh",
)
INIT_NAMES = ("fan_in", "fan_out", "pytorch")
OUTPUT_NAMES = ("softmax", "sigmoid")
OPTIMIZER_NAMES = ("sgd", "momentum", "adam", "adadelta")
BATCH_MODES = ("full", "mini", "single", "parallel")

MAX_BITS = 16
MAX_BINNED_CLASSES = 100
"""Quantile classes that the numbers of `y` may be put into."""

GRIDS = {
    "tanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
    "hardtanh": (-1.0, 1.0),
    "sigmoid": (0.0, 1.0),
    "relu": (0.0, 6.0),
}
"""The least and the greatest level of activations that can be quantised; relu is clipped at 6."""

OUTPUT_GRID = (0.0, 1.0)
"""The same for the probabilities of the output layer."""


class FieldError(ValueError):
    """One field of the input is not allowed; the message is one line.

    Attributes: `field` (its name), `value` (as given) and `allowed` (in words).
    """

    def __init__(self, field: str, value: object, allowed: str):
        wrong = "is missing" if value is None else f"{shortened(value)} is not allowed"
        super().__init__(f"{printable(field)}: {wrong}; use {allowed}")
        self.field, self.value, self.allowed = field, value, allowed


def printable(text: str, length: int = 60) -> str:
    """`text` with everything that does not print as an escape, at most `length` characters."""
    start = text[: length + 1]
    # A lone surrogate does not print either, and could not be encoded.
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in start)
    return shown if len(shown) <= length else shown[: length - 3] + "..."


def shortened(value: object) -> str:
    """A value as an error names it, in at most 60 characters."""
    return printable(repr(value))


def _set(obj: object, name: str, value: object) -> None:
    object.__setattr__(obj, name, value)


def _choice(obj: object, name: str, allowed: tuple[str, ...]) -> None:
    value = getattr(obj, name)
    if not isinstance(value, str) or value not in allowed:
        raise FieldError(name, value, "one of " + ", ".join(allowed))


def _integer(obj: object, name: str, low: int, high: int) -> None:
    value = getattr(obj, name)
    whole = isinstance(value, numbers.Real) and not isinstance(value, bool)
    # The range first: NaN fails it, and numbers beyond it may be too large for a float.
    if not whole or not low <= value <= high or value != int(value):
        raise FieldError(name, value, f"a whole number from {low} to {high}")
    _set(obj, name, int(value))


def _number(obj: object, name: str, low: float, high: float, low_included: bool = False) -> None:
    value = getattr(obj, name)
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    above = real and (value > low or (low_included and value == low))
    if not above or not value <= high:
        edge = "from" if low_included else "above"
        raise FieldError(name, value, f"a number {edge} {low:g} and at most {high:g}")
    _set(obj, name, float(value))


def _flag(obj: object, name: str) -> None:
    value = getattr(obj, name)
    if not isinstance(value, bool):
        raise FieldError(name, value, "true or false")


@dataclass(frozen=True)
class Task:
    """The data: which task, how it is split, and its own options.

    `gamma` softens the labels of the symmetric task; `path` is the folder of
    `idx` or the file of `npz`. A `train_fraction` of 1 leaves no test set. The split
    is fixed, and `train_fraction` without meaning, in MNIST and the sets like it.

    Task `npz` alone has two more. `bin_y` puts the numbers of `y` into so many quantile
    classes; equal numbers stay together. `standardise` takes the mean from every column
    (input dimension) of `x` and divides it by its standard deviation, both over all
    samples, so that every split has the same X; a constant column becomes 0.
    """

    name: str = "symmetric"
    train_fraction: float = 0.8
    split_seed: int = 0
    gamma: float | None = None
    path: str | None = None
    bin_y: int | None = None
    standardise: bool = False

    def __post_init__(self):
        _choice(self, "name", TASK_NAMES)
        _number(self, "train_fraction", 0, 1)
        _integer(self, "split_seed", 0, 2**32 - 1)
        self._check_gamma()
        self._check_path()
        self._check_bin_y()
        _flag(self, "standardise")
        if self.standardise and self.name != "npz":
            raise FieldError("standardise", True, f"false: it is for task npz, not {self.name}")

    def _check_gamma(self) -> None:
        if self.gamma is None:
            return
        if self.name != "symmetric":
            raise FieldError("gamma", self.gamma, f"none: task {self.name} has no soft labels")
        _number(self, "gamma", 0, 1e6)

    def _check_path(self) -> None:
        wanted = self.name in FILE_TASKS
        if wanted and not (isinstance(self.path, str) and self.path.strip()):
            raise FieldError("path", self.path, f"the path of the data for task {self.name}")
        if wanted and ("\0" in self.path or not self.path.isprintable()):
            raise FieldError("path", self.path, "a path of printable characters")
        if wanted and self.path.lstrip()[:2].replace("\\", "/") == "//":
            # Windows would send the person's credentials to the machine that it names.
            allowed = "a drive letter or a mounted folder instead of a network path"
            raise FieldError("path", self.path, allowed)
        if not wanted and self.path is not None:
            raise FieldError("path", self.path, f"none: task {self.name} reads no file")

    def _check_bin_y(self) -> None:
        if self.bin_y is None:
            return
        if self.name != "npz":
            raise FieldError("bin_y", self.bin_y, f"none: it is for task npz, not {self.name}")
        _integer(self, "bin_y", 2, MAX_BINNED_CLASSES)


@dataclass(frozen=True)
class Network:
    """The hidden layers, e.g. `"10-7-5-4-3"`, and what all of them share.

    `layers` is a stack as `ibcore.stack` reads it; convolutions have the activation too.
    The output layer follows from the task: `softmax` over its classes, or one
    `sigmoid` unit where there are two. Initialisations: `fan_in` and `fan_out`
    draw from a normal truncated at two standard deviations, std 1/sqrt(fan_in)
    or 1/sqrt(fan_out), with zero biases; `pytorch` is the default of
    `torch.nn.Linear`. In a convolution with kernels of k x k, fan_in is k^2 times the
    channels below and fan_out k^2 times its own. With `bits` every activation is rounded
    to the nearest of 2^bits evenly spaced levels, the ends of its range in `GRIDS` among
    them, in training too; None leaves them floating-point numbers.
    """

    layers: str = "10-7-5-4-3"
    activation: str = "tanh"
    init: str = "fan_in"
    output: str = "softmax"
    bits: int | None = None

    def __post_init__(self):
        _set(self, "layers", _canonical_layers(self.layers))
        _choice(self, "activation", ACTIVATION_NAMES)
        _choice(self, "init", INIT_NAMES)
        _choice(self, "output", OUTPUT_NAMES)
        self._check_bits()

    def _check_bits(self) -> None:
        if self.bits is None:
            return
        _integer(self, "bits", 1, MAX_BITS)
        if self.activation not in GRIDS:
            some = ", ".join(GRIDS)
            raise FieldError("bits", self.bits, f"none: {self.activation} has no grid, {some} have")

    @property
    def limits(self) -> tuple[float, float] | None:
        """The least and the greatest value of a hidden unit; None where it has no such bounds."""
        unbounded = self.bits is None and self.activation == "relu"
        return None if unbounded else GRIDS.get(self.activation)

    @property
    def hidden(self) -> tuple[Layer, ...]:
        """The hidden layers."""
        return layers(_parts(self.layers))

    @property
    def filters(self) -> tuple[Conv | Pool, ...]:
        """Those of them whose activations are images: the first ones, or none."""
        return tuple(layer for layer in self.hidden if isinstance(layer, Conv | Pool))

    @property
    def drops(self) -> tuple[float, ...]:
        """For every hidden layer the probability that a unit is left out in training."""
        return drops(_parts(self.layers))


def _canonical_layers(text: object) -> str:
    return "-".join(str(part) for part in _parts(text))


def _parts(text: object) -> tuple[Part, ...]:
    if not isinstance(text, str):
        raise FieldError("layers", text, "a text such as 10-7-5-4-3")
    try:
        return parse(text)
    except ValueError as error:
        raise FieldError("layers", text, str(error)) from None


@dataclass(frozen=True)
class Training:
    """How the ensemble is trained.

    Batch modes: `full` (one step per epoch), `mini` (`batch_size` examples a
    step, reshuffled each epoch for every replicate; the last batch of an epoch
    may be smaller), `single` (one example a step) and `parallel`: the networks
    start from the same initial weights, and each sees a fixed minibatch of its own
    and nothing else. `momentum` counts for the optimizer of that name only. With
    `resample_split` every replicate draws its own train/test split.
    """

    optimizer: str = "adam"
    learning_rate: float = 4e-4
    momentum: float = 0.9
    batch_mode: str = "mini"
    batch_size: int = 256
    epochs: int = 8000
    replicates: int = 10
    seed: int = 0
    resample_split: bool = False

    def __post_init__(self):
        _choice(self, "optimizer", OPTIMIZER_NAMES)
        _number(self, "learning_rate", 0, 1000)
        _number(self, "momentum", 0, 0.9999, low_included=True)
        _choice(self, "batch_mode", BATCH_MODES)
        _integer(self, "batch_size", 1, 1_000_000)
        _integer(self, "epochs", 1, 1_000_000)
        _integer(self, "replicates", 1, 1000)
        _integer(self, "seed", 0, 2**32 - 1)
        _flag(self, "resample_split")
        if self.resample_split and self.batch_mode == "parallel":
            raise FieldError("resample_split", True, "false: parallel networks share one split")

    @property
    def shares_samples(self) -> bool:
        """Whether all replicates train on the same samples."""
        return not self.resample_split and self.batch_mode != "parallel"


@dataclass(frozen=True)
class Recording:
    """What is kept: `checkpoints` log-spaced epochs, epoch 0 and the last included."""

    checkpoints: int = 60

    def __post_init__(self):
        _integer(self, "checkpoints", 2, 1000)


@dataclass(frozen=True)
class Experiment:
    """Everything that determines a run, and nothing else."""

    task: Task = field(default_factory=Task)
    network: Network = field(default_factory=Network)
    training: Training = field(default_factory=Training)
    recording: Recording = field(default_factory=Recording)

    def __post_init__(self):
        for name, kind in _SECTIONS.items():
            if not isinstance(getattr(self, name), kind):
                raise FieldError(name, getattr(self, name), f"a {kind.__name__}")

    @property
    def epochs(self) -> tuple[int, ...]:
        """The recorded epochs, rising."""
        return log_epochs(self.training.epochs, self.recording.checkpoints)

    @cached_property
    def key(self) -> str:
        """16 hexadecimal digits, the same for equal experiments on every machine.

        Fields without influence on the result (the batch size of full-batch
        training, say) do not count; of the checkpoints those count that there are.
        """
        parts = self._canonical()._content()
        text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _canonical(self) -> "Experiment":
        task, training = self.task, self.training
        if task.name in FIXED_SPLIT_TASKS:
            task = Task(task.name)
        if training.batch_mode not in ("mini", "parallel"):
            training = replace(training, batch_size=1)
        if training.optimizer != "momentum":
            training = replace(training, momentum=0.0)
        recording = Recording(len(self.epochs))
        return replace(self, task=task, training=training, recording=recording)

    def to_json(self) -> str:
        """Indented JSON, read back by `from_json` to an equal experiment."""
        return json.dumps(self._content(), indent=2)

    def _content(self) -> dict:
        content = {"format": FORMAT} | asdict(self)
        # Experiments of before there were these fields keep their keys.
        for section, name in _LATER_FIELDS:
            if getattr(getattr(self, section), name) in (None, False):
                del content[section][name]
        return content

    @classmethod
    def from_file(cls, file: BinaryIO) -> "Experiment":
        """The experiment in a file of JSON, which is read up to its limit only.

        Raises FieldError as `from_json` does, and for text that is not UTF-8.
        """
        content = file.read(MAX_JSON + 1)
        if len(content) > MAX_JSON:
            size = f"a file of more than {MAX_JSON:,} bytes"
            raise FieldError("experiment", size, f"JSON of at most {MAX_JSON:,} bytes")
        try:
            return cls.from_json(content.decode())
        except UnicodeDecodeError:
            raise FieldError("experiment", content[:99], "JSON, which is text in UTF-8") from None

    @classmethod
    def from_json(cls, text: str) -> "Experiment":
        """The experiment in `text`; absent fields take their defaults.

        Raises FieldError for text that is longer than `MAX_JSON` or no JSON object, an
        unknown format or field, and any value a field does not allow.
        """
        content = _json_object(text)
        if content.pop("format", FORMAT) != FORMAT:
            raise FieldError("format", json.loads(text)["format"], str(FORMAT))
        _refuse_unknown(content, tuple(_SECTIONS), "")
        return cls(**{name: _section(name, value) for name, value in content.items()})


_LATER_FIELDS = (("network", "bits"), ("task", "bin_y"), ("task", "standardise"))
_SECTIONS = {"task": Task, "network": Network, "training": Training, "recording": Recording}


def _json_object(text: str) -> dict:
    if len(text) > MAX_JSON:
        raise FieldError("experiment", text, f"JSON of at most {MAX_JSON:,} characters")
    try:
        content = json.loads(text)
    # ValueError: no JSON, or a number of too many digits.
    except (ValueError, RecursionError) as error:
        raise FieldError("experiment", text, f"JSON ({error})") from None
    if not isinstance(content, dict):
        raise FieldError("experiment", text, "a JSON object")
    return content


def _section(name: str, value: object):
    if not isinstance(value, dict):
        raise FieldError(name, value, "a JSON object")
    kind = _SECTIONS[name]
    _refuse_unknown(value, tuple(f.name for f in fields(kind)), name + ".")
    return kind(**value)


def _refuse_unknown(content: dict, known: tuple[str, ...], prefix: str) -> None:
    for name in content:
        if name not in known:
            raise FieldError(prefix + name, content[name], "only the fields " + ", ".join(known))


def log_epochs(last: int, count: int) -> tuple[int, ...]:
    """Epoch 0, then `count - 1` epochs spaced evenly in log from 1 to `last`.

    Whole numbers, each once: while the log spacing is finer than one epoch the
    epochs run 1, 2, 3, ... and the rest is spaced over what remains. There are
    `last + 1` of them where that is fewer.
    """
    chosen = [0, 1]
    for left in range(min(count, last + 1) - 2, 0, -1):
        geometric = chosen[-1] * (last / chosen[-1]) ** (1 / left)
        chosen.append(max(chosen[-1] + 1, round(geometric)))
    return tuple(chosen if count > 2 else sorted({0, last}))
