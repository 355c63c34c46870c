"""JSON lines over TCP, as Fluent Bit's output `tcp` sends them.

Fluent Bit is not in Debian, so its bytes are imitated: one object a line, with
a key "date" (receiving.record()).
"""

import contextlib
import select
import socket
import struct
import threading

import pytest

import support
from receiving import (
    LINE_BYTES,
    N_CONNECTIONS,
    TCP,
    assert_received,
    counted,
    lost,
    record,
    tcp_to,
)
from support import wait_for


@pytest.mark.parametrize("arguments", [(), ("--format=json",)], ids=["auto", "json"])
def test_JSON_lines_as_Fluent_Bit_sends_them(exporter, arguments):
    one = exporter(*arguments, TCP)
    connection = tcp_to(one)
    connection.sendall(b"".join(record(n) for n in range(1, 1001)))
    assert_received(one, range(1, 1001))
    connection.sendall(record(7, 404))
    metrics = assert_received(one, [*range(1, 1001), 7])
    assert metrics.value("accesslog_requests_total", status="404") == 1
    assert metrics.total("accesslog_exporter_json_repairs_total") == 0


def test_JSON_lines_in_any_pieces_from_several_connections(exporter):
    one = exporter(TCP)
    connections = [tcp_to(one) for _ in range(5)]
    data = [b"".join(record(n) for n in range(i, i + 40)) for i in range(1, 201, 40)]
    for c in connections:
        c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # In turns, in pieces whose lengths have nothing to do with lines.
    for at in range(0, max(map(len, data)), 97):
        for c, text in zip(connections, data):
            c.sendall(text[at : at + 97])
    assert_received(one, range(1, 201))
    for c in connections:
        c.close()
    assert lost(one.scrape()) == 0


def test_the_torn_last_line_of_a_connection_is_lost_and_counted(exporter):
    one = exporter(TCP)
    with tcp_to(one) as connection:
        connection.sendall(record(1) + record(2)[:30])
    metrics = assert_received(one, [1])
    assert lost(metrics, source=TCP) == 30
    # The sender sends it again, whole.
    with tcp_to(one) as connection:
        connection.sendall(record(2))
    assert lost(assert_received(one, [1, 2])) == 30


def test_a_connection_that_is_reset_costs_its_torn_line_at_most(exporter):
    one = exporter(TCP)
    connection = tcp_to(one)
    connection.sendall(record(1) + b"torn")
    assert counted(one.scrape()) == 1
    connection.setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    connection.close()
    wait_for(lambda: lost(one.scrape()) == 4)
    with tcp_to(one) as connection:
        connection.sendall(record(2))
    assert_received(one, [1, 2])


def test_half_open_and_idle_connections_go_on(exporter):
    """One that says nothing, one that will say nothing more, one in between."""
    one = exporter(TCP)
    idle, half, other = (tcp_to(one) for _ in range(3))
    half.sendall(record(1))
    half.shutdown(socket.SHUT_WR)
    other.sendall(record(2)[:10])
    assert counted(one.scrape()) == 1
    other.sendall(record(2)[10:])
    assert_received(one, [1, 2])
    idle.sendall(record(3))
    assert_received(one, [1, 2, 3])


def test_a_line_above_the_limit_is_skipped_on_a_connection(exporter):
    one = exporter(TCP)
    connection = tcp_to(one)
    junk = b"x" * (1 << 20)
    connection.sendall(record(1) + junk + b"\n" + record(2))
    metrics = assert_received(one, [1, 2])
    assert counted(metrics, "too_long") == 1
    assert metrics.total(
        "accesslog_exporter_skipped_bytes_total", reason="too_long"
    ) == len(junk) + 1
    # One that never ends is counted when its connection does.
    connection.sendall(junk)
    one.scrape()
    connection.sendall(b"and more")
    connection.close()
    wait_for(lambda: counted(one.scrape(), "too_long") == 2)
    assert lost(one.scrape()) == 0


def test_too_many_connections_are_refused_and_counted(exporter):
    one = exporter(TCP)
    connections = [tcp_to(one) for _ in range(N_CONNECTIONS)]
    one.scrape()
    refused = [tcp_to(one) for _ in range(3)]
    metrics = one.scrape()
    assert (
        metrics.value("accesslog_exporter_refused_connections_total", source=TCP) == 3
    )
    for connection in refused:
        assert connection.recv(1) == b""
    for n, connection in enumerate(connections, 1):
        connection.sendall(record(n))
    assert_received(one, range(1, N_CONNECTIONS + 1))
    connections.pop().close()
    one.scrape()
    with tcp_to(one) as connection:
        connection.sendall(record(1000))
    assert_received(one, [*range(1, N_CONNECTIONS + 1), 1000])


def test_memory_of_connections_is_bounded(exporter):
    if support.SANITIZED:
        pytest.skip("a sanitizer's memory is not the exporter's")
    one = exporter(TCP)
    before = one.value("process_resident_memory_bytes")
    connections = [tcp_to(one) for _ in range(N_CONNECTIONS)]
    for connection in connections:
        connection.sendall(b"x" * (LINE_BYTES - 1))
    metrics = one.scrape()
    assert metrics.value("accesslog_exporter_lag_bytes", source=TCP) == (
        N_CONNECTIONS * (LINE_BYTES - 1)
    )
    grown = metrics.value("process_resident_memory_bytes") - before
    assert grown < 2 * N_CONNECTIONS * LINE_BYTES, grown


@contextlib.contextmanager
def flooded(connections):
    """Each is given as much as it takes, all the time."""
    data = b"".join(record(n) for n in range(1, 3001))
    sent = dict.fromkeys(connections, 0)
    stop = threading.Event()

    def flood():
        while not stop.is_set():
            for c in select.select([], connections, [], 1)[1]:
                try:
                    sent[c] = (sent[c] + c.send(data[sent[c]:])) % len(data)
                except BlockingIOError:
                    pass
                except OSError:
                    return  # the exporter has ended

    for c in connections:
        c.setblocking(False)
    flooder = threading.Thread(target=flood)
    flooder.start()
    try:
        yield
    finally:
        stop.set()
        flooder.join()


def test_connections_that_flood_it_keep_nothing_waiting(exporter, log):
    """Neither scrapes nor files; and it ends within a second (stop())."""
    if support.SANITIZED:
        pytest.skip("they outrun a sanitizer")
    one = exporter(TCP, log.path)
    with flooded([tcp_to(one) for _ in range(N_CONNECTIONS)]):
        wait_for(lambda: counted(one.scrape(), source=TCP) > 100000)
        for n in range(1, 6):
            log.write(1)
            assert counted(one.scrape(), source=str(log.path)) == n
        one.stop()


def test_no_descriptor_left_for_a_connection(exporter):
    """Others wait in the kernel, and the loop does not spin; it says so once."""
    one = exporter(TCP, wrapper=("prlimit", "--nofile=40"))
    connections = [tcp_to(one) for _ in range(40)]
    failing = "no connection can be accepted; trying again"
    wait_for(lambda: one.logged(failing))
    before = one.cpu_seconds()
    support.window(2.5)  # it tries again each second
    assert one.cpu_seconds() - before < 0.1
    assert [entry["error"] for entry in one.logged(failing)] == ["Too many open files"]
    assert not one.logged("connections are accepted again")
    for connection in connections[:30]:
        connection.close()
    connections[-1].sendall(record(1))
    wait_for(lambda: counted(one.scrape()) == 1)
    wait_for(lambda: one.logged("connections are accepted again"))
    assert len(one.logged(failing)) == 1
