"""The exporter that a program starts, asks, stops and kills."""

import collections
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import threading
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(
    REPOSITORY,
    os.environ.get("ACCESSLOG_EXPORTER", "build/release/accesslog_exporter"),
)
SLOW = float(os.environ.get("ACCESSLOG_SLOW", "1"))
# A sanitizer's report ends the process with a status of its own.
ENVIRONMENT = dict(
    os.environ,
    ASAN_OPTIONS="exitcode=99:" + os.environ.get("ASAN_OPTIONS", ""),
    TSAN_OPTIONS="exitcode=99:atexit_sleep_ms=10:" + os.environ.get("TSAN_OPTIONS", ""),
    LC_ALL="C",
)
_never = threading.Event()


class Failure(Exception):
    """The exporter did what it must not."""


def nap(milliseconds):
    _never.wait(milliseconds / 1000)


def wait_for(condition, what, deadline=10):
    end = time.monotonic() + deadline * SLOW
    while not (value := condition()):
        if time.monotonic() >= end:
            raise Failure(f"waited {deadline * SLOW:g} s for {what}")
        nap(1)
    return value


class Scrape:
    """One answer: every sample by its text, and which of them are counters."""

    def __init__(self, text):
        self.samples = {}
        self.types = {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                self.types[name] = kind
            elif line and not line.startswith("#"):
                key, _, value = line.rpartition(" ")
                if key in self.samples:
                    raise Failure(f"twice in one answer: {key}")
                self.samples[key] = float(value)

    def total(self, name, **labels):
        """The sum of the samples of that name that have these labels."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        return sum(
            value
            for key, value in self.samples.items()
            if key.partition("{")[0] == name and all(one in key for one in wanted)
        )

    def by(self, label, name):
        """What is not 0 of that name, keyed by one label."""
        found = collections.Counter()
        pattern = re.compile(re.escape(name) + r'\{.*?\b' + label + r'="([^"]*)"')
        for key, value in self.samples.items():
            if value and (match := pattern.match(key)):
                found[match[1]] += value
        return dict(found)

    def cumulative(self):
        """The samples that must never go down."""
        found = {}
        for key, value in self.samples.items():
            name = key.partition("{")[0]
            family = re.sub(r"_(bucket|sum|count)$", "", name)
            kind = self.types.get(name) or self.types.get(family)
            if kind in ("counter", "histogram") and not name.startswith("process_"):
                found[key] = value
        return found


class Daemon:
    def __init__(self, log, arguments):
        self.log = log  # where its messages go, of all its lives
        self.arguments = arguments
        self.process = None
        self.is_paused = False

    @property
    def is_up(self):
        return self.process is not None

    def spawn(self):
        with open(self.log, "ab") as messages:
            self.begin = messages.tell()
            self.process = subprocess.Popen(
                [BINARY, "--web.listen-address=127.0.0.1:0", *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=messages,
                env=ENVIRONMENT,
            )
        self.is_paused = False

    def messages(self):
        with open(self.log, "rb") as file:
            file.seek(self.begin)
            return file.read().decode(errors="replace")

    def listening(self):
        if self.process.poll() is not None:
            raise Failure(f"ended with status {self.process.returncode} at its start")
        match = re.search(r"msg=listening address=(\S+):(\d+)\n", self.messages())
        return match and (match[1], int(match[2]))

    def start(self):
        self.spawn()
        self.address = wait_for(self.listening, "it to listen")

    def ask(self):
        """Begin a scrape; returns the connection."""
        connection = socket.create_connection(self.address, 10 * SLOW)
        connection.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        return connection

    def answer(self):
        with self.ask() as connection:
            with connection.makefile("rb") as stream:
                data = stream.read()
        head, _, body = data.partition(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1]) if head else 0
        return status, head.decode().lower(), body

    def scrape(self):
        """The first answer with metrics in it; until then it may be replaying."""

        def answered():
            if self.process.poll() is not None:
                raise Failure(f"ended by itself, status {self.process.returncode}")
            status, head, body = self.answer()
            if status == 503 and "\nretry-after:" in head:
                return None
            if status != 200:
                raise Failure(f"a scrape was answered with {status}: {head!r}")
            return Scrape(body.decode())

        return wait_for(answered, "an answer of status 200")

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)
        tasks = f"/proc/{self.process.pid}/task"

        def stopped():
            return all(
                pathlib.Path(tasks, task, "stat").read_text().rpartition(")")[2].split()[0]
                == "T"
                for task in os.listdir(tasks)
            )

        wait_for(stopped, "every thread to stop")
        self.is_paused = True

    def resume(self):
        self.process.send_signal(signal.SIGCONT)
        self.is_paused = False

    def has_open(self, fd):
        """Whether it has the file open that we have as fd."""
        wanted = os.fstat(fd)
        folder = f"/proc/{self.process.pid}/fd"
        for name in os.listdir(folder):
            try:
                if os.path.samestat(os.stat(f"{folder}/{name}"), wanted):
                    return True
            except FileNotFoundError:
                pass
        return False

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def limit_files(self, size):
        """No file may grow beyond it: a full disk.  None: as long as it likes."""
        _, hard = resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE)
        soft = hard if size is None else size
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (soft, hard))

    def kill(self):
        self.process.kill()
        self.process.wait()
        self._ended(-signal.SIGKILL)

    def stop(self, is_in_trouble=False):
        """is_in_trouble: its last save may fail, and then it says so."""
        if self.is_paused:
            self.resume()
        self.process.terminate()
        try:
            # Within a second, as test_stop.py says, where nothing else runs.
            self.process.wait(10 * SLOW)
        except subprocess.TimeoutExpired:
            raise Failure(f"still there {10 * SLOW:g} s after SIGTERM") from None
        has_failed = "ending without the last save, which has failed" in self.messages()
        self._ended(1 if is_in_trouble and has_failed else 0)

    def _ended(self, expected):
        status, self.process = self.process.returncode, None
        self.is_paused = False
        log = self.messages()
        if status != expected or "Sanitizer" in log or "runtime error" in log:
            raise Failure(f"ended with status {status}")

    def abandon(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None
