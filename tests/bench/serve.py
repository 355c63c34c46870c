"""Logs that grow: what following them costs, beside others."""

import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import time
import urllib.request

from logs import (SEED, Log, counts_of_exporter, counts_of_mawk,
                  counts_of_mtail)
from processes import (DEADLINE_S, PROCESSES, BenchError, cpu_seconds,
                       position, progress, resident_mib, wait_until, wakeups)

HERE = pathlib.Path(__file__).resolve().parent
RATE = 20_000


class Follower:
    """One tool that follows a growing log; start() returns when it does."""

    name = ""
    note = ""
    program = ""

    def __init__(self):
        self.processes = []

    def start(self, log_path, directory):
        raise NotImplementedError

    def counts(self):
        """What it has counted so far."""
        raise NotImplementedError

    def caught_up(self, log):
        return self.counts().lines() >= log.n_lines

    def final_counts(self):
        return self.counts()

    def pids(self):
        return [process.pid for process in self.processes]

    def stop(self):
        for process in self.processes:
            PROCESSES.stop(process)

    def check_alive(self):
        for process in self.processes:
            if process.poll() is not None:
                raise BenchError(f"{self.name} ended with status "
                                 f"{process.returncode}")

    def scrape(self):
        url = f"http://{self.address}/metrics"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.read().decode()


class ExporterFollower(Follower):
    name = "accesslog_exporter"

    def __init__(self, program, options=()):
        super().__init__()
        self.program = program
        self.options = options

    def start(self, log_path, directory, is_file=True):
        """log_path: a file, or a pattern, or None where the options say it."""
        err_path = directory / "exporter.err"
        with open(err_path, "wb") as err:
            self.processes = [PROCESSES.start(
                [self.program, "--web.listen-address=127.0.0.1:0",
                 *self.options] + ([str(log_path)] if log_path else []),
                stdout=err, stderr=err)]

        def listening():
            self.check_alive()
            return re.search(r'msg="?listening"? address=(\S+)',
                             err_path.read_text())

        self.address = wait_until(listening, "the exporter listens")[1]
        if is_file and log_path:
            wait_until(lambda: position(self.processes[0].pid, log_path)
                       is not None, "the exporter follows the log")

    def counts(self):
        return counts_of_exporter(self.scrape())


class MtailFollower(Follower):
    name = "mtail"
    note = "with its default, polling every 250 ms"
    program = "mtail"

    def start(self, log_path, directory):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        with open(directory / "mtail.err", "wb") as err:
            self.processes = [PROCESSES.start(
                [self.program, "-progs", str(HERE / "combined.mtail"),
                 "-logs", str(log_path), "-address", "127.0.0.1",
                 "-port", str(port), "-log_dir", str(directory)],
                stdout=err, stderr=err)]

        def serving():
            self.check_alive()
            try:
                return "mtail_prog_loads_total" in self.scrape()
            except OSError:
                return False

        wait_until(serving, "mtail serves")
        wait_until(lambda: position(self.processes[0].pid, log_path)
                   is not None, "mtail follows the log")

    def counts(self):
        return counts_of_mtail(self.scrape())


