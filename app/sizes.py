"""Information against the number of samples, of one epoch of the run on the screen."""

from dataclasses import dataclass

import pandas as pd

import jobs
from asking import ask
from ibcore import View
from ibcore.estimators import Estimator, to_dict
from runs import Shown, store


@dataclass(frozen=True, eq=False)
class Sizes:
    """The table of the sizes that are done, whether it is all of them, and the worker at it."""

    table: pd.DataFrame
    whole: bool
    job: jobs.Job | None = None

    @property
    def busy(self) -> bool:
        """Whether there will be more to see without anyone asking."""
        return self.job is not None and self.job.busy


def table(shown: Shown, k: int, estimator: Estimator, view: View) -> Sizes:
    """The table at checkpoint k; a worker is set to what is missing of it."""
    rows, done, total = store().known_sample_sizes(shown.run, k, estimator, view=view)
    if done == total:
        return Sizes(rows, True)
    epoch = int(shown.run.epochs[k])
    request = {
        "job": "sizes",
        "epoch": epoch,
        "estimator": to_dict(estimator),
        "view": vars(view),
    }
    key = f"sizes {shown.run.content_key} {epoch} {estimator!r} {view!r}"
    return Sizes(rows, False, ask(shown, key, request, "what was computed could not be kept"))
