"""A real nginx that logs JSON, as escape=json and escape=default write it."""

import json
import socket
import subprocess

import pytest

import support
from support import find, free_port, wait_for

LOG_FORMAT = """
    log_format strict escape=json '{"time_iso8601":"$time_iso8601",'
        '"remote_addr":"$remote_addr","request":"$request","status":"$status",'
        '"body_bytes_sent":"$body_bytes_sent","request_time":"$request_time",'
        '"upstream_addr":"$upstream_addr",'
        '"upstream_response_time":"$upstream_response_time",'
        '"http_referer":"$http_referer","http_user_agent":"$http_user_agent"}';
    log_format loose '{"time_iso8601": "$time_iso8601", "status": $status, '
        '"body_bytes_sent": $body_bytes_sent, "request_time": $request_time, '
        '"upstream_response_time": $upstream_response_time, '
        '"request": "$request", "http_user_agent": "$http_user_agent"}';
"""


class Nginx:
    """Two upstreams, the first of which nobody listens at."""

    def __init__(self, folder):
        self.port, up, down = free_port(), free_port(), free_port()
        self.strict = folder / "strict.log"
        self.loose = folder / "loose.log"
        (folder / "nginx.conf").write_text(
            f"""daemon off; master_process off; pid {folder}/pid;
            error_log {folder}/error.log;
            events {{}}
            http {{
                {LOG_FORMAT}
                client_body_temp_path {folder}/t; proxy_temp_path {folder}/t;
                fastcgi_temp_path {folder}/t; uwsgi_temp_path {folder}/t;
                scgi_temp_path {folder}/t;
                upstream both {{
                    server 127.0.0.1:{down} max_fails=0;
                    server 127.0.0.1:{up} max_fails=0;
                }}
                server {{
                    listen 127.0.0.1:{self.port};
                    access_log {self.strict} strict;
                    access_log {self.loose} loose;
                    location / {{ return 200 "fine"; }}
                    location /missing {{ return 404; }}
                    location /both {{ proxy_pass http://both; }}
                    location = /ready {{ access_log off; return 204; }}
                }}
                server {{
                    listen 127.0.0.1:{up};
                    access_log off;
                    location / {{ return 200 "from upstream"; }}
                }}
            }}"""
        )
        self.process = subprocess.Popen(
            [find("nginx"), "-p", folder, "-e", folder / "error.log", "-c",
             folder / "nginx.conf"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        wait_for(self.answers, what="nginx to answer")

    def answers(self):
        assert self.process.poll() is None, self.process.stderr.read().decode()
        try:
            return self.send(b"GET /ready HTTP/1.1") == b"204"
        except ConnectionError:
            return False

    def send(self, request, agent=b"test"):
        """The status of the answer to this request line."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as s:
            s.sendall(
                request + b"\r\nHost: a\r\nConnection: close\r\nUser-Agent: "
                + agent + b"\r\n\r\n"
            )
            answer = s.makefile("rb").read()
        return answer.split(b" ")[1] if answer.startswith(b"HTTP/") else b""

    def stop(self):
        self.process.terminate()
        self.process.communicate(timeout=10 * support.SLOW)


@pytest.fixture
def nginx(tmp_path):
    if not find("nginx"):
        pytest.skip("no nginx on this machine (Debian: package nginx-light)")
    server = Nginx(tmp_path)
    yield server
    server.stop()


def send_all(nginx):
    assert nginx.send(b"GET / HTTP/1.1") == b"200"
    assert nginx.send(b'GET /"quoted"\\ HTTP/1.1', b'say "hi" \\ \xff\t') == b"200"
    assert nginx.send(b"GET /missing HTTP/1.1") == b"404"
    for _ in range(4):
        assert nginx.send(b"GET /both HTTP/1.1") == b"200"
    nginx.send(b"\x16\x03\x01\x00")
    return {"200": 6, "404": 1, "400": 1}


@pytest.mark.parametrize("given", ["auto", "json", "nginx_json"])
def test_both_ways_of_escaping_are_counted(nginx, exporter, given):
    daemon = exporter(f"--format={given}", "--read-from=beginning", nginx.strict,
                      nginx.loose)
    expected = send_all(nginx)

    def counted():
        metrics = daemon.scrape()
        lines = metrics.by("source", "accesslog_exporter_lines_total",
                           result="parsed")
        return metrics if lines == {
            str(nginx.strict): 8, str(nginx.loose): 8} else None

    metrics = wait_for(counted, what="8 lines of each log")
    assert metrics.by("status", "accesslog_requests_total") == {
        status: 2 * n for status, n in expected.items()
    }
    assert metrics.total("accesslog_exporter_lines_total", result="unparsed") == 0
    # Lists of times stay quoted in one log and lie bare in the other.
    tries = [
        json.loads(line)["upstream_addr"].count(",") + 1
        for line in nginx.strict.read_text(errors="replace").splitlines()
        if "/both" in line
    ]
    assert sum(tries) > len(tries), "no request was tried twice"
    assert metrics.value("accesslog_upstream_duration_seconds_count") == 2 * 4
    assert metrics.value("accesslog_request_duration_seconds_count") == 2 * 8
    # What was not sent upstream has `-` in the loose log, which is a repair.
    loose = metrics.value("accesslog_exporter_json_repairs_total",
                          source=str(nginx.loose))
    assert loose >= 4 + sum(n - 1 for n in tries)
    assert metrics.total("accesslog_exporter_json_repairs_total",
                         source=str(nginx.strict)) == 0


def test_fixtures_of_other_servers_are_recognised():
    fixtures = support.CORPORA / "fixtures.jsonl"
    if not fixtures.exists():
        pytest.skip(f"no {fixtures}: name its folder in ACCESSLOG_CORPORA")
    names = {"caddy json": "caddy_json", "traefik clf/json": "traefik_json",
             "envoy json/text (CRI)": "envoy_json"}
    rows = [json.loads(row) for row in fixtures.read_text().splitlines()]
    rows = [row for row in rows if row["line"].startswith("{")]
    assert {row["format"] for row in rows} == set(names)
    for row in rows:
        metrics = support.scan("--format=auto", "-",
                               input=row["line"].encode() + b"\n")
        status = f"{row['expect']['status']:03}"
        assert metrics.value("accesslog_exporter_format_info",
                             format=names[row["format"]]) == 1
        assert metrics.by("status", "accesslog_requests_total") == {status: 1}
        assert metrics.by("status", "accesslog_response_bytes_total") == (
            {status: row["expect"]["bytes"]} if row["expect"].get("bytes") else
            metrics.by("status", "accesslog_response_bytes_total"))
        assert metrics.total("accesslog_exporter_field_errors_total") == 0
        assert metrics.total("accesslog_exporter_json_repairs_total") == 0
