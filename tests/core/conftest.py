"""Stores for tests, of which notices are expected or not."""

import pytest

from .stores import Told


@pytest.fixture
def told(tmp_path):
    return Told(tmp_path / "cache")


@pytest.fixture
def store(told):
    """A store of which no notice is expected."""
    yield told.store
    assert told == []
