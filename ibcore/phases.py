"""Turning points: gradient crossings, kinks of the loss, compression, each with its interval.

Shwartz-Ziv and Tishby (2017), Opening the black box of deep neural networks via
information, Section 3.3, describe two phases: drift, where the mean of the minibatch
gradients exceeds their fluctuation, then diffusion, where it does not. The paper gives
no rule by which a phase is recognised in noisy curves. The rules here are ours: an eye
that looks for a turning point finds one in any noise, so crossings, onsets and drops
need a margin (a factor of 1.25 in the SNR, 0.05 bits) and have to last, and everything
comes with an interval from resampling the replicates.

Curves are (R, K): R replicates at K checkpoints, whose `epochs` (K,) ascend.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import stdtrit

from ibcore.experiment import FieldError
from ibcore.reprs import brief

OUTCOMES = ("crossed", "drift-dominated throughout", "never drift-dominated", "undefined")
VERDICTS = ("compresses", "none", "too few replicates")

MARGIN = float(np.log(1.25))
"""How far the log SNR has to be from the level it is compared with, in nats."""
LASTING = 3
"""Consecutive checkpoints after which a new phase is believed."""
RESAMPLES = 1000
AGREEMENT = 0.95
"""Share of the resamples that have to cross before a crossing is reported."""
LEAST_DROP = 0.05
"""Bits that I(X;T) has to fall by, beyond doubt, before compression is declared."""
LEAST_REPLICATES = 5
"""Replicates below which there is no verdict."""
_ROUNDING = 1e-9
"""Changes of slope below this are rounding."""


@dataclass(frozen=True)
class Event:
    """When something happened, with the 95 % interval over replicates; None where unknown."""

    epoch: float | None
    epoch_lower: float | None
    epoch_upper: float | None


@dataclass(frozen=True)
class Crossing:
    """Whether and when the gradients turn from drift to diffusion.

    `outcome` is that of the mean curve, `replicates` that of each replicate: of
    `OUTCOMES`. The epoch and its 95 % interval are None where unknown.
    """

    outcome: str
    epoch: float | None
    epoch_lower: float | None
    epoch_upper: float | None
    replicates: tuple[str, ...]

    __repr__ = brief


@dataclass(frozen=True)
class Kink(Event):
    """Where the loss changes its power law; slopes of ln(loss) against ln(epoch)."""

    slope_before: float | None
    slope_after: float | None


@dataclass(frozen=True)
class Compression:
    """By how many bits I(X;T) falls from its turning epoch to the end, and the verdict.

    `resolved` says whether the interval of the turning epoch lies inside the run.
    `verdict` is one of `VERDICTS`. Without a usable replicate the numbers are None,
    with a single one the bounds.
    """

    drop: float | None
    drop_lower: float | None
    drop_upper: float | None
    epoch: float | None
    epoch_lower: float | None
    epoch_upper: float | None
    resolved: bool
    verdict: str


def smooth(curves) -> np.ndarray:
    """The median of 3 checkpoints, then the mean of 3, along the last axis.

    The median removes a single outlier, the mean lowers the noise that is left.
    The first and the last checkpoint keep the window of 2 that lies inside the run;
    both their median and their mean are half the sum. curves (..., K) in any unit
    -> the same shape and unit. A NaN reaches 2 checkpoints either way, never
    another replicate. Source: ours; both windows are the shortest there are.
    """
    curves = np.asarray(curves, dtype=float)
    if curves.shape[-1] < 2:
        return curves
    left, centre, right = curves[..., :-2], curves[..., 1:-1], curves[..., 2:]
    low, high = np.minimum(left, centre), np.maximum(left, centre)
    medians = _with_ends(curves, np.maximum(low, np.minimum(high, right)))
    thirds = (medians[..., :-2] + medians[..., 1:-1] + medians[..., 2:]) / 3
    return _with_ends(medians, thirds)


def _with_ends(curves: np.ndarray, inner: np.ndarray) -> np.ndarray:
    first = (curves[..., :1] + curves[..., 1:2]) / 2
    last = (curves[..., -2:-1] + curves[..., -1:]) / 2
    return np.concatenate([first, inner, last], axis=-1)


def crossing(mean_norm, std_norm, epochs, *, seed: int = 0) -> Crossing:
    """Whether and when a layer's gradients turn from drift to diffusion.

    With c_k the log SNR ln(m_k / s_k), averaged over the replicates and smoothed
    (see `smooth`): drift is a checkpoint with c > ln 1.25; diffusion begins with the
    first of three consecutive checkpoints with c < -ln 1.25 after the drift; and the
    crossing is the last zero before them, linear in u = ln(1 + epoch) between the
    checkpoints around the change of sign,
    u = u_k + (u_{k+1} - u_k) c_k / (c_k - c_{k+1}).
    Where drift returns and turns to diffusion again, the last such turn counts.

    The outcome is "crossed", "drift-dominated throughout" (there was drift, and no such
    crossing), "never drift-dominated" (c never above ln 1.25) or "undefined" (no
    replicate is defined). A replicate is defined where its log SNR is finite at every
    checkpoint: neither m nor s zero (dead units; full batch) or not finite (diverged).
    Others are "undefined" by themselves and left out of everything else. The interval
    is that of the resamples of the replicates that cross.

    "crossed" also needs 95 % of the resamples to cross. Without this, noise about a
    constant SNR of 1 with a standard deviation of 0.5 in the log and a correlation of
    0.5 between neighbours was called a crossing in 6 % of 2000 simulated ensembles of
    10 replicates and 60 checkpoints; with it, in less than 1 %. The guard weakens with
    fewer replicates: of 5 it lets about 7 % pass, of 3, 40 %. A single one has neither guard
    nor interval, and neither have the outcomes of `replicates`.

    Arguments: mean_norm m and std_norm s, (R, K), in the same unit; epochs (K,).
    Raises FieldError for shapes that do not fit and epochs that do not ascend.
    Source: the two phases are those of Shwartz-Ziv and Tishby (2017), Section 3.3; the
    rule is ours, as the paper gives none.
    """
    log_snr, epochs = _log_snr(mean_norm, std_norm, epochs)
    defined = np.isfinite(log_snr).all(axis=1)
    outcomes = np.full(len(log_snr), OUTCOMES[3], dtype=object)
    if not defined.any():
        return Crossing(OUTCOMES[3], None, None, None, tuple(outcomes))
    log_snr = log_snr[defined]
    outcomes[defined] = _outcomes(smooth(log_snr), epochs)
    mean_curve = smooth(log_snr.mean(axis=0, keepdims=True))
    epoch = _crossing_epochs(mean_curve, epochs)[0]
    uncrossed = Crossing(_uncrossed(mean_curve[0]), None, None, None, tuple(outcomes))
    if np.isnan(epoch):
        return uncrossed
    resampled = _crossing_epochs(smooth(_resampled_means(log_snr, seed)), epochs)
    if len(resampled) and np.isfinite(resampled).mean() < AGREEMENT:
        return uncrossed
    return Crossing(OUTCOMES[0], float(epoch), *_interval(resampled), tuple(outcomes))


def snr_onset(mean_norm, std_norm, epochs, *, seed: int = 0) -> Event:
    """The checkpoint after which a layer's SNR falls for good.

    With c_k the smoothed mean log SNR as in `crossing`: the epoch of the last k with
    c_k >= max c - ln 1.25, provided that at least three checkpoints come after it, all
    of which then lie lower; otherwise None. The interval is that of the resamples that
    fall for good. The SNR may fall long before it crosses 1, or without crossing it.

    The maximum of a noisy curve lies above its end even where nothing falls, so the
    fall has to show in replicates that had no part in choosing the maximum, as in
    `compression`: each replicate falls from where the mean of the others is largest to
    the mean of its own last three checkpoints, and Student's 2.5 % bound of the mean of
    these falls has to exceed ln 1.25. Without this, the noise described at `crossing` was
    called a fall in 42 % of the simulations; with it, in 1 %. A single replicate has
    neither guard nor interval.

    Arguments and errors as for `crossing`; None without a defined replicate.
    Source: the rule is ours, for the onset of the decay in Figure 4 of Shwartz-Ziv and
    Tishby (2017).
    """
    log_snr, epochs = _log_snr(mean_norm, std_norm, epochs)
    log_snr = log_snr[np.isfinite(log_snr).all(axis=1)]
    if not len(log_snr):
        return Event(None, None, None)
    epoch = _onset_epochs(smooth(log_snr.mean(axis=0, keepdims=True)), epochs)[0]
    held_out = _lower_bound(_held_out_falls(smooth(log_snr)))
    if np.isnan(epoch) or (held_out is not None and held_out <= MARGIN):
        return Event(None, None, None)
    resampled = _onset_epochs(smooth(_resampled_means(log_snr, seed)), epochs)
    return Event(float(epoch), *_interval(resampled))


def loss_kink(loss, epochs, *, seed: int = 0) -> Kink:
    """Where the loss changes from one power law of the epoch to another.

    Of y = ln(mean loss over replicates) against x = ln(epoch), epochs >= 1 only, K of
    them: at each checkpoint the least-squares slopes
    sum (x - mean x) y / sum (x - mean x)^2 over it and the w before it, and over it and
    the w after it, w = max(4, K // 8). The kink is where their difference is largest in
    size; the w checkpoints at either end are no candidates. The interval is that of
    resamples of the replicates.

    Arguments: loss (R, K) in nats (any unit gives the same slopes), epochs (K,). A
    replicate whose loss is not positive and finite throughout is left out. All fields
    are None where none is left, where K < 2 w + 1, or where the slope nowhere changes.
    Every noisy curve has a largest change: the slopes and the interval tell whether it
    means anything. Raises FieldError for shapes that do not fit and epochs that do not
    ascend. Source: ours, to set beside the phases of Shwartz-Ziv and Tishby (2017),
    Section 3.3: gradients that turn from drift to diffusion should slow the loss.
    """
    epochs = _epochs(epochs)
    loss = _curves("loss", loss, epochs)[:, epochs >= 1]
    epochs = epochs[epochs >= 1]
    loss = loss[(np.isfinite(loss) & (loss > 0)).all(axis=1)]
    width = max(4, len(epochs) // 8)
    if not len(loss) or len(epochs) < 2 * width + 1:
        return Kink(None, None, None, None, None)
    (epoch,), (before,), (after,) = _kinks(loss.mean(axis=0, keepdims=True), epochs, width)
    if np.isnan(epoch):
        return Kink(None, None, None, None, None)
    resampled, _, _ = _kinks(_resampled_means(loss, seed), epochs, width)
    return Kink(float(epoch), *_interval(resampled), float(before), float(after))


def compression(i_xt, epochs, *, seed: int = 0) -> Compression:
    """Whether a layer compresses: the drop of I(X;T) from its maximum to the end of training.

    Each replicate's curve is smoothed (see `smooth`). With c their mean and f its mean
    over the last three checkpoints, the drop is max c - f, the turning epoch that of
    the maximum; their intervals come from resampling the replicates 1000 times.

    "compresses" needs two bounds at 2.5 % above 0.05 bits: that of the drop, and Student's
    of the held-out drop, the mean over replicates of each one's fall from the epoch at
    which the mean of the *others* is largest to the mean of its own last three
    checkpoints. The maximum of a noisy curve is too high where it is chosen, not
    elsewhere: without the second bound, and worse with each replicate's own maximum,
    curves with no drop at all are declared to compress. Otherwise the verdict is
    "none"; with fewer than 5 replicates "too few replicates", with the numbers anyway.
    Of flat curves of 10 replicates with noise of 0.2 bits, correlated by 0.5 between 40
    checkpoints, 1 % are declared to compress; with noise of 1 bit, 4 %.
    `resolved` is False where the interval of the turning epoch touches the first or
    the last checkpoint, or where there is no interval.

    Arguments: i_xt (R, K) in bits, epochs (K,). Replicates with a value that is not
    finite are left out. Raises FieldError for shapes that do not fit and epochs that do
    not ascend. Source: the phase is that of Shwartz-Ziv and Tishby (2017), Section 3.3;
    the rule is ours, as the paper gives none.
    """
    epochs = _epochs(epochs)
    i_xt = _curves("i_xt", i_xt, epochs)
    curves = smooth(i_xt[np.isfinite(i_xt).all(axis=1)])
    if not len(curves):
        return Compression(None, None, None, None, None, None, False, VERDICTS[2])
    mean_curve, resampled = curves.mean(axis=0), _resampled_means(curves, seed)
    epoch = float(epochs[mean_curve.argmax()])
    turn = _interval(epochs[resampled.argmax(axis=1)])
    drop = _interval(_drops(resampled))
    held_out = _lower_bound(_held_out_falls(curves))
    resolved = turn[0] is not None and epochs[0] < turn[0] and turn[1] < epochs[-1]
    verdict = _verdict(len(curves), drop[0], held_out)
    return Compression(float(_drops(mean_curve)), *drop, epoch, *turn, bool(resolved), verdict)


def _verdict(n_replicates: int, *bounds: float | None) -> str:
    if n_replicates < LEAST_REPLICATES:
        return VERDICTS[2]
    return VERDICTS[0] if min(bounds) > LEAST_DROP else VERDICTS[1]


def _ends(curves: np.ndarray) -> np.ndarray:
    """The mean of the last three checkpoints: (..., K) -> (...)."""
    return curves[..., -LASTING:].mean(axis=-1)


def _drops(curves: np.ndarray) -> np.ndarray:
    return curves.max(axis=-1) - _ends(curves)


def _held_out_falls(curves: np.ndarray) -> np.ndarray:
    """Each replicate's fall to its end from where the mean of the others is largest: (R,)."""
    others = curves.sum(axis=0) - curves if len(curves) > 1 else curves
    peaks = np.take_along_axis(curves, others.argmax(axis=1)[:, None], axis=1)[:, 0]
    return peaks - _ends(curves)


def _lower_bound(values: np.ndarray) -> float | None:
    """Student's lower bound of the mean at 2.5 %: resampling few values makes it too high."""
    if len(values) < 2:
        return None
    error = values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() + stdtrit(len(values) - 1, 0.025) * error)


