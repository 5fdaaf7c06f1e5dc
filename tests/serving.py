"""A service that runs in this process, for tests that talk to it."""

import threading
import time
from contextlib import contextmanager

import httpx

from outsort.service import app


@contextmanager
def serving(model, settings=None, **options):
    """Run the service in a thread, and give a client of it; `client.server` is uvicorn's."""
    settings = settings or app.ServiceSettings()
    listener = app.listen("127.0.0.1", 0)
    server = app.server_of(app.create_app(model, settings, **options), settings)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        while not server.started:
            time.sleep(0.01)
        with httpx.Client(base_url=address, timeout=60) as client:
            client.server = server
            yield client
    finally:
        server.should_exit = True
        thread.join()
