"""The published experiments by name, each with its source and what differs in it.

A setting the source does not state is named as ours.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace

from ibcore.estimators import DISSERTATION_VARIANCE, KDE, Binning, Estimator, Quantised
from ibcore.experiment import Experiment, FieldError, Network, Recording, Task, Training
from ibcore.probes import GradientProbe


@dataclass(frozen=True)
class Preset:
    """An experiment with the estimator its source looked through.

    `source` cites where the settings come from; `note` says where paper and code
    differ and which settings are ours. `probe` and `definition` are how the source
    took its gradients and what it compared (see `ibcore.gradients.DEFINITIONS`).
    """

    name: str
    title: str
    experiment: Experiment
    estimator: Estimator
    source: str
    note: str
    probe: GradientProbe = field(default_factory=GradientProbe)
    definition: str = "layer"


_ALONG = GradientProbe("along")
_TISHBY = "Shwartz-Ziv & Tishby 2017, Opening the Black Box of Deep Neural Networks via Information"
_SAXE = "Saxe et al. 2018, On the Information Bottleneck Theory of Deep Learning"
_SCHUMACHER = "Schumacher 2018, who ran the original code with several seeds"
_DISSERTATION = "A dissertation of 2019 on the information bottleneck in convolutional networks"
_ORHAN = (
    "Orhan 2017, who looked at the first of three hidden layers of 128 units on MNIST and CIFAR-100"
)
_MEASURED = "2,000 of the test images are measured by default"
_LORENZEN = (
    "Lorenzen, Igel & Nielsen 2022, Information Bottleneck: Exact Analysis of (Quantized) Neural"
    " Networks"
)
_ORIGINAL = Experiment(
    Task(),
    Network("10-7-5-4-3", "tanh", "fan_in"),
    Training("adam", 4e-4, batch_size=512, epochs=8000, replicates=10),
)


def _saxe_mnist(activation: str) -> Experiment:
    return Experiment(
        Task("mnist"),
        Network("1024-20-20-20", activation, "fan_out"),
        Training("sgd", 1e-3, batch_size=128, epochs=100, replicates=3),
        Recording(30),
    )


def _orhan(task: str, learning_rate: float) -> Experiment:
    return Experiment(
        Task(task),
        Network("128-128-128", "relu", "fan_in"),
        Training("sgd", learning_rate, batch_size=128, epochs=50, replicates=3),
        Recording(30),
    )


def _quantised(activation: str) -> Experiment:
    return Experiment(
        Task(),
        Network("10-7-5-4-3", activation, "fan_out", bits=8),
        Training("adam", 1e-4, batch_size=256, epochs=8000, replicates=10),
    )


_ALL = (
    Preset(
        "quick-tanh",
        "Quick: tanh in seconds",
        Experiment(
            Task(),
            Network("10-7-5-4-3", "tanh", "fan_in"),
            Training("adam", 2e-3, batch_size=256, epochs=400, replicates=5),
        ),
        Binning(30, (-1.0, 1.0)),
        _TISHBY + ": its task, network and binning.",
        "Ours: a higher learning rate (2e-3 instead of 4e-4) and 400 epochs instead of 8000, so"
        " that it trains in seconds; 5 replicates.",
    ),
    Preset(
        "original-code",
        "Original tanh, as coded",
        _ORIGINAL,
        Binning(30, (-1.0, 1.0)),
        _TISHBY + ", as its released code runs it.",
        "The code uses Adam, softmax and a single labelling; the paper says plain SGD, a sigmoid"
        " output and 50 data sets. The code's 30 edges make 29 bins and one for t = 1 exactly; here"
        " 30 equal bins. The code does not shuffle before it splits; here the split is shuffled."
        " Its gradient figure adds the norms of all layers up to each one and takes a root of"
        " the summed standard deviations. Ours: 10 replicates.",
        _ALONG,
        "cumulative",
    ),
    Preset(
        "original-caption",
        "Original tanh, gradients as captioned",
        _ORIGINAL,
        Binning(30, (-1.0, 1.0)),
        _TISHBY + ", the caption of its gradient figure.",
        "The network of original-code. The caption says that mean and standard deviation are"
        " divided by the norm of the layer's weights; the code does not do so.",
        _ALONG,
        "caption",
    ),
    Preset(
        "original-paper",
        "Original tanh, as in the paper",
        Experiment(
            Task(train_fraction=0.85, gamma=54.48),
            Network("10-7-5-4-3", "tanh", "fan_in", "sigmoid"),
            Training(
                "sgd",
                0.1,
                batch_size=256,
                epochs=10_000,
                replicates=50,
                resample_split=True,
            ),
        ),
        Binning(30, (-1.0, 1.0)),
        _TISHBY + ", section 3, as the text says.",
        "Plain SGD, a sigmoid output, 50 initialisations on 50 data sets, stochastic labels; 85 %"
        " is the largest of its three fractions of the data (5, 45, 85 %). Ours: the 50 data sets"
        " are 50 splits of one draw of the labels; learning rate 0.1 and batch 256, which the paper"
        " does not state. Long: about half an hour on two cores.",
        _ALONG,
        "caption",
    ),
    Preset(
        "saxe-tanh",
        "Saxe: tanh",
        Experiment(
            Task(),
            Network("10-7-5-4-3", "tanh", "fan_out"),
            Training("adam", 4e-4, batch_size=256, epochs=10_000, replicates=10),
        ),
        Binning(30, (-1.0, 1.0)),
        _SAXE + ", figure 1.",
        "The initial standard deviation is 1/sqrt(layer width) in the code. For the KDE, variance"
        " 0.1 in the text and 1e-3 in the code. Gradients are compared layer by layer, along the"
        " epoch. Ours: 10 replicates.",
        _ALONG,
    ),
    Preset(
        "saxe-relu",
        "Saxe: ReLU",
        Experiment(
            Task(),
            Network("10-7-5-4-3", "relu", "fan_out"),
            Training("adam", 4e-4, batch_size=256, epochs=10_000, replicates=10),
        ),
        Binning(100, "range"),
        _SAXE + ", figure 1.",
        "100 bins between the smallest and the largest activity over all units and epochs. The"
        " initial standard deviation is 1/sqrt(layer width) in the code. Gradients are compared"
        " layer by layer, along the epoch. Ours: 10 replicates.",
        _ALONG,
    ),
    Preset(
        "schumacher-tanh",
        "Schumacher: tanh",
        _ORIGINAL,
        Binning(30, (-1.0, 1.0)),
        _SCHUMACHER + ": tanh.",
        "The network of original-code and its cumulative gradient norms, over several seeds: 10"
        " replicates here.",
        _ALONG,
        "cumulative",
    ),
    Preset(
        "schumacher-relu",
        "Schumacher: ReLU",
        replace(_ORIGINAL, network=Network("10-7-5-4-3", "relu", "fan_in")),
        Binning(100, "range"),
        _SCHUMACHER + ": ReLU.",
        "The original code with ReLU. Ours: 10 replicates; 100 bins on the range of the run,"
        " where the original code has limits that ReLU leaves.",
        _ALONG,
        "cumulative",
    ),
    Preset(
        "lorenzen-tanh",
        "Lorenzen: tanh on 8 bits",
        _quantised("tanh"),
        Quantised(8),
        _LORENZEN + ": the synthetic task with tanh.",
        "8 bits, Adam 1e-4, batches of 256 and 8000 epochs as in its released code, which rounds to"
        " a grid between the least and the greatest activation of a layer, the softmax in training"
        " too, and counts by the range of the layer at each epoch. Ours: fixed grids, on [-1, 1]"
        " and [0, 1] for the output, where the loss sees the unrounded softmax; weights are not"
        " rounded; initial weights as in Saxe et al. 2018; 10 replicates instead of 50.",
    ),
    Preset(
        "lorenzen-relu",
        "Lorenzen: ReLU on 8 bits",
        _quantised("relu"),
        Quantised(8),
        _LORENZEN + ": the synthetic task with ReLU.",
        "8 bits, Adam 1e-4, batches of 256 and 8000 epochs as in its released code, which follows"
        " the range of the activations as it moves and rounds weights as well. Ours: ReLU clipped"
        " at 6, on a fixed grid on [0, 6], and [0, 1] for the output, where the loss sees the"
        " unrounded softmax; weights are not rounded; initial weights as in Saxe et al. 2018; 10"
        " replicates instead of 50.",
    ),
    Preset(
        "parallel-tanh",
        "Parallel networks: tanh",
        Experiment(
            Task(),
            Network("10-7-5-4-3", "tanh", "fan_in"),
            Training(
                "sgd",
                0.1,
                batch_mode="parallel",
                batch_size=256,
                epochs=10_000,
                replicates=12,
            ),
        ),
        Binning(30, (-1.0, 1.0)),
        _DISSERTATION + ", which compares networks instead of minibatches.",
        "All networks start from the same weights, and each is trained on a minibatch of its own;"
        " mean and standard deviation are over networks. Ours: network, SGD 0.1, 12 minibatches of"
        " 256, 10,000 steps.",
        GradientProbe("networks"),
    ),
    Preset(
        "orhan-digits",
        "Orhan: digits",
        Experiment(
            Task("digits"),
            Network("128-128-128", "relu", "fan_in"),
            Training("sgd", 0.1, batch_size=128, epochs=300, replicates=5),
        ),
        KDE(0.1),
        _ORHAN + ".",
        "100 minibatches of 500 at the start of the epoch, weights fixed. His own data are in"
        " orhan-mnist and orhan-cifar100. The activation is not stated, ReLU assumed. Ours: digits"
        " as data, SGD 0.1, batches of 128, 300 epochs, 5 replicates.",
        GradientProbe("sampled", 100, 500),
    ),
    Preset(
        "digits-tanh",
        "Digits: tanh",
        Experiment(
            Task("digits"),
            Network("64-20-20-20", "tanh", "fan_in"),
            Training("sgd", 0.1, batch_size=128, epochs=1000, replicates=5),
        ),
        KDE(0.1),
        _SAXE + ": its MNIST network 784-1024-20-20-20-10, made smaller for 8x8 digits.",
        "Real data that need no download. Saxe: SGD 1e-3, batch 128, KDE with variance 0.1 on the"
        " test images. Ours: all images are measured, 64 units in the first layer, learning rate"
        " 0.1, 1000 epochs.",
    ),
    Preset(
        "digits-relu",
        "Digits: ReLU",
        Experiment(
            Task("digits"),
            Network("64-20-20-20", "relu", "fan_in"),
            Training("sgd", 0.1, batch_size=128, epochs=1000, replicates=5),
        ),
        KDE(0.1),
        _SAXE + ": its MNIST network 784-1024-20-20-20-10, made smaller for 8x8 digits.",
        "As digits-tanh, with ReLU. Ours: all images are measured, where Saxe et al. measured the"
        " test images.",
    ),
    Preset(
        "dissertation-mlp",
        "Dissertation: MNIST MLP",
        Experiment(
            Task("mnist"),
            Network("1024-20-20", "tanh", "fan_in"),
            Training("sgd", 1e-3, batch_size=128, epochs=20, replicates=3),
        ),
        KDE(0.1),
        _DISSERTATION + ": its fully connected network 784-1024-20-20-10.",
        "tanh and softmax, minibatches of 128, learning rate 1e-3, 20 epochs, KDE with variance"
        " 0.1. The optimiser is not stated, SGD assumed. Ours: initial weights, 3 replicates;"
        f" {_MEASURED}. A few minutes on two cores.",
    ),
    Preset(
        "dissertation-cnn",
        "Dissertation: MNIST CNN",
        Experiment(
            Task("mnist"),
            Network("conv32k3-conv64k3-pool2-128", "relu", "pytorch"),
            Training("adadelta", 1.0, batch_size=128, epochs=12, replicates=1),
        ),
        KDE(DISSERTATION_VARIANCE),
        _DISSERTATION + ": its convolutional network, 99.25 % of the test images right.",
        "ReLU and softmax, Adadelta with rate 1.0, minibatches of 128, 12 epochs, no dropout, KDE"
        f" with variance {DISSERTATION_VARIANCE:g}, of all feature maps joined (concat) and the"
        " mean over single ones (mean); Layers shows both. Ours: initial weights, 1 replicate, too"
        f" few for a verdict; {_MEASURED}. Long: a quarter of an hour on two cores, an hour where"
        " they are busy.",
    ),
    Preset(
        "saxe-mnist-tanh",
        "Saxe: MNIST, tanh",
        _saxe_mnist("tanh"),
        KDE(0.1),
        _SAXE + ": its MNIST network 784-1024-20-20-20-10.",
        "SGD 1e-3, batch 128, KDE with variance 0.1 on the 10,000 test images, to 10,000 epochs:"
        f" days on two cores. Ours: 100 epochs, 3 replicates; {_MEASURED}. About 20 minutes on two"
        " cores.",
    ),
    Preset(
        "saxe-mnist-relu",
        "Saxe: MNIST, ReLU",
        _saxe_mnist("relu"),
        KDE(0.1),
        _SAXE + ": its MNIST network 784-1024-20-20-20-10.",
        "As saxe-mnist-tanh, with ReLU: 10,000 epochs there. Ours: 100 epochs, 3 replicates;"
        f" {_MEASURED}.",
    ),
    Preset(
        "orhan-mnist",
        "Orhan: MNIST",
        _orhan("mnist", 0.1),
        KDE(0.1),
        _ORHAN + ": MNIST.",
        "100 minibatches of 500 at the start of the epoch, weights fixed. The activation is not"
        " stated, ReLU assumed. Ours: SGD 0.1, batches of 128, 50 epochs, 3 replicates, the"
        f" estimator; {_MEASURED}.",
        GradientProbe("sampled", 100, 500),
    ),
    Preset(
        "orhan-cifar100",
        "Orhan: CIFAR-100",
        _orhan("cifar100", 0.01),
        KDE(0.1),
        _ORHAN + ": CIFAR-100.",
        "100 minibatches of 500 at the start of the epoch, weights fixed. The activation is not"
        " stated, ReLU assumed. Ours: SGD 0.01, batches of 128, 50 epochs, 3 replicates, the"
        f" estimator; {_MEASURED}.",
        GradientProbe("sampled", 100, 500),
    ),
)

PRESETS: dict[str, Preset] = {preset.name: preset for preset in _ALL}

_WITHIN_ONE = ("tanh", "sigmoid", "softsign", "hardtanh")


def default_estimator(experiment: Experiment) -> Estimator:
    """`Quantised` on the network's own grid where it has one, else `default_binning`."""
    bits = experiment.network.bits
    return default_binning(experiment) if bits is None else Quantised(bits)


