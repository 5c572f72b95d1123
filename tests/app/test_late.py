"""What a browser may not know yet: old values are late until it knows the new ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import late
from late import Puts


@pytest.fixture(autouse=True)
def half_a_second(monkeypatch, nothing_late):
    monkeypatch.setattr(late, "LATE_SECONDS", 0.5)


BEFORE = {"act": "tanh", "bins": 30, "est": "binning"}
PRESET = {"act": "relu", "bins": 50}


def told(puts, *keys, at=10.0):
    for key in keys:
        puts = puts.with_told(key)
    return puts.drawn(at, whole=True)


def test_the_old_value_counts_as_the_new_one_and_any_other_as_itself():
    puts = Puts().with_new(PRESET, BEFORE)
    assert puts.counting("act", "tanh") == "relu"
    assert puts.counting("act", "gelu") == "gelu"
    assert puts.counting("est", "binning") == "binning"


def test_the_old_value_counts_again_some_time_after_the_browser_was_told():
    puts = told(Puts().with_new(PRESET, BEFORE), "act", at=10.0)
    assert puts.heard(BEFORE, 10.4).counting("act", "tanh") == "relu"
    assert puts.heard(BEFORE, 10.6).counting("act", "tanh") == "tanh"


def test_what_no_widget_was_drawn_with_is_never_known():
    puts = told(Puts().with_new(PRESET, BEFORE), "act").heard(BEFORE, 1000.0)
    assert puts.counting("bins", 30) == 50


def test_nothing_is_known_before_the_page_is_drawn():
    puts = told(Puts(drawing=True).with_new(PRESET, BEFORE), "act")
    drawing = Puts(puts.by_key, puts.told, puts.told_at, drawing=True)
    assert drawing.heard(BEFORE, 1000.0).counting("act", "tanh") == "relu"
    part = Puts(drawing=True).with_new(PRESET, BEFORE).with_told("act").drawn(10.0, whole=False)
    assert part.heard(BEFORE, 1000.0).counting("act", "tanh") == "relu"


def test_beside_a_new_value_an_old_one_is_what_a_person_went_back_to():
    puts = told(Puts().with_new(PRESET, BEFORE), "act", "bins")
    went_back = BEFORE | {"bins": 50}
    heard = puts.heard(went_back, 10.1)
    assert heard.counting("act", "tanh") == "tanh"
    assert heard.counting("bins", 30) == 50


def test_of_two_puts_both_old_values_are_late():
    puts = Puts().with_new({"act": "relu"}, BEFORE).with_new({"act": "gelu"}, {"act": "relu"})
    assert puts.counting("act", "tanh") == puts.counting("act", "relu") == "gelu"


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=40))
def test_what_is_put_again_and_again_is_kept_once(values):
    """The last value put counts for every value that was there before, each kept once."""
    puts, held = Puts(), {"tab": "a"}
    for value in values:
        puts = puts.with_new({"tab": value}, held)
        held = {"tab": value}
    olds = puts.by_key["tab"].olds
    assert len(olds) == len(set(olds))
    assert {puts.counting("tab", old) for old in olds} <= {values[-1]}
