"""What the HTTP server answers, and that nobody can keep it from answering."""

import contextlib
import html.parser
import os
import re
import resource
import shutil
import socket
import tempfile
import threading
import time

import pytest

import support

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
CHROMIUM = shutil.which("chromium")


@pytest.fixture
def daemon(exporter, log):
    return exporter(log.path)


@pytest.mark.parametrize(
    "path,content_type",
    [
        ("/metrics", CONTENT_TYPE),
        ("/", "text/html; charset=utf-8"),
        ("/-/healthy", "text/plain"),
        ("/-/ready", "text/plain"),
    ],
)
def test_get_and_head_agree(daemon, path, content_type):
    get = daemon.get(path)
    head = daemon.get(path, method="HEAD")
    assert (get.status, head.status) == (200, 200)
    assert get.headers["Content-Type"].startswith(content_type)
    assert head.headers["Content-Type"] == get.headers["Content-Type"]
    assert head.body == b""
    assert len(get.body) == int(get.headers["Content-Length"]) > 0
    if path != "/metrics":  # whose numbers have moved between the two
        assert head.headers["Content-Length"] == get.headers["Content-Length"]
    else:
        assert int(head.headers["Content-Length"]) > 0


def test_the_content_type_of_metrics_is_exact(daemon):
    assert daemon.get("/metrics").headers["Content-Type"] == CONTENT_TYPE


@pytest.mark.parametrize(
    "path", ["/nothing", "/metrics/", "/metrics2", "//metrics", "/-/", "/-/reload", "/%00",
             "/" + "a" * 4000]
)
def test_other_paths_are_404(daemon, path):
    assert daemon.get(path).status == 404
    assert daemon.get("/metrics").status == 200


def test_a_query_does_not_change_the_page(daemon):
    assert daemon.get("/metrics?name[]=x").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"])
@pytest.mark.parametrize("path", ["/metrics", "/", "/-/healthy"])
def test_other_methods_are_405_with_allow(daemon, method, path):
    answer = daemon.get(path, method=method)
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD"


def test_a_post_with_a_body_is_405_too(daemon):
    connection = daemon.connection()
    with contextlib.closing(connection):
        connection.request("POST", "/metrics", body=b"x" * 100_000)
        try:
            assert connection.getresponse().status == 405
        except (ConnectionResetError, BrokenPipeError):
            pass  # it need not have listened to all of that
    assert daemon.get("/metrics").status == 200


def test_answers_are_counted_by_code(daemon):
    daemon.get("/metrics", method="POST")
    before = daemon.scrape()
    after = daemon.scrape()
    name = "accesslog_exporter_scrapes_total"
    assert after.value(name, code="200") == before.total(name, code="200") + 1
    daemon.get("/nothing")
    assert daemon.scrape().value(name, code="200") == after.value(name, code="200") + 1


def test_promtool_accepts_metrics_without_a_word(exporter, make_log, logs):
    """With everything in it: both histograms, hostile sources, odd statuses."""
    strange = make_log(logs / 'a"b\\c\nd.log')
    strange.write(10)
    strange.junk()
    timed = make_log(logs / "timed.log")
    sample = support.REPOSITORY / "tests" / "golden" / "nginx_timed" / "input.log"
    timed.raw(sample.read_bytes())
    daemon = exporter("--read-from=beginning", strange.path, timed.path, logs / "none-*.log")
    metrics = daemon.scrape()
    assert metrics.types["accesslog_request_duration_seconds"] == "histogram"
    assert metrics.types["accesslog_upstream_duration_seconds"] == "histogram"
    check = support.subprocess.run(
        ["promtool", "check", "metrics"],
        input=metrics.text.encode(),
        capture_output=True,
    )
    assert (check.returncode, check.stdout, check.stderr) == (0, b"", b"")
    assert metrics.matching("accesslog_exporter_read_bytes_total", source=str(strange.path))


def test_types_and_help_of_every_family(daemon):
    metrics = daemon.scrape()
    for name in metrics.types:
        assert f"# HELP {name}" in metrics.text, name
        assert metrics.types[name] in ("counter", "gauge", "histogram"), name
    for name in (
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
        "process_open_fds",
        "process_max_fds",
        "process_start_time_seconds",
        "accesslog_exporter_build_info",
    ):
        assert metrics.total(name) > 0, name


def test_common_statuses_start_at_0(daemon, log):
    """So that rate() sees the first 500 after a start."""
    statuses = ("200", "301", "302", "304", "400", "403", "404", "500", "502", "503")
    names = ("accesslog_requests_total", "accesslog_response_bytes_total")
    for n_written in (0, 1):
        metrics = daemon.scrape()
        for status in statuses:
            for name in names:
                expected = n_written if status == "200" else 0
                assert metrics.value(name, status=status) == expected
        log.write(1, "200")


