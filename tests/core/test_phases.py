import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ibcore.experiment import FieldError
from ibcore.phases import (
    MARGIN,
    OUTCOMES,
    Compression,
    Crossing,
    Event,
    Kink,
    compression,
    crossing,
    loss_kink,
    smooth,
    snr_onset,
)

CROSSED, THROUGHOUT, NEVER, UNDEFINED = OUTCOMES
RUNS = 200
EPOCHS = np.expm1(np.linspace(0, np.log1p(3000), 60))
U = np.log1p(EPOCHS)
FALLING = 1.5 - 3 * U / U[-1]
"""From +1.5 to -1.5, linear in ln(1 + epoch): zero half way, at sqrt(3001) - 1."""
ZERO = np.sqrt(3001) - 1


def norms(log_snr):
    """Norms with m/s = exp(log SNR), neither of them constant: (R, K) each."""
    log_snr = np.atleast_2d(log_snr)
    s = np.linspace(2, 0.5, log_snr.shape[1]) * np.ones_like(log_snr)
    return s * np.exp(log_snr), s


def noise(seed, shape, sd, correlation):
    """Stationary Gaussian noise; neighbours along the last axis correlate by `correlation`."""
    z = np.random.default_rng(seed).standard_normal(shape)
    for k in range(1, shape[-1]):
        z[..., k] = correlation * z[..., k - 1] + np.sqrt(1 - correlation**2) * z[..., k]
    return sd * z


def slow_smooth(curve):
    for average in (np.median, np.mean):
        last = len(curve)
        curve = [average(curve[max(0, k - 1) : min(last, k + 2)]) for k in range(last)]
    return np.array(curve)


def slow_crossing(curve, epochs):
    """The rule of `crossing`, for one smoothed curve, as a walk through the checkpoints."""
    drift, zero, found = False, None, None
    for k in range(len(curve)):
        if curve[k] > MARGIN:
            drift = True
        if k and curve[k - 1] >= 0 > curve[k]:
            zero = k - 1
        lasting = len(curve) >= k + 3 and all(c < -MARGIN for c in curve[k : k + 3])
        if drift and lasting:
            # Until drift returns, nothing later can be a crossing.
            drift, found = False, zero
    if found is None:
        return None
    return np.expm1(np.interp(0, -curve[found : found + 2], np.log1p(epochs)[found : found + 2]))


def test_smoothing_by_hand():
    """Medians of (1, 9), (1, 9, 2), (9, 2, 4), (2, 4): 5, 2, 4, 3; means of 5 2, 5 2 4, ..."""
    assert smooth([1, 9, 2, 4]) == pytest.approx([3.5, 11 / 3, 3, 3.5])
    assert smooth([[1.0], [2.0]]).tolist() == [[1], [2]]


@given(arrays(float, st.tuples(st.integers(1, 3), st.integers(1, 9)), elements=st.floats(-9, 9)))
def test_smoothing_is_the_slow_twin_row_by_row(curves):
    """Smoothing (R, K) is taking the median, then the mean, of each checkpoint's neighbours."""
    assert smooth(curves) == pytest.approx(np.array([slow_smooth(row) for row in curves]))


def test_nan_stays_within_two_checkpoints_and_its_replicate():
    curves = np.ones((2, 9))
    curves[0, 4] = np.nan
    assert np.isnan(smooth(curves)).tolist() == [[2 <= k <= 6 for k in range(9)], [False] * 9]


def test_a_straight_fall_crosses_at_its_zero():
    """Smoothing leaves a straight line as it is, but for its ends, and so does the mean.

    Lines through zero at u = 3.9, 4.0 and 4.4 (slopes equal) have their mean's zero at 4.1.
    """
    zeros = np.array([[3.9], [4.0], [4.4]])
    found = crossing(*norms(0.4 * (zeros - U)), EPOCHS)
    assert found.outcome == CROSSED
    assert found.replicates == (CROSSED,) * 3
    assert found.epoch == pytest.approx(np.expm1(4.1), rel=1e-9)
    # All three draws are one and the same replicate in 1 of 27 resamples: over 2.5 %.
    assert found.epoch_lower == pytest.approx(np.expm1(3.9), rel=1e-9)
    assert found.epoch_upper == pytest.approx(np.expm1(4.4), rel=1e-9)