def default_binning(experiment: Experiment) -> Binning:
    """30 bins, on [-1, 1] where the activation stays there, else on the run's range.

    Fixed limits would put all that grows beyond them into the outer bins, and the
    layer would seem to compress.
    """
    within = experiment.network.activation in _WITHIN_ONE
    return Binning(30, (-1.0, 1.0) if within else "range")


def changed(experiment: Experiment, changes: Mapping[str, object]) -> Experiment:
    """The experiment with dotted fields replaced, e.g. {"training.epochs": 100}.

    Raises FieldError for an unknown field or a value it does not allow.
    """
    known = _flat(experiment)
    sections: dict[str, dict[str, object]] = {}
    for dotted, value in changes.items():
        if dotted not in known:
            raise FieldError(dotted, value, "one of " + ", ".join(known))
        section, _, name = dotted.partition(".")
        sections.setdefault(section, {})[name] = value
    # All fields of a section at once: a task's name and its path only fit together.
    parts = {name: replace(getattr(experiment, name), **new) for name, new in sections.items()}
    return replace(experiment, **parts)


def parsed_changes(assignments: list[str]) -> dict[str, object]:
    """`["training.epochs=100"]` as {"training.epochs": 100}; values are JSON or plain text."""
    changes = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise FieldError("set", assignment, "FIELD=VALUE, such as training.epochs=100")
        changes[name] = _parsed(text, name in _TEXT_FIELDS)
    return changes


_TEXT_FIELDS = {
    f"{section.name}.{field.name}"
    for section in fields(Experiment)
    for field in fields(section.type)
    if field.type in (str, str | None)
}


def _parsed(text: str, wanted_text: bool) -> object:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    # One hidden layer of 10 units is the text 10.
    return text if wanted_text and not isinstance(value, str | None) else value


def nearest(experiment: Experiment) -> tuple[Preset, dict[str, object]]:
    """The preset with the fewest fields to change, and those changes."""
    wanted = _flat(experiment)

    def differences(preset: Preset) -> dict[str, object]:
        mine = _flat(preset.experiment)
        return {name: value for name, value in wanted.items() if mine[name] != value}

    best = min(PRESETS.values(), key=lambda preset: len(differences(preset)))
    return best, differences(best)


def _flat(experiment: Experiment) -> dict[str, object]:
    sections = [field.name for field in fields(experiment)]
    parts = {section: asdict(getattr(experiment, section)) for section in sections}
    return {f"{s}.{name}": value for s, part in parts.items() for name, value in part.items()}
