"""Syslog over UDP and unix sockets, of a real nginx, of logger, and hostile.

TRAPS "Syslog" has a test by name for each of its parts; how a header is read in
every detail is the unit test's (test_syslog.c).
"""

import contextlib
import socket
import stat
import subprocess
import urllib.error
import urllib.request

import pytest

import support
from receiving import (
    LINE_BYTES,
    UDP,
    address_of,
    assert_received,
    counted,
    line,
    syslog,
    udp_to,
    unix_to,
)
from support import find, free_port, wait_for


def test_syslog_over_UDP(exporter):
    one = exporter(UDP)
    sender = udp_to(one)
    for n in range(1, 101):
        sender.send(syslog(line(n)))
    metrics = assert_received(one, range(1, 101))
    # Of syslog the bytes of the lines are counted, each with a newline.
    assert metrics.total("accesslog_exporter_read_bytes_total") == sum(
        len(line(n)) + 1 for n in range(1, 101)
    )


def test_syslog_over_a_unix_socket(exporter, logs):
    path = logs / "x.sock"
    one = exporter(f"syslog+unix://{path}")
    sender = unix_to(path)
    for n in range(1, 101):
        sender.send(syslog(line(n)))
    assert_received(one, range(1, 101))
    # Servers write to it as users of their own.
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
    one.stop()
    assert not path.exists()


def test_syslog_over_IPv6_and_everywhere(exporter):
    one = exporter("syslog+udp://[::1]:0", "syslog+udp://:0")
    udp_to(one, "syslog+udp://[::1]:0").send(syslog(line(1)))
    port = address_of(one, "syslog+udp://:0")[1]
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        sender = socket.socket(family, socket.SOCK_DGRAM)
        sender.sendto(syslog(line(2)), (host, port))
    assert_received(one, [1, 2, 2])