def test_interpolation_is_linear_in_log_epochs():
    """Checkpoints 0, 1, 3, 7, ...: u = k ln 2; from +1 at k = 2 to -3 at k = 3, zero at 2.25.

    Each level lasts for three checkpoints and a straight step stays one under the median;
    the mean makes of it 1, 1, -1/3, -5/3, -3, -3: zero at 1 + 1 / (1 + 1/3) = 1.75.
    """
    log_snr = np.array([1.0, 1, 1, -3, -3, -3])
    found = crossing(*norms(log_snr), 2.0 ** np.arange(6) - 1)
    assert smooth(log_snr) == pytest.approx([1, 1, -1 / 3, -5 / 3, -3, -3])
    assert found.epoch == pytest.approx(2**1.75 - 1)


def test_outcomes_without_a_crossing():
    for level, outcome in (
        (1, THROUGHOUT),
        (0.3, THROUGHOUT),
        (0.2, NEVER),
        (0, NEVER),
        (-1, NEVER),
    ):
        found = crossing(*norms(np.full((2, 60), float(level))), EPOCHS)
        assert found == Crossing(outcome, None, None, None, (outcome,) * 2)


def test_diffusion_has_to_last_for_three_checkpoints():
    """A step from 1 to -1 smooths to 1/3, -1/3, -1, ...: two of the last three lie below."""
    for length, outcome in ((2, THROUGHOUT), (3, CROSSED)):
        log_snr = np.r_[np.ones(20 - length), -np.ones(length)]
        assert smooth(log_snr)[-3:] == pytest.approx(
            [1 / 3, -1 / 3, -1] if length == 2 else [-1 / 3, -1, -1]
        )
        assert crossing(*norms(log_snr), np.arange(20)).outcome == outcome


def test_the_last_turn_from_drift_to_diffusion_counts():
    """Drift, diffusion, drift, diffusion, and a rise short of drift: the second turn is it.

    The step down at 30 smooths to 1/3 at 29 and -1/3 at 30, which is zero half way; by a
    step of 1 in the epoch, linear in ln(1 + epoch), at sqrt(30 * 31) - 1.
    """
    log_snr = np.repeat([1, -1, 1, -1, 0.2, -1], 10).astype(float)
    found = crossing(*norms(log_snr), np.arange(60))
    assert found.epoch == pytest.approx(np.sqrt(30 * 31) - 1)


def test_diffusion_before_drift_is_no_crossing():
    assert crossing(*norms(-FALLING), EPOCHS).outcome == THROUGHOUT


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 30))
def test_every_replicate_is_judged_as_by_the_slow_twin(seed, n_replicates, n_checkpoints):
    """The outcomes and epochs of replicates follow a walk through their smoothed curves."""
    epochs = np.sort(np.random.default_rng(seed).choice(1000, n_checkpoints, replace=False))
    log_snr = noise(seed, (n_replicates, n_checkpoints), 1, 0.7)
    m, s = norms(log_snr)
    together = crossing(m, s, epochs)
    for row, outcome in enumerate(together.replicates):
        curve = smooth(np.log(m[row]) - np.log(s[row]))
        epoch = slow_crossing(curve, epochs)
        alone = crossing(m[row : row + 1], s[row : row + 1], epochs)
        assert alone.outcome == outcome
        assert outcome == (
            (THROUGHOUT if max(curve) > MARGIN else NEVER) if epoch is None else CROSSED
        )
        assert alone.epoch == (epoch if epoch is None else pytest.approx(epoch, rel=1e-6))


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf, -1.0])
@pytest.mark.parametrize("which", [0, 1])
def test_a_dead_replicate_is_undefined_and_changes_nothing_else(bad, which):
    """The others give what they give alone, with the same seed."""
    alive = norms(FALLING + noise(0, (5, 60), 0.3, 0.5))
    dead = [np.insert(norm, 2, 1.0, axis=0) for norm in alive]
    dead[which][2, 59] = bad
    alone, found = crossing(*alive, EPOCHS), crossing(*dead, EPOCHS)
    assert found.replicates == (CROSSED, CROSSED, UNDEFINED, CROSSED, CROSSED, CROSSED)
    assert (found.epoch, found.epoch_lower, found.epoch_upper) == (
        alone.epoch,
        alone.epoch_lower,
        alone.epoch_upper,
    )
    assert snr_onset(*dead, EPOCHS) == snr_onset(*alive, EPOCHS)


