"""What takes half a minute and more; it runs beside all the other tests."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

import pytest

import support
from support import assert_counted, wait_for, window

LINES_PER_SECOND = 20_000
SECONDS = 30
HOLD_SECONDS = 60  # how long a file that was renamed away must be quiet


def tortured():
    """Half a minute of torture.py, followed and scraped now and then."""
    with tempfile.TemporaryDirectory(prefix="accesslog-e2e-torture-") as folder:
        path = pathlib.Path(folder) / "access.log"
        daemon = support.Exporter(path)
        try:
            writer = subprocess.Popen(
                [sys.executable, pathlib.Path(__file__).with_name("torture.py"),
                 path, str(LINES_PER_SECOND), str(SECONDS)],
                stdout=subprocess.PIPE,
            )
            scrapes = []
            while writer.poll() is None:
                scrapes.append(daemon.scrape())
                window(3.3)  # a scrape interval that falls anywhere
            truth = json.loads(writer.stdout.read())
            final = daemon.scrape()
            window(1)
            later = daemon.scrape()
            daemon.stop()
        except BaseException:
            daemon.kill()
            raise
        daemon.check_end()
    return truth, scrapes, final, later


@pytest.mark.background.with_args(tortured)
def test_rotation_torture_loses_no_line_and_counts_none_twice(outcome):
    truth, scrapes, final, later = outcome
    assert truth["lines"] >= LINES_PER_SECOND * SECONDS
    assert truth["rotations"] >= SECONDS - 1
    assert truth["seconds"] < SECONDS * 1.2 * support.SLOW, "the writer was too slow"
    for metrics in (final, later):
        assert metrics.by("status", "accesslog_requests_total") == truth["requests"]
        assert metrics.by("status", "accesslog_response_bytes_total") == truth["bytes"]
        assert metrics.value("accesslog_exporter_read_bytes_total") == truth["grown"]
        assert metrics.value("accesslog_exporter_lag_bytes") == 0
        assert metrics.total("accesslog_exporter_lost_bytes_total") == 0
        assert metrics.total("accesslog_exporter_skipped_bytes_total") == 0
        assert metrics.total("accesslog_exporter_lines_total", result="unparsed") == 0
        assert metrics.total("accesslog_exporter_rotations_total") == truth["rotations"]


@pytest.mark.background.with_args(tortured)
def test_under_torture_no_counter_ever_goes_down(outcome):
    _, scrapes, final, _ = outcome
    assert len(scrapes) >= 5
    for earlier, later in zip(scrapes, [*scrapes[1:], final]):
        for key, value in earlier.samples.items():
            if key[0].endswith(("_total", "_bucket", "_count")):
                assert later.samples[key] >= value, key


def held():
    """A rotated file, quiet for its minute; its last line never got its newline."""
    with tempfile.TemporaryDirectory(prefix="accesslog-e2e-hold-") as folder:
        log = support.Log(pathlib.Path(folder) / "access.log")
        daemon = support.Exporter(log.path)
        try:
            log.write(5)
            line = log.text()[:-1]
            log.raw(line)
            old_path = log.rename()
            log.open().write(5)
            first = daemon.scrape()
            start = time.monotonic()
            window(HOLD_SECONDS / 2)
            still_open = daemon.has_open(old_path)
            log.write(2)
            wait_for(
                lambda: not daemon.has_open(old_path), HOLD_SECONDS + 30,
                "the old file to be let go", interval=0.25,
            )
            seconds = time.monotonic() - start
            last = daemon.scrape()
            log.close()
            daemon.stop()
        except BaseException:
            daemon.kill()
            raise
        daemon.check_end()
    return log, len(line), first, still_open, seconds, last


@pytest.mark.background.with_args(held)
def test_a_renamed_file_is_let_go_after_its_minute_with_its_last_line(outcome):
    """Until then the line may be finished; after it, what is there is the line."""
    log, unfinished, first, still_open, seconds, last = outcome
    assert first.value("accesslog_exporter_files", state="held") == 1
    assert first.value("accesslog_exporter_lag_bytes") == unfinished
    assert first.total("accesslog_requests_total") == 10
    assert still_open
    assert HOLD_SECONDS - 2 <= seconds <= HOLD_SECONDS + 10 * support.SLOW
    assert last.total("accesslog_exporter_files", state="held") == 0
    assert_counted(None, log, metrics=last)


def written_to_while_held():
    """A writer that stays: the old file is kept for as long as it is written."""
    with tempfile.TemporaryDirectory(prefix="accesslog-e2e-stay-") as folder:
        log = support.Log(pathlib.Path(folder) / "access.log")
        daemon = support.Exporter(log.path)
        try:
            old = os.dup(log.fd)
            old_path = log.rename()
            log.open().write(5)
            daemon.scrape()
            window(HOLD_SECONDS * 0.75)
            log.write(3, fd=old)
            window(HOLD_SECONDS * 0.75)
            log.write(3, fd=old)  # 90 s after the rename, 45 s after the last line
            kept = daemon.has_open(old_path)
            last = daemon.scrape()
            os.close(old)
            log.close()
            daemon.stop()
        except BaseException:
            daemon.kill()
            raise
        daemon.check_end()
    return log, kept, last


@pytest.mark.background.with_args(written_to_while_held)
def test_a_renamed_file_is_kept_while_it_is_written_to(outcome):
    log, kept, last = outcome
    assert kept
    assert_counted(None, log, metrics=last)


def idle_clients():
    """One that says nothing, and one that never ends what it says."""
    with tempfile.TemporaryDirectory(prefix="accesslog-e2e-idle-") as folder:
        daemon = support.Exporter(pathlib.Path(folder) / "access.log")
        try:
            host, port = daemon.addresses[0].rsplit(":", 1)
            closed = []
            for text in (b"", b"GET /metrics HTTP/1.1\r\nHost:"):
                with socket.create_connection((host, int(port))) as client:
                    client.settimeout(60 * support.SLOW)
                    client.sendall(text)
                    try:
                        closed.append(not client.recv(1))
                    except ConnectionResetError:
                        closed.append(True)
            daemon.stop()
        except BaseException:
            daemon.kill()
            raise
        daemon.check_end()
    return closed


@pytest.mark.background.with_args(idle_clients)
def test_idle_clients_are_closed_in_the_end(outcome):
    assert outcome == [True, True]
