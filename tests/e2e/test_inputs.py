"""Standard input and FIFOs, and what all inputs that are no files have in common.

Syslog and JSON lines are in test_syslog.py and test_json_tcp.py.
"""

import contextlib
import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import threading
import tty
import urllib.error
import urllib.request

import pytest

import support
from receiving import (
    TCP,
    UDP,
    address_of,
    answered_bytes,
    assert_received,
    counted,
    line,
    lost,
    record,
    syslog,
    tcp_to,
    udp_to,
    unix_to,
)
from support import find, free_port, stays, wait_for


# Standard input


@pytest.fixture
def piped():
    """A pipe; both its ends are closed at the end.

    Tests ask for it before the exporter, which then ends first: stop() sends
    SIGCONT, and one that comes while LeakSanitizer looks for leaks, because the
    pipe was closed a moment ago, takes away the SIGSTOP that it waits for.
    """
    ends = list(os.pipe())
    yield ends
    for fd in ends:
        with contextlib.suppress(OSError):
            os.close(fd)


def start_piped(exporter, piped, *arguments, **options):
    one = exporter("-", *arguments, stdin=piped[0], **options)
    os.close(piped[0])
    return one


def write_lines(fd, numbers):
    data = "".join(line(n) + "\n" for n in numbers).encode()
    while data:
        data = data[os.write(fd, data):]


def test_standard_input_is_counted_as_it_comes(piped, exporter):
    one = start_piped(exporter, piped)
    write_lines(piped[1], range(1, 11))
    assert_received(one, range(1, 11))
    write_lines(piped[1], range(11, 21))
    assert_received(one, range(1, 21))


def test_it_is_said_once_that_it_cannot_be_replayed(piped, exporter):
    one = start_piped(exporter, piped)
    said = [e for e in one.log if "cannot be replayed" in e.get("msg", "")]
    assert [(e["level"], e["source"]) for e in said] == [("info", "-")]


def test_half_a_line_on_standard_input_waits_for_its_rest(piped, exporter):
    one = start_piped(exporter, piped)
    text = line(5).encode()
    os.write(piped[1], text[:40])
    metrics = one.scrape()
    assert counted(metrics) == 0
    assert metrics.value("accesslog_exporter_lag_bytes", source="-") == 40
    for byte in text[40:]:
        os.write(piped[1], bytes([byte]))
    os.write(piped[1], b"\n")
    metrics = assert_received(one, [5])
    assert metrics.value("accesslog_exporter_read_bytes_total", source="-") == (
        len(text) + 1
    )


def test_the_end_of_standard_input_alone_ends_it(piped, exporter):
    one = start_piped(exporter, piped)
    write_lines(piped[1], [1])
    os.close(piped[1])
    assert one.process.wait(5 * support.SLOW) == 0
    wait_for(lambda: one.logged("stopping, because there is no other input"))


@pytest.mark.parametrize("other", ["file", "socket"])
def test_after_standard_input_the_other_inputs_go_on(piped, exporter, log, other):
    """An unfinished last line is a line."""
    one = start_piped(exporter, piped, log.path if other == "file" else UDP)
    os.write(piped[1], line(5).encode())
    os.close(piped[1])
    wait_for(lambda: one.logged("standard input has ended"))
    if other == "file":
        log.write(1)
    else:
        udp_to(one).send(syslog(line(1)))
    assert_received(one, [5, 1])


@pytest.mark.parametrize("how", ["file", "null", "socket"])
def test_standard_input_of_any_kind(exporter, logs, log, how):
    path = logs / "input"
    path.write_bytes(b"".join(line(n).encode() + b"\n" for n in range(1, 5001)))
    if how == "socket":
        ours, theirs = socket.socketpair()
        one = exporter("-", log.path, stdin=theirs)
        theirs.close()
        ours.sendall(path.read_bytes())
    else:
        with open(path if how == "file" else os.devnull, "rb") as stdin:
            one = exporter("-", log.path, stdin=stdin)
        wait_for(lambda: one.logged("standard input has ended"))
    assert_received(one, [] if how == "null" else range(1, 5001))