def test_undefined_where_no_replicate_is_defined():
    found = crossing(np.ones((3, 60)), np.zeros((3, 60)), EPOCHS)
    assert found == Crossing(UNDEFINED, None, None, None, (UNDEFINED,) * 3)
    assert snr_onset(np.ones((3, 60)), np.zeros((3, 60)), EPOCHS) == Event(None, None, None)


def test_one_defined_replicate_has_no_interval():
    m, s = norms(np.stack([FALLING, FALLING]))
    m[0, 7] = 0
    found = crossing(m, s, EPOCHS)
    assert found.epoch == pytest.approx(ZERO)
    assert found.epoch_lower is found.epoch_upper is None
    onset = snr_onset(m, s, EPOCHS)
    assert onset.epoch is not None
    assert onset.epoch_lower is onset.epoch_upper is None


def test_the_seed_alone_decides_the_resamples():
    curves = norms(FALLING + noise(0, (10, 60), 0.5, 0))
    first = crossing(*curves, EPOCHS, seed=1)
    assert crossing(*curves, EPOCHS, seed=1) == first
    other = crossing(*curves, EPOCHS, seed=2)
    assert other.epoch == first.epoch
    assert other != first


@pytest.mark.parametrize("correlation", [0, 0.5])
@pytest.mark.parametrize("sd", [0.1, 0.3, 0.5])
def test_noise_about_a_constant_snr_is_no_crossing(sd, correlation):
    """Of runs whose SNR never changes, at most 5 % are said to cross."""
    for constant in (-1, -0.3, 0, 0.3, 1):
        curves = constant + noise(3, (RUNS, 10, 60), sd, correlation)
        outcomes = [
            crossing(*norms(run), EPOCHS, seed=seed).outcome for seed, run in enumerate(curves)
        ]
        assert outcomes.count(CROSSED) <= 0.05 * RUNS


@pytest.mark.parametrize(("sd", "correlation"), [(0.1, 0), (0.1, 0.5), (0.5, 0), (0.5, 0.5)])
def test_a_true_crossing_is_found(sd, correlation):
    """Found in 95 % of runs, the true epoch within the interval or 15 % of its edges."""
    curves = FALLING + noise(4, (RUNS, 10, 60), sd, correlation)
    found = [crossing(*norms(run), EPOCHS, seed=seed) for seed, run in enumerate(curves)]
    right = [
        each.outcome == CROSSED and each.epoch_lower / 1.15 <= ZERO <= each.epoch_upper * 1.15
        for each in found
    ]
    assert sum(right) >= 0.95 * RUNS


def test_intervals_of_fifty_replicates_are_quick():
    """Well under a tenth of a second; the best of three, as others may use the machine."""
    curves = norms(FALLING + noise(5, (50, 60), 0.3, 0.5))

    def seconds():
        start = time.perf_counter()
        crossing(*curves, EPOCHS)
        return time.perf_counter() - start

    assert min(seconds() for _ in range(3)) < 0.1


def test_onset_is_the_last_checkpoint_within_the_margin():
    """Flat at 1 up to k = 10, then 0.1 less at each checkpoint: 1 - 0.2 is the last within 0.22.

    The median leaves a monotone curve alone; the mean of 1, 1, 0.9 lowers k = 10 alone.
    """
    log_snr = 1 - 0.1 * np.maximum(0, np.arange(30.0) - 10)
    found = snr_onset(*norms(np.stack([log_snr, log_snr])), np.arange(30) * 5)
    assert found == Event(60, 60, 60)


def test_no_onset_where_the_snr_recovers_rises_or_falls_too_late():
    k = np.arange(30)
    for log_snr in (np.abs(k - 15) / 5, k / 10, np.where(k < 29, 1, 0), np.ones(30)):
        assert snr_onset(*norms(np.stack([log_snr] * 2)), k) == Event(None, None, None)
    # The step smooths to 2/3 at 27, outside the margin: 27, 28 and 29 come after it.
    assert snr_onset(*norms(np.where(k < 28, 1, 0)), k).epoch == 26


