"""What takes half a minute and more; it runs beside all the other tests."""

import contextlib
import json
import os
import pathlib
import re
import shutil
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


@contextlib.contextmanager
def following(*arguments):
    """A daemon, stopped and checked as the fixture does it for other tests."""
    daemon = support.Exporter(*arguments)
    try:
        yield daemon
        daemon.stop()
    except BaseException:
        daemon.kill()
        raise
    daemon.check_end()


def wait_until_let_go(daemon, path):
    """path is held; wait until it has been quiet for its minute."""
    assert daemon.has_open(path)
    wait_for(
        lambda: not daemon.has_open(path), HOLD_SECONDS + 30,
        f"{path} to be let go", interval=0.25,
    )


def tortured():
    """Half a minute of torture.py, followed and scraped now and then."""
    with tempfile.TemporaryDirectory(prefix="accesslog-e2e-torture-") as folder:
        path = pathlib.Path(folder) / "access.log"
        with following(path) as daemon:
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
        with following(log.path) as daemon:
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
            wait_until_let_go(daemon, old_path)
            seconds = time.monotonic() - start
            last = daemon.scrape()
            log.close()
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
        with following(log.path) as daemon:
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
    return log, kept, last


@pytest.mark.background.with_args(written_to_while_held)
def test_a_renamed_file_is_kept_while_it_is_written_to(outcome):
    log, kept, last = outcome
    assert kept
    assert_counted(None, log, metrics=last)


def matched_by_a_glob_after_its_minute():
    """logrotate's .1 under a file's own argument and under a glob's."""
    with tempfile.TemporaryDirectory(prefix="accesslog-e2e-both-") as folder:
        log = support.Log(pathlib.Path(folder) / "access.log")
        with following(log.path, f"{log.path}*") as daemon:
            log.write(100)
            daemon.scrape()
            old_path = log.rename()
            log.open().write(10)
            first = daemon.scrape()
            wait_until_let_go(daemon, old_path)
            log.write(1)
            # The directory changes, so that the glob is looked at once more.
            old_path.with_name("other").touch()
            last = [daemon.scrape(), daemon.scrape()]
            log.close()
    return log, first, last


@pytest.mark.background.with_args(matched_by_a_glob_after_its_minute)
def test_a_file_that_was_let_go_is_not_new_to_a_glob(outcome):
    log, first, last = outcome
    assert first.total("accesslog_requests_total") == 110
    for metrics in last:
        assert metrics.by("status", "accesslog_requests_total") == log.requests
        assert metrics.total("accesslog_requests_total") == 111
        # Whichever of the two looked first has the new file.
        assert metrics.total("accesslog_exporter_read_bytes_total") == log.grown
        for name in ["lost_bytes_total", "skipped_bytes_total", "lag_bytes"]:
            assert metrics.total(f"accesslog_exporter_{name}") == 0
        assert metrics.total("accesslog_exporter_read_bytes_total") == log.grown


def copied_from_a_file_that_was_let_go():
    """`cp access.log access.log.bak`, of a log too short to be sure about."""
    with tempfile.TemporaryDirectory(prefix="accesslog-e2e-copy-") as folder:
        glob = pathlib.Path(folder) / "access.log*"
        log = support.Log(glob.with_name("access.log"), source=glob)
        with following(glob) as daemon:
            log.write(20)
            daemon.scrape()
            shutil.copyfile(log.path, f"{log.path}.bak")
            first = daemon.scrape()
            old_path = log.rename()
            log.open().write(5)
            daemon.scrape()
            wait_until_let_go(daemon, old_path)
            log.write(1)
            glob.with_name("other").touch()
            last = [daemon.scrape(), daemon.scrape()]
            log.close()
    return log, first, last


@pytest.mark.background.with_args(copied_from_a_file_that_was_let_go)
def test_a_short_copy_is_not_counted_after_its_original_was_let_go(outcome):
    log, first, last = outcome
    assert first.total("accesslog_requests_total") == 20
    for metrics in last:
        assert_counted(None, log, metrics=metrics)
        assert metrics.total("accesslog_requests_total") == 26


def away_for_longer_than_its_minute():
    """Renamed away and, long after, back: the same file at the same path."""
    with tempfile.TemporaryDirectory(prefix="accesslog-e2e-away-") as folder:
        log = support.Log(pathlib.Path(folder) / "access.log")
        log.write(1000)
        log.forget()
        with following(log.path) as daemon:
            log.write(5)
            daemon.scrape()
            away = log.rename(".away")
            first = daemon.scrape()
            wait_until_let_go(daemon, away)
            daemon.scrape()
            os.rename(away, log.path)
            back = daemon.scrape()
            log.write(1)
            last = daemon.scrape()
            log.close()
    return log, first, back, last


@pytest.mark.background.with_args(away_for_longer_than_its_minute)
def test_a_file_that_was_let_go_and_comes_back_is_not_read_again(outcome):
    log, first, back, last = outcome
    for metrics in (first, back):
        assert metrics.total("accesslog_requests_total") == 5
    assert_counted(None, log, metrics=last)
    assert last.total("accesslog_requests_total") == 6
    assert last.value("accesslog_exporter_files", state="following") == 1


