"""A real nginx and a real Apache under load, rotated by the real logrotate.

`create` (rename, new file, signal) loses nothing anywhere: what ab sent, what
the exporter counted and what the log files hold must be equal, status by
status, after any number of rotations under load.

`copytruncate` is lossy by its nature.  A line that the server writes between
logrotate's last read and its truncation is in no file at all, and a line that
was copied but not yet read by the exporter is in the copy only, where this
exporter does not look.  So the promise is: never a request too many, and none
missing that was logged outside of that instant.  The test makes the instant
measurable from both sides: a scrape just before logrotate starts, which drains
the log, and the server's own request counter just after it has ended.  Every
request missing at the end must have been handled between the two.
"""

import collections
import concurrent.futures
import gzip
import itertools
import os
import re
import subprocess
import threading
import time
import urllib.request

import pytest

import support
from support import find, free_port, wait_for

N_CLIENTS = 4
REQUESTS = 500
GENERATION_SECONDS = 0.7
PATHS = {"200": "/ok", "404": "/missing", "301": "/moved", "500": "/broken"}


class Server:
    """A web server of our own on loopback, with everything in one folder."""

    def __init__(self, folder):
        self.folder = folder
        self.loads = itertools.count(100)
        self.port = free_port()
        self.log = folder / "log" / "access.log"
        self.log.parent.mkdir()
        self.document = folder / "www"
        self.document.mkdir()
        (self.document / "ok").write_text("fine\n" * 100)
        self.pid_file = folder / "server.pid"
        (folder / "server.conf").write_text(self.configuration())
        self.process = subprocess.Popen(
            self.command(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        try:
            wait_for(self.answers, what=f"{self.name} to answer")
        except AssertionError:
            self.process.kill()
            raise AssertionError(self.process.stderr.read().decode()) from None

    def answers(self):
        assert self.process.poll() is None, self.process.stderr.read().decode()
        try:
            return self.n_handled() >= 0
        except OSError:
            return False

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as f:
            return f.read().decode()

    def stop(self):
        self.process.terminate()
        self.process.wait(20 * support.SLOW)
        self.process.stderr.close()

    def load(self, status, n):
        """Send n requests; return how many were completed (all, or fail)."""
        # Each load is a client of its own, or all lines would be the same.
        agent = f"User-Agent: load-{next(self.loads)}"
        result = subprocess.run(
            ["ab", "-q", "-r", "-n", str(n), "-c", str(N_CLIENTS), "-H", agent,
             f"http://127.0.0.1:{self.port}{PATHS[status]}"],
            capture_output=True,
            text=True,
            timeout=60 * support.SLOW,
        )
        assert result.returncode == 0, result.stderr
        value = dict(re.findall(r"^([A-Z][^:\n]*):\s+(\d+)", result.stdout, re.M))
        assert int(value["Complete requests"]) == n, result.stdout
        # A failed request may or may not be in the log: then there is no truth.
        failed = re.search(
            r"Connect: (\d+), Receive: (\d+), Length: \d+, Exceptions: (\d+)",
            result.stdout,
        )
        assert not failed or not any(map(int, failed.groups())), result.stdout
        return n

    def logged(self):
        """Requests by status in all the files there are, and their bytes."""
        requests, sizes = collections.Counter(), collections.Counter()
        for path in self.log.parent.iterdir():
            data = path.read_bytes()
            if path.suffix == ".gz":
                data = gzip.decompress(data)
            for line in data.decode().splitlines():
                status, size = re.search(r'" (\d{3}) (\d+|-) ', line).groups()
                requests[status] += 1
                sizes[status] += 0 if size == "-" else int(size)
        return requests, sizes


class Nginx(Server):
    name = "nginx"
    format = "nginx_timed"
    reopen = "kill -USR1"

    def configuration(self):
        """One path passes through itself, so that upstream times exist."""
        f = self.folder
        return f"""
            daemon off; user root; pid {self.pid_file}; worker_processes 2;
            error_log {f}/error.log;
            events {{ worker_connections 512; }}
            http {{
                log_format timed '$remote_addr - $remote_user [$time_local] '
                    '"$request" $status $body_bytes_sent "$http_referer" '
                    '"$http_user_agent" $request_time $upstream_connect_time '
                    '$upstream_response_time';
                access_log {self.log} timed;
                client_body_temp_path {f}/body; proxy_temp_path {f}/proxy;
                fastcgi_temp_path {f}/fastcgi; uwsgi_temp_path {f}/uwsgi;
                scgi_temp_path {f}/scgi;
                upstream self {{ server unix:{f}/inner.sock; }}
                server {{
                    listen 127.0.0.1:{self.port};
                    location / {{ root {self.document}; log_not_found off; }}
                    location = /ok {{ proxy_pass http://self; }}
                    location = /broken {{ return 500; }}
                    location = /moved {{ return 301 /ok; }}
                    location = /status {{ access_log off; stub_status; }}
                }}
                server {{
                    listen unix:{f}/inner.sock; access_log off;
                    location / {{ root {self.document}; }}
                }}
            }}"""

    def command(self):
        return [find("nginx"), "-c", self.folder / "server.conf", "-p", self.folder]

    def n_handled(self):
        """Requests that it has begun, those of the inner server among them."""
        return int(self.get("/status").splitlines()[2].split()[2])


# As it stands in httpd.conf, and as it is given to --format.
MILLISECONDS = '%h %l %u %t \\"%r\\" %>s %b %{ms}T'


class Apache(Server):
    name = "apache2"
    format = "apache_timed"
    reopen = "kill -USR1"  # graceful: children keep the old log for a while

    def configuration(self):
        f = self.folder
        modules = "".join(
            f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"
            for name in ("mpm_event", "authz_core", "alias", "setenvif", "status")
        )
        return modules + f"""
            ServerRoot {f}
            ServerName localhost
            Listen 127.0.0.1:{self.port}
            PidFile {self.pid_file}
            DefaultRuntimeDir {f}
            ErrorLog {f}/error.log
            User www-data
            Group www-data
            DocumentRoot {self.document}
            <Directory {self.document}>
                Require all granted
            </Directory>
            Redirect 301 /moved /ok
            Redirect 500 /broken
            ExtendedStatus On
            <Location /status>
                SetHandler server-status
            </Location>
            SetEnvIf Request_URI ^/status unlogged
            LogFormat "%h %l %u %t \\"%r\\" %>s %b \\"%{{Referer}}i\\" \\"%{{User-agent}}i\\" %D" timed
            CustomLog {self.log} timed env=!unlogged
            LogFormat "{MILLISECONDS}" in_ms
            CustomLog {self.in_ms} in_ms env=!unlogged
            """

    @property
    def in_ms(self):
        """The same requests, with the time taken in milliseconds (%{ms}T)."""
        return self.folder / "in_ms.log"

    def command(self):
        return [find("apache2"), "-f", self.folder / "server.conf", "-D", "FOREGROUND"]

    def n_handled(self):
        return int(re.search(r"^Total Accesses: (\d+)", self.get("/status?auto"), re.M)[1])


@pytest.fixture
def apache(logs):
    if not find(Apache.name):
        pytest.skip("no apache2 on this machine")
    one = Apache(logs)
    yield one
    one.stop()


def test_apaches_format_with_milliseconds(apache, exporter):
    daemon = exporter(f"--format={MILLISECONDS}", apache.in_ms)
    owed = {status: apache.load(status, 200) for status in ("200", "404")}
    settle(daemon, owed)
    metrics = daemon.scrape()
    assert metrics.by("status", "accesslog_requests_total") == owed
    assert metrics.total("accesslog_exporter_field_errors_total") == 0
    taken = [int(row.split()[-1]) for row in apache.in_ms.read_text().splitlines()]
    assert metrics.value("accesslog_request_duration_seconds_count") == len(taken) == 400
    total = metrics.value("accesslog_request_duration_seconds_sum")
    assert total == pytest.approx(sum(taken) / 1000)


@pytest.fixture(params=[Nginx, Apache], ids=["nginx", "apache2"])
def server(request, logs):
    if not find(request.param.name):
        pytest.skip(f"no {request.param.name} on this machine")
    one = request.param(logs)
    yield one
    one.stop()


class Rotation:
    """logrotate with a configuration and a state of its own."""

    def __init__(self, server, how):
        self.n = 0
        self.configuration = server.folder / "logrotate.conf"
        self.state = server.folder / "logrotate.state"
        mode = {
            # .1 stays as it is for one more round, as Debian's packages do.
            "create": f"""create 0644 root root
                compress
                delaycompress
                sharedscripts
                postrotate
                    {server.reopen} $(cat {server.pid_file})
                endscript""",
            "copytruncate": "copytruncate",
        }[how]
        self.configuration.write_text(
            f"{server.log} {{\n rotate 1000\n missingok\n {mode}\n}}\n"
        )
        os.chmod(self.configuration, 0o644)

    def turn(self):
        subprocess.run(
            [find("logrotate"), "-f", "-s", self.state, self.configuration],
            check=True,
            capture_output=True,
            timeout=60 * support.SLOW,
        )
        self.n += 1


class Load:
    """ab for every status at once, in rounds, until it is told to stop."""

    def __init__(self, server):
        self.server = server
        self.sent = collections.Counter()
        self.enough = threading.Event()
        self.pool = concurrent.futures.ThreadPoolExecutor(len(PATHS))

    def __enter__(self):
        self.jobs = [self.pool.submit(self._run, status) for status in PATHS]
        return self

    def _run(self, status):
        while not self.enough.is_set():
            self.sent[status] += self.server.load(status, REQUESTS)

    def go_on(self):
        """Let a generation of the log have a life and requests of its own."""
        start, before = time.monotonic(), sum(self.sent.values())
        wait_for(
            lambda: sum(self.sent.values()) >= before + 4 * REQUESTS
            and time.monotonic() - start >= GENERATION_SECONDS,
            60,
            "requests",
        )

    def __exit__(self, *error):
        self.enough.set()
        self.pool.shutdown()
        for job in self.jobs:
            job.result()


def counted(daemon):
    return daemon.scrape().by("status", "accesslog_requests_total")


def settle(daemon, owed):
    """A server logs a request just after it has answered it."""
    wait_for(
        lambda: counted(daemon) == owed or None,
        what=f"{owed} (counted: {counted(daemon)})",
    )


def test_rotated_by_rename_under_load(server, exporter):
    daemon = exporter(server.log)
    rotation = Rotation(server, "create")
    with Load(server) as load:
        for _ in range(5):
            load.go_on()
            rotation.turn()
        load.go_on()
    owed = dict(load.sent)
    settle(daemon, owed)
    requests, sizes = server.logged()
    assert requests == owed, "ab and the server disagree: the test is wrong"
    metrics = daemon.scrape()
    assert metrics.by("status", "accesslog_requests_total") == owed
    assert metrics.by("status", "accesslog_response_bytes_total") == support.nonzero(sizes)
    assert metrics.total("accesslog_exporter_lost_bytes_total") == 0
    assert metrics.total("accesslog_exporter_lines_total", result="unparsed") == 0
    assert metrics.total("accesslog_exporter_field_errors_total") == 0
    assert metrics.total("accesslog_exporter_rotations_total") == rotation.n
    assert metrics.value("accesslog_exporter_format_info", format=server.format) == 1
    # Every request has a duration, and every proxied one an upstream's.
    n = sum(owed.values())
    assert metrics.value("accesslog_request_duration_seconds_count") == n
    assert metrics.value("accesslog_request_duration_seconds_bucket", le="+Inf") == n
    assert 0 <= metrics.value("accesslog_request_duration_seconds_sum") < n
    if server.name == "nginx":
        assert metrics.value("accesslog_upstream_duration_seconds_count") == owed["200"]


def test_copied_and_truncated_under_load(server, exporter):
    daemon = exporter(server.log)
    rotation = Rotation(server, "copytruncate")
    at_risk = 0
    with Load(server) as load:
        for _ in range(5):
            load.go_on()
            handled = server.n_handled()
            daemon.scrape()  # what was logged by now is counted
            rotation.turn()
            # Begun but not yet logged at the first reading: one a connection.
            at_risk += server.n_handled() - handled + len(PATHS) * N_CLIENTS
    owed = dict(load.sent)
    n_owed = sum(owed.values())
    # The servers write the last lines just after their answers.
    last = {}

    def at_rest():
        now = counted(daemon)
        done, last["seen"] = now == last.get("seen"), now
        return done

    wait_for(at_rest, interval=0.3)
    metrics = daemon.scrape()
    seen = metrics.by("status", "accesslog_requests_total")
    assert set(seen) <= set(owed)
    for status, n in owed.items():
        assert seen[status] <= n, f"{status}: counted more than was sent"
    missing = n_owed - sum(seen.values())
    assert missing <= at_risk, f"{missing} of {n_owed} missing, {at_risk} at risk"
    # The test says nothing if nearly everything was at risk.
    assert at_risk < n_owed / 2, f"logrotate took too long: {at_risk} of {n_owed}"
    assert metrics.total("accesslog_exporter_lines_total", result="unparsed") <= rotation.n
    assert (
        metrics.value("accesslog_exporter_rotations_total", kind="truncated") == rotation.n
    )


def test_copied_and_truncated_between_bursts(server, exporter):
    """With nobody writing at that instant, copytruncate loses nothing either."""
    daemon = exporter(server.log)
    rotation = Rotation(server, "copytruncate")
    owed = collections.Counter()
    for _ in range(4):
        for status in PATHS:
            owed[status] += server.load(status, REQUESTS)
        settle(daemon, dict(owed))
        rotation.turn()
    settle(daemon, dict(owed))
    metrics = daemon.scrape()
    assert metrics.total("accesslog_exporter_lost_bytes_total") == 0
    assert (
        metrics.value("accesslog_exporter_rotations_total", kind="truncated") == rotation.n
    )
    requests, _ = server.logged()
    assert requests == owed
