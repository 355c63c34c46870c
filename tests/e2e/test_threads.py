"""Everything that it has threads for, at once: for MODE=tsan, and for the totals.

The loop thread reads and reloads, the worker saves, and HTTP threads scrape;
what they share is the registry and a few flags.
"""

import concurrent.futures
import signal
import threading

import pytest

import support
from support import Lives, assert_counted, wait_for

SECONDS = 4
CONFIGURATION = """\
sources:
  - name: log
    paths: ['{path}*']
    format: combined
metrics:
  - name: paths_total
    labels: [request_method, {{ name: path, from: request_uri, budget: 50 }}]
  - name: sizes_bytes
    type: histogram
    value: body_bytes_sent
    buckets: [100, 10000, 1000000]
"""
MORE = """\
  - name: agents_total
    labels: [http_user_agent]
"""


@pytest.fixture
def lives(logs):
    one = Lives(logs / "state", "killed")
    yield one
    one.close()


def test_ingest_scrapes_saves_and_reloads_at_once(lives, make_log, logs):
    log = make_log(logs / "access.log", source="log")
    configuration = logs / "accesslog_exporter.yml"
    text = CONFIGURATION.format(path=log.path)
    configuration.write_text(text)
    daemon = lives.begin(f"--config.file={configuration}", "--web.enable-lifecycle")
    is_over = threading.Event()

    def scrape():
        """As fast as it answers; no counter of one client's goes down."""
        before = {}
        n = 0
        while not is_over.is_set():
            answer = daemon.get("/metrics", timeout=30)
            assert answer.status == 200
            metrics = support.Metrics(answer.body.decode())
            now = metrics.matching("accesslog_requests_total")
            assert all(now[key] >= value for key, value in before.items())
            before = now
            n += 1
        return n

    def reload():
        n = 0
        while not is_over.is_set():
            n += 1
            configuration.write_text(text + MORE * (n % 2))
            if n % 3:
                daemon.send(signal.SIGHUP)
            else:
                assert daemon.get("/-/reload", "POST", timeout=30).status == 200
        return n

    with concurrent.futures.ThreadPoolExecutor() as pool:
        others = [pool.submit(scrape) for _ in range(3)] + [pool.submit(reload)]
        try:
            for i, due in enumerate(support.paced(2000, SECONDS)):
                log.write(due)
                if i % 50 == 49:
                    log.rename(f".{i}")
                    log.open()
        finally:
            is_over.set()
        assert all(one.result() > 0 for one in others)
    wait_for(lambda: daemon.scrape().total("accesslog_exporter_lag_bytes") == 0)
    metrics = assert_counted(daemon, log)
    assert metrics.total("accesslog_paths_total") == log.n_parsed
    assert metrics.value("accesslog_sizes_bytes_count") == log.n_parsed
    metrics = assert_counted(lives.again(), log)
    assert metrics.total("accesslog_paths_total") == log.n_parsed
