"""Which samples of a run are looked at, and how the channels of its images are joined."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ibcore.experiment import FieldError
from ibcore.run import SAMPLES, Run, check_subset

CHANNELS = ("concat", "mean")

AUTO = "auto"
MOST_SAMPLES = 5000
"""Data with no more samples are measured on all of them where nothing else is said."""

SUBSET = 2000
"""So many samples are measured where there are more."""


@dataclass(frozen=True)
class View:
    """On which samples a run is seen, and how the channels of its images.

    See `information_plane`. Raises FieldError for unknown `samples` and `channels` and
    for a `subset` that is neither None nor a whole number from 2.
    """

    samples: str = "all"
    subset: int | None = None
    channels: str = "concat"

    def __post_init__(self):
        _check_one_of("samples", self.samples, SAMPLES)
        if self.subset is not None:
            check_subset(self.subset)
        _check_one_of("channels", self.channels, CHANNELS)

    @property
    def selection(self) -> tuple[str, int | None]:
        """The samples as `Run.sample_index` and its like take them."""
        return self.samples, self.subset


def _check_one_of(name: str, value: object, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise FieldError(name, value, "one of " + ", ".join(allowed))


def default_view(run: Run) -> View:
    """The samples on which a run is measured where nothing else is said.

    All of them where the data have at most 5,000; beyond that 2,000 of the test samples
    (of the training samples where there is no test set), with the classes in their shares
    and always the same ones, or all of these where there are no more. Estimators that
    compare pairs of samples cost N^2: 70,000 images would take 1,200 times as long as 2,000.
    What a subset costs in bits is what the sample-size check shows
    (`ibcore.sample_size`).
    """
    return resolved(run)


def resolved(
    run: Run,
    samples: str = AUTO,
    subset: int | str | None = AUTO,
    channels: str = View.channels,
) -> View:
    """The view of the run with what is "auto" decided, each by itself; see `default_view`.

    What comes to the same is the same view: a subset of no fewer samples than there are
    is none, and a network without images has no channels. Raises FieldError for what a
    `View` refuses, and for test samples where the run has none.
    """
    if samples == AUTO:
        samples = _usual_samples(run)
    if subset == AUTO:
        subset = None if _few(run) else SUBSET
    view, n_samples = View(samples, subset, channels), run.n_samples(samples)
    if subset is not None and subset >= n_samples:
        view = replace(view, subset=None)
    return view if run.experiment.network.filters else replace(view, channels=View.channels)


def _few(run: Run) -> bool:
    return run.n_samples() <= MOST_SAMPLES


def _usual_samples(run: Run) -> str:
    if _few(run):
        return "all"
    return "test" if len(run.dataset.test) else "train"


def read_subset(text: str) -> int | str | None:
    """What a person writes for `resolved`: a number, "all" (None) or "auto".

    Raises FieldError for anything else.
    """
    if text in (AUTO, "all"):
        return AUTO if text == AUTO else None
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else text
    check_subset(number, "all or auto")
    return number
