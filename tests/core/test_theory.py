"""The cases with known information: their values from other directions, and their samples."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from ibcore.estimators import KDE, Binning
from ibcore.experiment import FieldError
from ibcore.theory import TRUTHS, formulas
from ibcore.theory.three_neurons import tanh_in_bins
from ibcore.theory.truths import (
    gaussian_pair,
    symmetric_channel,
    tanh_of_gaussian,
    two_points,
    uniform_grid,
)
from tests.core.test_architecture import ROOT, imports

TOGETHER = pytest.mark.parametrize("truth", TRUTHS.values(), ids=TRUTHS)
EXACT = ("distinct-rows", "hamming-weight", "xor-one", "xor-both", "uniform-grid-3")
EXACT += ("uniform-grid-6",)
DRAWN = ("tanh-1", "tanh-5", "tanh-20", "symmetric-channel")
NOISY = [name for name, truth in TRUTHS.items() if truth.after == "noise"]
PUBLISHED = {
    "distinct-rows": 12,
    "hamming-weight": 2.8385,
    "xor-one": 0,
    "xor-both": 1,
    "uniform-grid-3": 3,
    "uniform-grid-6": 6,
    "two-points-1": 0.4859,
    "two-points-0.25": 0.9128,
    "one-hot-10": 2.9963,
    "cube-12": 5.8313,
    "tanh-1": 4.877,
    "tanh-5": 2.775,
    "tanh-20": 1.594,
    "symmetric-channel": 0.5310,
    "shuffled-labels": 0,
    "gaussian-noise": 1.7297,
    "gaussian-pair-0.5": 0.2075,
    "gaussian-pair-0.9": 1.1980,
}
PUBLISHED_BOUNDS = {
    "two-points-1": (0.3161, 0.8169),
    "two-points-0.25": (0.8169, 0.9995),
    "one-hot-10": (2.5239, 3.3213),
    "cube-12": (3.7926, 9.8026),
}


def estimated(truth, n, seed=0):
    """What the estimator that the case is for says of n samples."""
    estimator = KDE(truth.variance) if truth.variance else Binning(truth.n_bins, truth.limits)
    return estimator.information(*truth.sample(n, seed))


# The values


@TOGETHER
def test_values_are_the_published_ones(truth):
    assert truth.value == pytest.approx(
        PUBLISHED[truth.name], abs=6e-5 + 5e-4 * ("tanh" in truth.name)
    )
    assert PUBLISHED.keys() == TRUTHS.keys()


def mixture_information(centres, variance):
    """h(T~) - h(noise) of evenly likely centres on a line, by integrating -p log2 p."""
    s = np.sqrt(variance)

    def surprise(z):
        p = np.mean(norm.pdf(z, centres, s))
        return -p * np.log2(p) if p > 0 else 0.0

    reach = 1 + 12 * s
    h = quad(surprise, -reach, reach, limit=400, epsabs=1e-11, points=[-1, 0, 1])[0]
    return h - 0.5 * np.log2(2 * np.pi * np.e * variance)


@pytest.mark.parametrize("variance", [0.02, 0.1, 0.25, 1.0, 5.0, 100.0])
def test_two_points_by_the_entropy_of_their_mixture(variance):
    """I(X;X~) = h(X~) - h(noise), and h(noise) = 1/2 log2(2 pi e v)."""
    found = formulas.two_points_information(variance)
    assert found == pytest.approx(mixture_information([-1, 1], variance), abs=1e-8)


@pytest.mark.parametrize("variance", [0.01, 0.1, 1.0, 30.0])
def test_two_unit_vectors_are_two_points_on_a_line(variance):
    """They lie sqrt(2) apart and not 2: the information at v is that of ±1 at 2 v.

    Across the line that joins them there is noise alone.
    """
    assert formulas.one_hot_information(2, variance) == pytest.approx(
        formulas.two_points_information(2 * variance), abs=1e-11
    )


@pytest.mark.parametrize(("n_points", "variance"), [(3, 0.5), (10, 0.1), (10, 1.0), (20, 0.05)])
def test_one_hot_points_by_drawing_the_noise(n_points, variance):
    """I = log2 n - E log2 sum_j p(z|j) / p(z|i), the mean over 20 000 draws, within 4 errors."""
    rng = np.random.default_rng(3)
    points, i = np.eye(n_points), rng.integers(0, n_points, 20_000)
    z = points[i] + np.sqrt(variance) * rng.standard_normal((20_000, n_points))
    log_p = -(((z[:, None] - points[None]) ** 2).sum(axis=2)) / (2 * variance)
    losses = np.log2(np.exp(log_p - log_p[np.arange(len(z)), i][:, None]).sum(axis=1))
    error = losses.std() / np.sqrt(len(losses))
    found = formulas.one_hot_information(n_points, variance)
    assert found == pytest.approx(np.log2(n_points) - losses.mean(), abs=4 * error)
    assert error < 0.02


@pytest.mark.parametrize("variance", [0.25, 1.0])
def test_a_square_by_the_entropy_of_its_mixture(variance):
    """h(X~) - h(noise) of four corners, on a grid over the plane, without using independence."""
    z = np.linspace(-9, 9, 721)
    lines = [norm.pdf(z, c, np.sqrt(variance)) for c in (-1, 1)]
    p = np.mean([np.outer(a, b) for a in lines for b in lines], axis=0)
    h = -np.sum(p * np.log2(np.maximum(p, 1e-300))) * (z[1] - z[0]) ** 2
    noise = np.log2(2 * np.pi * np.e * variance)
    assert formulas.cube_information(2, variance) == pytest.approx(h - noise, abs=1e-9)


@pytest.mark.parametrize("variance", [0.1, 2.0])
def test_a_gaussian_by_the_entropies_of_its_sum(variance):
    """h(N(0, 1 + v)) - h(N(0, v)), integrated."""
    entropies = [
        quad(lambda z, s=s: norm.pdf(z, 0, s) * -norm.logpdf(z, 0, s), -40 * s, 40 * s, points=[0])[
            0
        ]
        for s in (np.sqrt(1 + variance), np.sqrt(variance))
    ]
    expected = (entropies[0] - entropies[1]) / np.log(2)
    assert formulas.gaussian_information(variance) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("variance", [0.1, 1.0])
def test_the_sign_of_a_gaussian_by_its_joint_density(variance):
    """I(X~;Y) = sum_y int p(y, z) log2 (p(y, z) / (p(y) p(z))), p(y, z) itself an integral."""
    s = np.sqrt(variance)

    def joint(z):
        return quad(lambda x: norm.pdf(x) * norm.pdf(z, x, s), 0, 9, points=[max(z, 0.0)])[0]

    z = np.linspace(-9, 9, 181)
    above = np.array([joint(value) for value in z])
    below = above[::-1]
    p_z = norm.pdf(z, 0, np.sqrt(1 + variance))
    np.testing.assert_allclose(above + below, p_z, atol=1e-8)
    terms = [p * np.log2(np.maximum(p, 1e-300) / (0.5 * p_z)) for p in (above, below)]
    expected = np.sum(terms) * (z[1] - z[0])
    assert formulas.gaussian_sign_information(variance) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("rho", [0.1, 0.5, 0.9, 0.99])
def test_a_gaussian_pair_by_its_correlation(rho):
    """I = -log2(1 - rho^2) / 2 where rho T~ is the mean of X; T~ has variance 1."""
    truth = gaussian_pair(rho)
    assert truth.value == pytest.approx(-0.5 * np.log2(1 - rho**2), abs=1e-12)
    t, y, _ = truth.sample(20_000, 1)
    assert t.var() + truth.variance == pytest.approx(1, abs=0.04)
    np.testing.assert_array_equal(y, t[:, 0] > 0)


@pytest.mark.parametrize("w", [0.3, 1.0, 5.0, 20.0])
def test_bins_of_a_tanh_by_its_density(w):
    """p(t) = phi(artanh(t) / w) / (w (1 - t^2)), integrated over an inner bin; all add up to 1."""
    p = tanh_in_bins(w, 30)
    assert p.sum() == pytest.approx(1, abs=1e-14)
    np.testing.assert_allclose(p, p[::-1], atol=1e-15)
    for b in (1, 9, 15):
        low, high = 2 * b / 30 - 1, 2 * (b + 1) / 30 - 1
        share = quad(lambda t: norm.pdf(np.arctanh(t) / w) / (w * (1 - t * t)), low, high)[0]
        assert p[b] == pytest.approx(share, abs=1e-10)


def test_a_table_of_probabilities():
    """A fair bit and its copy share 1 bit; flipped one time in ten, 1 - H(0.1)."""
    flipped = 1 + 0.1 * np.log2(0.1) + 0.9 * np.log2(0.9)
    assert formulas.shared_information(np.eye(2) / 2) == pytest.approx(1, abs=1e-15)
    channel = np.array([[0.45, 0.05], [0.05, 0.45]])
    assert formulas.shared_information(channel) == pytest.approx(flipped, abs=1e-15)
    assert formulas.shared_information(np.full((7, 3), 1 / 21)) == pytest.approx(0, abs=1e-15)


@TOGETHER
def test_information_is_within_what_can_be_known(truth):
    """0 <= I(T;Y) <= I(X;T), as Y - X - T is a Markov chain where Y is a function of X."""
    assert 0 <= truth.i_ty <= truth.i_xt + 1e-12
    assert truth.i_ty <= 1 + 1e-12 or truth.name.startswith("one-hot")


# The samples, and an estimator beside each


@TOGETHER
@pytest.mark.parametrize("n", [1, 7, 4096])
def test_samples_are_of_the_shape_that_estimators_take(truth, n):
    t, y, x = truth.sample(n, 5)
    assert t.shape == (n, t.shape[1])
    assert (t.dtype, y.dtype, y.shape) == (np.float64, np.int64, (n,))
    assert x is None or (x.dtype, x.shape) == (np.int64, (n,))
    again = truth.sample(n, 5)
    for one, other in zip((t, y, x), again, strict=True):
        np.testing.assert_array_equal(one, other)
    if n > 1:
        assert not np.array_equal(t, truth.sample(n, 6)[0])


@TOGETHER
def test_equal_inputs_have_equal_activations(truth):
    """T is a function of X in every case, so I(X;T) = H(T)."""
    t, _, x = truth.sample(500, 1)
    if x is not None:
        for value in np.unique(x):
            assert len(np.unique(t[x == value], axis=0)) == 1


@pytest.mark.parametrize("name", EXACT)
def test_counting_is_exact_where_the_sample_is_the_population(name):
    for n in (4096, 8192):
        found = estimated(TRUTHS[name], n)
        assert found.i_xt == pytest.approx(TRUTHS[name].i_xt, abs=1e-9)
        assert found.i_ty == pytest.approx(TRUTHS[name].i_ty, abs=1e-9)


@pytest.mark.parametrize("name", DRAWN)
def test_counting_is_near_where_the_sample_is_drawn(name):
    """Within 0.05 bits at N = 10 000; the sign of X is the sign of tanh(wX)."""
    found = estimated(TRUTHS[name], 10_000, seed=2)
    assert found.i_xt == pytest.approx(TRUTHS[name].i_xt, abs=0.05)
    assert found.i_ty == pytest.approx(TRUTHS[name].i_ty, abs=0.05)


@pytest.mark.parametrize("name", NOISY)
def test_the_bounds_of_kolchinsky_and_tracey_hold(name):
    truth = TRUTHS[name]
    found = estimated(truth, 1000 if name == "one-hot-10" else 4096)
    assert found.i_xt_lower < truth.i_xt < found.i_xt_upper
    assert found.i_ty_lower <= truth.i_ty <= found.i_ty_upper
    if name in PUBLISHED_BOUNDS:
        bounds = (found.i_xt_lower, found.i_xt_upper)
        assert bounds == pytest.approx(PUBLISHED_BOUNDS[name], abs=1e-4)


def test_shuffled_labels_seem_to_share_most_of_a_bit():
    """The truth is 0 bits; counting says over half a bit, less the null next to none."""
    truth = TRUTHS["shuffled-labels"]
    assert estimated(truth, 4096).i_ty > 0.55
    nulled = Binning(truth.n_bins, truth.limits, null=20).information(*truth.sample(4096, 0))
    assert nulled.i_ty == pytest.approx(truth.i_ty, abs=0.03)


@pytest.mark.parametrize("bad", [0, -1, 2.5, True, "10", None, 10**8])
def test_the_number_of_samples_is_checked(bad):
    with pytest.raises(FieldError, match=r"^n: ") as caught:
        TRUTHS["tanh-1"].sample(bad, 0)
    assert "\n" not in str(caught.value)


# What they say of themselves


def test_a_case_says_what_it_is_about():
    assert two_points(0.3).label == "I(X;T~), T~ = T + N(0, 0.3)"
    assert tanh_of_gaussian(3.0, 20).label == "I(X;T), 20 bins on [-1, 1]"
    assert TRUTHS["symmetric-channel"].label == "I(T;Y), 2 bins on [0, 1]"
    assert (two_points(0.3).after, tanh_of_gaussian(3.0).after) == ("noise", "binning")
    assert (two_points(0.3).value, TRUTHS["xor-both"].value) == (two_points(0.3).i_xt, 1)


@TOGETHER
def test_names_and_texts(truth):
    assert TRUTHS[truth.name] is truth
    assert truth.derivation.endswith(".")
    assert len({t.title for t in TRUTHS.values()}) == len(TRUTHS)
    assert truth.source
    assert (truth.variance is None) == (truth.n_bins is not None) == (truth.limits is not None)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: two_points(0.001),
        lambda: two_points(1e3),
        lambda: two_points(np.nan),
        lambda: formulas.one_hot_information(1, 0.1),
        lambda: formulas.gaussian_information(0),
        lambda: formulas.gaussian_sign_information(np.inf),
        lambda: tanh_of_gaussian(0.0),
        lambda: tanh_of_gaussian(np.nan),
        lambda: tanh_of_gaussian(1.0, 29),
        lambda: symmetric_channel(1.1),
        lambda: symmetric_channel(np.nan),
        lambda: uniform_grid(0),
        lambda: gaussian_pair(0.0),
        lambda: gaussian_pair(1.0),
        lambda: gaussian_pair(np.nan),
    ],
)
def test_settings_without_a_known_value_are_refused(ask):
    with pytest.raises(FieldError) as caught:
        ask()
    assert "\n" not in str(caught.value)


def test_the_truth_knows_no_estimator():
    sources = sorted((ROOT / "ibcore" / "theory").glob("*.py"))
    assert len(sources) >= 3
    for path in sources:
        for name in imports(path):
            if name.startswith("ibcore"):
                assert name.startswith(("ibcore.theory", "ibcore.experiment")), path
