"""Waiting for a condition, never for time."""

import time


def wait_until(condition, timeout=30, describe=lambda: "the condition did not come true", interval=0.05):
    """Returns the first true value of condition(); fails with describe() after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"after {timeout} s: {describe()}")
        time.sleep(interval)