def test_standard_input_is_read_before_a_stop(piped, exporter):
    """All of it, because it cannot be read the next time."""
    one = exporter("-", stdin=piped[0])
    one.pause()
    fcntl.fcntl(piped[1], fcntl.F_SETPIPE_SZ, 1 << 20)
    os.set_blocking(piped[1], False)
    data = (line(1) + "\n").encode() * 20000
    assert os.write(piped[1], data) == 1 << 20  # more than a turn reads
    one.stop()
    os.set_blocking(piped[0], False)
    with pytest.raises(BlockingIOError):
        os.read(piped[0], 1)


@pytest.mark.parametrize("kind", ["pipe", "terminal", "socket"])
def test_the_flags_of_standard_input_are_left_alone(piped, exporter, kind):
    """They are those of whoever else has it open, also after a kill -9."""
    if kind == "terminal":
        writer, reader = os.openpty()
        tty.setraw(reader)
    elif kind == "socket":
        reader, writer = (s.detach() for s in socket.socketpair())
    else:
        reader, writer = os.dup(piped[0]), os.dup(piped[1])
    one = exporter("-", stdin=reader)
    assert os.get_blocking(reader)
    write_lines(writer, [1, 2])
    wait_for(lambda: counted(one.scrape()) == 2)
    write_lines(writer, [3])
    wait_for(lambda: counted(one.scrape()) == 3)
    assert os.get_blocking(reader)
    one.stop()
    assert os.get_blocking(reader)
    os.close(reader)
    os.close(writer)


def test_a_FIFO_as_standard_input_ends_with_its_writer(logs):
    """Also with one that had gone before it was looked at."""
    path = logs / "fifo"
    os.mkfifo(path)
    with open(path, "r+b", buffering=0) as writer:
        reader = os.open(path, os.O_RDONLY)
        writer.write(f"{line(7)}\n".encode())
    result = support.run("--web.listen-address=127.0.0.1:0", "-", stdin=reader)
    os.close(reader)
    assert result.returncode == 0
    assert b"standard input has ended" in result.stderr


@pytest.mark.parametrize("kind", ["directory", "write-only"])
def test_a_standard_input_that_can_never_be_read_is_refused(logs, kind):
    stdin = (
        os.open(logs, os.O_RDONLY)
        if kind == "directory"
        else os.open(logs / "x", os.O_WRONLY | os.O_CREAT)
    )
    result = support.run("--web.listen-address=127.0.0.1:0", "-", stdin=stdin)
    os.close(stdin)
    assert result.returncode == 2
    assert result.stderr.decode() == (
        "accesslog_exporter: standard input cannot be read: "
        + (
            "it is a directory; give its files as arguments\n"
            if kind == "directory"
            else "it is not open for reading; write lines to it through a pipe, "
            "or give the file as an argument\n"
        )
    )


def test_that_standard_input_cannot_be_read_is_told_once(exporter, log):
    with open("/proc/self/mem", "rb") as stdin:  # EIO: there is nothing at 0
        one = exporter("-", log.path, stdin=stdin)
    told = "the file cannot be read; trying again"
    wait_for(lambda: one.logged(told))
    stays(lambda: len(one.logged(told)), 2.3)  # it is tried once a second


def test_a_closed_standard_input_has_ended():
    result = support.run(
        "--web.listen-address=127.0.0.1:0", "-", preexec_fn=lambda: os.close(0)
    )
    assert result.returncode == 0, result.stderr
    assert b"standard input has ended" in result.stderr


def test_scan_still_reads_standard_input():
    assert support.scan("-", input=line(7).encode()).by(
        "status", "accesslog_response_bytes_total"
    ) == {"200": 7}


