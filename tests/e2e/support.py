"""What the end-to-end tests are written with: the daemon, its metrics, a log.

Nothing here sleeps for a guessed time.  wait_for() waits for a condition with
a deadline, stays() proves that something does not happen, and paced() is a
load generator's clock.  ACCESSLOG_SLOW multiplies every deadline (sanitizer
builds, busy machines); no test asserts more speed than its deadline.
"""

import collections
import contextlib
import http.client
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

from prometheus_client.parser import text_string_to_metric_families

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(
    REPOSITORY,
    os.environ.get("ACCESSLOG_EXPORTER", "build/release/accesslog_exporter"),
)
CORPORA = pathlib.Path(
    REPOSITORY, os.environ.get("ACCESSLOG_CORPORA", "../shared/corpora")
)
SLOW = float(os.environ.get("ACCESSLOG_SLOW", "1"))
SANITIZED = any(
    symbol in BINARY.read_bytes() for symbol in (b"__asan_init", b"__tsan_init")
) if BINARY.exists() else False

# A sanitizer's report ends the process with a status of its own, so that it
# cannot be taken for one of the exporter's.
ENVIRONMENT = dict(
    os.environ,
    ASAN_OPTIONS="exitcode=99:" + os.environ.get("ASAN_OPTIONS", ""),
    TSAN_OPTIONS="exitcode=99:atexit_sleep_ms=10:" + os.environ.get("TSAN_OPTIONS", ""),
    UBSAN_OPTIONS="print_stacktrace=1:" + os.environ.get("UBSAN_OPTIONS", ""),
    LSAN_OPTIONS=os.environ.get("LSAN_OPTIONS", ""),
    LC_ALL="C",
)

_never = threading.Event()


def wait_for(condition, deadline=10, what=None, interval=0.02):
    """Return condition()'s first true value; fail at the deadline (seconds)."""
    end = time.monotonic() + deadline * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            name = what or getattr(condition, "__name__", "the condition")
            raise AssertionError(
                f"waited {deadline * SLOW:g} s for {name}; it is {value!r}"
            )
        _never.wait(interval)


def stays(value, seconds, interval=0.05):
    """Assert that value() remains what it is for that long; return it."""
    first = value()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        _never.wait(interval)
        now = value()
        assert now == first, f"was {first!r}, became {now!r}"
    return first


def next_tick():
    """Wait until a file that is made now is younger than all that are there.

    The time stamps of files may be exact, or those of a clock that is some
    milliseconds late.
    """
    coarse = 5  # CLOCK_REALTIME_COARSE, which Python has no name for
    now = time.time()
    wait_for(lambda: time.clock_gettime(coarse) > now, interval=0.001)


def find(program):
    """The path of a program, also of those that are for root; or None."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def window(seconds):
    """The length of a measurement, in real seconds."""
    _never.wait(seconds)


def paced(rate, seconds, tick=0.01):
    """Yield how many are due now, so that rate * seconds come in all."""
    start = time.monotonic()
    total = int(rate * seconds)
    done = 0
    while done < total:
        due = min(total, int((time.monotonic() - start) * rate) + 1)
        if due > done:
            yield due - done
            done = due
        _never.wait(tick)


def logfmt(line):
    """One line of the exporter's log as a dictionary."""
    if line.startswith("{"):
        return json.loads(line)
    fields = {}
    for match in re.finditer(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)', line):
        value = match[2]
        if value.startswith('"'):
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        fields[match[1]] = value
    return fields


