import numpy as np
import pytest

from ibcore.estimators import KDE, Binning, Sampling


@pytest.fixture(scope="session", autouse=True)
def _compiled_loops():
    """Compiled before the first test, so that none that is timed waits for it."""
    for dtype in (np.float32, np.float64):
        for estimator in (Binning(), KDE(), Sampling()):
            for y in ([0, 1], np.eye(2)):
                estimator.information(np.eye(2, dtype=dtype), y)
