"""What a run says of a published comparison, and what a network says of one input, in words."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from describe import plain
from ibcore.comparison import FAILS, HOLDS, UNTOLD, Statement

_SIGNS = {HOLDS: "✓ holds", FAILS: "✗ does not hold", UNTOLD: "? cannot be told"}

_SENTENCES = {
    "maximum": "Convolutional layers sit at the maximum of I(X;T) under **concat**",
    "movement": "Convolutional layers move under **mean**",
    "prediction": "The prediction layer's I(T;Y) rises",
}
_WHY = {
    ("maximum", HOLDS): "the lower end of each is within half a bit of H(X), before and after."
    " There these samples decide, not the network: with more of them the maximum is higher",
    ("maximum", FAILS): "the upper end of {layers} is more than half a bit below H(X)",
    ("maximum", UNTOLD): "the ends of {layers} lie on both sides of half a bit below H(X)",
    ("movement", HOLDS): "for each of them the bars before and after are apart",
    ("movement", FAILS): "{layers} moved by less than 0.05 bits",
    ("movement", UNTOLD): "the bars of {layers} before and after overlap",
    ("prediction", HOLDS): "the bar after lies above the bar before",
    ("prediction", FAILS): "it falls, or moves by less than 0.05 bits",
    ("prediction", UNTOLD): "the bars before and after overlap",
}


def statement_lines(
    found: Sequence[Statement], concat: pd.DataFrame, mean: pd.DataFrame, names: Sequence[str]
) -> list[str]:
    """Each sentence with its outcome and the reason, the numbers below it, as Markdown."""
    tables = {"maximum": concat, "movement": mean, "prediction": concat}
    return [_line(statement, tables[statement.name], names) for statement in found]


def _line(statement: Statement, table: pd.DataFrame, names: Sequence[str]) -> str:
    layers = ", ".join(f"layer {names[layer - 1]}" for layer in statement.telling)
    why = _WHY[statement.name, statement.outcome].format(layers=layers)
    numbers = _NUMBERS[statement.name](table, statement)
    sentence = f"{_SENTENCES[statement.name]}: **{_SIGNS[statement.outcome]}**; {why}."
    return f"{sentence}  \n:small[:gray[{plain(numbers)}]]"


def _shift(table: pd.DataFrame, layer: int, name: str) -> str:
    """The mean before and after, each with its ends."""
    rows = table[table["layer"] == layer].set_index("moment").loc[["before", "after"]]
    ends = zip(rows[name], rows[f"{name}_low"], rows[f"{name}_high"], strict=True)
    return " → ".join(f"{mean:.2f} [{low:.2f}, {high:.2f}]" for mean, low, high in ends)


def _of_maximum(table: pd.DataFrame, statement: Statement) -> str:
    shifts = [f"{layer}: {_shift(table, layer, 'i_xt')}" for layer in statement.layers]
    return f"I(X;T) {'; '.join(shifts)} bits."


def _of_movement(table: pd.DataFrame, statement: Statement) -> str:
    return _of_maximum(table, statement) + " " + _of_labels(table, statement)


def _of_labels(table: pd.DataFrame, statement: Statement) -> str:
    shifts = [f"{layer}: {_shift(table, layer, 'i_ty')}" for layer in statement.layers]
    return f"I(T;Y) {'; '.join(shifts)} bits."


_NUMBERS = {"maximum": _of_maximum, "movement": _of_movement, "prediction": _of_labels}


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
