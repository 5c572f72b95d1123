import time
from itertools import permutations

import numpy as np
import pytest

from ibcore.experiment import Task
from ibcore.tasks import load
from ibcore.tasks.symmetric import THRESHOLD, f, patterns, vertices

GAMMA = 54.48


@pytest.fixture(scope="module")
def table():
    return load(Task())


def test_inputs_run_in_counting_order(table):
    assert table.x.shape == (4096, 12)
    rows = [[int(bit) for bit in f"{i:012b}"] for i in range(4096)]
    assert table.x.tolist() == rows


def test_vertices_are_an_icosahedron():
    # Unit vectors; inner products -1 and ±1/√5, each vertex with five neighbours.
    gram = vertices() @ vertices().T
    values = np.array([-1, -(5**-0.5), 5**-0.5, 1])
    nearest = abs(gram[..., None] - values)
    assert nearest.min(axis=-1).max() < 1e-12
    assert (np.sort(nearest.argmin(axis=-1)) == [0] + [1] * 5 + [2] * 5 + [3]).all()


def test_first_vertices_are_in_the_stated_order():
    golden = (1 + 5**0.5) / 2
    stated = np.array([[0, 1, golden], [1, golden, 0], [golden, 0, 1], [0, 1, -golden]])
    assert vertices()[:4] * (1 + golden**2) ** 0.5 == pytest.approx(stated)


def test_rule_against_a_plain_loop(table):
    points = vertices().tolist()
    for i in range(0, 4096, 37):
        on = [points[j] for j in range(12) if f"{i:012b}"[j] == "1"]
        total = [sum(column) for column in zip(*on, strict=True)]
        value = len(on) + sum(c * c for c in total) ** 0.5
        assert f(table.x[i : i + 1])[0] == pytest.approx(value, abs=1e-12)
        assert table.y[i] == (value > 7.632)


def test_label_counts_and_entropy(table):
    assert table.n_classes == 2
    assert table.y.sum() == 2118
    p = 2118 / 4096
    assert table.h_y == pytest.approx(-p * np.log2(p) - (1 - p) * np.log2(1 - p), abs=1e-14)
    assert table.h_y == pytest.approx(0.99916, abs=5e-6)
    assert table.i_xy == table.h_y
    assert table.p_y_given_x is None


def test_rule_has_53_values_and_a_gap_around_the_threshold():
    values = np.unique(f(patterns()).round(9))
    assert len(values) == 53
    assert values[values < THRESHOLD].max() == pytest.approx(7.563, abs=5e-4)
    assert values[values > THRESHOLD].min() == pytest.approx(7.701, abs=5e-4)


def test_few_points_are_zero_and_many_are_one(table):
    count = table.x.sum(axis=1)
    assert not table.y[count <= 4].any()
    assert table.y[count >= 8].all()
    assert all(len(set(table.y[count == k])) == 2 for k in (5, 6, 7))


@pytest.mark.parametrize("bit", range(12))
def test_each_input_matters_equally(table, bit):
    flipped = np.arange(4096) ^ (1 << bit)
    assert (table.y != table.y[flipped]).sum() == 884


def symmetries() -> set[tuple[int, ...]]:
    """All isometries of the icosahedron, each as the vertex that every vertex goes to.

    Three mutually adjacent vertices are a basis of space, so an isometry is known
    from the face, and the order of its corners, that a fixed face is taken to.
    """
    points = vertices()
    near = np.isclose(points @ points.T, 5**-0.5)
    faces = [t for t in permutations(range(12), 3) if near[t[0], t[1]] & near[t[1], t[2]]]
    faces = [t for t in faces if near[t[0], t[2]]]
    found = set()
    for face in faces:
        matrix = np.linalg.solve(points[list(faces[0])], points[list(face)])
        assert matrix @ matrix.T == pytest.approx(np.eye(3), abs=1e-12)
        inner = points @ matrix @ points.T
        assert inner.max(axis=1) == pytest.approx(np.ones(12))
        found.add(tuple(inner.argmax(axis=1).tolist()))
    return found