def test_apache_pipes_its_log_to_it(logs):
    """CustomLog "|accesslog_exporter -": it lives and ends with Apache."""
    port, http = free_port(), free_port()
    modules = "".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"
        for name in ("mpm_event", "authz_core")
    )
    (logs / "ok").write_text("fine\n")
    (logs / "apache.conf").write_text(
        modules
        + f"""
        ServerRoot {logs}
        ServerName localhost
        Listen 127.0.0.1:{http}
        PidFile {logs}/pid
        DefaultRuntimeDir {logs}
        ErrorLog {logs}/error.log
        User www-data
        Group www-data
        DocumentRoot {logs}
        <Directory {logs}>
            Require all granted
        </Directory>
        LogFormat "%h %l %u %t \\"%r\\" %>s %b" common
        CustomLog "|{support.BINARY} --web.listen-address=127.0.0.1:{port} -" common
        """
    )
    apache = subprocess.Popen(
        [find("apache2"), "-f", logs / "apache.conf", "-DFOREGROUND"],
        env=support.ENVIRONMENT,
    )

    def scrape():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                return support.Metrics(answer.read().decode())
        except OSError:
            return None

    try:
        wait_for(scrape, what="the exporter that Apache started")
        for path, n in (("ok", 20), ("missing", 5)):
            for _ in range(n):
                with contextlib.suppress(urllib.error.HTTPError):
                    urllib.request.urlopen(f"http://127.0.0.1:{http}/{path}").read()
        truth = {"200": 20, "404": 5}
        # Apache logs after it has answered.
        wait_for(lambda: scrape().by("status", "accesslog_requests_total") == truth)
    finally:
        apache.terminate()
        apache.wait(20 * support.SLOW)
    # Apache gives it both the end of its input and a signal.
    errors = logs / "error.log"
    wait_for(
        lambda: re.search("msg=stopping|no other input", errors.read_text()),
        what="the exporter to end with Apache",
    )
    wait_for(lambda: not scrape(), what="its port to be closed")
    assert "level=error" not in errors.read_text()
    assert "Sanitizer" not in errors.read_text()


# FIFOs


@pytest.fixture
def fifo(logs):
    path = logs / "access.fifo"
    os.mkfifo(path)
    return path


def into(path, numbers, end="\n"):
    with open(path, "wb", buffering=0) as writer:
        writer.write("".join(line(n) + end for n in numbers).encode())


def test_a_writer_that_closes_a_FIFO_is_not_its_end(exporter, fifo):
    one = exporter(fifo)
    numbers = []
    for n in range(1, 31):
        into(fifo, [n])
        numbers.append(n)
        assert_received(one, numbers)


def test_writers_that_come_and_go_lose_nothing(exporter, fifo):
    """They do so while nobody looks, and while it opens the FIFO again."""
    one = exporter(fifo)
    for n in range(1, 1001):
        into(fifo, [n])
    assert_received(one, range(1, 1001))


def test_half_a_line_in_a_FIFO_waits_for_the_next_writer(exporter, fifo):
    one = exporter(fifo)
    text = line(5)
    with open(fifo, "wb", buffering=0) as writer:
        writer.write(text[:40].encode())
    assert one.scrape().total("accesslog_exporter_lag_bytes") == 40
    with open(fifo, "wb", buffering=0) as writer:
        writer.write(f"{text[40:]}\n".encode())
    assert_received(one, [5])


def test_another_FIFO_at_the_path_is_read(exporter, fifo):
    one = exporter(fifo)
    fifo.unlink()
    os.mkfifo(fifo)
    one.scrape()  # nothing else tells it: the old one never had a writer
    assert one.has_open(fifo)
    into(fifo, [2])
    assert_received(one, [2])


def test_a_FIFO_that_goes_and_comes_back_is_waited_for(exporter, fifo):
    one = exporter(fifo)
    writer = open(fifo, "wb", buffering=0)
    fifo.unlink()
    writer.write(f"{line(1)}\n".encode())
    writer.close()
    told = "the file cannot be read; trying again"
    wait_for(lambda: one.logged(told))
    stays(lambda: len(one.logged(told)), 1.3)  # it is tried once a second
    os.mkfifo(fifo)
    into(fifo, [2])  # waits for a reader
    assert_received(one, [1, 2])


def test_much_comes_through_a_FIFO(exporter, fifo):
    one = exporter(fifo)
    numbers = range(1, 50001)
    with open(fifo, "wb", buffering=0) as writer:
        write_lines(writer.fileno(), numbers)
    assert_received(one, numbers)


# All of them