class Metrics:
    """One answer of /metrics, parsed by Prometheus' own Python parser."""

    def __init__(self, text):
        self.text = text
        self.types = {}
        self.samples = collections.OrderedDict()
        self._index = collections.defaultdict(list)  # (name, source or None)
        for family in text_string_to_metric_families(text):
            self.types[family.name] = family.type
            for sample in family.samples:
                key = (sample.name, tuple(sorted(sample.labels.items())))
                assert key not in self.samples, f"twice in one answer: {key}"
                self.samples[key] = sample.value
                for source in {None, sample.labels.get("source")}:
                    self._index[sample.name, source].append(key)

    def matching(self, name, **labels):
        """{labels: value} of the samples of that name that have these labels."""
        wanted = set(labels.items())
        return {
            key[1]: self.samples[key]
            for key in self._index[name, labels.get("source")]
            if wanted <= set(key[1])
        }

    def value(self, name, **labels):
        """The one sample of that name that has these labels."""
        found = self.matching(name, **labels)
        assert len(found) == 1, f"{name}{labels}: {found or 'no such sample'}"
        return next(iter(found.values()))

    def total(self, name, **labels):
        """Their sum; 0 where there is none."""
        return sum(self.matching(name, **labels).values())

    def by(self, label, name, **labels):
        """Values that are not zero, keyed by one label."""
        result = collections.Counter()
        for key, value in self.matching(name, **labels).items():
            result[dict(key)[label]] += value
        return {key: value for key, value in result.items() if value}

    def access(self):
        """The samples about requests, without those about the exporter."""
        return {
            key: value
            for key, value in self.samples.items()
            if key[0].startswith("accesslog_")
            and not key[0].startswith("accesslog_exporter_")
        }


Response = collections.namedtuple("Response", "status headers body")


def run(*arguments, input=None, timeout=30, wrapper=(), **options):
    """Run the program to its end; nothing is asserted about it."""
    return subprocess.run(
        [*wrapper, BINARY, *arguments],
        input=input,
        capture_output=True,
        timeout=timeout * SLOW,
        env=ENVIRONMENT,
        **options,
    )


def scan(*arguments, input=None):
    """`scan` of files that can all be read: the metrics it prints."""
    result = run("scan", *arguments, input=input)
    assert result.returncode == 0, result.stderr.decode()
    return Metrics(result.stdout.decode())


