"""Estimators of I(X;T) and I(T;Y): a registry of frozen dataclasses, in bits.

Each has `information(t, y, x=None)`, `ladder(t, y, values, x=None)`, and the
properties `parameter`, `default_ladder` and `label`; one with `needs_inputs` takes the
points X as `inputs` besides.
"""

from collections.abc import Mapping
from dataclasses import asdict, fields

from ibcore.estimators.binning import BIN_LADDER, CORRECTIONS, WIDTH_LADDER, Binning
from ibcore.estimators.gaussian import Gaussian
from ibcore.estimators.information import Information, label_entropy
from ibcore.estimators.kde import DISSERTATION_VARIANCE, KDE, VARIANCE_LADDER
from ibcore.estimators.ksg import K_LADDER, KSG
from ibcore.estimators.protocol import Estimator
from ibcore.estimators.quantised import BITS_LADDER, Quantised
from ibcore.estimators.renyi import ALPHA_LADDER, Renyi
from ibcore.estimators.sampling import Sampling
from ibcore.estimators.tuning import label_bounds, tuned_variance
from ibcore.experiment import FieldError

ESTIMATORS = {
    "binning": Binning,
    "kde": KDE,
    "sampling": Sampling,
    "gaussian": Gaussian,
    "renyi": Renyi,
    "ksg": KSG,
    "quantised": Quantised,
}
"""The estimators by the name that files, addresses and command lines use."""


def to_dict(estimator: Estimator) -> dict:
    """The estimator as plain values for JSON: its family and its fields."""
    family = next(name for name, kind in ESTIMATORS.items() if isinstance(estimator, kind))
    return {"family": family} | asdict(estimator)


def from_dict(content: Mapping[str, object]) -> Estimator:
    """The estimator that `to_dict` described; absent fields take their defaults.

    Raises FieldError for an unknown family, an unknown field or a value it does
    not allow.
    """
    given = dict(content)
    family = given.pop("family", None)
    if not isinstance(family, str) or family not in ESTIMATORS:
        raise FieldError("estimator", family, "one of " + ", ".join(ESTIMATORS))
    known = [field.name for field in fields(ESTIMATORS[family])]
    for name, value in given.items():
        if name not in known:
            raise FieldError(name, value, f"only the fields of {family}: " + ", ".join(known))
    return ESTIMATORS[family](**given)


__all__ = [
    "ALPHA_LADDER",
    "BIN_LADDER",
    "BITS_LADDER",
    "CORRECTIONS",
    "DISSERTATION_VARIANCE",
    "ESTIMATORS",
    "KDE",
    "KSG",
    "K_LADDER",
    "VARIANCE_LADDER",
    "WIDTH_LADDER",
    "Binning",
    "Estimator",
    "Gaussian",
    "Information",
    "Quantised",
    "Renyi",
    "Sampling",
    "from_dict",
    "label_bounds",
    "label_entropy",
    "to_dict",
    "tuned_variance",
]