def test_idle_inputs_cause_no_wake_up(exporter, logs, fifo):
    one = exporter(UDP, TCP, f"syslog+unix://{logs}/x.sock", fifo)
    into(fifo, [1])
    connection = tcp_to(one)
    connection.sendall(record(2))
    assert_received(one, [1, 2])
    # The HTTP thread of the scrape above may still be on its way to sleep.
    before = wait_for(lambda: one.wake_ups(one.pid))
    support.window(1)
    assert one.wake_ups(one.pid) - before <= 1


def test_a_busy_input_does_not_keep_the_others_waiting(exporter, fifo, log):
    one = exporter(fifo, log.path, UDP)
    stop = threading.Event()

    def flood():
        data = "".join(line(1, 500) + "\n" for _ in range(1000)).encode()
        with open(fifo, "wb", buffering=0) as writer:
            while not stop.is_set():
                writer.write(data)

    flooder = threading.Thread(target=flood)
    flooder.start()
    try:
        sender = udp_to(one)
        for n in range(1, 11):
            log.write(1, status="200")
            sender.send(syslog(line(n, 404)))
            metrics = one.scrape()
            assert metrics.value("accesslog_requests_total", status="200") == n
            assert metrics.value("accesslog_requests_total", status="404") == n
    finally:
        stop.set()
        flooder.join()


@pytest.mark.parametrize("scheme", ["syslog+udp", "json+tcp"])
def test_a_port_in_use_is_refused(exporter, scheme):
    one = exporter(f"{scheme}://127.0.0.1:0")
    port = address_of(one, f"{scheme}://127.0.0.1:0")[1]
    second = support.run(
        "--web.listen-address=127.0.0.1:0", f"{scheme}://127.0.0.1:{port}"
    )
    assert second.returncode == 1
    assert (
        f"cannot listen on 127.0.0.1:{port}: port {port} is in use by another "
        f"process; choose another with {scheme}://HOST:PORT"
    ) in second.stderr.decode()
    assert second.stderr.count(b"\n") == 1, "it is said once"


def configuration(logs, text):
    path = logs / "config.yml"
    path.write_text(text)
    return path


def reload(exporter, message="configuration read again"):
    n = len(exporter.logged(message))
    exporter.send(signal.SIGHUP)
    wait_for(lambda: len(exporter.logged(message)) == n + 1)


def test_a_reload_adds_and_removes_inputs(exporter, logs, fifo):
    """What stays is not closed, and keeps what is in it, also half a line."""
    unix = f"syslog+unix://{logs}/x.sock"
    path = configuration(logs, f"""
        sources:
          - {{ name: json, paths: ["{TCP}"] }}
          - {{ name: gone, paths: ["{unix}"] }}
          - {{ name: pipe, paths: ["{fifo}"] }}
    """)
    one = exporter(f"--config.file={path}")
    connection = tcp_to(one)
    connection.sendall(record(1) + record(2)[:10])
    unix_to(logs / "x.sock").send(syslog(line(3)))
    assert counted(one.scrape()) == 2

    configuration(logs, f"""
        sources:
          - {{ name: new, paths: ["{UDP}"] }}
          - {{ name: renamed, paths: ["{TCP}", "{fifo}"] }}
    """)
    reload(one)
    assert not (logs / "x.sock").exists()
    connection.sendall(record(2)[10:])
    udp_to(one).send(syslog(line(4)))
    into(fifo, [5])
    metrics = one.scrape()
    assert counted(metrics, source="json") == 1
    assert counted(metrics, source="gone") == 1
    assert counted(metrics, source="renamed") == 2
    assert counted(metrics, source="new") == 1
    assert answered_bytes(metrics) == 1 + 2 + 3 + 4 + 5
    assert metrics.total("accesslog_exporter_lag_bytes") == 0


