"""What a browser may not know yet: old values are late until it knows the new ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import late
from late import Puts

BEFORE = {"act": "tanh", "bins": 30, "est": "binning"}
PRESET = {"act": "relu", "bins": 50}
LASTING = {"act", "bins"}


@pytest.fixture(autouse=True)
def half_a_second(monkeypatch, nothing_late):
    monkeypatch.setattr(late, "LATE_SECONDS", 0.5)


def put(values=PRESET, lasting=LASTING):
    return Puts(lasting).with_new(values, BEFORE)


def shown(puts, *keys, at=10.0, whole=True):
    for key in keys:
        puts = puts.with_shown(key)
    return puts.drawn(at, whole=whole)


def test_the_old_value_counts_as_the_new_one_and_any_other_as_itself():
    assert put().counting("act", "tanh") == "relu"
    assert put().counting("act", "gelu") == "gelu"
    assert put().counting("est", "binning") == "binning"


def test_the_old_value_counts_again_some_time_after_the_browser_was_shown_the_new_one():
    puts = shown(put(), "act", at=10.0)
    assert puts.heard(BEFORE, 10.4).counting("act", "tanh") == "relu"
    assert puts.heard(BEFORE, 10.6).counting("act", "tanh") == "tanh"


def test_what_no_widget_was_drawn_with_is_never_known():
    assert shown(put(), "act").heard(BEFORE, 1000.0).counting("bins", 30) == 50
    assert not put().with_shown("est").shown_at


def test_what_is_put_again_is_to_be_shown_again():
    puts = shown(put(), "act").with_new({"act": "gelu"}, PRESET)
    assert puts.heard(BEFORE, 1000.0).counting("act", "relu") == "gelu"


def test_nothing_is_known_while_a_page_is_drawn():
    puts = shown(put(), "act").begun()
    assert puts.heard(BEFORE, 1000.0).counting("act", "tanh") == "relu"
    part = shown(puts, "act", at=11.0, whole=False)
    assert part.heard(BEFORE, 1000.0).counting("act", "tanh") == "relu"
    whole = part.drawn(12.0, whole=True)
    assert whole.heard(BEFORE, 12.4).counting("act", "tanh") == "relu"
    assert whole.heard(BEFORE, 12.6).counting("act", "tanh") == "tanh"


def test_a_part_that_is_drawn_again_and_again_holds_nothing_up():
    puts = put()
    for at in (10.0, 10.3, 10.6):
        puts = shown(puts, "act", at=at, whole=False)
    assert puts.heard(BEFORE, 10.7).counting("act", "tanh") == "tanh"


def test_every_part_has_its_own_time():
    puts = shown(shown(put(), "act", at=10.0, whole=False), "bins", at=10.4, whole=False)
    heard = puts.heard(BEFORE, 10.6)
    assert heard.counting("act", "tanh") == "tanh"
    assert heard.counting("bins", 30) == 50


def test_beside_a_new_value_an_old_one_is_what_a_person_went_back_to():
    heard = shown(put(), "act", "bins").heard(BEFORE | {"bins": 50}, 10.1)
    assert heard.counting("act", "tanh") == "tanh"
    assert heard.counting("bins", 30) == 50
    assert heard.shown_at.keys() == {"bins"}


def test_a_value_that_the_program_holds_itself_confirms_nothing():
    """A widget that comes with the page is not in what the browser sent of the page before."""
    comes = shown(put(lasting={"act"}), "act", "bins")
    assert comes.heard(BEFORE | {"bins": 50}, 10.1).counting("act", "tanh") == "relu"
    same = shown(put({"act": "relu", "bins": 30}), "act", "bins")
    assert same.heard(BEFORE, 10.1).counting("act", "tanh") == "relu"


def test_a_value_that_was_there_before_confirms_nothing():
    back = put().with_new({"act": "gelu", "bins": 30}, PRESET)
    assert shown(back, "act", "bins").heard(BEFORE, 10.1).counting("act", "tanh") == "gelu"


def test_what_the_browser_sent_late_is_told_from_what_it_may_send():
    puts = shown(put(), "act")
    assert puts.late(BEFORE) == {"act"}
    assert puts.late(PRESET) == set()
    assert puts.late({"act": "gelu"}) == set()


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=40))
def test_all_that_was_there_counts_as_the_last_value_put_and_is_kept_once(values):
    puts, held = Puts(), {"tab": "a"}
    for value in values:
        puts = puts.with_new({"tab": value}, held)
        held = {"tab": value}
    assert {puts.counting("tab", value) for value in {"a", *values}} == {values[-1]}
    stale = puts.by_key["tab"].stale
    assert len(stale) == len(set(stale))


def test_a_setting_without_a_widget_so_far_has_no_old_value():
    assert Puts().with_new({"tab": "losses"}, {}).by_key["tab"].stale == ()