def test_noise_about_a_constant_snr_has_no_onset():
    """Of runs whose SNR never changes, at most 5 % fall for good; of those that fall, 95 % do."""
    fluctuation = noise(6, (RUNS, 10, 60), 0.5, 0.5)
    for curve, low, high in ((np.zeros(60), 0, 0.05), (FALLING, 0.95, 1)):
        found = [
            snr_onset(*norms(curve + run), EPOCHS, seed=seed).epoch is not None
            for seed, run in enumerate(fluctuation)
        ]
        assert low <= np.mean(found) <= high


POWERS = np.geomspace(1, 1000, 40)


def broken(before, after, k):
    """A power law of the epoch with exponent `before` up to checkpoint k, then `after`."""
    exponent = np.where(np.arange(len(POWERS)) <= k, before, after)
    return (POWERS / POWERS[k]) ** exponent


@given(
    st.floats(-3, 3),
    st.floats(0.1, 3),
    st.booleans(),
    st.integers(5, 34),
    st.floats(1e-3, 1e3),
)
def test_kink_of_a_broken_power_law(before, change, down, k, scale):
    """With K = 40 and w = 5, a kink at one of the checkpoints 5..34 is found with its slopes.

    Both windows of the kink lie on one power law each, windows elsewhere mix the two.
    """
    after = before + (-change if down else change)
    loss = scale * broken(before, after, k)
    found = loss_kink(np.stack([loss, 3 * loss]), POWERS)
    assert (found.slope_before, found.slope_after) == pytest.approx((before, after), abs=1e-6)
    assert (found.epoch, found.epoch_lower, found.epoch_upper) == (POWERS[k],) * 3


def test_slopes_are_least_squares():
    """Of any curve, the kink's slopes are np.polyfit's and no change of slope is larger."""
    loss = np.exp(noise(7, (1, 40), 0.3, 0.5))
    x, y = np.log(POWERS), np.log(loss[0])
    slope = {
        k: [np.polyfit(x[side], y[side], 1)[0] for side in (slice(k - 5, k + 1), slice(k, k + 6))]
        for k in range(5, 35)
    }
    k = max(slope, key=lambda k: abs(slope[k][1] - slope[k][0]))
    found = loss_kink(loss, POWERS)
    assert found.epoch == POWERS[k]
    assert (found.slope_before, found.slope_after) == pytest.approx(slope[k])
    assert found.epoch_lower is found.epoch_upper is None


def test_kink_leaves_out_epochs_below_one_and_bad_replicates():
    epochs = np.r_[0, 0.5, POWERS]
    loss = np.tile(np.r_[np.nan, -1, broken(-0.1, -2, 20)], (5, 1))
    for row, bad in enumerate((0, -1, np.nan)):
        loss[row, 7] = bad
    found = loss_kink(loss, epochs)
    assert (found.epoch, found.slope_before) == pytest.approx((POWERS[20], -0.1))


def test_no_kink():
    """Too few checkpoints (2 w + 1 = 9 at the least), no usable replicate, or no change."""
    none = Kink(None, None, None, None, None)
    line = POWERS[:9] ** -1.5
    bent = np.where(POWERS[:9] > POWERS[4], line**2 / line[4], line)
    assert loss_kink([bent[:8]], POWERS[:8]) == none
    assert loss_kink([bent], POWERS[:9]).epoch == POWERS[4]
    assert loss_kink([line], POWERS[:9]) == none
    assert loss_kink(np.ones((3, 9)), POWERS[:9]) == none
    assert loss_kink([0 * line], POWERS[:9]) == none
    assert loss_kink([[0.3] * 3], [0, 0.1, 0.2]) == none


def test_kink_interval_covers_replicates_that_turn_apart():
    """Of two replicates a quarter of the resamples have the one alone, a quarter the other."""
    loss = np.stack([broken(0, -3, k) for k in (15, 25)])
    found = loss_kink(loss, POWERS)
    assert (found.epoch_lower, found.epoch_upper) == (POWERS[15], POWERS[25])
    assert found.epoch_lower <= found.epoch <= found.epoch_upper


CHECKPOINTS = np.arange(40)
RISE = 8 * (1 - np.exp(-CHECKPOINTS / 3))
"""Bits: 7.99 at checkpoint 20, 8 in the limit."""


