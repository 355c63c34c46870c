"""SIGTERM and SIGINT: status 0 within a second, whatever it is doing."""

import concurrent.futures
import os
import shutil
import signal
import threading

import pytest

import support

both = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])


@both
def test_idle(exporter, log, number):
    daemon = exporter(log.path)
    daemon.stop(number)
    assert daemon.process.returncode == 0


@both
def test_at_once_after_the_start(exporter, log, number):
    """As soon as it listens, it can be stopped."""
    for _ in range(10):
        exporter(log.path, settled=False).stop(number)


@both
def test_twice(exporter, log, number):
    daemon = exporter(log.path)
    daemon.pause()
    daemon.send(number)
    daemon.send(number)
    daemon.resume()
    daemon.stop(number)


LINE = b'192.0.2.1 - - [20/Nov/2026:15:40:00 +0000] "GET / HTTP/1.1" 200 12 "-" "e2e"\n'


@pytest.fixture(scope="module")
def backlog(tmp_path_factory):
    """A log that takes some seconds to read: 1.5 GiB."""
    path = tmp_path_factory.mktemp("backlog") / "access.log"
    block = LINE * 50_000
    with open(path, "wb") as file:
        while file.tell() < 1.5 * 1024**3:
            file.write(block)
    yield path, path.stat().st_size
    path.unlink()


@pytest.fixture(scope="module")
def backlogs(tmp_path_factory):
    """A gigabyte in 250 logs: as much as one turn may read of each."""
    folder = tmp_path_factory.mktemp("backlogs")
    block = LINE * (4 * 1024**2 // len(LINE))
    for i in range(250):
        (folder / f"site-{i}.log").write_bytes(block)
    yield folder / "*.log", 250 * len(block)
    shutil.rmtree(folder)


@both
def test_while_a_backlog_is_read(exporter, backlog, number):
    path, size = backlog
    daemon = exporter("--read-from=beginning", path, settled=False)
    start = daemon.bytes_read()
    support.wait_for(lambda: daemon.bytes_read() - start > 10_000_000)
    assert daemon.bytes_read() - start < size
    daemon.stop(number)


@both
def test_while_a_scrape_waits_for_the_backlog(exporter, backlog, number):
    path, size = backlog
    daemon = exporter("--read-from=beginning", path, settled=False)
    outcomes = []

    def scrape():
        try:
            outcomes.append(daemon.get("/metrics"))
        except OSError as error:  # cut off, which is its right
            outcomes.append(error)
        except support.http.client.HTTPException as error:
            outcomes.append(error)

    scrapers = [threading.Thread(target=scrape) for _ in range(5)]
    start = daemon.bytes_read()
    for scraper in scrapers:
        scraper.start()
    support.wait_for(lambda: daemon.bytes_read() - start > 10_000_000)
    assert daemon.bytes_read() - start < size
    daemon.stop(number)
    for scraper in scrapers:
        scraper.join()
    assert len(outcomes) == 5
    for outcome in outcomes:
        if isinstance(outcome, support.Response) and outcome.status == 200:
            metrics = support.Metrics(outcome.body.decode())
            read = metrics.total("accesslog_exporter_read_bytes_total")
            assert read + metrics.total("accesslog_exporter_lag_bytes") == size


@both
@pytest.mark.parametrize("options", [[], ["--format=%{COMBINED}"]], ids=["auto", "grok"])
@pytest.mark.parametrize("n_read", [0, 10_000_000])
def test_while_many_files_are_behind(exporter, backlogs, number, options, n_read):
    glob, size = backlogs
    daemon = exporter("--read-from=beginning", *options, glob, settled=False)
    support.wait_for(lambda: daemon.bytes_read() >= n_read)
    assert daemon.bytes_read() < size
    daemon.stop(number)


def test_a_scrape_of_a_backlog_is_answered_in_time(exporter, backlog):
    """Bounded by a second; what is not read yet is lag, and the sum is right."""
    path, size = backlog
    daemon = exporter("--read-from=beginning", path, settled=False)
    begun = support.time.monotonic()
    metrics = daemon.scrape()
    assert support.time.monotonic() - begun < 2 * support.SLOW
    read = metrics.total("accesslog_exporter_read_bytes_total")
    lag = metrics.total("accesslog_exporter_lag_bytes")
    assert lag > 0, "the backlog is too small for this machine"
    assert read + lag == size


def test_scrapes_of_a_backlog_wait_together(exporter, backlog):
    """Eight at once take as long as one: none waits until another is answered."""
    path, size = backlog
    daemon = exporter("--read-from=beginning", path, settled=False)

    def scrape(_):
        begun = support.time.monotonic()
        return daemon.scrape(), support.time.monotonic() - begun

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(scrape, range(8)))
    assert max(seconds for _, seconds in answers) < 2.5 * support.SLOW
    for metrics, _ in answers:
        read = metrics.total("accesslog_exporter_read_bytes_total")
        lag = metrics.total("accesslog_exporter_lag_bytes")
        assert lag > 0, "the backlog is too small for this machine"
        assert read + lag == size


def test_the_scrapers_timeout_shortens_the_wait(exporter, backlog):
    path, _ = backlog
    daemon = exporter("--read-from=beginning", path, settled=False)
    begun = support.time.monotonic()
    answer = daemon.get(
        "/metrics", headers={"X-Prometheus-Scrape-Timeout-Seconds": "0.2"}
    )
    assert support.time.monotonic() - begun < 0.7 * support.SLOW
    assert answer.status == 200


@pytest.mark.parametrize("n", [99, 126, 127, 128])
def test_while_many_clients_hang_up(exporter, log, n):
    """They and the stop may be as many events as a server takes in one turn."""
    daemon = exporter(log.path)
    clients = [daemon.connection() for _ in range(n)]
    for client in clients:
        client.request("GET", "/-/healthy")
        client.getresponse().read()
    # The server's thread runs when neither we nor the loop can, and so finds
    # all of it at once.
    before = os.sched_getaffinity(0)
    for thread in map(int, os.listdir(f"/proc/{daemon.pid}/task")):
        os.sched_setaffinity(thread, {min(before)})
    try:
        os.sched_setaffinity(0, {min(before)})
        for thread in 0, daemon.pid:
            os.sched_setscheduler(thread, os.SCHED_FIFO, os.sched_param(1))
        for client in clients:
            client.close()
        daemon.send(signal.SIGTERM)
    except PermissionError:
        pytest.skip("this user may not say which thread runs first")
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.sched_setaffinity(0, before)
    daemon.stop()


def test_other_clients_are_closed(exporter, log):
    """A keep-alive connection does not keep it alive."""
    daemon = exporter(log.path)
    connection = daemon.connection()
    connection.request("GET", "/metrics")
    connection.getresponse().read()
    daemon.stop()
    connection.close()
