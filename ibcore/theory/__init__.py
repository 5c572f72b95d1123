"""What is known exactly: cases whose information follows from a formula, not from samples."""

from ibcore.theory.truths import TRUTHS, Truth

__all__ = ["TRUTHS", "Truth"]
