"""Idle logs cost no wake-up; busy ones a handful a second at any rate."""

import os
import time

import pytest

import support
from support import assert_counted, count_beside_a_copy, stays, wait_for, window

pytestmark = pytest.mark.skipif(
    b"__tsan_init" in support.BINARY.read_bytes(),
    reason="ThreadSanitizer's own thread wakes up ten times a second",
)


@pytest.mark.parametrize("n_files", [1, 1000])
def test_idle_files_cause_no_wake_ups(exporter, make_log, logs, n_files):
    many = [make_log(logs / f"site-{i}.log") for i in range(n_files)]
    daemon = exporter(*[one.path for one in many])
    for one in many:
        one.write(2)
    assert_counted(daemon, *many)
    daemon.come_to_rest()
    before = daemon.wake_ups()
    window(5)
    assert daemon.wake_ups() - before == 0
    # Asleep, not dead: the next line is noticed by itself.
    read = daemon.bytes_read()
    many[-1].write(100)
    wait_for(lambda: daemon.bytes_read() - read >= 5000, what="a line to wake it")
    assert_counted(daemon, *many)


def test_a_missing_file_in_a_directory_that_is_there_causes_none(exporter, logs):
    daemon = exporter(logs / "later.log", logs / "*.txt")
    daemon.come_to_rest()
    before = daemon.wake_ups()
    window(3)
    assert daemon.wake_ups() - before == 0


def test_a_missing_directory_causes_none_and_is_noticed(exporter, make_log, logs):
    """The nearest directory above it is watched, and the one below as it comes."""
    folder = logs / "a" / "b"
    many = []
    daemon = exporter(folder / "access.log", logs / "c" / "*" / "access.log")
    daemon.come_to_rest()
    before = daemon.wake_ups()
    window(3)
    assert daemon.wake_ups() - before == 0
    for path, source in (
        (folder / "access.log", folder / "access.log"),
        (logs / "c" / "d" / "access.log", logs / "c" / "*" / "access.log"),
    ):
        path.parent.mkdir(parents=True)
        many.append(make_log(path, source=source))
        many[-1].write(5)
        wait_for(lambda path=path: daemon.has_open(path))
        assert_counted(daemon, *many)


@pytest.mark.parametrize("rate", [1000, 10_000])
def test_a_busy_file_causes_a_handful_whatever_the_rate(exporter, log, rate):
    """A write a line, as an unbuffered server does; nobody scrapes meanwhile."""
    daemon = exporter(log.path)
    wake_ups = []
    start = time.monotonic()
    for due in support.paced(rate, 6, tick=0.001):
        for _ in range(due):
            log.write(1)
        if not wake_ups and time.monotonic() - start > 1:
            start = time.monotonic()
            wake_ups.append(daemon.wake_ups())
            loop = [daemon.wake_ups(daemon.pid)]
    seconds = time.monotonic() - start
    wake_ups.append(daemon.wake_ups())
    loop.append(daemon.wake_ups(daemon.pid))
    assert 4 < seconds
    per_second = (loop[1] - loop[0]) / seconds
    assert per_second < 12, f"{per_second:.1f} wake-ups a second in the loop"
    assert wake_ups[1] - wake_ups[0] == loop[1] - loop[0], "another thread woke up"
    assert_counted(daemon, log)


def test_a_busy_file_is_read_while_nobody_asks(exporter, log):
    """Four times a second: what is unread never piles up."""
    daemon = exporter(log.path)
    start = daemon.bytes_read()
    worst = 0
    for due in support.paced(5000, 4):
        log.write(due)
        worst = max(worst, log.grown - (daemon.bytes_read() - start))
    # 250 ms at 5,000 lines of 120 bytes are 150 kB; ten times that is "piles up".
    assert worst < 1_500_000 * support.SLOW
    assert_counted(daemon, log)


@pytest.mark.skipif(support.SANITIZED, reason="a sanitizer's cost is not the exporter's")
def test_busy_directories_of_a_glob_cost_no_more_than_their_lines(exporter, make_log, logs):
    """A look at each of them is no look at the whole glob."""
    glob = logs / "*" / "access.log"
    many = []
    for i in range(400):
        (logs / f"host-{i}").mkdir()
        many.append(make_log(logs / f"host-{i}" / "access.log", source=glob))
    daemon = exporter(glob)
    n_written = 0
    measured = None
    # Each gets seven lines a second; the first seconds bring them up to it.
    for due in support.paced(2800, 6):
        for _ in range(due):
            many[n_written % len(many)].write(1)
            n_written += 1
        if not measured and n_written >= 2800 * 3:
            measured = time.monotonic(), daemon.cpu_seconds()
    seconds = time.monotonic() - measured[0]
    share = (daemon.cpu_seconds() - measured[1]) / seconds
    assert 2 < seconds
    assert share < 0.25 * support.SLOW, f"{share:.0%} of a core"
    assert_counted(daemon, *many)


def test_busy_and_then_idle_again(exporter, log):
    daemon = exporter(log.path)
    for due in support.paced(2000, 2):
        log.write(due)
    daemon.come_to_rest()
    stays(daemon.wake_ups, 2)
    assert_counted(daemon, log)


def test_a_copy_that_is_left_alone_keeps_nobody_awake(exporter, make_log, logs):
    """It is no news at each look: then the busy directory would never be idle."""
    glob = logs / "access.log*"
    log = make_log(logs / "access.log", source=glob)
    daemon = exporter(glob)
    count_beside_a_copy(daemon, log)
    for due in support.paced(200, 2):
        log.write(due)
    daemon.come_to_rest()
    stays(daemon.wake_ups, 2)
    assert_counted(daemon, log)


def test_descriptors_of_files_that_are_gone_are_not_kept_for_ever(exporter, log):
    """Held files are counted, and none is opened twice."""
    daemon = exporter(log.path)
    base = len(os.listdir(f"/proc/{daemon.pid}/fd"))
    for i in range(30):
        log.write(1)
        log.rename(f".{i}")
        log.open().write(1)
        daemon.scrape()
    metrics = assert_counted(daemon, log)
    held = metrics.value("accesslog_exporter_files", state="held")
    assert held == 30
    assert len(os.listdir(f"/proc/{daemon.pid}/fd")) <= base + held + 2
