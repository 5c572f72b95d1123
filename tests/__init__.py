"""The tests. Where two run side by side, the processes that they start have one thread each."""

import os

# It reads the number of its own threads here, once.
import torch  # noqa: F401

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"
