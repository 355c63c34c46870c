"""A real Prometheus scrapes it while the log grows, and answers in PromQL."""

import json
import os
import random
import shutil
import socket
import subprocess
import threading
import urllib.parse
import urllib.request

import pytest

import support
from support import Lives, wait_for

PROMETHEUS = shutil.which("prometheus")


class Prometheus:
    def __init__(self, folder, targets, interval="1s"):
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.url = "http://127.0.0.1:%d" % server.getsockname()[1]
        configuration = folder / "prometheus.yml"
        configuration.write_text(
            f"global: {{scrape_interval: {interval}, scrape_timeout: {interval}}}\n"
            "scrape_configs:\n"
            "- job_name: accesslog\n"
            f"  static_configs: [{{targets: {targets}}}]\n"
        )
        self.process = subprocess.Popen(
            [PROMETHEUS, f"--config.file={configuration}",
             f"--storage.tsdb.path={folder / 'data'}",
             f"--web.listen-address={self.url[7:]}", "--log.level=warn"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(self.ready, 30, "Prometheus to be ready")

    def ready(self):
        assert self.process.poll() is None
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def result(self, expression):
        text = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{text}", timeout=10) as answer:
            return json.load(answer)["data"]["result"]

    def query(self, expression):
        """Instant vector: {label set: value}."""
        return {
            tuple(sorted(one["metric"].items())): float(one["value"][1])
            for one in self.result(expression)
        }

    def samples(self, selector):
        """Range vector: {status: all values that it has, the oldest first}."""
        return {
            one["metric"]["status"]: [float(value) for _, value in one["values"]]
            for one in self.result(selector)
        }

    def by_status(self, expression):
        return {dict(key)["status"]: value for key, value in self.query(expression).items()}

    def stop(self):
        self.process.terminate()
        self.process.wait(30 * support.SLOW)


@pytest.mark.skipif(not PROMETHEUS, reason="no prometheus on this machine")
def test_prometheus_scrapes_it_and_rate_answers(exporter, log, logs):
    daemon = exporter(log.path)
    folder = logs / "prometheus"
    folder.mkdir()
    server = Prometheus(folder, daemon.addresses)
    try:
        # A quarter of the lines each, so 100 a second of every status.
        for due in support.paced(400, 8):
            log.write(due)
        rate = server.by_status("rate(accesslog_requests_total[5s]) > 0")
        assert set(rate) == set(log.requests)
        for status, value in rate.items():
            assert 50 < value < 150, (status, value)
        # The first 500 is seen as an increase, because it started at 0.
        assert server.by_status("increase(accesslog_requests_total[1m]) > 0").keys() == rate.keys()
        sizes = server.by_status("rate(accesslog_response_bytes_total[5s]) > 0")
        assert set(sizes) == set(log.bytes)
        ratio = server.query(
            'sum(rate(accesslog_requests_total{status=~"5.."}[5s]))'
            " / sum(rate(accesslog_requests_total[5s]))"
        )
        assert list(ratio.values()) == [pytest.approx(0.25, abs=0.05)]
        assert list(server.query("up").values()) == [1]
        # Prometheus ends with exactly what was written.
        wait_for(
            lambda: {k: v for k, v in
                     server.by_status("accesslog_requests_total").items() if v}
            == dict(log.requests),
            what="the last scrape to have every line",
        )
        # Never has it seen a counter go down, or a scrape fail.
        assert server.query("sum(resets(accesslog_requests_total[1m]))") == {(): 0}
        assert list(server.query("min_over_time(up[1m])").values()) == [1]
    finally:
        server.stop()
    support.assert_counted(daemon, log)


class Writer(threading.Thread):
    """A steady load, renamed away now and then and written to after that."""

    def __init__(self, log, rate, every):
        super().__init__()
        self.log, self.rate, self.every = log, rate, every
        self.is_over = threading.Event()
        self.n_rotations = 0
        self.error = None

    def run(self):
        try:
            n_next = 0
            for due in support.paced(self.rate, 600):
                if self.is_over.is_set():
                    return
                n_next += due
                if n_next >= self.rate * self.every:
                    n_next = 0
                    self.rotate()
                self.log.write(due)
        except BaseException as error:
            self.error = error

    def rotate(self):
        self.n_rotations += 1
        old = os.dup(self.log.fd)
        line = self.log.text()
        self.log.raw(line[:50])
        self.log.rename(f".{self.n_rotations}")
        self.log.open().write(5)
        self.log.raw(line[50:], fd=old)
        self.log.write(5, fd=old)
        os.close(old)

    def finish(self):
        self.is_over.set()
        self.join()
        assert self.error is None, self.error


@pytest.mark.skipif(not PROMETHEUS, reason="no prometheus on this machine")
def test_prometheus_counts_every_line_through_ten_kills(exporter, log, logs):
    """One is killed ten times, the other never: to Prometheus both are alike."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = "127.0.0.1:%d" % server.getsockname()[1]
    lives = Lives(logs / "state", "killed")
    killed = lives.begin(f"--web.listen-address={address}", log.path)
    spared = exporter(log.path)
    folder = logs / "prometheus"
    folder.mkdir()
    server = Prometheus(folder, [address, spared.addresses[0]], "300ms")
    writer = Writer(log, 2000, 0.7)
    name = "accesslog_requests_total"
    of = {
        "killed": f'{name}{{instance="{address}"}}',
        "spared": f'{name}{{instance="{spared.addresses[0]}"}}',
    }
    try:
        # Both have been seen before the first line.
        for selector in of.values():
            wait_for(lambda s=selector: server.query(s), what="the first scrape")
        writer.start()
        chance = random.Random(10)
        for _ in range(10):
            before = log.number
            wait_for(lambda: log.number > before + 500, what="some lines")
            support.window(chance.random() / 2)
            killed = lives.again()
        writer.finish()
        written = dict(log.requests)
        for selector in of.values():
            wait_for(
                lambda s=selector: server.by_status(f"{s} > 0") == written,
                what="the last scrape to have every line",
            )
        for selector in of.values():
            values = server.samples(f"{selector}[10m]")
            for status, samples in values.items():
                assert samples == sorted(samples), f"{status} went down: {samples}"
                assert samples[-1] - samples[0] == written.get(status, 0)
            # What a dashboard asks. Prometheus adds what it thinks came before the first
            # sample and after the last: at each end at most 1.1 times the mean time
            # between two, however slow the machine was.
            increase = server.by_status(f"increase({selector}[10m]) > 0")
            assert increase.keys() == written.keys()
            for status, number in written.items():
                most = number * (1 + 2.2 / (len(values[status]) - 1))
                assert number * 0.999 <= increase[status] <= most * 1.001
        assert server.query(f"sum(resets({of['killed']}[10m]))") == {(): 0}
    finally:
        writer.is_over.set()
        server.stop()
        lives.close()
    support.assert_counted(spared, log)
    assert writer.n_rotations > 5