def test_labels_are_invariant_under_the_120_symmetries(table):
    moves = symmetries()
    assert len(moves) == 120
    place = 2 ** np.arange(12)[::-1]
    for move in moves:
        moved = (table.x[:, list(move)] @ place).astype(int)
        assert (table.y[moved] == table.y).all()


def test_a_swap_that_is_no_symmetry_changes_labels(table):
    swapped = table.x[:, [1, 0, *range(2, 12)]] @ 2 ** np.arange(12)[::-1]
    assert (table.y[swapped.astype(int)] != table.y).any()


def test_soft_labels_are_logistic():
    data = load(Task(gamma=3.0))
    logistic = 1 / (1 + np.exp(-3.0 * (f(data.x) - THRESHOLD)))
    assert data.p_y_given_x[:, 1] == pytest.approx(logistic, abs=1e-14)
    assert data.p_y_given_x[:, 0] == pytest.approx(1 - logistic, abs=1e-14)


def test_published_gamma_gives_the_published_information():
    data = load(Task(gamma=GAMMA))
    assert data.i_xy == pytest.approx(0.9900, abs=5e-5)
    assert data.p_y_given_x[:, 1].mean() == pytest.approx(0.5164, abs=5e-5)


def test_steep_labels_become_the_rule_and_flat_ones_a_coin(table):
    steep, flat = load(Task(gamma=1e6)), load(Task(gamma=1e-9))
    assert (steep.y == table.y).all()
    assert steep.i_xy == pytest.approx(table.i_xy, abs=1e-12)
    assert flat.h_y == pytest.approx(1)
    assert flat.i_xy == pytest.approx(0, abs=1e-12)


def test_information_rises_with_gamma():
    information = [load(Task(gamma=gamma)).i_xy for gamma in (0.1, 1, 5, 20, GAMMA, 1000)]
    assert information == sorted(information)


def test_soft_labels_are_drawn_from_their_probabilities():
    draws = [load(Task(gamma=1.0, split_seed=seed)) for seed in range(100)]
    p = draws[0].p_y_given_x[:, 1]
    mean = np.mean([data.y for data in draws], axis=0)
    # 4096 standardised means of 100 draws: their mean square is 1 ± √(2/4096), and
    # at p far from 0 and 1 they are close to normal.
    inner = (p > 0.1) & (p < 0.9)
    z = (mean - p)[inner] / np.sqrt(p * (1 - p) / 100)[inner]
    assert abs(z.mean()) < 5 / np.sqrt(len(z))
    assert abs((z**2).mean() - 1) < 5 * np.sqrt(2 / len(z))


def test_labels_follow_the_split_seed_alone():
    one = load(Task(gamma=1.0, split_seed=4, train_fraction=0.5))
    assert (one.y == load(Task(gamma=1.0, split_seed=4)).y).all()
    assert (one.y != load(Task(gamma=1.0, split_seed=5)).y).any()


def test_labels_have_a_stream_of_their_own():
    # Drawn from the numbers that shuffle the split they would not be independent of it.
    data = load(Task(gamma=1.0))
    shared = np.random.default_rng(0).random(4096) < data.p_y_given_x[:, 1]
    assert (data.y != shared).any()


@pytest.mark.parametrize("gamma", [None, GAMMA])
def test_split_is_shuffled(gamma):
    data = load(Task(gamma=gamma))
    assert (len(data.train), len(data.test)) == (3277, 819)
    assert not data.fixed_split
    # Where the counting order was kept all of train would lie below all of test.
    assert data.test.min() < 100
    assert data.train.max() > 3996


def test_everything_may_train():
    data = load(Task(train_fraction=1))
    assert sorted(data.train) == list(range(4096))
    assert data.test.shape == (0,)


def test_loading_is_quick():
    times = []
    for _ in range(5):
        start = time.perf_counter()
        load(Task(gamma=GAMMA))
        times.append(time.perf_counter() - start)
    assert min(times) < 0.05