def test_a_reload_that_cannot_open_an_input_changes_nothing(exporter, logs):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        path = configuration(logs, f'sources: [{{ paths: ["{TCP}"] }}]')
        one = exporter(f"--config.file={path}")
        one.errors_expected = True
        connection = tcp_to(one)
        connection.sendall(record(1)[:10])
        configuration(logs, f"""
        sources:
          - paths: ["syslog+unix://{logs}/x.sock"]
          - paths:
              - syslog+udp://127.0.0.1:{port}
        """)
        message = "the configuration was not read again; the one before is in use"
        reload(one, message)
        (said,) = one.logged(message)
        assert said["error"].startswith(f"{path}:5:17: cannot listen on 127.0.0.1")
        assert not (logs / "x.sock").exists()
        connection.sendall(record(1)[10:])
        assert_received(one, [1])
    reload(one)
    assert one.scrape().total("accesslog_exporter_lost_bytes_total") == 0


@pytest.mark.parametrize("scheme", ["syslog+udp", "json+tcp"])
def test_a_reload_moves_an_address(exporter, logs, scheme):
    """There and back, with connections; one that fails leaves all as it was."""
    port = free_port()
    specific, everywhere = f"{scheme}://127.0.0.1:{port}", f"{scheme}://:{port}"
    senders = []
    sent = []

    def write(*paths):
        return configuration(logs, f"sources: [{{ name: a, paths: {list(paths)} }}]")

    def send(number):
        if scheme == "json+tcp":
            sender = socket.create_connection(("127.0.0.1", port), timeout=10)
            sender.sendall(record(number))
        else:
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sender.sendto(syslog(line(number)), ("127.0.0.1", port))
        senders.append(sender)
        sent.append(number)
        assert_received(one, sent)

    one = exporter(f"--config.file={write(specific)}")
    one.errors_expected = True
    send(1)
    for argument in (everywhere, specific):
        write(argument, f"syslog+unix://{logs}/none/x.sock")
        reload(one, "the configuration was not read again; the one before is in use")
        send(2)
        write(argument)
        reload(one)
        assert address_of(one, argument)[1] == port
        send(3)
        one.lines.clear()  # address_of() finds one line of each
    # Both at a time are refused, and another process does not get in.
    for paths in ((everywhere, specific), (specific, everywhere)):
        write(*paths)
        reload(one, "the configuration was not read again; the one before is in use")
        assert "in use by another" in one.logged(
            "the configuration was not read again; the one before is in use"
        )[-1]["error"]
        send(4)
    second = support.run("--web.listen-address=127.0.0.1:0", specific)
    assert second.returncode == 1
    assert b"in use by another process" in second.stderr


def test_what_came_before_a_reload_that_closes_an_input_is_counted(exporter, logs):
    path = configuration(logs, f'sources: [{{ name: a, paths: ["{UDP}"] }}]')
    one = exporter(f"--config.file={path}")
    sender = udp_to(one)
    configuration(logs, f'sources: [{{ name: a, paths: ["{TCP}"] }}]')
    one.pause()
    n_lines = 150  # a turn of the loop does not read all of it
    for _ in range(n_lines):
        sender.send(syslog(line(1)) + b"x" * 2000)
    one.send(signal.SIGHUP)
    one.resume()
    wait_for(lambda: one.logged("configuration read again"))
    metrics = one.scrape()
    dropped = metrics.total("accesslog_exporter_dropped_datagrams_total")
    assert metrics.total("accesslog_exporter_lines_total") + dropped == n_lines


def test_a_reload_closes_connections_of_what_is_gone(exporter, logs, log):
    path = configuration(logs, f'sources: [{{ name: a, paths: ["{TCP}", "{log.path}"] }}]')
    one = exporter(f"--config.file={path}")
    connection = tcp_to(one)
    connection.sendall(record(1) + b"torn")
    assert counted(one.scrape()) == 1
    configuration(logs, f'sources: [{{ name: a, paths: ["{log.path}"] }}]')
    reload(one)
    assert connection.recv(1) == b""
    assert lost(one.scrape(), source="a") == 4


@pytest.mark.parametrize("text, column, says", [
    ("sources: [{ paths: ['syslog+udp://127.0.0.1'] }]", 22,
     '"syslog+udp://127.0.0.1" has no address and port; write for example '
     "syslog+udp://127.0.0.1:5514"),
    ("sources: [{ paths: ['http://127.0.0.1:1'] }]", 22,
     'there is no input "http"; write syslog+udp://HOST:PORT'),
    ("sources: [{ paths: ['syslog+unix://x'] }]", 22, "has no absolute path"),
])
def test_a_wrong_URL_is_refused_with_its_place(logs, text, column, says):
    path = configuration(logs, text)
    result = support.run("check", path)
    assert result.returncode == 2
    assert result.stderr.decode().startswith(f"{path}:1:{column}: ")
    assert says in result.stderr.decode()