# As trap 49 names them; each header as it comes from a real socket.
HEADERS = {
    "nginx": "<190>Aug 15 20:16:01 host nginx: ",
    "nohostname": "<190>Aug 15 20:16:01 nginx: ",
    "day_padded_with_a_space": "<190>Aug  5 20:16:01 host nginx: ",
    "structured_data": '<190>1 2026-08-15T20:16:01Z h nginx 7 - [a b="\\"]"][c] ',
    "tag_of_32_characters": "<190>Aug 15 20:16:01 host " + "t" * 32 + ": ",
    "IPv6_host": "<190>Aug 15 20:16:01 2001:db8::7 nginx: ",
    "IPv6_host_that_ends_in_colons": "<190>Aug 15 20:16:01 2001:db8:: nginx: ",
    "no_header": "",
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_a_header_of_syslog(exporter, header):
    one = exporter(UDP)
    sender = udp_to(one)
    sender.send(syslog(line(7), header))
    sender.send(syslog(line(8), header) + b"\n")
    assert_received(one, [7, 8])


def test_octet_counting_and_newline_framing_mixed(exporter):
    one = exporter(UDP)
    frames = [syslog(line(n)) for n in range(1, 5)]
    udp_to(one).send(
        b"%d %s" % (len(frames[0]), frames[0])
        + b"%d %s\n" % (len(frames[1]), frames[1])
        + frames[2] + b"\n"
        + frames[3]
    )
    assert_received(one, range(1, 5))


def test_several_tags_on_one_socket_are_one_source(exporter):
    one = exporter(UDP)
    sender = udp_to(one)
    for n, tag in enumerate(("nginx", "shop", "apache2[7]"), 1):
        sender.send(syslog(line(n), f"<190>Aug 15 20:16:01 host {tag}: "))
    metrics = assert_received(one, [1, 2, 3])
    assert counted(metrics, source=UDP) == 3


def test_what_is_no_message_is_counted_as_unparsed(exporter):
    one = exporter(UDP)
    sender = udp_to(one)
    sender.send(b"<190>1 2026-08-15T20:16:01Z torn")
    sender.send(b"\x00\xff\x80 noise")
    sender.send(b"")
    sender.send(b"\n")
    sender.send(syslog(line(4)))
    metrics = assert_received(one, [4], unparsed=2)
    assert metrics.total("accesslog_exporter_skipped_bytes_total", reason="nul") == 0


def long_line(number, n_bytes):
    text = line(number)
    return text[:-1] + "x" * (n_bytes - len(text)) + '"'


def test_a_message_above_4096_bytes(exporter):
    one = exporter(UDP)
    sender = udp_to(one)
    for n in (4097, 60000):
        sender.send(syslog(long_line(n, n)))
    assert_received(one, [4097, 60000])


def test_a_message_above_the_limit_of_a_line_is_counted_once(exporter, logs):
    path = logs / "x.sock"
    one = exporter(f"syslog+unix://{path}")
    sender = unix_to(path)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    sender.send(syslog(long_line(1, LINE_BYTES)))  # just fits
    sender.send(syslog(long_line(2, LINE_BYTES + 1)))
    sender.send(syslog(long_line(3, 150000)))  # more than is received
    sender.send(syslog("x\ny" * 50000))
    sender.send(syslog(line(4)))
    metrics = assert_received(one, [1, 4])
    assert counted(metrics, "too_long") == 3
    skipped = metrics.total("accesslog_exporter_skipped_bytes_total", reason="too_long")
    assert skipped > 2 * LINE_BYTES


@pytest.mark.parametrize("form", ["--rfc3164", "--rfc5424"])
def test_logger_of_Debian(exporter, form):
    one = exporter(UDP)
    host, port = address_of(one, UDP)
    for n in (1, 2):
        subprocess.run(
            ["logger", "-n", host, "-P", str(port), "-d", form, "-t", "nginx", line(n)],
            check=True, timeout=20,
        )
    assert_received(one, [1, 2])


def test_logger_on_a_unix_socket(exporter, logs):
    path = logs / "x.sock"
    one = exporter(f"syslog+unix://{path}")
    subprocess.run(
        ["logger", "-u", path, "-t", "nginx", line(1)], check=True, timeout=20
    )
    assert_received(one, [1])


@contextlib.contextmanager
def nginx(logs, access_logs):
    http = free_port()
    (logs / "nginx.conf").write_text(f"""
        daemon off; user root; pid {logs}/nginx.pid; worker_processes 1;
        error_log {logs}/error.log;
        events {{ worker_connections 64; }}
        http {{
            log_format status '$remote_addr - - [$time_local] "$request" '
                              '$status $body_bytes_sent';
            client_body_temp_path {logs}/body; proxy_temp_path {logs}/proxy;
            fastcgi_temp_path {logs}/fastcgi; uwsgi_temp_path {logs}/uwsgi;
            scgi_temp_path {logs}/scgi;
            server {{
                listen 127.0.0.1:{http};
                {access_logs}
                location / {{ return 200 fine; }}
            }}
        }}""")
    server = subprocess.Popen(
        [find("nginx"), "-c", logs / "nginx.conf", "-p", logs]
    )

    def get(path="/"):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{http}{path}") as answer:
                return answer.read()
        except urllib.error.URLError:
            return None

    try:
        wait_for(get, what="nginx to answer")
        yield get
    finally:
        server.terminate()
        server.wait(20 * support.SLOW)


def test_a_real_nginx_logs_by_syslog(exporter, logs):
    """UDP, with and without a host name, with a long tag, and a unix socket."""
    path = logs / "x.sock"
    addresses = [UDP, "syslog+udp://localhost:0", f"syslog+unix://{path}"]
    one = exporter(*addresses)
    ports = [address_of(one, a)[1] for a in addresses[:2]]
    tag = "t" * 32
    with nginx(logs, f"""
        access_log syslog:server=127.0.0.1:{ports[0]} combined;
        access_log syslog:server=localhost:{ports[1]},nohostname,tag={tag} status;
        access_log syslog:server=unix:{path},severity=info combined;
    """) as get:

        def received():
            metrics = one.scrape()
            return [counted(metrics, source=a) for a in addresses]

        # nginx logs after it has answered.  A unix socket holds ten datagrams
        # (net.unix.max_dgram_qlen); it drops the next by itself.
        begin = wait_for(lambda: (n := received()) and n == [n[0] or -1] * 3 and n)
        for n in range(1, 41):
            assert get(f"/{n}") == b"fine"
            if n % 5 == 0:
                wait_for(lambda: received() == [begin[0] + n] * 3)
    metrics = one.scrape()
    assert counted(metrics, "unparsed") == 0
    formats = metrics.matching("accesslog_exporter_format_info")
    assert {dict(labels)["format"] for labels in formats} == {"combined", "common"}


def test_what_the_kernel_drops_is_counted(exporter):
    """The socket overflows while the exporter is stopped: SO_RXQ_OVFL."""
    one = exporter(UDP)
    sender = udp_to(one)
    one.pause()
    sent = 0
    bulk = syslog(long_line(1, 1000))
    for _ in range(20000):
        sender.send(bulk)
        sent += 1
    one.resume()
    metrics = one.scrape()
    dropped = metrics.value("accesslog_exporter_dropped_datagrams_total", source=UDP)
    assert dropped > 0
    assert counted(metrics) > 0
    assert counted(metrics) + dropped == sent
    for _ in range(100):
        sender.send(bulk)
    metrics = one.scrape()
    assert counted(metrics) + dropped == sent + 100
    assert dropped == metrics.total("accesslog_exporter_dropped_datagrams_total")


def test_a_stale_socket_file_is_replaced(exporter, logs):
    path = logs / "x.sock"
    killed = support.Exporter(f"syslog+unix://{path}")
    killed.kill()
    assert path.is_socket()
    one = exporter(f"syslog+unix://{path}")
    unix_to(path).send(syslog(line(1)))
    assert_received(one, [1])


def test_a_socket_of_a_process_that_lives_is_refused(exporter, logs):
    path = logs / "x.sock"
    one = exporter(f"syslog+unix://{path}")
    second = support.run("--web.listen-address=127.0.0.1:0", f"syslog+unix://{path}")
    assert second.returncode == 1
    assert (
        f"accesslog_exporter: cannot listen on {path}: another process listens "
        "there; choose another path"
    ) in second.stderr.decode()
    unix_to(path).send(syslog(line(1)))
    assert_received(one, [1])


def test_a_stream_socket_of_a_process_that_lives_is_refused(logs):
    path = logs / "x.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(str(path))
        other.listen()
        result = support.run(
            "--web.listen-address=127.0.0.1:0", f"syslog+unix://{path}"
        )
    assert result.returncode == 1
    assert b"another process listens there" in result.stderr
    assert path.is_socket()


def test_the_end_leaves_a_socket_that_another_has_made(exporter, logs):
    path = logs / "x.sock"
    one = exporter(f"syslog+unix://{path}")
    path.unlink()
    other = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    other.bind(str(path))
    one.stop()
    assert path.is_socket()


def test_a_file_that_is_no_socket_is_left_alone(log):
    log.write(1)
    result = support.run("--web.listen-address=127.0.0.1:0", f"syslog+unix://{log.path}")
    assert result.returncode == 1
    assert b"a file that is no socket is there" in result.stderr
    assert log.path.stat().st_size == log.grown
