"""The tests, which have no threads of numpy and PyTorch where two of them run side by side."""

import os

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"