class PipelineFollower(Follower):
    name = "tail -F | mawk"
    note = "serves nothing: prints when tail ends"
    program = "mawk"

    def start(self, log_path, directory):
        self.log_path = log_path
        self.out_path = directory / "pipeline.out"
        tail = PROCESSES.start(["tail", "-n", "+1", "-F", str(log_path)],
                               stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
        with open(self.out_path, "wb") as out:
            mawk = PROCESSES.start(
                ["mawk", "-F\"", "-f", str(HERE / "combined.awk")],
                stdin=tail.stdout, stdout=out)
        tail.stdout.close()
        self.processes = [tail, mawk]
        wait_until(lambda: position(tail.pid, log_path) is not None,
                   "tail follows the log")

    def caught_up(self, log):
        return position(self.processes[0].pid, self.log_path) == log.n_bytes

    def final_counts(self):
        """Ends tail: mawk has to see the end of its input first."""
        PROCESSES.stop(self.processes[0])
        self.processes[1].wait(DEADLINE_S)
        return counts_of_mawk(self.out_path.read_text())


def wait_until_at_rest(pids):
    """Until they sleep through a second, if they ever do."""
    end = time.monotonic() + 5
    seen = -1
    while seen != wakeups(pids) and time.monotonic() < end:
        seen = wakeups(pids)
        time.sleep(1)


def measure_follower(follower, generator, directory, window_s, idle_s):
    """One run: a second to settle, the busy window, then the idle one."""
    log = Log(directory / "live.log", directory / "live.json")
    with open(log.path, "wb") as out:
        follower.start(log.path, directory)
        writer = PROCESSES.start(
            [generator, "--lines=0", f"--seed={SEED}", f"--rate={RATE}",
             f"--truth={log.truth_path}"], stdout=out)
    start = time.monotonic()
    pids = follower.pids()
    time.sleep(1)

    cpu, woken, begin = cpu_seconds(pids), wakeups(pids), time.monotonic()
    time.sleep(window_s)
    busy_s = time.monotonic() - begin
    cpu, woken = cpu_seconds(pids) - cpu, wakeups(pids) - woken

    PROCESSES.stop(writer)
    written_s = time.monotonic() - start
    if writer.returncode != 0:
        raise BenchError("generate failed")
    log.read_truth()
    follower.check_alive()
    wait_until(lambda: follower.caught_up(log),
               f"{follower.name} has read all lines", 10)

    wait_until_at_rest(pids)
    idle = wakeups(pids)
    time.sleep(idle_s)
    idle = wakeups(pids) - idle
    resident, peak = resident_mib(pids)
    follower.check_alive()

    counts = follower.final_counts()
    follower.stop()
    log.path.unlink()
    return {"cpu_percent": cpu / busy_s * 100,
            "busy_wakeups_per_second": woken / busy_s,
            "written_lines": log.n_lines,
            "written_lines_per_second": log.n_lines / written_s,
            "counted_lines": counts.lines(),
            "counts_right": counts == log.counts,
            "idle_seconds": idle_s, "idle_wakeups": idle,
            "resident_mib": resident, "peak_mib": peak}


def bench_serve(exporter, generator, directory, rounds, window_s, idle_s):
    kinds = [MtailFollower, PipelineFollower]
    if exporter:
        kinds.insert(0, lambda: ExporterFollower(exporter))
    runs = [[] for _ in kinds]
    failures = [None for _ in kinds]
    for i in range(rounds):
        for k, kind in enumerate(kinds):
            follower = kind()
            if shutil.which(follower.program) is None:
                failures[k] = "not installed"
            if failures[k]:
                continue
            progress(f"serve: round {i + 1} of {rounds}, {follower.name}")
            try:
                runs[k].append(measure_follower(follower, generator, directory,
                                                window_s, idle_s))
            except (BenchError, OSError, ValueError) as error:
                failures[k] = f"failed: {error}"
                PROCESSES.stop_all()
    results = []
    for k, kind in enumerate(kinds):
        result = {"tool": kind().name, "note": kind().note}
        if failures[k]:
            results.append(dict(result, failure=failures[k]))
            continue
        result["runs"] = len(runs[k])
        for key in runs[k][0]:
            values = [run[key] for run in runs[k]]
            result[key] = all(values) if key == "counts_right" else \
                statistics.median(values)
        results.append(result)
    return {"rate": RATE, "window_seconds": window_s, "results": results}


def bench_idle(exporter, directory, n_files, idle_s):
    """The exporter alone, with many logs in which nothing happens."""
    progress(f"serve: {n_files:,} idle files")
    logs = directory / "idle"
    logs.mkdir()
    line = b'192.0.2.1 - - [20/Nov/2026:15:40:00 +0000] "GET / HTTP/1.1" ' \
           b'200 5 "-" "-"\n'
    for i in range(n_files):
        (logs / f"{i}.log").write_bytes(line)
    follower = ExporterFollower(exporter, ["--read-from=beginning"])
    follower.start(logs / "*.log", directory, is_file=False)
    pids = follower.pids()
    wait_until(lambda: follower.counts().lines() == n_files,
               "the exporter has read all files")
    wait_until_at_rest(pids)
    woken = wakeups(pids)
    time.sleep(idle_s)
    woken = wakeups(pids) - woken
    resident, _ = resident_mib(pids)
    follower.stop()
    shutil.rmtree(logs)
    return {"files": n_files, "idle_seconds": idle_s, "idle_wakeups": woken,
            "resident_mib": resident}
