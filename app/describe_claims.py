"""The claims of a dissertation, as a run judges them, in words."""

from collections.abc import Mapping, Sequence

import pandas as pd

from describe import plain
from ibcore.claims import FAILS, HOLDS, NEAR, STILL, UNTOLD, Claim

_SIGNS = {HOLDS: "✓ holds", FAILS: "✗ does not hold", UNTOLD: "? cannot be told"}

_SENTENCES = {
    "maximum": "Convolutional and pooling layers sit at the maximum of I(X;T) under **concat**",
    "movement": "Convolutional and pooling layers move under **mean**",
    "prediction": "The prediction layer's I(T;Y) rises",
}
_UNTOLD = "for {layers} the bars before and after overlap, or there are none"
_WHY = {
    ("maximum", HOLDS): f"all their bars are within {NEAR:g} bits of H(X), before and after. There"
    " these samples decide, not the network: with more of them the maximum is higher",
    ("maximum", FAILS): f"{{layers}} lies more than {NEAR:g} bits below H(X), before training or"
    " after it",
    ("maximum", UNTOLD): f"the bars of {{layers}} are not wholly within {NEAR:g} bits of H(X)",
    ("movement", HOLDS): "for each of them the bars before and after are apart",
    ("movement", FAILS): f"{{layers}} stays within {STILL:g} bits, with both ends of its bars",
    ("movement", UNTOLD): _UNTOLD,
    ("prediction", HOLDS): "the bar after lies above the bar before",
    ("prediction", FAILS): f"it falls, or stays within {STILL:g} bits with both ends of its bar",
    ("prediction", UNTOLD): _UNTOLD,
}
_TABLES = {"maximum": "concat", "movement": "mean", "prediction": "concat"}
_QUANTITIES = {
    "maximum": {"i_xt": "I(X;T)"},
    "movement": {"i_xt": "I(X;T)", "i_ty": "I(T;Y)"},
    "prediction": {"i_ty": "I(T;Y)"},
}


def claim_lines(
    found: Sequence[Claim], tables: Mapping[str, pd.DataFrame], names: Sequence[str]
) -> list[str]:
    """Each sentence with its outcome and the reason, the numbers below it, as Markdown.

    `tables` are those of `ibcore.comparison.compared`, by the way to join channels.
    """
    return [_line(claim, tables[_TABLES[claim.name]], names) for claim in found]


def _line(claim: Claim, table: pd.DataFrame, names: Sequence[str]) -> str:
    layers = ", ".join(f"layer {plain(names[layer - 1])}" for layer in claim.doubtful)
    why = _WHY[claim.name, claim.outcome].format(layers=layers)
    sentence = f"{_SENTENCES[claim.name]}: **{_SIGNS[claim.outcome]}**; {why}."
    return f"{sentence}  \n:small[:gray[{plain(_numbers(claim, table))}]]"


def _numbers(claim: Claim, table: pd.DataFrame) -> str:
    return " ".join(
        f"{title} {'; '.join(f'{n}: {_moments(table, n, name)}' for n in claim.layers)} bits."
        for name, title in _QUANTITIES[claim.name].items()
    )


def _moments(table: pd.DataFrame, layer: int, name: str) -> str:
    """The mean before and after, each with its ends where they are known."""
    rows = table[table["layer"] == layer].set_index("moment").loc[["before", "after"]]
    ends = zip(rows[name], rows[f"{name}_low"], rows[f"{name}_high"], strict=True)
    return " → ".join(
        f"{mean:.2f}" + (f" [{low:.2f}, {high:.2f}]" if low == low else "")
        for mean, low, high in ends
    )