def test_process_metrics_tell_the_truth(daemon):
    metrics = daemon.scrape()
    n_open = len(os.listdir(f"/proc/{daemon.pid}/fd"))
    assert abs(metrics.value("process_open_fds") - n_open) <= 3
    assert metrics.value("process_max_fds") >= resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert abs(metrics.value("process_start_time_seconds") - time.time()) < 60 * support.SLOW
    status = (support.pathlib.Path("/proc") / str(daemon.pid) / "statm").read_text().split()
    resident = int(status[1]) * resource.getpagesize()
    assert metrics.value("process_resident_memory_bytes") == pytest.approx(resident, rel=0.2)


def test_the_last_line_has_a_time(daemon, log):
    name = "accesslog_exporter_last_line_timestamp_seconds"
    log.raw(
        b'192.0.2.1 - - [25/Dec/2019:08:06:42 +0300] "GET / HTTP/1.1" 200 1 "-" "-"\n'
    )
    metrics = daemon.scrape()
    seen = metrics.value(name)
    # Either the time in the line or the time at which it was read would be an
    # answer to "is this log still alive"; DESIGN says the line's.
    assert seen == 1577250402


def test_another_telemetry_path(exporter, log):
    daemon = exporter("--web.telemetry-path=/here/it/is", log.path)
    assert daemon.get("/metrics").status == 404
    assert daemon.get("/here/it/is").headers["Content-Type"] == CONTENT_TYPE
    assert b"/here/it/is" in daemon.get("/").body


def has_ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no ::1 on this machine")


@needs_ipv6
def test_ipv6(exporter, log):
    daemon = exporter("--web.listen-address=[::1]:0", log.path)
    assert daemon.addresses[0].startswith("[::1]:")
    log.write(5)
    support.assert_counted(daemon, log)


@pytest.mark.parametrize("address", [":0", "0"])
def test_a_port_alone_is_every_address(exporter, log, address):
    daemon = exporter(f"--web.listen-address={address}", log.path)
    port = daemon.addresses[0].rsplit(":", 1)[1]
    assert int(port) > 0
    assert daemon.get("/-/healthy", address=f"127.0.0.1:{port}").status == 200
    if has_ipv6():
        assert daemon.get("/-/healthy", address=f"[::1]:{port}").status == 200


def test_two_addresses(exporter, log):
    daemon = exporter(
        "--web.listen-address=127.0.0.1:0", "--web.listen-address=127.0.0.2:0", log.path
    )
    log.write(7)
    assert len(daemon.addresses) == 2
    for address in daemon.addresses:
        metrics = support.Metrics(daemon.get("/metrics", address=address).body.decode())
        support.assert_counted(daemon, log, metrics=metrics)


# Hostile clients.


def connect(daemon, receive_buffer=None):
    host, port = daemon.addresses[0].rsplit(":", 1)
    client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.settimeout(10 * support.SLOW)
    client.connect((host, int(port)))
    return client


def assert_served_beside(daemon, log, rounds=5):
    """A scraper gets fresh answers within a second, again and again."""
    for _ in range(rounds):
        log.write(20)
        start = time.monotonic()
        metrics = daemon.scrape()
        assert time.monotonic() - start < 1 * support.SLOW
        support.assert_counted(daemon, log, metrics=metrics)


def drip(clients, text, stop):
    """Every client sends its request a byte at a time, and never ends it."""
    i = 0
    while not stop.wait(0.05):
        for client in clients:
            with contextlib.suppress(OSError):
                client.send(text[i % len(text):i % len(text) + 1])
        i += 1


@pytest.mark.parametrize("n", [200, 600])
def test_slow_senders_do_not_delay_a_scraper(daemon, log, n):
    text = b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + b"X-A: bbbbbbbbbbbbbbb\r\n" * 100
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(contextlib.closing(connect(daemon))) for _ in range(n)]
        stop = threading.Event()
        dripper = threading.Thread(target=drip, args=(clients, text, stop))
        dripper.start()
        try:
            assert_served_beside(daemon, log)
        finally:
            stop.set()
            dripper.join()


def test_idle_connections_do_not_delay_a_scraper(daemon, log):
    with contextlib.ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(contextlib.closing(connect(daemon)))
        assert_served_beside(daemon, log)


def test_slow_readers_do_not_delay_a_scraper(exporter, make_log, logs):
    """Clients that ask for a large answer and take a byte of it."""
    many = [make_log(logs / f"{'x' * 60}-{i}.log") for i in range(300)]
    daemon = exporter(*[one.path for one in many])
    size = len(daemon.get("/metrics").body)
    assert size > 300_000, "an answer that no socket buffer of 4 KiB takes"
    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(contextlib.closing(connect(daemon, 4096))) for _ in range(100)
        ]
        for client in clients:
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        # A hundred answers have to be made first, which is not what is measured.
        for client in clients:
            assert client.recv(1) == b"H"
        for _ in range(3):
            many[0].write(20)
            start = time.monotonic()
            metrics = daemon.scrape()
            assert time.monotonic() - start < 1 * support.SLOW
            support.assert_counted(daemon, *many, metrics=metrics)


@pytest.mark.parametrize(
    "request_text",
    [
        b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Big: " + b"a" * 200_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 50_000 + b"\r\n",
    ],
    ids=["header", "path", "headers"],
)
def test_a_request_that_is_too_large_is_refused(daemon, log, request_text):
    with contextlib.closing(connect(daemon)) as client:
        answer = b""
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            client.sendall(request_text)
        with contextlib.suppress(ConnectionResetError):
            answer = client.recv(65536)
    assert not answer or answer.split()[1] in (b"400", b"413", b"414", b"431"), answer
    assert_served_beside(daemon, log, rounds=1)


