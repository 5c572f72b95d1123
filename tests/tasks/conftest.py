import tracemalloc
from collections.abc import Callable

import pytest

from ibcore.tasks import Dataset


@pytest.fixture
def refusal() -> Callable[[Callable[[], Dataset]], str]:
    """The message of the ValueError that `call` raises: one line, little memory used."""

    def message(call: Callable[[], Dataset], peak_bytes: int = 8_000_000) -> str:
        tracemalloc.start()
        try:
            with pytest.raises(ValueError) as caught:
                call()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        text = str(caught.value)
        assert text.strip()
        assert len(text.splitlines()) == 1
        assert peak < peak_bytes
        return text

    return message


@pytest.fixture(scope="session")
def complaint() -> Callable[[Callable[[], Dataset]], str | None]:
    """The message of the ValueError that `call` raises, None where it raises nothing."""

    def message(call: Callable[[], Dataset]) -> str | None:
        try:
            call()
        except ValueError as error:
            return str(error)
        return None

    return message
