import json
import logging.config
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.__main__ import logging_settings, run
from app.settings import Settings
from app.store import Store, write
from app.work import SUFFIX, work

EXAMPLE = Path(__file__).parent.parent / "example" / "inputs"
NAMES = [f"{n % 3}/item-{n:03}" for n in range(60)]


@pytest.fixture
def top(tmp_path):
    for name in NAMES:
        path = tmp_path / "inputs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}\n")
    return tmp_path


def go(top, do=work, index=0, of=1, **settings):
    """The exit status of a run."""
    there = Settings(data_dir=top, job_completion_index=index, job_completions=of, **settings)
    return run(there, Store(top, SUFFIX), do)


def results(top):
    found = (p.relative_to(top / "results").as_posix() for p in (top / "results").rglob("*"))
    return sorted(name.removesuffix(SUFFIX) for name in found if name.endswith(SUFFIX))


def records(top):
    return sorted(p.name for p in (top / "failures").rglob("*.jsonl"))


def logged(top, seconds=0.0, fails=()):
    """A function in place of `work` that logs each call, by item and in order."""

    def do(source):
        with (top / "calls").open("a") as file:
            file.write(source.name + "\n")
        time.sleep(seconds)
        if source.name in fails:
            raise ValueError("a bad one")
        return b"{}"

    return do


def calls(top):
    return (top / "calls").read_text().split()


@pytest.mark.parametrize("source", [p for p in EXAMPLE.rglob("*") if p.is_file()], ids=str)
def test_the_examples_can_be_worked_on(source):
    result = json.loads(work(source))
    assert result["words"] == len(source.read_text(encoding="utf-8").split()) > 0


def test_every_item_is_in_one_share_and_stays_there(top):
    store = Store(top, SUFFIX)
    shares = [store.share(index, 7)[0] for index in range(7)]
    assert sorted(item for share in shares for item in share) == sorted(NAMES)
    for n in range(20):
        (top / "inputs" / f"later-{n}").write_text("x")
    later = [store.share(index, 7)[0] for index in range(7)]
    assert all(set(share) <= set(new) for share, new in zip(shares, later, strict=True))


def test_all_shares_together_give_every_result_and_a_second_run_does_nothing(top):
    do = logged(top)
    assert [go(top, do, index, 4) for index in range(4)] == [0, 0, 0, 0]
    assert results(top) == sorted(NAMES) and len(calls(top)) == len(NAMES)
    assert [go(top, do, index, 4) for index in range(4)] == [0, 0, 0, 0]
    assert go(top, do) == 0 and len(calls(top)) == len(NAMES)


def test_a_failing_item_is_recorded_keeps_no_other_from_being_done_and_is_tried_again(top):
    assert go(top, logged(top, fails=["item-007"])) == 1
    assert len(results(top)) == len(NAMES) - 1 and records(top) == ["item-007.jsonl"]
    lines = (top / "failures/1/item-007.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["reason"] == "ValueError: a bad one"
    assert go(top, logged(top)) == 0
    assert results(top) == sorted(NAMES) and records(top) == []
    assert len(calls(top)) == len(NAMES) + 1


def test_an_item_that_kills_its_process_is_tried_last(top):
    bad = Store(top, SUFFIX).share(0, 1)[0][0]

    def kill(source):
        if source == top / "inputs" / bad:
            os.kill(os.getpid(), signal.SIGKILL)
        return b"{}"

    def attempt():
        process = multiprocessing.get_context("fork").Process(target=go, args=(top, kill))
        process.start()
        process.join()
        return process.exitcode

    assert attempt() == -signal.SIGKILL and results(top) == []
    assert attempt() == -signal.SIGKILL and len(results(top)) == len(NAMES) - 1
    assert records(top) == [Path(bad).name + ".jsonl"]


def test_runs_at_the_same_time_share_the_work(top):
    do = logged(top, seconds=0.01)
    context = multiprocessing.get_context("fork")
    runs = [
        context.Process(target=lambda i, n: sys.exit(go(top, do, i, n)), args=args)
        for args in ((0, 1), (0, 2), (1, 2), (0, 1))
    ]
    for process in runs:
        process.start()
    for process in runs:
        process.join()
    assert [process.exitcode for process in runs] == [0, 0, 0, 0]
    assert sorted(calls(top)) == sorted(name.rpartition("/")[2] for name in NAMES)
    assert results(top) == sorted(NAMES) and records(top) == []


def test_sigterm_ends_it_at_once_and_the_next_run_finishes(top):
    item = Store(top, SUFFIX).share(0, 1)[0][30]
    name = Path(item).name
    code = (
        "import sys, time, app.__main__ as m\n"
        "m.work = lambda source: (time.sleep(60 if source.name == sys.argv[1] else 0), b'{}')[1]\n"
        "m.run.__defaults__ = (m.work, False)\n"
        "sys.exit(m.main())\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, name], env={**os.environ, "DATA_DIR": top}
    )
    end = time.monotonic() + 30
    while records(top) != [name + ".jsonl"]:
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.05)
    process.terminate()
    assert process.wait(5) == 143
    done = results(top)
    assert item not in done and len(done) == 30
    do = logged(top)
    assert go(top, do) == 0 and results(top) == sorted(NAMES)
    assert len(calls(top)) == len(NAMES) - len(done) and records(top) == []


def test_a_result_is_whole_or_the_old_one_stays(tmp_path, monkeypatch):
    path = tmp_path / "results" / "a.json"
    write(path, b"old")

    def stop(*_):
        raise OSError("no space")

    monkeypatch.setattr(os, "fsync", stop)
    with pytest.raises(OSError):
        write(path, b"new")
    assert path.read_bytes() == b"old"


def test_no_inputs_and_a_fault_in_everything_are_told_from_a_bad_item(top, tmp_path_factory):
    assert go(tmp_path_factory.mktemp("empty")) == 2
    assert go(top, index=3, of=3) == 2
    names = [name.rpartition("/")[2] for name in NAMES]
    assert go(top, logged(top, fails=names), give_up_after=5) == 2 and len(calls(top)) == 5


def test_a_log_line_is_json_and_a_terminal_gets_plain_ones(top, capsys):
    logging.config.dictConfig(logging_settings("INFO", terminal=False))
    assert go(top, seconds_between_progress_lines=0) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1]["message"] == "finished: 60 of 60 done, 0 failed" and len(lines) == 62
    logging.config.dictConfig(logging_settings("INFO", terminal=True))
    logging.getLogger("app").info("x")
    assert capsys.readouterr().out == "INFO x\n"
