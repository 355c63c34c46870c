"""Generated logs with the truth about them, and what the tools say of them."""

import json
import re

from processes import DEADLINE_S, PROCESSES, BenchError

SEED = 20261120


class Counts:
    """Requests and bytes by status; statuses without requests left out."""

    def __init__(self, requests, response_bytes):
        self.requests = {s: int(n) for s, n in requests.items() if int(n)}
        self.bytes = {s: int(n) for s, n in response_bytes.items()
                      if s in self.requests}

    def __eq__(self, other):
        return (self.requests, self.bytes) == (other.requests, other.bytes)

    def lines(self):
        return sum(self.requests.values())


def counts_of_exposition(text, requests_name, bytes_name):
    values = {requests_name: {}, bytes_name: {}}
    for name, labels, value in re.findall(
            r"^([a-z_]+)\{([^}]*)\} (\S+)$", text, re.M):
        if name in values:
            status = re.search(r'status="([^"]*)"', labels)[1]
            values[name][status] = float(value)
    return Counts(values[requests_name], values[bytes_name])


def counts_of_exporter(text):
    return counts_of_exposition(text, "accesslog_requests_total",
                                "accesslog_response_bytes_total")


def counts_of_mtail(text):
    return counts_of_exposition(text, "requests_total",
                                "response_bytes_total")


def counts_of_mawk(text):
    rows = [line.split() for line in text.splitlines()]
    return Counts({r[0]: r[1] for r in rows}, {r[0]: r[2] for r in rows})


def counts_of_goaccess(text):
    items = [item for group in json.loads(text)["status_codes"]["data"]
             for item in group["items"]]
    return Counts({i["data"][:3]: i["hits"]["count"] for i in items},
                  {i["data"][:3]: i["bytes"]["count"] for i in items})


class Log:
    """A generated log on disk, and the truth about it."""

    def __init__(self, path, truth_path):
        self.path = path
        self.truth_path = truth_path

    def read_truth(self):
        truth = json.loads(self.truth_path.read_text())
        self.n_lines = truth["lines"]
        self.n_bytes = truth["log_bytes"]
        self.counts = Counts(truth["requests_by_status"],
                             truth["bytes_by_status"])
        if self.path.stat().st_size != self.n_bytes:
            raise BenchError(f"{self.path}: not {self.n_bytes} bytes long")


def generate_log(generator, directory, n_lines, log_format="combined"):
    name = f"{log_format}-{n_lines}"
    log = Log(directory / f"{name}.log", directory / f"{name}.json")
    with open(log.path, "wb") as out:
        process = PROCESSES.start(
            [generator, f"--lines={n_lines}", f"--seed={SEED}",
             f"--format={log_format}",
             f"--truth={log.truth_path}"], stdout=out)
        if process.wait(DEADLINE_S) != 0:
            raise BenchError("generate failed")
        PROCESSES.stop(process)
    log.read_truth()
    return log
