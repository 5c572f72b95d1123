"""What a network says of one input, in words."""

import numpy as np


def input_lines(label: int, before: np.ndarray, after: np.ndarray) -> list[str]:
    """The class of an input and what the output layers (C,) or (1,) say of it."""
    return [
        f"class {label}",
        f"before: {_said(before, label)}",
        f"after: {_said(after, label)}",
    ]


def _said(output: np.ndarray, label: int) -> str:
    p = np.array([1 - output[0], output[0]]) if len(output) == 1 else output
    best = int(p.argmax())
    return f"{best} with p = {p[best]:.3f}, {'right' if best == label else 'wrong'}"
