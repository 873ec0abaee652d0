"""Works on this process's share of the items: python -m app.

Exit status 0: every item of the share has its result; 1: some failed, and another attempt may do; 2: no attempt can do,
as there are no inputs, a setting is wrong or everything fails; 143: SIGTERM ended it. Kubernetes acts on these
(openshift/cronjob.yaml).
"""

import logging.config
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from .settings import Settings
from .store import Busy, Store
from .work import SUFFIX, work

SECONDS_BETWEEN_LOOKS = 5
log = logging.getLogger("app")


def logging_settings(level: str, terminal: bool) -> dict:
    """JSON lines for the cluster; for a person, lines that leave the progress bar where it is."""
    plain = {"format": "%(levelname)s %(message)s"}
    json = {
        "class": "pythonjsonlogger.json.JsonFormatter",
        "format": "%(asctime)s %(levelname)s %(name)s %(message)s",
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": plain if terminal else json},
        "handlers": {
            "stdout": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stdout",
                "formatter": "lines",
            }
        },
        "root": {"level": level, "handlers": ["stdout"]},
    }


class Progress:
    """A bar on a terminal, a line in the log now and then elsewhere."""

    def __init__(self, total: int, seconds: float, terminal: bool):
        self.total, self.seconds = total, seconds
        self.done = self.failed = 0
        self.bar = tqdm(total=total, unit="item") if terminal else None
        self.next = time.monotonic() + seconds

    def step(self, *, failed: bool = False) -> None:
        self.failed += failed
        self.done += not failed
        if self.bar:
            self.bar.update()
        elif time.monotonic() >= self.next:
            self.say("under way")
            self.next = time.monotonic() + self.seconds

    def say(self, what: str) -> None:
        counts = {"done": self.done, "failed": self.failed, "total": self.total}
        log.info(
            "%s: %d of %d done, %d failed", what, self.done, self.total, self.failed, extra=counts
        )


def run(
    settings: Settings, store: Store, do: Callable[[Path], bytes], terminal: bool = False
) -> int:
    """Give every item of the share its result; the exit status."""
    index, shares = settings.job_completion_index, settings.job_completions
    if index >= shares:
        log.error("JOB_COMPLETION_INDEX is %d, but JOB_COMPLETIONS %d", index, shares)
        return 2
    try:
        store.prepare()
    except OSError as error:
        log.error("the storage cannot be used: %s", error)
        return 2
    items, count = store.share(index, shares)
    if not count:
        log.error("no inputs in %s", store.inputs)
        return 2
    progress = Progress(len(items), settings.seconds_between_progress_lines, terminal)
    # What was tried before comes last: an item that kills its process never keeps another one from being done.
    queue, tried = [], []
    for item in items:
        if store.is_done(item):
            store.forget(item)
            progress.step()
        else:
            (tried if store.record(item).exists() else queue).append(item)
    progress.say(f"share {index} of {shares}")
    queue += tried
    failed = []
    while queue:
        busy = []
        for item in queue:
            if store.is_done(item):
                progress.step()
                continue
            try:
                with store.attempt(item) as keep:
                    keep(do(store.inputs / item))
            except Busy:
                busy.append(item)
                continue
            except Exception as error:
                reason = f"{type(error).__name__}: {error}"
                log.exception("%s failed", item, extra={"item": item, "reason": reason})
                failed.append(item)
                progress.step(failed=True)
            else:
                progress.step()
            if not progress.done and len(failed) >= settings.give_up_after:
                log.error("all of the first %d items failed; so would the others", len(failed))
                return 2
        if busy:
            # Another run's result is as good; and where that run dies, its items are taken here.
            log.info("waiting for another run that works on %d of these items", len(busy))
            time.sleep(SECONDS_BETWEEN_LOOKS)
        queue = busy
    if progress.bar:
        progress.bar.close()
    progress.say("finished")
    if failed:
        log.error("failed: %s", ", ".join(failed), extra={"items": failed})
    return 1 if failed else 0


def main() -> int:
    # An item that is under way is left, and its next attempt begins it anew; results are never half-written.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    terminal = sys.stderr.isatty()
    try:
        settings = Settings()
        logging.config.dictConfig(logging_settings(settings.log_level, terminal))
    except ValidationError as error:
        print(error, file=sys.stderr)
        return 2
    with logging_redirect_tqdm():
        return run(settings, Store(settings.data_dir, SUFFIX), work, terminal)


if __name__ == "__main__":
    sys.exit(main())
