"""A client that goes on asking, as users do while an image is rolled out."""

import contextlib
import http.client
import threading
import time
from concurrent.futures import ThreadPoolExecutor


@contextlib.contextmanager
def asking(address, path="/", each=1 / 50):
    """Ask until the end of the block, 50 times a second whatever the answers take: (how often was asked, [(when, what was wrong)])."""
    asked, failures, stop, began = [], [], threading.Event(), time.monotonic()

    def ask():
        connection = http.client.HTTPConnection(address, 80, timeout=5)
        since = round(time.monotonic() - began, 2)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                failures.append((since, answer.status))
        except (OSError, http.client.HTTPException) as error:
            failures.append((since, repr(error)))
        finally:
            connection.close()

    def clock():
        with ThreadPoolExecutor(16) as pool:
            while not stop.is_set():
                pool.submit(ask)
                asked.append(time.monotonic())
                stop.wait(max(0, began + len(asked) * each - time.monotonic()))

    thread = threading.Thread(target=clock)
    thread.start()
    try:
        yield asked, failures
    finally:
        stop.set()
        thread.join()
