"""Estimators on trial: what each says of cases whose information is known.

A case knows the information of T after its own binning or its own noise
(`ibcore.theory.truths`). Only an estimator that can be set to the same is asked the
case's question, and only its difference from the truth is an error; the others answer
with their own settings, and their rows say that they were asked for something else.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd

from ibcore.estimators import ESTIMATORS, Binning, Estimator, Information, to_dict
from ibcore.experiment import FieldError
from ibcore.theory import Truth
from ibcore.theory.truths import check_samples

CONTENDERS: tuple[Estimator, ...] = (
    Binning(),
    Binning(correction="miller-madow"),
    Binning(null=20),
    *(kind() for name, kind in ESTIMATORS.items() if name != "binning"),
)
"""Every estimator of the registry as it is, and binning with its two options."""

COLUMNS = (
    *("case", "quantity", "after", "truth", "family", "estimator", "setting", "target"),
    *("n", "seed", "estimate", "lower", "upper", "se", "error", "saturated", "seconds", "note"),
)

ANOTHER = "asked for another quantity"
"""The note on an answer that is not about the truth beside it."""

MAX_SEED, MAX_SEEDS = 2**32 - 1, 1000


@dataclass(frozen=True)
class Trial:
    """One question: what `estimator` says of `n` samples of `truth` drawn with `seed`.

    Raises FieldError for n that the truth does not allow, and a seed that is not a whole
    number from 0 to 2^32 - 1.
    """

    truth: Truth
    estimator: Estimator
    n: int
    seed: int

    def __post_init__(self):
        check_samples(self.n)
        whole = isinstance(self.seed, int) and not isinstance(self.seed, bool)
        if not whole or not 0 <= self.seed <= MAX_SEED:
            raise FieldError("seed", self.seed, f"a whole number from 0 to {MAX_SEED}")

    def row(self) -> dict[str, object]:
        """The answer, by the names of COLUMNS.

        `quantity` is "i_xt" or "i_ty", the one that the case is about. `target`: whether
        the estimator was set to the case's own bins or noise, so that `truth` is what it
        estimates; only then `error` = estimate - truth has a value. `estimate`, `lower`,
        `upper` and `se` (standard error) are in bits, NaN where the estimator has none.
        KDE's estimate of I(X;T) is the upper end of its bounds. `note` says that the
        estimator was asked for another quantity, or, where it refuses and `estimate` is
        NaN, why.
        """
        t, y, x = self.truth.sample(self.n, self.seed)
        row = self._question()
        try:
            estimator = fitted(self.truth, self.estimator, self.seed)
            row["setting"] = estimator.label
            t, inputs = seen(self.truth, estimator, t, self.seed)
            started = time.perf_counter()
            information = estimator.information(t, y, x, **inputs)
            return row | {"seconds": time.perf_counter() - started} | self._answer(information)
        except ValueError as error:
            return row | {"note": " ".join(str(error).split())}

    def _question(self) -> dict[str, object]:
        truth = self.truth
        target = is_target(truth, self.estimator)
        known = {
            "case": truth.name,
            "quantity": truth.about,
            "after": truth.after,
            "truth": truth.value,
            "family": to_dict(self.estimator)["family"],
            "estimator": contender(self.estimator),
            "setting": self.estimator.label,
            "target": target,
            "n": self.n,
            "seed": self.seed,
            "saturated": False,
            "note": "" if target else ANOTHER,
        }
        return dict.fromkeys(COLUMNS, math.nan) | known

    def _answer(self, information: Information) -> dict[str, object]:
        names = {"estimate": "", "lower": "_lower", "upper": "_upper", "se": "_se"}
        found = {name: getattr(information, self.truth.about + end) for name, end in names.items()}
        found = {name: math.nan if value is None else float(value) for name, value in found.items()}
        if not math.isfinite(found["estimate"]):
            raise ValueError(f"the estimate is {found['estimate']}")
        if is_target(self.truth, self.estimator):
            found["error"] = found["estimate"] - self.truth.value
        return found | {"saturated": bool(information.saturated)}


def trial(truth: Truth, estimator: Estimator, n: int, seed: int) -> dict[str, object]:
    """`Trial.row` of one question."""
    return Trial(truth, estimator, n, seed).row()


def seeds(count: object) -> range:
    """So many seeds, from 0; FieldError for a number that is not from 1 to 1000."""
    whole = isinstance(count, int) and not isinstance(count, bool)
    if not whole or not 1 <= count <= MAX_SEEDS:
        raise FieldError("seeds", count, f"a whole number from 1 to {MAX_SEEDS}")
    return range(count)


def plan(
    truths: Sequence[Truth], estimators: Sequence[Estimator], n: int, seeds: Sequence[int]
) -> list[Trial]:
    """Every question: all cases and estimators with the first seed, then with the next."""
    return [
        Trial(truth, estimator, n, seed)
        for seed in seeds
        for truth in truths
        for estimator in estimators
    ]


def trials(
    truths: Sequence[Truth],
    estimators: Sequence[Estimator],
    n: int,
    seeds: Sequence[int],
    *,
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> pd.DataFrame:
    """The rows of the whole `plan`, or of its beginning where `should_stop` ends it.

    Columns as in COLUMNS; see `Trial.row`.
    """
    return in_turn(plan(truths, estimators, n, seeds), Trial.row, progress, should_stop)


def in_turn(
    questions: Sequence[Trial],
    ask: Callable[[Trial], dict],
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> pd.DataFrame:
    """The rows that `ask` gives to the questions, until `should_stop`."""
    rows = []
    for question in questions:
        if should_stop is not None and should_stop():
            break
        rows.append(ask(question))
        if progress is not None:
            progress(len(rows), len(questions))
    return table(rows)


def table(rows: Sequence[dict]) -> pd.DataFrame:
    """Rows of `Trial.row` as a table, with its columns where there is no row."""
    return pd.DataFrame(rows, columns=list(COLUMNS))


def is_target(truth: Truth, estimator: Estimator) -> bool:
    """Whether the estimator can be set to what the case does to T: its noise or its bins.

    That is read off its fields, so that it holds for estimators to come: `variance`, or
    `n_bins` and `limits`; and one that takes X and T as points can be shown T with the
    noise in it. Where T takes few values, what another estimator is asked may happen to
    have the same value; it is still not what the case knows.
    """
    names = {field.name for field in fields(estimator)}
    if truth.after == "noise":
        return "variance" in names or _takes_points(estimator)
    return {"n_bins", "limits"} <= names


def _takes_points(estimator: Estimator) -> bool:
    return getattr(estimator, "needs_inputs", False)


def seen(
    truth: Truth, estimator: Estimator, t: np.ndarray, seed: int
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """What an estimator is shown of a sample: T, and X as points where it takes them.

    Those that add the case's noise by themselves see T as it is. One that takes X and T as
    points sees T for X, of which the noise knows nothing more (I(X;T~) = I(T;T~)), and
    T~ = T + noise for T.
    """
    if not _takes_points(estimator):
        return t, {}
    if truth.after != "noise":
        return t, {"inputs": t}
    rng = np.random.default_rng([seed, 2])
    return t + math.sqrt(truth.variance) * rng.standard_normal(t.shape), {"inputs": t}


def fitted(truth: Truth, estimator: Estimator, seed: int = 0) -> Estimator:
    """The estimator as the case needs it, or as it is where it is asked something else.

    Random numbers of its own, where it draws any, change with `seed`. Raises FieldError
    where the case's setting is not one that the estimator allows.
    """
    names = {field.name for field in fields(estimator)}
    # Not `seed` itself: noise from the numbers that the samples come from would be T again.
    own = int(np.random.SeedSequence([seed, 1]).generate_state(1)[0])
    changes = {"seed": own} if "seed" in names else {}
    if is_target(truth, estimator):
        if truth.after == "noise":
            changes |= {"variance": truth.variance} if "variance" in names else {}
        else:
            changes |= {"n_bins": truth.n_bins, "limits": truth.limits}
            changes |= {"width": None} if "width" in names else {}
    return replace(estimator, **changes)


def contender(estimator: Estimator) -> str:
    """The family, and the fields that are not at their defaults: "binning null=20"."""
    content = to_dict(estimator)
    default = ESTIMATORS[content["family"]]()
    given = [
        f"{field.name}={getattr(estimator, field.name)}"
        for field in fields(estimator)
        if getattr(estimator, field.name) != getattr(default, field.name)
    ]
    return " ".join([content["family"], *given])


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each case and estimator: means over the seeds that have an answer.

    `estimate`, `error`, `lower` and `upper` are means; `sd` is the sample standard
    deviation of the estimates, NaN for one seed; `seconds` the median; `seeds` the number
    of answers, `saturated` of those that are; `note` is the first one.
    """
    by = ["case", "quantity", "after", "truth", "family", "estimator", "target", "n"]
    groups = table.groupby(by, sort=False)
    names = ["estimate", "error", "lower", "upper", "se"]
    found = (
        groups[names]
        .mean()
        .assign(
            sd=groups["estimate"].std(ddof=1),
            seconds=groups["seconds"].median(),
            seeds=groups["estimate"].count(),
            saturated=groups["saturated"].sum().astype(int),
            setting=groups["setting"].first(),
            note=groups["note"].agg(lambda notes: next(filter(None, notes), "")),
        )
    )
    return found.reset_index()
