"""The settings: their keys, defaults and choices, and what they mean.

Every setting has one key, which is the widget's key and the URL's parameter. Here
a mapping from keys to values becomes an Experiment, an Estimator, a View or a
GradientProbe and back, and a value becomes text and back. What the settings are at
the moment is in `session.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache

from families import FAMILIES
from ibcore import (
    DEFINITIONS,
    ESTIMATORS,
    Binning,
    Experiment,
    FieldError,
    GradientProbe,
    Run,
    View,
)
from ibcore.estimators import CORRECTIONS, Estimator, to_dict
from ibcore.experiment import (
    ACTIVATION_NAMES,
    BATCH_MODES,
    FILE_TASKS,
    INIT_NAMES,
    MAX_BITS,
    OPTIMIZER_NAMES,
    OUTPUT_NAMES,
    TASK_NAMES,
)
from ibcore.presets import PRESETS, Preset
from ibcore.probes import PROTOCOLS
from ibcore.run import SAMPLES
from ibcore.theory import TRUTHS
from ibcore.theory.three_neurons import MEASURES, SLIDER_GAINS
from ibcore.view import AUTO, CHANNELS, read_subset, resolved

FIRST_PRESET = "original-code"
EVEN_BINS = (2, 4, 6, 8, 10, 14, 20, 30, 40, 50, 70, 100)
LIMIT_RULES = ("fixed", "range", "layer", "rank", "width")
FLOAT = "float"
PRECISIONS = (FLOAT, *map(str, range(1, MAX_BITS + 1)))
"""What the activations are: floating-point numbers, or levels of so many bits."""


@dataclass(frozen=True)
class Setting:
    """One field of the experiment: its key, its place, how it is typed and its choices.

    `kind` is choice, bits, whole, text, number or flag; a number is typed as text, so that
    4e-4 can be written as such, and bits are one of `PRECISIONS`.
    """

    key: str
    section: str
    name: str
    kind: str
    choices: tuple[str, ...] = ()

    @property
    def dotted(self) -> str:
        return f"{self.section}.{self.name}"

    def shown(self, experiment: Experiment) -> object:
        """The field's value as the widget shows it."""
        value = getattr(getattr(experiment, self.section), self.name)
        if self.kind == "bits":
            return FLOAT if value is None else str(value)
        if self.kind in ("number", "text"):
            return "" if value is None else value if self.kind == "text" else as_text(value)
        return value

    def parsed(self, shown: object) -> object:
        """The widget's value as the field takes it; FieldError for text that is no number."""
        if self.kind == "text":
            return (shown or "").strip() or None
        if self.kind == "bits":
            return None if shown == FLOAT else int(shown)
        if self.kind != "number":
            return shown
        text = (shown or "").strip()
        if not text:
            return None
        try:
            return float(text)
        except ValueError:
            raise FieldError(self.name, text, "a number such as 0.5 or 4e-4") from None


SETTINGS = (
    Setting("task", "task", "name", "choice", TASK_NAMES),
    Setting("train", "task", "train_fraction", "number"),
    Setting("split", "task", "split_seed", "whole"),
    Setting("gamma", "task", "gamma", "number"),
    Setting("path", "task", "path", "text"),
    Setting("biny", "task", "bin_y", "number"),
    Setting("std", "task", "standardise", "flag"),
    Setting("layers", "network", "layers", "text"),
    Setting("act", "network", "activation", "choice", ACTIVATION_NAMES),
    Setting("bits", "network", "bits", "bits", PRECISIONS),
    Setting("init", "network", "init", "choice", INIT_NAMES),
    Setting("out", "network", "output", "choice", OUTPUT_NAMES),
    Setting("opt", "training", "optimizer", "choice", OPTIMIZER_NAMES),
    Setting("lr", "training", "learning_rate", "number"),
    Setting("mom", "training", "momentum", "number"),
    Setting("mode", "training", "batch_mode", "choice", BATCH_MODES),
    Setting("batch", "training", "batch_size", "whole"),
    Setting("epochs", "training", "epochs", "whole"),
    Setting("reps", "training", "replicates", "whole"),
    Setting("seed", "training", "seed", "whole"),
    Setting("resample", "training", "resample_split", "flag"),
    Setting("ckpt", "recording", "checkpoints", "whole"),
)
BY_KEY = {setting.key: setting for setting in SETTINGS}
LASTING = BY_KEY.keys() - {"path", "gamma", "biny", "std", "train", "split", "batch", "mom"}
"""Those that every page has a field for, whatever the others are."""

PARAMETER_KEYS = {name: family.key for name, family in FAMILIES.items()}
"""The setting of the parameter that an estimator's slider moves; binning has two."""


def _parameters() -> dict[str, Estimator]:
    """An estimator that each parameter's setting belongs to."""
    kinds = {PARAMETER_KEYS[name]: kind() for name, kind in ESTIMATORS.items()}
    return kinds | {"width": Binning(width=0.07)}


