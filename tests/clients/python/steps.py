"""What every program here begins with: where the server is, its steps one after another, waiting for a level.

A step is a function that asserts; the first one that fails ends the program with its traceback and exit code 1.
"""

import os
import time

URL = os.environ["REDIS_URL"]


def run(*steps):
    """Runs the steps in their order and prints the name of each that held."""
    for step in steps:
        step()
        print(step.__name__.replace("_", " "), flush=True)


def until(what, level, seconds=20):
    """Waits until level() is true and returns what it was."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = level()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"not within {seconds} s: {what}")


def fails(error, call):
    """The error of this class that the call ends with."""
    try:
        answer = call()
    except error as failed:
        return failed
    raise AssertionError(f"it answered {answer!r} instead of {error.__name__}")
