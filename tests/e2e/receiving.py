"""What the tests of inputs are written with: lines, senders, and what came.

No input can be replayed, so the truth is what was sent: counted + dropped +
lost must be just that, and what was sent before a scrape is in its answer.
"""

import json
import socket

N_CONNECTIONS = 128  # BOUNDS_INPUT_CONNECTIONS
LINE_BYTES = 64 * 1024  # BOUNDS_LINE_BYTES

UDP = "syslog+udp://127.0.0.1:0"
TCP = "json+tcp://127.0.0.1:0"


def line(number, status=200):
    return (
        f"192.0.2.1 - - [20/Nov/2026:15:40:00 +0000] "
        f'"GET /{number} HTTP/1.1" {status} {number} "-" "e2e"'
    )


def record(number, status=200):
    """As Fluent Bit's out_tcp sends it with `format json_lines`."""
    return (
        json.dumps(
            {
                "date": 1700000000.123,
                "remote_addr": "192.0.2.1",
                "request": f"GET /{number} HTTP/1.1",
                "status": status,
                "body_bytes_sent": number,
            }
        ).encode()
        + b"\n"
    )


def syslog(message, header="<190>Aug 15 20:16:01 host nginx: "):
    return (header + message).encode()


def address_of(exporter, argument):
    """Where it receives: (host, port), as its log says."""
    (entry,) = [
        e
        for e in exporter.log
        if e.get("msg", "").startswith("receiving") and e["path"] == argument
    ]
    host, port = entry["address"].rsplit(":", 1)
    return host.strip("[]"), int(port)


def udp_to(exporter, argument=UDP):
    host, port = address_of(exporter, argument)
    sender = socket.socket(
        socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM
    )
    sender.connect((host, port))
    return sender


def unix_to(path):
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sender.connect(str(path))
    return sender


def tcp_to(exporter, argument=TCP):
    return socket.create_connection(address_of(exporter, argument), timeout=10)


def counted(metrics, result="parsed", **labels):
    return metrics.total("accesslog_exporter_lines_total", result=result, **labels)


def lost(metrics, reason="torn", **labels):
    return metrics.total("accesslog_exporter_lost_bytes_total", reason=reason, **labels)


def answered_bytes(metrics):
    """The sum of the numbers of the lines: says which were counted."""
    return metrics.total("accesslog_response_bytes_total")


def assert_received(exporter, numbers, unparsed=0):
    """One scrape has all that was sent before it; nothing lags behind."""
    metrics = exporter.scrape()
    numbers = list(numbers)
    assert counted(metrics) == len(numbers)
    assert answered_bytes(metrics) == sum(numbers)
    assert counted(metrics, "unparsed") == unparsed
    assert metrics.total("accesslog_exporter_lag_bytes") == 0
    return metrics