def test_drop_of_a_tent_by_hand():
    """Up to 4 at k = 20, then down by 0.1 a checkpoint, the same in 5 replicates.

    Medians: 3.9 at the top (of 3.8, 4, 3.9); means there: of 3.8 (of 3.6, 3.8, 4), 3.9, 3.9
    and of 3.9, 3.9, 3.8 either 3.8667. The last two medians are 2.2 and 2.15, their means
    2.2167 (of 2.3, 2.2, 2.15) and 2.175, before them 2.3: the end is their mean.
    """
    tent = np.minimum(0.2 * CHECKPOINTS, 4 - 0.1 * (CHECKPOINTS - 20))
    drop = (3.8 + 3.9 + 3.9) / 3 - (2.3 + (2.3 + 2.2 + 2.15) / 3 + 2.175) / 3
    found = compression(np.tile(tent, (5, 1)), CHECKPOINTS)
    assert (found.drop, found.drop_lower, found.drop_upper) == pytest.approx((drop,) * 3)
    assert {found.epoch, found.epoch_lower, found.epoch_upper} <= {20, 21}
    assert found.resolved
    assert found.verdict == "compresses"


def test_a_drop_of_less_than_the_threshold_is_none():
    """After a plateau of 1 bit a step down: the drop is its height, exactly."""
    for height, verdict in ((0.049, "none"), (0.051, "compresses")):
        step = np.r_[0, 0.5, np.ones(20), np.full(18, 1 - height)]
        found = compression(np.tile(step, (5, 1)), CHECKPOINTS)
        assert found.drop == pytest.approx(height)
        assert found.verdict == verdict


def test_few_replicates_give_numbers_and_no_verdict():
    step = np.r_[0, 0.5, np.ones(20), np.zeros(18)]
    for n in (1, 2, 4):
        found = compression(np.tile(step, (n, 1)), CHECKPOINTS)
        assert found.verdict == "too few replicates"
        assert found.drop == pytest.approx(1)
        assert found.drop_lower == (None if n == 1 else pytest.approx(1))
        assert found.resolved == (n > 1)


def test_replicates_that_are_not_finite_are_left_out():
    curves = RISE + noise(8, (7, 40), 0.1, 0.5)
    curves[1, 30], curves[4, 39] = np.nan, np.inf
    rest = curves[[0, 2, 3, 5, 6]]
    assert compression(curves, CHECKPOINTS) == compression(rest, CHECKPOINTS)
    found = compression(np.full((6, 40), np.nan), CHECKPOINTS)
    assert found == Compression(*[None] * 6, False, "too few replicates")


def test_a_turning_point_at_an_end_is_not_resolved():
    """The maximum of a rise lies at the end, of a fall at the beginning."""
    for curve in (RISE, -RISE):
        found = compression(np.tile(curve, (5, 1)), CHECKPOINTS)
        assert found.epoch in (0, 39)
        assert not found.resolved
    # One of five replicates turns at the start, and in some resamples it prevails.
    curves = np.tile(-np.abs(CHECKPOINTS - 20.0), (5, 1))
    curves[0] = -10 * CHECKPOINTS
    assert not compression(curves, CHECKPOINTS).resolved


def test_interval_of_the_drop_is_that_of_a_mean():
    """Steps down by heights of mean 2: their mean's interval is 2 -+ 1.96 sd / sqrt(R)."""
    heights = np.random.default_rng(14).uniform(1, 3, 100)
    curves = np.where(CHECKPOINTS < 20, 5, 5 - heights[:, None])
    found = compression(curves, CHECKPOINTS)
    half = 1.96 * heights.std() / 10
    assert found.drop == pytest.approx(heights.mean())
    assert found.drop_lower == pytest.approx(heights.mean() - half, abs=0.1 * half)
    assert found.drop_upper == pytest.approx(heights.mean() + half, abs=0.1 * half)


def test_one_replicate_does_not_carry_the_verdict():
    """Nine stay, one falls by 10 bits: the mean falls by 1, but the one is in no resample
    in 0.9^10 = 35 % of them, which do not fall at all."""
    curves = np.full((10, 40), 12.0)
    curves[0, 20:] -= 10
    found = compression(curves, CHECKPOINTS)
    assert found.drop == pytest.approx(1)
    assert found.drop_lower == pytest.approx(0, abs=1e-9)
    assert found.verdict == "none"