class Exporter:
    """The real daemon on a port of its own choice."""

    def __init__(
        self, *arguments, wrapper=(), settled=True, stdin=subprocess.DEVNULL, **options
    ):
        """settled: what is there at the start has been opened; write now."""
        arguments = [str(argument) for argument in arguments]
        n_addresses = sum(
            argument.startswith("--web.listen-address") for argument in arguments
        )
        if not n_addresses:
            arguments.insert(0, "--web.listen-address=127.0.0.1:0")
            n_addresses = 1
        self.lines = []
        self.raw_log = b""
        self.reads_log = threading.Event()  # while it is clear, nobody does
        self.reads_log.set()
        self.errors_expected = False
        self.process = subprocess.Popen(
            [*wrapper, BINARY, *arguments],
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
            **options,
        )
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        try:
            wait_for(
                lambda: len(self.logged("listening")) == n_addresses
                or self.process.poll() is not None,
                what="the line that says which address it listens on",
            )
            assert self.process.poll() is None, "".join(self.lines)
        except AssertionError:
            self.kill()
            raise
        self.addresses = [
            entry["address"] for entry in self.logged("listening")
        ]
        self.telemetry_path = "/metrics"
        for argument in arguments:
            if argument.startswith("--web.telemetry-path="):
                self.telemetry_path = argument.partition("=")[2]
        if settled:
            # It listens before it opens its files, and a scrape waits for both.
            self.scrape()

    def _read_log(self):
        for line in self.process.stderr:
            self.raw_log += line
            self.lines.append(line.decode(errors="replace"))
            self.reads_log.wait()

    @property
    def pid(self):
        return self.process.pid

    @property
    def log(self):
        """What it has logged by now: a list of dictionaries."""
        return [logfmt(line) for line in list(self.lines)]

    def logged(self, message):
        return [entry for entry in self.log if entry.get("msg") == message]

    def connection(self, address=None, timeout=10):
        host, port = (address or self.addresses[0]).rsplit(":", 1)
        return http.client.HTTPConnection(
            host.strip("[]"), int(port), timeout=timeout * SLOW
        )

    def get(self, path, method="GET", address=None, timeout=10, headers=None):
        connection = self.connection(address, timeout)
        try:
            connection.request(
                method, path, headers={"Connection": "close", **(headers or {})}
            )
            answer = connection.getresponse()
            return Response(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def scrape(self, timeout=10):
        answer = self.get(self.telemetry_path, timeout=timeout)
        assert answer.status == 200, (answer.status, answer.body[:200])
        return Metrics(answer.body.decode())

    def value(self, name, **labels):
        return self.scrape().value(name, **labels)

    # What can be seen of it without asking it, because a scrape makes it look.

    def open_inodes(self):
        """(device, inode) of every file that it has open."""
        found = set()
        folder = f"/proc/{self.pid}/fd"
        for name in os.listdir(folder):
            try:
                status = os.stat(f"{folder}/{name}")
            except FileNotFoundError:
                continue
            found.add((status.st_dev, status.st_ino))
        return found

    def has_open(self, path):
        status = os.stat(path)
        return (status.st_dev, status.st_ino) in self.open_inodes()

    def bytes_read(self):
        """Bytes that it has read from anywhere, as the kernel counts them."""
        text = pathlib.Path(f"/proc/{self.pid}/io").read_text()
        return int(re.search(r"^rchar: (\d+)", text, re.M)[1])

    def wake_ups(self, thread=None):
        """How often it went to sleep and came back: all threads, or one."""
        total = 0
        folder = pathlib.Path(f"/proc/{self.pid}/task")
        for task in [str(thread)] if thread else os.listdir(folder):
            text = (folder / task / "status").read_text()
            total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.M)[1])
        return total

    def server_wake_ups(self):
        """Those of all threads but the loop's."""
        return self.wake_ups() - self.wake_ups(self.pid)

    def come_to_rest(self, seconds=3):
        """Wait until it has not woken up for so many seconds on end."""
        last = {"count": -1, "since": 0.0}

        def quiet():
            now = self.wake_ups()
            if now != last["count"]:
                last.update(count=now, since=time.monotonic())
            return time.monotonic() - last["since"] >= seconds

        wait_for(quiet, 30 + seconds, "it to come to rest", interval=0.1)

    def cpu_seconds(self):
        """What it has used of the processors, in itself and in the kernel."""
        text = pathlib.Path(f"/proc/{self.pid}/stat").read_text()
        user, system = text.rsplit(")", 1)[1].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def send(self, number):
        self.process.send_signal(number)

    def pause(self):
        """Stop it where it is, so that several things happen between two looks."""
        self.send(signal.SIGSTOP)
        stat = pathlib.Path(f"/proc/{self.pid}/stat")
        wait_for(
            lambda: all(
                (task / "stat").read_text().rsplit(")", 1)[1].split()[0] == "T"
                for task in stat.parent.joinpath("task").iterdir()
            ),
            what="every thread to stop",
        )

    def resume(self):
        self.send(signal.SIGCONT)

    def stop(self, number=signal.SIGTERM):
        """End it as systemd does; it must take it within a second, in peace."""
        self.reads_log.set()
        if self.process.poll() is not None:
            return
        self.send(signal.SIGCONT)
        self.send(number)
        try:
            self.process.wait(1 * SLOW)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(
                f"still there {SLOW:g} s after signal {number}:\n" + "".join(self.lines)
            ) from None
        self._reader.join(5)

    def fill_log(self):
        """Leave no room in the pipe that its log goes to, which nobody reads."""
        self.reads_log.clear()
        line = "filler=1\n"
        pipe = os.open(f"/proc/{self.pid}/fd/2", os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(pipe, line.encode())
            wait_for(lambda: line in self.lines, what="its reader to stop")
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(pipe, line.encode())
        finally:
            os.close(pipe)

    def kill(self):
        self.reads_log.set()
        self.process.kill()
        self.process.wait()
        self._reader.join(5)

    def check_end(self):
        """Its end must have been clean; say what it logged if it was not."""
        log = "".join(self.lines)
        assert self.process.returncode == 0, f"status {self.process.returncode}\n{log}"
        assert "Sanitizer" not in log and "runtime error" not in log, log
        if not self.errors_expected:
            assert not [e for e in self.log if e.get("level") == "error"], log


class ConfigPipe:
    """A configuration that is a FIFO: while it is read, the loop stands still.

    So a loop that is held up by what does not answer needs no debugger.
    """

    def __init__(self, path):
        self.path = path
        os.mkfifo(path)

    def write(self, text):
        """What whoever reads it first finds in it."""
        threading.Thread(
            target=self.path.write_text, args=(text,), daemon=True
        ).start()

    @contextlib.contextmanager
    def hold(self, daemon):
        """Until the function that it yields is called with a configuration."""
        daemon.send(signal.SIGHUP)
        with open(self.path, "w") as pipe:  # opens when the daemon has
            def let_go(text):
                pipe.write(text)
                pipe.close()

            yield let_go


def can_inject():
    """Whether strace can let system calls of the daemon fail or take long."""
    return not SANITIZED and shutil.which("strace") and not subprocess.run(
        ["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True
    ).returncode


@contextlib.contextmanager
def slow_saves(daemon, folder, seconds):
    """Each write to the log of the state file in this folder takes that long."""
    tracer = subprocess.Popen(
        ["strace", "-f", "-qq", "-o", "/dev/null",
         "-P", pathlib.Path(folder) / "accesslog_exporter.sqlite-wal",
         "-p", str(daemon.pid), "-e", "trace=pwrite64",
         "-e", f"inject=pwrite64:delay_enter={seconds}s"]
    )
    status = f"/proc/{daemon.pid}/status"
    wait_for(lambda: f"TracerPid:\t{tracer.pid}" in open(status).read())
    try:
        yield
    finally:
        tracer.kill()
        tracer.wait()


class Lives:
    """One exporter after the other, with the same state."""

    def __init__(self, state, how="stopped"):
        self.state = state
        self.how = how  # "stopped" or "killed"
        self.daemon = None
        self.arguments = ()

    def begin(self, *arguments, **options):
        self.arguments = arguments or self.arguments
        self.daemon = Exporter(
            f"--state.dir={self.state}", *self.arguments, settled=False, **options
        )
        return self.settle()

    def settle(self):
        """Wait until it has caught up; meanwhile it may only say so."""

        def ready():
            answer = self.daemon.get("/metrics")
            assert answer.status in (200, 503), answer
            assert answer.status == 200 or int(answer.headers["Retry-After"]) > 0
            return answer.status == 200

        wait_for(ready, what="the first scrape that is answered")
        return self.daemon

    def end(self):
        daemon, self.daemon = self.daemon, None
        if self.how == "killed":
            daemon.kill()
        else:
            daemon.stop()
            daemon.check_end()

    def again(self, **options):
        self.end()
        return self.begin(**options)

    def close(self):
        if self.daemon:
            self.how = "stopped"
            self.end()


class Log:
    """An access log, what a server and its rotation do to it, and the truth.

    Every line is numbered: line n of a log answers n bytes, so that the sum of
    the bytes of each status says which lines were counted, not only how many.
    """

    STATUSES = ("200", "404", "301", "500")
    sites = itertools.count(1)

    def __init__(self, path, source=None):
        self.path = pathlib.Path(path)
        # No two logs have a line in common, or one would be a copy.
        self.site = next(self.sites)
        self.source = str(source or path)
        self.number = 0
        self.forget()
        self.fd = None
        self.open()

    def forget(self):
        """What was written so far is not to be counted (read from the end)."""
        self.grown = 0
        self.n_parsed = 0
        self.n_unparsed = 0
        self.requests = collections.Counter()
        self.bytes = collections.Counter()

    def open(self):
        """Open the path again, as nginx does at USR1.  Appends."""
        if self.fd is not None:
            os.close(self.fd)
        self.fd = os.open(
            self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644
        )
        return self

    def close(self):
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None

    def text(self, status=None, agent="e2e/1.0"):
        """The next line, which is then owed: write it with raw()."""
        self.number += 1
        status = status or self.STATUSES[self.number % len(self.STATUSES)]
        self.requests[status] += 1
        self.bytes[status] += self.number
        self.n_parsed += 1
        return (
            f'192.0.2.{100 + self.number % 100} - - [20/Nov/2026:15:40:{self.number % 60:02} '
            f'+0000] "GET /{self.site}/item/{self.number} HTTP/1.1" {status} {self.number} '
            f'"https://example.org/" "{agent}"\n'
        ).encode()

    def raw(self, data, fd=None):
        """These bytes in one write; into another descriptor if one is given."""
        view = memoryview(data)
        while view:
            view = view[os.write(self.fd if fd is None else fd, view):]
        self.grown += len(data)
        return self

    def write(self, n=1, status=None, fd=None):
        """n whole lines in one write."""
        return self.raw(b"".join(self.text(status) for _ in range(n)), fd)

    def junk(self, data=b"this is no request\n"):
        """A line that no format takes."""
        self.n_unparsed += 1
        return self.raw(data)

    def hole(self, n_bytes):
        """NULs that take no room on the disk, at the end of what there is."""
        os.truncate(self.path, self.path.stat().st_size + n_bytes)
        self.grown += n_bytes
        return self

    def rename(self, suffix=".1"):
        """Rename it away; the descriptor stays with the old inode."""
        target = self.path.with_name(self.path.name + suffix)
        os.rename(self.path, target)
        return target

    def truncate(self):
        os.ftruncate(self.fd, 0)
        return self


def nonzero(counter):
    return {key: value for key, value in counter.items() if value}


def assert_counted(exporter, *logs, lag=0, lost=0, skipped=0, metrics=None):
    """Every line of these logs was counted once, and every byte accounted for.

    One scrape has to say so: what was written before it began is in its
    answer.  lag, lost and skipped are bytes per source: a number where there
    is one source, a dictionary keyed by source otherwise.
    """
    metrics = metrics or exporter.scrape()
    requests = collections.Counter()
    sizes = collections.Counter()
    sources = collections.OrderedDict()
    for log in logs:
        requests.update(log.requests)
        sizes.update(log.bytes)
        source = sources.setdefault(log.source, collections.Counter())
        source["grown"] += log.grown
        source["parsed"] += log.n_parsed
        source["unparsed"] += log.n_unparsed
    assert metrics.by("status", "accesslog_requests_total") == nonzero(requests)
    assert metrics.by("status", "accesslog_response_bytes_total") == nonzero(sizes)
    for source, truth in sources.items():
        seen = {
            "read": metrics.total("accesslog_exporter_read_bytes_total", source=source),
            "skipped": metrics.total(
                "accesslog_exporter_skipped_bytes_total", source=source
            ),
            "lost": metrics.total("accesslog_exporter_lost_bytes_total", source=source),
            "lag": metrics.total("accesslog_exporter_lag_bytes", source=source),
        }
        owed = {
            "lag": lag.get(source, 0) if isinstance(lag, dict) else lag,
            "lost": lost.get(source, 0) if isinstance(lost, dict) else lost,
            "skipped": skipped.get(source, 0) if isinstance(skipped, dict) else skipped,
        }
        owed["read"] = truth["grown"] - sum(owed.values())
        assert seen == owed, f"bytes of {source}, which grew by {truth['grown']}"
        results = metrics.by("result", "accesslog_exporter_lines_total", source=source)
        results.pop("too_long", None)
        assert results == nonzero(
            {"parsed": truth["parsed"], "unparsed": truth["unparsed"]}
        ), f"lines of {source}"
    return metrics


def count_beside_a_copy(daemon, log, is_copied=True):
    """Lines of the log, then what logrotate's copy of it adds: nothing."""
    log.write(100)
    assert_counted(daemon, log)
    if is_copied:
        shutil.copyfile(log.path, f"{log.path}.1")
        assert_counted(daemon, log)
