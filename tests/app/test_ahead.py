"""What is made ahead: one by one, once, and only while no page is drawn."""

import threading
import time
from contextlib import suppress
from types import SimpleNamespace

import pytest
import streamlit as st

import ahead

prepare = ahead.prepare


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """A clock that stands still unless a test moves it."""
    now = SimpleNamespace(monotonic=lambda: now.at, sleep=lambda _: time.sleep(0.005), at=100.0)
    monkeypatch.setattr(ahead, "time", now)
    st.cache_resource.clear()
    return now


def until(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_all_are_made_in_their_order_and_once_for_a_name():
    made = []
    for _ in range(2):
        prepare(("a",), [lambda: made.append(1), lambda: made.append(2)])
    until(lambda: len(made) == 2)
    prepare(("a",), [lambda: made.append(3)])
    prepare(("b",), [lambda: made.append(4)])
    until(lambda: len(made) == 3)
    assert made == [1, 2, 4]


def test_another_name_ends_the_set_before_it_for_good():
    made, begun, go = [], threading.Event(), threading.Event()

    def slow():
        begun.set()
        go.wait(10)

    prepare(("a",), [slow, lambda: made.append("first a")])
    assert begun.wait(10)
    prepare(("b",), [lambda: made.append("b")])
    prepare(("a",), [lambda: made.append("a")])
    go.set()
    until(lambda: "a" in made)
    time.sleep(0.05)
    assert "first a" not in made


def test_nothing_is_made_until_no_page_was_drawn_for_a_while(clock):
    made = []
    with ahead.drawing():
        prepare(("a",), [lambda: made.append(clock.at)])
        clock.at += 2 * ahead.QUIET
        time.sleep(0.05)
        assert not made, "a page is drawn"
    clock.at += 0.9 * ahead.QUIET
    with ahead.drawing():
        clock.at += 0.9 * ahead.QUIET
    clock.at += 0.9 * ahead.QUIET
    time.sleep(0.05)
    assert not made
    clock.at += 0.2 * ahead.QUIET
    until(lambda: made)


def test_sets_that_wait_end_when_another_one_comes():
    before = threading.active_count()
    with ahead.drawing():
        for i in range(20):
            prepare((i,), [lambda: None])
    until(lambda: threading.active_count() <= before + 1)


def test_one_thing_is_made_at_a_time():
    at_once, most, ended = [], [], threading.Event()

    def slow():
        at_once.append(1)
        most.append(len(at_once))
        time.sleep(0.05)
        at_once.pop()

    for i in range(6):
        prepare((i,), [slow, slow])
        time.sleep(0.01)
    prepare(("last",), [slow, ended.set])
    until(ended.is_set)
    assert max(most) == 1


def test_a_page_that_fails_holds_nothing_up(clock):
    made = []
    with suppress(ZeroDivisionError), ahead.drawing():
        prepare(("a",), [lambda: made.append(1)])
        raise ZeroDivisionError
    clock.at += 1.1 * ahead.QUIET
    until(lambda: made)


def test_what_fails_does_not_end_the_rest():
    made = []
    prepare(("a",), [lambda: made.no_such_method(), lambda: made.append(1)])
    until(lambda: made)