@pytest.mark.parametrize("correlation", [0, 0.5, 0.9])
@pytest.mark.parametrize("sd", [0.05, 0.5])
@pytest.mark.parametrize("curve", [np.full(40, 8.0), RISE], ids=["constant", "plateau"])
def test_noise_is_not_declared_to_compress(curve, sd, correlation):
    """Of runs with no drop, whose replicates differ in level by 0.5 bits, at most 5 %."""
    levels = noise(9, (RUNS, 10, 1), 0.5, 0)
    curves = curve + levels + noise(10, (RUNS, 10, 40), sd, correlation)
    verdicts = [compression(run, CHECKPOINTS, seed=seed).verdict for seed, run in enumerate(curves)]
    assert verdicts.count("compresses") <= 0.05 * RUNS


@pytest.mark.parametrize("correlation", [0, 0.5])
def test_a_true_drop_is_declared(correlation):
    """0.3 bits lost between the middle and the end, noise of 0.1 bits: at least 95 %."""
    falling = RISE - 0.3 * np.clip((CHECKPOINTS - 20) / 15, 0, 1)
    levels = noise(11, (RUNS, 10, 1), 0.5, 0)
    curves = falling + levels + noise(12, (RUNS, 10, 40), 0.1, correlation)
    found = [compression(run, CHECKPOINTS, seed=seed) for seed, run in enumerate(curves)]
    assert sum(each.verdict == "compresses" for each in found) >= 0.95 * RUNS
    assert np.mean([each.resolved for each in found]) >= 0.95


def test_each_replicates_own_maximum_would_have_declared_all():
    """Why the peak comes from the others: own maxima find a drop where there is none."""
    curves = smooth(8 + noise(13, (RUNS, 10, 40), 0.2, 0.5))
    own = curves.max(axis=2) - curves[:, :, -3:].mean(axis=2)
    assert (own.mean(axis=1) - 2 * own.std(axis=1) / np.sqrt(10) > 0.05).all()


TWO = np.ones((2, 4))
CALLS = {
    "mean_norm": lambda curves, epochs: crossing(curves, TWO, epochs),
    "std_norm": lambda curves, epochs: snr_onset(TWO, curves, epochs),
    "loss": loss_kink,
    "i_xt": compression,
}
BAD_CURVES = [np.ones(4), np.ones((2, 3)), np.ones((0, 4)), np.ones((1, 2, 4)), [[1], [1, 2]], "x"]
BAD_EPOCHS = [
    [0, 1, 1, 2],
    [3, 2, 1, 0],
    [-1, 0, 1, 2],
    [0, 1, 2, np.nan],
    [np.nan, 1, 2, 3],
    [0, 1, 2, np.inf],
    [[0, 1, 2, 3]],
    [],
    "x",
    None,
]


@pytest.mark.parametrize("curves", BAD_CURVES, ids=repr)
@pytest.mark.parametrize("name", CALLS)
def test_curves_that_do_not_fit_are_named(name, curves):
    with pytest.raises(FieldError, match=f"^{name}: [^\n]*$") as error:
        CALLS[name](curves, [0, 1, 2, 4])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("epochs", BAD_EPOCHS, ids=repr)
@pytest.mark.parametrize("name", CALLS)
def test_epochs_that_do_not_ascend_are_named(name, epochs):
    with pytest.raises(FieldError, match=r"^epochs: ") as error:
        CALLS[name](TWO, epochs)
    assert "\n" not in str(error.value)


def test_mean_and_std_have_the_same_replicates():
    with pytest.raises(FieldError, match=r"^std_norm: "):
        crossing(TWO, np.ones((3, 4)), [0, 1, 2, 3])


@pytest.mark.parametrize("n_checkpoints", [1, 2, 3, 4])
def test_short_runs_have_answers(n_checkpoints):
    """Three checkpoints below have to follow one above: four are needed for a crossing."""
    epochs = np.arange(n_checkpoints)
    ones = np.ones((2, n_checkpoints))
    assert crossing(3 * ones, ones, epochs).outcome == THROUGHOUT
    assert snr_onset(3 * ones, ones, epochs) == Event(None, None, None)
    assert loss_kink(ones, epochs).epoch is None
    assert compression(ones, epochs) == Compression(0, 0, 0, 0, 0, 0, False, "too few replicates")
