"""A real Prometheus scrapes it while the log grows, and answers in PromQL."""

import json
import shutil
import socket
import subprocess
import urllib.parse
import urllib.request

import pytest

import support
from support import wait_for

PROMETHEUS = shutil.which("prometheus")


class Prometheus:
    def __init__(self, folder, target):
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.url = "http://127.0.0.1:%d" % server.getsockname()[1]
        configuration = folder / "prometheus.yml"
        configuration.write_text(
            "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
            "scrape_configs:\n"
            "- job_name: accesslog\n"
            f"  static_configs: [{{targets: ['{target}']}}]\n"
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

    def query(self, expression):
        """Instant vector: {label set: value}."""
        text = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{text}", timeout=10) as answer:
            data = json.load(answer)["data"]
        return {
            tuple(sorted(one["metric"].items())): float(one["value"][1])
            for one in data["result"]
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
    server = Prometheus(folder, daemon.addresses[0])
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