def linked_to_again_after_its_minute():
    """A link that is moved on to another file, and long after back."""
    with tempfile.TemporaryDirectory(prefix="accesslog-e2e-link-") as folder:
        link = pathlib.Path(folder) / "current"

        def point(log):
            fresh = link.with_name("current.new")
            fresh.symlink_to(log.path.name)
            os.rename(fresh, link)

        one = support.Log(link.with_name("a.log"), source=link)
        two = support.Log(link.with_name("b.log"), source=link)
        one.write(3)
        one.forget()  # there before the start
        two.write(3)
        point(one)
        with following(link) as daemon:
            one.write(100)
            daemon.scrape()
            point(two)
            first = daemon.scrape()
            wait_until_let_go(daemon, one.path)
            daemon.scrape()
            point(one)
            last = [daemon.scrape(), daemon.scrape()]
            one.write(2)
            last.append(daemon.scrape())
            one.close()
            two.close()
    return one, two, first, last


@pytest.mark.background.with_args(linked_to_again_after_its_minute)
def test_a_link_back_to_a_file_that_was_let_go_reads_on_where_it_was(outcome):
    one, two, first, last = outcome
    for metrics in (first, *last[:2]):
        assert metrics.total("accesslog_requests_total") == 103
    assert last[2].total("accesslog_requests_total") == 105
    assert_counted(None, one, two, metrics=last[2])


def comes_back_while_its_end_is_saved():
    """It is at its path again before the save is over that says it is let go."""
    if not support.can_inject():
        return None
    with tempfile.TemporaryDirectory(prefix="accesslog-e2e-back-") as folder:
        state = pathlib.Path(folder) / "state"
        log = support.Log(pathlib.Path(folder) / "access.log")
        with following(f"--state.dir={state}", log.path) as daemon:
            log.write(10)
            assert_counted(daemon, log)
            away = log.rename(".away")
            assert_counted(daemon, log)
            assert daemon.has_open(away)
            window(HOLD_SECONDS / 2)  # what there is to be saved is, by then

            def held_up():
                """The threads that a tracer has stopped."""
                tasks = pathlib.Path(f"/proc/{daemon.pid}/task").iterdir()
                return {
                    int(task.name) for task in tasks
                    if (task / "stat").read_text().rsplit(")", 1)[1].split()[0] == "t"
                } - {daemon.pid}

            with support.slow_saves(daemon, state, 3):
                wait_for(
                    lambda: held_up() and not window(0.2) and held_up(),
                    HOLD_SECONDS, "the save",
                )
                os.rename(away, log.path)
                wait_for(
                    lambda: len(daemon.logged("following")) == 2,
                    what="it to be found again",
                )
                wait_for(lambda: not held_up(), 30, "the end of the save")
            log.write(10)
            assert_counted(daemon, log)
            log.write(10)
            assert_counted(daemon, log)
        log.close()
    return log.number


@pytest.mark.skipif(not support.can_inject(), reason="strace cannot do it here")
@pytest.mark.background.with_args(comes_back_while_its_end_is_saved)
def test_a_file_that_comes_back_while_its_end_is_saved_is_followed(outcome):
    assert outcome == 30


def idle_clients():
    """One that says nothing, and one that never ends what it says."""
    with tempfile.TemporaryDirectory(prefix="accesslog-e2e-idle-") as folder:
        with following(pathlib.Path(folder) / "access.log") as daemon:
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
    return closed


@pytest.mark.background.with_args(idle_clients)
def test_idle_clients_are_closed_in_the_end(outcome):
    assert outcome == [True, True]


def held_up():
    """The loop reads a configuration that does not come for half a minute."""
    with tempfile.TemporaryDirectory(prefix="accesslog-e2e-silent-") as folder:
        log = support.Log(pathlib.Path(folder) / "access.log")
        config = support.ConfigPipe(pathlib.Path(folder) / "exporter.yml")
        text = f"sources: [{{ paths: [{log.path}] }}]"
        config.write(text)
        with following(f"--config.file={config.path}") as daemon:
            before = [daemon.get(path) for path in HEALTH]
            with config.hold(daemon) as let_go:
                start = time.monotonic()
                first = [daemon.get(path) for path in HEALTH]
                wait_for(lambda: daemon.get(HEALTH[0]).status != 200, 60, interval=0.5)
                seconds = time.monotonic() - start
                silent = [daemon.get(path) for path in HEALTH]
                let_go(text)
            wait_for(lambda: daemon.get(HEALTH[0]).status == 200)
            after = [daemon.get(path) for path in HEALTH]
        log.close()
    return before, first, seconds, silent, after


HEALTH = ("/-/healthy", "/-/ready")


@pytest.mark.background.with_args(held_up)
def test_a_loop_that_is_silent_for_half_a_minute_is_not_healthy(outcome):
    before, first, seconds, silent, after = outcome
    assert {answer.status for answer in before + first + after} == {200}
    assert seconds > 29
    for answer in silent:
        assert answer.status == 503
        said = re.fullmatch(rb"503: .* has not answered for (\d+) seconds; .*\n", answer.body)
        assert said and int(said[1]) >= 30, answer.body