ESTIMATOR_DEFAULTS = {
    "est": "binning",
    "limits": "fixed",
    "low": -1.0,
    "high": 1.0,
    "corr": "none",
    "null": 0,
    "samples": AUTO,
    "sub": AUTO,
    "chan": View.channels,
} | {key: getattr(kind, kind.parameter) for key, kind in _parameters().items()}
"""The estimator's settings and those of the samples it sees, as the URL names them."""

PROBE_DEFAULTS = {
    "proto": "epoch",
    "nbatch": 100,
    "vbatch": 0,
    "def": "layer",
    "snr": "ratio",
    "glayer": 1,
    "vrate": 1e-7,
    "tab": "signals",
}
"""The settings of the page of gradients; a virtual batch of 0 is the training's own."""

VERDICT_DEFAULTS = {"versus": "saxe-relu", "maps": ["binning", "kde"]}
"""The verdict map: the run beside the current one, and the estimators that judge both."""

INPUT_DEFAULTS = {"img": 0, "net": 0}
"""Whose activations are shown: the place of the input in the test set, and the network."""

TRIAL_DEFAULTS = {
    "case": "cube-12",
    "tn": 4096,
    "tseeds": 10,
    "tshow": "error",
    "ttab": "cases",
    "cut": "width",
    "cutbins": 30,
    "cutvar": 0.01,
    "gain": 1.0,
    "slope": 5.0,
    "slopebins": 30,
}
"""Estimators on trial: case, samples and seeds; the three neurons' bins, gain w and slope a."""

CHOICES = {
    "case": tuple(TRUTHS),
    "tn": tuple(2**k for k in range(6, 15)),
    "tseeds": (1, 2, 3, 5, 10, 20),
    "tshow": ("error", "estimate", "time"),
    "ttab": ("cases", "neurons"),
    "cut": MEASURES,
    "cutbins": EVEN_BINS,
    "slopebins": EVEN_BINS,
    "cutvar": (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0),
    "gain": SLIDER_GAINS,
    "slope": SLIDER_GAINS,
    "versus": ("none", "original-code", "saxe-tanh", "saxe-relu"),
    "est": tuple(FAMILIES),
    "maps": tuple(FAMILIES),
    "limits": LIMIT_RULES,
    "corr": CORRECTIONS,
    "samples": (AUTO, *SAMPLES),
    "sub": (AUTO, "500", "1000", "2000", "5000", "10000", "all"),
    "chan": CHANNELS,
    "preset": tuple(PRESETS),
    "proto": PROTOCOLS,
    "def": tuple(DEFINITIONS),
    "snr": ("ratio", "squared"),
    "tab": ("signals", "losses", "weights"),
    "vrate": (1e-3, 1e-4, 1e-5, 1e-6, 1e-7),
}
CHOICES |= {key: kind.default_ladder for key, kind in _parameters().items()}
CHOICES |= {setting.key: setting.choices for setting in SETTINGS if setting.choices}


def defaults() -> dict[str, object]:
    """What every setting is where the URL does not say."""
    return dict(_defaults())


@cache
def _defaults() -> dict[str, object]:
    return {"preset": FIRST_PRESET} | of_preset(PRESETS[FIRST_PRESET])


def of_preset(preset: Preset) -> dict[str, object]:
    """The settings that show the preset's experiment as its source looked at it."""
    probe = of_probe(preset.probe) | {"def": preset.definition}
    estimator = of_estimator(preset.estimator) | VERDICT_DEFAULTS | TRIAL_DEFAULTS
    estimator |= INPUT_DEFAULTS
    return of_experiment(preset.experiment) | estimator | probe


def of_experiment(experiment: Experiment) -> dict[str, object]:
    """The settings of an experiment."""
    return {setting.key: setting.shown(experiment) for setting in SETTINGS}


def of_estimator(estimator: Estimator) -> dict[str, object]:
    """The settings of an estimator; its parameter is snapped to the ladder."""
    family = to_dict(estimator)["family"]
    if family != "binning":
        key = PARAMETER_KEYS[family]
        value = snapped(key, getattr(estimator, estimator.parameter))
        return ESTIMATOR_DEFAULTS | {"est": family, key: value}
    options = {"corr": estimator.correction, "null": estimator.null}
    if estimator.width is not None:
        width = snapped("width", estimator.width)
        return ESTIMATOR_DEFAULTS | options | {"limits": "width", "width": width}
    bins = options | {"bins": snapped("bins", estimator.n_bins)}
    if isinstance(estimator.limits, str):
        return ESTIMATOR_DEFAULTS | bins | {"limits": estimator.limits}
    low, high = estimator.limits
    return ESTIMATOR_DEFAULTS | bins | {"low": low, "high": high}


def of_probe(probe: GradientProbe) -> dict[str, object]:
    """The settings of a gradient probe."""
    given = {"nbatch": probe.n_batches, "vbatch": probe.batch_size}
    given = {key: value for key, value in given.items() if value is not None}
    return PROBE_DEFAULTS | {"proto": probe.protocol} | given


