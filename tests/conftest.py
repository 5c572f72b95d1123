"""For all tests: compiled loops, and no deadlines."""

import hypothesis
import numpy as np
import pytest

from ibcore.estimators import KDE, Binning, Sampling

# How long an example takes says nothing of what it tests, and other work may slow it down.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")


@pytest.fixture(scope="session", autouse=True)
def _compiled_loops():
    """Compiled before the first test, so that no worker or page under test waits for it."""
    for dtype in (np.float32, np.float64):
        for estimator in (Binning(), KDE(), Sampling()):
            for y in ([0, 1], np.eye(2)):
                estimator.information(np.eye(2, dtype=dtype), y)
