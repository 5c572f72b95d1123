"""Broken laws in words: the worst of each kind, and why it cannot be true."""

import pandas as pd

from describe_checks import badges, reasons, spoken
from ibcore.checks import COLUMNS, KINDS


def broken(*rows):
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_each_kind_has_one_badge_with_the_worst_of_it():
    found = broken(
        (KINDS[0], 2, 10, 0.3, 0.1),
        (KINDS[0], 4, 2000, 1.25, 0.5),
        (KINDS[3], 1, 7, 0.2, 0.1),
        (KINDS[4], 1, 0, float("nan"), 1.0),
        (KINDS[4], 2, 0, float("nan"), 0.5),
    )
    said = badges(found).replace("\\", "")
    assert "layer 4 tells 1.25 bits more of X than layer 3, epoch 2,000, and 1 more layer" in said
    assert "I(T;Y) above H(Y): layer 1 by 0.20 bits, epoch 7]" in said
    assert "saturated: layer 1, 2]" in said
    assert said.count("badge[") == 3
    assert len(reasons(found)) == 3
    assert "data processing inequality" in reasons(found)[0]


def test_a_caption_says_what_the_badges_say():
    found = broken((KINDS[0], 2, 10, 0.3, 0.1), (KINDS[4], 2, 0, float("nan"), 0.5))
    said = spoken(badges(found, "rounded")).replace("\\", "")
    first, second, third = said.split("; ")
    assert first == "a rounded copy"
    assert second.startswith("inequality broken: layer 2 tells 0.30 bits more of X")
    assert second.endswith("epoch 10")
    assert third == "saturated: layer 2"


def test_nothing_broken_says_nothing():
    assert badges(broken()) == ""
    assert spoken("") == ""
    assert reasons(broken()) == []


def test_exact_counting_and_a_rounded_copy_are_told_apart():
    assert badges(broken(), "exact") == ":green-badge[exact]"
    assert "its own information" in reasons(broken(), "exact")[0]
    assert badges(broken(), "rounded") == ":gray-badge[a rounded copy]"
    assert "rounded to be counted" in reasons(broken(), "rounded")[0]