def _log_snr(mean_norm, std_norm, epochs) -> tuple[np.ndarray, np.ndarray]:
    """ln(m/s) of shape (R, K), not finite where it is undefined, and the epochs."""
    epochs = _epochs(epochs)
    mean_norm = _curves("mean_norm", mean_norm, epochs)
    std_norm = _curves("std_norm", std_norm, epochs)
    if len(std_norm) != len(mean_norm):
        raise FieldError("std_norm", std_norm.shape, f"the shape of mean_norm, {mean_norm.shape}")
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(mean_norm) - np.log(std_norm), epochs


def _outcomes(curves: np.ndarray, epochs: np.ndarray) -> list[str]:
    crossed = np.isfinite(_crossing_epochs(curves, epochs))
    return [
        OUTCOMES[0] if yes else _uncrossed(curve)
        for yes, curve in zip(crossed, curves, strict=True)
    ]


def _uncrossed(curve: np.ndarray) -> str:
    return OUTCOMES[1] if (curve > MARGIN).any() else OUTCOMES[2]


def _crossing_epochs(curves: np.ndarray, epochs: np.ndarray) -> np.ndarray:
    """The epoch at which each smoothed curve (B, K) crosses; NaN where it does not."""
    crossed = np.full(len(curves), np.nan)
    if len(epochs) <= LASTING:
        return crossed
    rows, end = _diffusion_starts(curves)
    curves = curves[rows]
    each = np.arange(len(rows))
    zero = _latest(curves >= 0)[each, end]
    before, after = curves[each, zero], curves[each, zero + 1]
    u = np.log1p(epochs)
    crossed[rows] = np.expm1(u[zero] + (u[zero + 1] - u[zero]) * before / (before - after))
    return crossed


