"""The tasks that celery_worker.py has done: `celery --app celery_tasks worker`."""

import os

from celery import Celery

URL = os.environ["REDIS_URL"]

app = Celery("tasks", broker=URL, backend=URL)
app.conf.update(
    broker_connection_retry_on_startup=True,
    # What a lost worker had is given to another one after so many seconds.
    broker_transport_options={"visibility_timeout": 3},
    result_extended=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
)


@app.task
def add(x, y):
    return x + y


@app.task
def total(numbers):
    return sum(numbers)


@app.task(bind=True, max_retries=5)
def third_time_lucky(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    return self.request.retries


@app.task
def fails():
    raise ValueError("on purpose")


@app.task(bind=True)
def once_killed(self):
    """Kills the process that does it, the first time."""
    tries = app.backend.client.incr("tries")
    if tries == 1:
        os.kill(os.getpid(), 9)
    return int(tries)
