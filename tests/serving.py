"""A service that runs in this process, for tests that talk to it."""

import threading
import time
from contextlib import contextmanager
from unittest import mock

import httpx

from outsort.service import app, workers

#: Seconds that a busy machine may take for what is done in one elsewhere. Only what fails waits that long.
PATIENCE = 180


@contextmanager
def serving(model, settings=None, **options):
    """Run the service in a thread, and give a client of it; `client.server` is uvicorn's.

    The processes that score files start with the first file: most tests have none, and starting takes a second.
    """
    settings = settings or app.ServiceSettings(workers=1)
    listener = app.listen("127.0.0.1", 0)
    with mock.patch.object(workers.Workers, "_enlist", _enlist_idle):
        server = app.server_of(app.create_app(model, settings, **options), settings)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        with httpx.Client(base_url=address, timeout=PATIENCE) as client:
            client.server = server
            yield client
    finally:
        server.should_exit = True
        thread.join()


def _enlist_idle(self, worker):
    self._idle.put(worker)
