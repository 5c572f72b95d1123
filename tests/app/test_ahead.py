"""What is made ahead: one by one, once, and only while nothing else is asked for."""

import threading
import time

import pytest
import streamlit as st

import ahead

prepare = ahead.prepare


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(ahead, "QUIET", 0.05)
    st.cache_resource.clear()


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


def test_a_new_name_ends_the_set_before_it():
    made, begun, go = [], threading.Event(), threading.Event()

    def slow():
        begun.set()
        go.wait(10)

    prepare(("a",), [slow, lambda: made.append("a")])
    assert begun.wait(10)
    prepare(("b",), [lambda: made.append("b")])
    go.set()
    until(lambda: made)
    time.sleep(0.1)
    assert made == ["b"]


def test_nothing_is_made_while_a_person_goes_on_asking():
    made, end = [], time.monotonic() + 0.3
    while time.monotonic() < end:
        prepare(("a",), [lambda: made.append(time.monotonic())])
        asked = time.monotonic()
        time.sleep(0.005)
    until(lambda: made)
    assert made[0] - asked >= ahead.QUIET - 0.001


def test_what_fails_does_not_end_the_rest():
    made = []

    def fails():
        raise ValueError

    prepare(("a",), [fails, lambda: made.append(1)])
    until(lambda: made)
