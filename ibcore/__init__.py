"""Information-plane analysis of neural networks; see README.md for a tour."""

import os

# Idle OpenMP threads that spin, the default, made training a hundred times slower on
# a machine whose cores were also busy elsewhere. PyTorch reads this when first loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

