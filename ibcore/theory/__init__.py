"""What is known exactly: cases whose information follows from a formula, not from samples."""

from ibcore.theory.truths import TRUTHS, Truth, named_truths

__all__ = ["TRUTHS", "Truth", "named_truths"]