@pytest.mark.parametrize("arguments, says", [
    (["syslog+udp://5514"], "write for example syslog+udp://127.0.0.1:5514"),
    (["ftp://x"], 'there is no input "ftp"'),
    (["scan", UDP], "scan takes files; what comes to"),
    (["explain", TCP], "explain takes files"),
    (["--config.file=-", "-"], "standard input is the configuration already"),
])
def test_a_wrong_command_line_is_refused(arguments, says):
    result = support.run(*arguments)
    assert result.returncode == 2
    assert says in result.stderr.decode()


def test_standard_input_in_a_configuration_from_there_is_refused():
    text = b'sources: [{ paths: ["/var/log/x.log", "-"] }]'
    result = support.run(
        "--config.file=-", "--web.listen-address=127.0.0.1:0", input=text
    )
    assert result.returncode == 2
    assert result.stderr == (
        b"accesslog_exporter: -:1:40: standard input is the configuration already; "
        b"write --config.file=FILE\n"
    )


def test_an_input_that_is_there_twice_is_refused(logs):
    path = configuration(logs, f"""
sources:
  - {{ name: a, paths: ["{UDP}"] }}
  - {{ name: b, paths: ["{UDP}"] }}
""")
    result = support.run(f"--config.file={path}", "--web.listen-address=127.0.0.1:0")
    assert result.returncode == 2
    assert f"{path}:4:25: {UDP} is there twice" in result.stderr.decode()


def test_too_many_inputs_are_refused(logs):
    paths = [f"syslog+unix://{logs}/{n}.sock" for n in range(65)]
    result = support.run("--web.listen-address=127.0.0.1:0", *paths)
    assert result.returncode == 2
    assert result.stderr == (
        b"accesslog_exporter: more than 64 inputs that are no files; write fewer\n"
    )
    assert not list(logs.iterdir())


def test_a_reload_exchanges_as_many_inputs_as_there_may_be(exporter, logs):
    """Those that go do not count, and one more than that is refused."""
    def sources(kind, n):
        paths = [f"syslog+unix://{logs}/{kind}-{i}.sock" for i in range(n)]
        return configuration(logs, f"sources: [{{ name: all, paths: {json.dumps(paths)} }}]")

    one = exporter(f"--config.file={sources('old', 64)}")
    sources("new", 64)
    reload(one)
    assert len(list(logs.glob("new-*.sock"))) == 64
    assert not list(logs.glob("old-*.sock"))
    unix_to(logs / "new-63.sock").send(syslog(line(1)))
    assert counted(one.scrape()) == 1
    sources("other", 65)
    reload(one, "the configuration was not read again; the one before is in use")
    assert not list(logs.glob("other-*.sock"))
    unix_to(logs / "new-0.sock").send(syslog(line(2)))
    assert counted(one.scrape()) == 2
    one.errors_expected = True


def test_check_lists_inputs(logs, fifo):
    path = configuration(logs, f'sources: [{{ name: a, paths: ["{UDP}", "-", "{fifo}"] }}]')
    result = support.run("check", path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.decode() == (
        f"a:\n  {UDP}: receives\n  -: receives\n  {fifo}: receives\n"
    )


def test_it_stops_with_all_inputs_open(piped, exporter, logs, fifo):
    """Connections with half a line, and a writer on each pipe."""
    one = start_piped(exporter, piped, UDP, TCP, f"syslog+unix://{logs}/x.sock", fifo)
    connections = [tcp_to(one) for _ in range(10)]
    for connection in connections:
        connection.sendall(b"half")
    os.write(piped[1], b"half")
    with open(fifo, "wb", buffering=0) as writer:
        writer.write(b"half")
        one.scrape()
        one.stop()
    assert not (logs / "x.sock").exists()
