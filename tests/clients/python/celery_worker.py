"""Celery with a real worker: results, retries, chains, groups, chords, later, revoked, remote control, a killed process."""

import atexit
import os
import signal
import subprocess
import sys

from celery import chain, chord, group
from celery_tasks import add, app, fails, once_killed, third_time_lucky, total
from steps import run, until

WAIT = {"timeout": 30, "interval": 0.01}


def worker():
    """A worker with two processes; gone with us."""
    line = [sys.executable, "-m", "celery", "--app", "celery_tasks", "worker", "--concurrency", "2"]
    here = os.path.dirname(os.path.abspath(__file__))
    process = subprocess.Popen(line + ["--loglevel", "WARNING"], cwd=here, stdout=sys.stderr)
    atexit.register(stop, process)
    return process


def stop(process):
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def a_worker_answers_remote_control():
    until("a worker answers", lambda: app.control.ping(timeout=0.5))
    assert len(until("it tells of itself", lambda: app.control.inspect(timeout=1).stats())) == 1


def results_come_back():
    results = [add.delay(number, number) for number in range(50)]
    assert [result.get(**WAIT) for result in results] == [2 * number for number in range(50)]
    assert results[0].state == "SUCCESS"
    results[0].forget()


def failures_come_back_as_what_was_raised():
    try:
        fails.delay().get(**WAIT)
    except ValueError as error:
        assert str(error) == "on purpose"
    else:
        raise AssertionError("it did not fail")


def a_task_is_tried_again():
    assert third_time_lucky.delay().get(**WAIT) == 2


def tasks_are_put_together():
    assert chain(add.s(1, 2), add.s(10), add.s(100))().get(**WAIT) == 113
    assert group(add.s(number, 1) for number in range(20))().get(**WAIT) == list(range(1, 21))
    assert chord((add.s(number, number) for number in range(20)), total.s())().get(**WAIT) == 380


def a_task_waits_until_it_is_time():
    assert add.apply_async((1, 1), countdown=1).get(**WAIT) == 2


def a_revoked_task_is_not_done():
    later = add.apply_async((1, 1), countdown=3600)
    held = lambda: later.id in str(app.control.inspect(timeout=0.5).scheduled())
    until("a worker holds it", held)
    later.revoke()
    until("it is revoked", lambda: later.id in str(app.control.inspect(timeout=0.5).revoked()))
    app.control.purge()


def a_task_whose_process_was_killed_is_done_by_another():
    assert once_killed.delay().get(**WAIT) == 2


def the_worker_ends_when_it_is_told_to():
    assert stop(WORKER) == 0


WORKER = worker()
run(
    a_worker_answers_remote_control,
    results_come_back,
    failures_come_back_as_what_was_raised,
    a_task_is_tried_again,
    tasks_are_put_together,
    a_task_waits_until_it_is_time,
    a_revoked_task_is_not_done,
    a_task_whose_process_was_killed_is_done_by_another,
    the_worker_ends_when_it_is_told_to,
)