def _diffusion_starts(curves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The curves (B, K) that turn from drift to diffusion, and where diffusion begins for good."""
    below = np.lib.stride_tricks.sliding_window_view(curves < -MARGIN, LASTING, axis=1).all(axis=-1)
    drift = _latest(curves > MARGIN)[:, : below.shape[1]]
    diffusion = below & (drift >= 0)
    rows = np.flatnonzero(diffusion.any(axis=1))
    diffusion, drift = diffusion[rows], drift[rows]
    # No drift lies between the first and the last diffusion after the drift that counts.
    last_drift = np.where(diffusion, drift, -1).max(axis=1, keepdims=True)
    return rows, (diffusion & (drift == last_drift)).argmax(axis=1)


def _onset_epochs(curves: np.ndarray, epochs: np.ndarray) -> np.ndarray:
    """The epoch after which each smoothed curve (B, K) falls for good; NaN where none does."""
    near = curves >= curves.max(axis=1, keepdims=True) - MARGIN
    last = _latest(near)[:, -1]
    return np.where(last < len(epochs) - LASTING, epochs[last], np.nan)


def _kinks(loss: np.ndarray, epochs: np.ndarray, width: int) -> tuple[np.ndarray, ...]:
    """Epoch (NaN where the slope never changes), slope before and after of curves (B, K)."""
    slopes = _slopes(np.log(epochs), np.log(loss), width + 1)
    change = np.abs(slopes[:, width:] - slopes[:, :-width])
    each, start = np.arange(len(loss)), change.argmax(axis=1)
    found = np.where(change[each, start] > _ROUNDING, epochs[start + width], np.nan)
    return found, slopes[each, start], slopes[each, start + width]


def _slopes(x: np.ndarray, y: np.ndarray, n_points: int) -> np.ndarray:
    """Least-squares slopes of y (B, K) against x (K,) in every window: (B, K - n_points + 1)."""
    x = np.lib.stride_tricks.sliding_window_view(x, n_points)
    y = np.lib.stride_tricks.sliding_window_view(y, n_points, axis=1)
    x = x - x.mean(axis=1, keepdims=True)
    return np.einsum("bpn,pn->bp", y, x / (x**2).sum(axis=1, keepdims=True))


def _latest(condition: np.ndarray) -> np.ndarray:
    """At each checkpoint the index of the latest one so far that fulfils it, or -1."""
    index = np.where(condition, np.arange(condition.shape[1]), -1)
    return np.maximum.accumulate(index, axis=1)


def _resampled_means(values: np.ndarray, seed: int) -> np.ndarray:
    """Means over bootstrap resamples of the replicates, (R, ...) -> (B, ...).

    B is 0 for fewer than two replicates, which say nothing of their scatter.
    """
    return _weights(len(values), seed) @ values


@lru_cache(maxsize=16)
def _weights(n: int, seed: int) -> np.ndarray:
    """How often each resample takes each of n replicates, as shares of n: (B, n)."""
    size = RESAMPLES if n > 1 else 0
    shares = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=size) / n
    shares.flags.writeable = False
    return shares


def _interval(values: np.ndarray) -> tuple[float | None, float | None]:
    """The 2.5 and 97.5 percentiles of the values that are not NaN; None where there are none."""
    values = values[np.isfinite(values)]
    if not len(values):
        return None, None
    # Without interpolation a bound on a checkpoint's epoch is the epoch of a checkpoint.
    lower, upper = np.percentile(values, (2.5, 97.5), method="inverted_cdf")
    return float(lower), float(upper)


def _epochs(epochs) -> np.ndarray:
    allowed = "a list of ascending finite numbers, none below 0"
    values = _floats("epochs", epochs, allowed)
    if values.ndim != 1 or not len(values):
        raise FieldError("epochs", values.shape, f"{allowed}: shape (K,), K at least 1")
    # Infinity only ever stands last in a list that ascends; NaN ascends nowhere.
    if values[0] < 0 or not np.isfinite(values[-1]) or not (np.diff(values) > 0).all():
        raise FieldError("epochs", values.tolist(), allowed)
    return values


def _curves(name: str, values, epochs: np.ndarray) -> np.ndarray:
    allowed = f"numbers of shape (R, {len(epochs)}): replicates, then one per epoch"
    values = _floats(name, values, allowed)
    if values.ndim != 2 or not len(values) or values.shape[1] != len(epochs):
        raise FieldError(name, values.shape, allowed)
    return values


def _floats(name: str, values, allowed: str) -> np.ndarray:
    try:
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise FieldError(name, type(values).__name__, allowed) from None