def probe(settings: Mapping[str, object]) -> GradientProbe:
    """The gradient probe that the settings describe; FieldError where they are wrong."""
    protocol, virtual = settings["proto"], settings["vbatch"] or None
    if protocol == "sampled":
        return GradientProbe("sampled", settings["nbatch"], virtual)
    return GradientProbe(protocol, batch_size=virtual if protocol == "epoch" else None)


def snapped(key: str, value: float) -> float:
    """The rung of the ladder nearest to the value."""
    return min(CHOICES[key], key=lambda rung: abs(rung - value))


def experiment(settings: Mapping[str, object]) -> Experiment:
    """The experiment that the settings describe; FieldError for the first that is wrong."""
    parts = {field.name: {} for field in fields(Experiment)}
    for setting in SETTINGS:
        if setting.key in relevant(settings):
            parts[setting.section][setting.name] = setting.parsed(settings[setting.key])
    kinds = {field.name: field.default_factory for field in fields(Experiment)}
    return Experiment(**{section: kinds[section](**values) for section, values in parts.items()})


def relevant(settings: Mapping[str, object]) -> set[str]:
    """The keys that count: those of data belong to some tasks only."""
    keys = set(BY_KEY)
    if settings["task"] != "symmetric":
        keys.discard("gamma")
    if settings["task"] not in FILE_TASKS:
        keys.discard("path")
    if settings["task"] != "npz":
        keys -= {"biny", "std"}
    return keys


_OF_THE_TASK = ("task", "path", "biny", "std")
"""Those that are right or wrong for a task only."""


def mistakes(settings: Mapping[str, object]) -> dict[str, FieldError]:
    """What is wrong, by key: every setting is tried by itself."""
    found = {}
    base = experiment(defaults())
    for setting in SETTINGS:
        if setting.key not in relevant(settings) or setting.key in _OF_THE_TASK:
            continue
        try:
            kind = type(getattr(base, setting.section))
            kind(**{setting.name: setting.parsed(settings[setting.key])})
        except FieldError as error:
            found[setting.key] = error
    try:
        experiment(settings)
    except FieldError as error:
        found.setdefault(key_of(error), error)
    return found


def key_of(error: FieldError) -> str:
    """The key of the setting whose field is at fault."""
    return next((setting.key for setting in SETTINGS if setting.name == error.field), "task")


def estimator(settings: Mapping[str, object]) -> Estimator:
    """The estimator that the settings describe; FieldError where they are wrong."""
    if settings["est"] != "binning":
        return ESTIMATORS[settings["est"]](settings[PARAMETER_KEYS[settings["est"]]])
    options = {"correction": settings["corr"], "null": settings["null"]}
    if settings["limits"] == "width":
        return Binning(width=settings["width"], **options)
    if settings["limits"] == "fixed":
        return Binning(settings["bins"], (settings["low"], settings["high"]), **options)
    return Binning(settings["bins"], settings["limits"], **options)


def view(settings: Mapping[str, object], run: Run) -> View:
    """The view of the run that the settings ask for, with what is automatic decided.

    Raises FieldError for test samples where the run has none.
    """
    return resolved(run, settings["samples"], read_subset(settings["sub"]), settings["chan"])


def parameter_key(settings: Mapping[str, object]) -> str:
    """The key of the estimator's slider."""
    if settings["est"] != "binning":
        return PARAMETER_KEYS[settings["est"]]
    return "width" if settings["limits"] == "width" else "bins"


def read(key: str, text: str) -> object:
    """A setting's value from the text in a URL; FieldError where it is not allowed."""
    known = defaults()
    if key not in known:
        raise FieldError(key[:60], text, "only the settings of this page")
    if isinstance(known[key], list):
        return list(dict.fromkeys(_one_of(key, word) for word in text.split(",") if word))
    if key in CHOICES:
        return _one_of(key, text)
    default = known[key]
    try:
        if isinstance(default, bool):
            return {"true": True, "false": False}[text.lower()]
        # Python reads the digits of any script.
        if not (isinstance(default, str) or text.isascii()):
            raise ValueError
        value = type(default)(text)
    except (ValueError, KeyError):
        kind = {bool: "true or false", int: "a whole number", float: "a number"}[type(default)]
        raise FieldError(key, text, kind) from None
    if not isinstance(value, str) and not abs(value) < 2**53:
        raise FieldError(key, text, "a number that a browser can hold")
    return value


def _one_of(key: str, text: str) -> object:
    by_text = {as_text(choice): choice for choice in CHOICES[key]}
    if text not in by_text:
        raise FieldError(key, text, "one of " + ", ".join(by_text))
    return by_text[text]


def as_text(value: object) -> str:
    """A value as a link and a text field write it; floats to their last digit."""
    if isinstance(value, list):
        return ",".join(value)
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
