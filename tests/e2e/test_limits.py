"""inotify's limits: the exporter then looks by itself, and nobody notices.

The limits of a user namespace are its own, so that nothing on the machine is
changed: /proc/sys/user/max_inotify_* inside of `unshare --user`.
"""

import os
import pathlib
import subprocess

import pytest

import support
from support import assert_counted, wait_for


def can_unshare():
    return subprocess.run(
        ["unshare", "--user", "--map-root-user", "true"], capture_output=True
    ).returncode == 0


def limited(name, value):
    """Start what follows with that limit; the process id stays."""
    return [
        "unshare", "--user", "--map-root-user", "sh", "-c",
        f'echo {value} >/proc/sys/user/{name} && exec "$@"', "sh",
    ]


@pytest.mark.skipif(not can_unshare(), reason="no user namespaces here")
@pytest.mark.parametrize(
    "name", ["max_inotify_watches", "max_inotify_instances"]
)
def test_without_inotify_files_are_polled(exporter, make_log, logs, name):
    folders = [logs / str(i) for i in range(3)]
    for folder in folders:
        folder.mkdir()
    many = [make_log(folder / "access.log") for folder in folders]
    daemon = exporter(
        *[one.path for one in many],
        logs / "later" / "access.log",
        wrapper=limited(name, 0),
    )
    wait_for(
        lambda: [e for e in daemon.log if e["level"] == "warn" and "inotify" in e["msg"]],
        what="a line for the operator",
    )
    for one in many:
        before = daemon.bytes_read()
        one.write(500)
        wait_for(
            lambda: daemon.bytes_read() - before >= one.grown,
            what="the appended bytes to be read",
        )
        one.rename()
        one.open().write(5)
        wait_for(lambda: daemon.has_open(one.path), what="the rotation to be noticed")
    (logs / "later").mkdir()
    late = make_log(logs / "later" / "access.log")
    late.write(5)
    wait_for(lambda: daemon.has_open(late.path), what="the new file to be noticed")
    assert_counted(daemon, late, *many)


@pytest.mark.skipif(not can_unshare(), reason="no user namespaces here")
def test_a_watch_table_that_is_full_half_way(exporter, make_log, logs):
    many = []
    for i in range(20):
        (logs / str(i)).mkdir()
        many.append(make_log(logs / str(i) / "access.log"))
    daemon = exporter(
        *[one.path for one in many], wrapper=limited("max_inotify_watches", 10)
    )
    for one in many:
        one.write(2)
        one.rename()
        one.open().write(3)
    for one in many:
        wait_for(lambda: daemon.has_open(one.path), what=f"{one.path} to be noticed")
    assert_counted(daemon, *many)


def test_an_overflow_of_the_event_queue_loses_nothing(exporter, make_log, logs):
    """What happened meanwhile in another directory has no event any more."""
    limit = int(pathlib.Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 100_000:
        pytest.skip(f"a queue of {limit} events takes too long to fill")
    noisy, quiet = logs / "noisy", logs / "quiet"
    noisy.mkdir()
    quiet.mkdir()
    loud = make_log(noisy / "access.log")
    log = make_log(quiet / "access.log")
    daemon = exporter(loud.path, log.path)
    log.write(5)
    loud.write(5)
    assert_counted(daemon, loud, log)
    daemon.pause()
    for i in range(limit // 2 + 1000):  # two events each: created, deleted
        os.close(os.open(noisy / f"{i}", os.O_CREAT | os.O_WRONLY))
        os.unlink(noisy / f"{i}")
    log.write(5)
    log.rename()
    log.open().write(5)
    daemon.resume()
    # Nobody scrapes, and nothing else happens in that directory.
    wait_for(lambda: daemon.has_open(log.path), what="the rotation to be noticed")
    assert_counted(daemon, loud, log)


def test_more_files_than_may_be_open_take_nothing_from_the_others(logs):
    """What has no room is not held against every file that has."""
    n, allowed = 1_600, 1_000
    paths = [logs / f"{i:04}.log" for i in range(n)]
    for i, path in enumerate(paths):
        log = support.Log(path)
        log.number = 3 * i  # no two begin alike
        log.write(3)
        log.close()
    limit = allowed + 832  # what is spared for connections and the rest
    daemon = support.Exporter(
        "--read-from=beginning",
        str(logs / "*.log"),
        wrapper=("prlimit", f"--nofile={limit}:{limit}"),
        settled=False,
    )
    try:
        def counted():
            return daemon.scrape().total("accesslog_requests_total") == 3 * allowed

        wait_for(counted, 10, "all that may be open to be read")
        metrics = daemon.scrape()
        assert metrics.value("accesslog_exporter_files", state="unreadable") == n - allowed
        # As often as it may look for room, it costs next to nothing.
        before = daemon.cpu_seconds()
        for _ in range(5):
            support.window(0.5)
            daemon.scrape()
        assert daemon.cpu_seconds() - before < 0.5 * support.SLOW
    finally:
        daemon.stop()