@pytest.mark.parametrize(
    "request_text",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100,
        b"\r\n\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /metrics\r\n\r\n",
        b"GET /metrics HTTP/9.9\r\n\r\n",
        b"\x00" * 1000,
        b"GET /metrics HTTP/1.1\r\n\r\n",
        b"GET http://[::1/metrics HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
    ],
)
def test_nonsense_is_survived(daemon, log, request_text):
    with contextlib.closing(connect(daemon)) as client:
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            client.sendall(request_text)
            client.shutdown(socket.SHUT_WR)
        assert_served_beside(daemon, log, rounds=1)
    assert_served_beside(daemon, log, rounds=1)


def test_many_scrapers_at_once_all_get_a_right_answer(daemon, log):
    """One scrape is one moment: in each answer, requests, lines and bytes agree."""
    stop = threading.Event()
    answers, failures = [], []

    def scraper():
        try:
            while not stop.is_set():
                answers.append(daemon.scrape())
        except Exception as error:  # told below, in the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=scraper) for _ in range(8)]
    for thread in threads:
        thread.start()
    for due in support.paced(2000, 2):
        log.write(due)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(answers) >= 16
    for metrics in answers:
        requests = metrics.total("accesslog_requests_total")
        parsed = metrics.total("accesslog_exporter_lines_total", result="parsed")
        assert requests == parsed
    support.assert_counted(daemon, log)


STALE = "accesslog_exporter_stale_scrapes_total"
IMPATIENT = {"X-Prometheus-Scrape-Timeout-Seconds": "0.002"}


@pytest.mark.skipif(support.SANITIZED, reason="a sanitizer may take all of the second")
def test_who_waits_for_a_moment_takes_nothing_from_others(exporter, log, logs):
    """The loop is behind, and who asks it next is told what it counts."""
    config = support.ConfigPipe(logs / "exporter.yml")
    text = f"sources: [{{ paths: [{log.path}] }}]"
    config.write(text)
    daemon = exporter(f"--config.file={config.path}")
    log.write(5)
    with config.hold(daemon) as let_go, contextlib.closing(daemon.connection()) as scraper:
        log.write(7)
        answer = daemon.get("/metrics", headers=IMPATIENT)
        metrics = support.Metrics(answer.body.decode())
        assert metrics.value("accesslog_requests_total", status="200") < 12
        assert metrics.value(STALE) == 1
        before = daemon.server_wake_ups()
        scraper.request("GET", "/metrics")
        support.wait_for(lambda: daemon.server_wake_ups() > before, interval=0.001)
        let_go(text)
        answer = scraper.getresponse().read()
    metrics = support.assert_counted(daemon, log, metrics=support.Metrics(answer.decode()))
    assert metrics.value(STALE) == 1, "this one was not"


class Page(html.parser.HTMLParser):
    """Links and text of a page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.text = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag == "a":
            self.links.append(dict(attributes)["href"])
        assert tag != "script"

    def handle_data(self, data):
        self.text.append(data)


def assert_is_the_page(page, log):
    text = " ".join(page.text)
    assert "/metrics" in page.links
    assert "accesslog_exporter" in text
    assert str(log.path) in text
    assert "combined" in text


def test_the_page_says_what_it_follows(daemon, log):
    log.write(5)
    daemon.scrape()
    assert_is_the_page(Page(daemon.get("/").body.decode()), log)


def test_the_page_names_each_cell_where_a_row_has_no_room(daemon):
    body = daemon.get("/").body.decode()
    titles = re.findall(r"<th[^>]*>([^<]+)</th>", body)
    named = dict(re.findall(r'nth-child\((\d+)\):before\{content:"([^"]*)"\}', body))
    assert named == {str(i): title for i, title in enumerate(titles, 1) if i > 1}
    assert len(named) == 6


def test_the_page_escapes_file_names(exporter, make_log, logs):
    one = make_log(logs / "<b onload=x>&amp;.log")
    body = exporter(one.path).get("/").body.decode()
    assert "<b onload" not in body
    assert str(one.path) in " ".join(Page(body).text)


@pytest.mark.skipif(not CHROMIUM, reason="no chromium on this machine")
def test_a_browser_renders_the_page(daemon, log):
    log.write(5)
    daemon.scrape()
    with tempfile.TemporaryDirectory(prefix="accesslog-e2e-chromium-") as profile:
        result = support.subprocess.run(
            [
                CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
                "--no-first-run", "--disable-background-networking",
                "--disable-component-update", "--disable-sync",
                f"--user-data-dir={profile}", "--dump-dom",
                f"http://{daemon.addresses[0]}/",
            ],
            capture_output=True,
            timeout=60 * support.SLOW,
        )
    assert result.returncode == 0, result.stderr.decode(errors="replace")[-2000:]
    assert_is_the_page(Page(result.stdout.decode()), log)
