"""Measure accesslog_exporter beside the tools that people use instead.

README.md beside this file says what each figure is and how it is taken.
"""

import argparse
import ctypes
import json
import os
import pathlib
import platform
import re
import select
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SEED = 20261120
SCAN_LINES = 1_000_000
JSON_TOOL = "accesslog_exporter, JSON"
SLICE_LINES = 100_000
RATE = 20_000
DEADLINE_S = 60
PR_SET_CHILD_SUBREAPER = 36
CPUCLOCK_SCHED = 2

GOALS = {
    "scan_lines_per_core_second": ("scan: at least 4 M lines/s on one core",
                                   lambda v: v >= 4e6, "{:,.0f} lines/s"),
    "scan_json_lines_per_core_second": (
        "scan of JSON: at least 700,000 lines/s on one core",
        lambda value: value >= 700_000, "{:,.0f} lines/s"),
    "scan_times_mawk": ("scan: at least 1.5 times mawk",
                        lambda v: v >= 1.5, "{:.2f} times"),
    "serve_cpu_percent": ("serve: below 2 % of a core at 20,000 lines/s",
                          lambda v: v < 2, "{:.2f} %"),
    "serve_idle_wakeups": ("serve: no wake-up while idle",
                           lambda v: v == 0, "{:.0f} wake-ups"),
    "serve_peak_mib": ("serve: resident below 12 MB",
                       lambda v: v * 1.048576 < 12, "{:.2f} MiB at its peak"),
}


class BenchError(Exception):
    """Something did not happen that has to, in words for the reader."""


# ---- processes ----

class Processes:
    """The processes that were started and have not been waited for."""

    def __init__(self):
        self.popens = []

    def start(self, argv, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen(argv, **options)
        self.popens.append(process)
        return process

    def stop(self, process):
        """End it with SIGTERM, or SIGKILL if that does not help."""
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()
        if process in self.popens:
            self.popens.remove(process)

    def stop_all(self):
        """Also ends what a shell has left to us (see run_pinned), and what
        that leaves in its turn."""
        for process in list(self.popens):
            self.stop(process)
        pid = os.getpid()
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
        while found := children.read_text().split():
            os.kill(int(found[0]), signal.SIGKILL)
            os.waitpid(int(found[0]), 0)


PROCESSES = Processes()


def wait_until(condition, what, deadline_s=DEADLINE_S):
    """Poll until condition() is true; what names it if that never happens."""
    end = time.monotonic() + deadline_s
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise BenchError(f"after {deadline_s} s still not: {what}")
        time.sleep(0.02)


def run_pinned(argv, core, out, err):
    """Run argv on one core; returns (wall seconds, cpu seconds, peak MiB).

    The kernel carries the resident peak of the process that forks into the
    ru_maxrss of its child.  So that this is a shell's and not python's (1.3
    and 20 MiB), a shell forks, ends, and leaves the child to us.
    """
    script = 'out=$1 err=$2; shift 2; "$@" >"$out" 2>"$err" </dev/null & ' \
             "echo $!"
    start = time.monotonic()
    shell = subprocess.run(
        ["/bin/sh", "-c", script, "sh", out, err,
         "taskset", "-c", str(core)] + argv,
        stdout=subprocess.PIPE, check=True,
        env=dict(os.environ, LC_ALL="C"))
    pid = int(shell.stdout)
    descriptor = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if not poll.poll(DEADLINE_S * 1000):
            raise BenchError(f"{argv[0]} runs for more than {DEADLINE_S} s")
    finally:
        os.close(descriptor)
    wall = time.monotonic() - start
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        text = pathlib.Path(err).read_text(errors="replace").strip()
        raise BenchError(f"status {os.waitstatus_to_exitcode(status)}: "
                         f"{(text.splitlines() or ['nothing said'])[-1]}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def cpu_seconds(pids):
    """CPU time of whole processes, with all their threads, in nanoseconds'
    resolution: the clock of clock_getcpuclockid(3)."""
    return sum(time.clock_gettime_ns((~pid << 3) | CPUCLOCK_SCHED)
               for pid in pids) / 1e9


def wakeups(pids):
    """How often any thread of pids has gone to sleep of its own will."""
    total = 0
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            try:
                text = (task / "status").read_text()
            except FileNotFoundError:  # the thread has just ended
                continue
            total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", text,
                                   re.M)[1])
    return total


def resident_mib(pids):
    """(VmRSS, VmHWM), summed over pids."""
    sums = [0, 0]
    for pid in pids:
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
        for i, name in enumerate(("VmRSS", "VmHWM")):
            sums[i] += int(re.search(rf"^{name}:\s+(\d+) kB", text, re.M)[1])
    return sums[0] / 1024, sums[1] / 1024


def position(pid, path):
    """The offset of pid's descriptor on path, or None if it has none."""
    try:
        for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            if os.readlink(link) == str(path):
                text = pathlib.Path(
                    f"/proc/{pid}/fdinfo/{link.name}").read_text()
                return int(re.search(r"^pos:\s+(\d+)", text, re.M)[1])
    except FileNotFoundError:
        pass
    return None


# ---- what the tools counted ----

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


# ---- scan ----

class Scanner:
    """One tool that counts a finished log.

    argv    the command
    counts  its output → Counts, or None for wc, which knows lines only
    output  where it writes, if not to standard output
    """

    def __init__(self, name, log, argv, counts, note="", output=None):
        self.name = name
        self.log = log
        self.argv = argv
        self.counts = counts
        self.note = note
        self.output = output
        self.runs = []
        self.right = True
        self.failure = None
        if shutil.which(argv[0]) is None:
            self.failure = "not installed"

    def run(self, directory, core):
        out = directory / "out"
        output = self.output or out
        output.unlink(missing_ok=True)
        run = run_pinned(self.argv, core, str(out), str(directory / "err"))
        text = output.read_text()
        if self.counts is None:
            right = int(text.split()[0]) == self.log.n_lines
        else:
            right = self.counts(text) == self.log.counts
        self.right = self.right and right
        return run

    def result(self):
        result = {"tool": self.name, "lines": self.log.n_lines,
                  "note": self.note}
        if self.failure:
            return dict(result, failure=self.failure)
        wall, cpu, peak = (statistics.median(r[i] for r in self.runs)
                           for i in range(3))
        return dict(result, runs=len(self.runs), wall_seconds=wall,
                    cpu_seconds=cpu,
                    lines_per_wall_second=self.log.n_lines / wall,
                    lines_per_core_second=self.log.n_lines / cpu,
                    cpu_seconds_per_million_lines=cpu / self.log.n_lines * 1e6,
                    peak_mib=peak, counts_right=self.right)


def scanners(exporter, whole, part, in_json, directory):
    goaccess_out = directory / "goaccess.json"
    sliced = f"the first {part.n_lines:,} lines only"
    found = [
        Scanner("wc -l", whole, ["wc", "-l", str(whole.path)], None,
                "counts lines only"),
        Scanner("mawk -F'\"'", whole,
                ["mawk", "-F\"", "-f", str(HERE / "combined.awk"),
                 str(whole.path)], counts_of_mawk),
        Scanner("goaccess", part,
                ["goaccess", str(part.path), "--no-global-config",
                 "--log-format=COMBINED", "--no-progress",
                 "--no-parsing-spinner", "-o", str(goaccess_out)],
                counts_of_goaccess, sliced + "; fills all its panels",
                goaccess_out),
        Scanner("mtail -one_shot", part,
                ["mtail", "-one_shot", "-one_shot_format=prometheus",
                 "-progs", str(HERE / "combined.mtail"),
                 "-logs", str(part.path), "-log_dir", str(directory)],
                counts_of_mtail, sliced),
    ]
    if exporter:
        found.insert(0, Scanner("accesslog_exporter", whole,
                                [exporter, "scan", str(whole.path)],
                                counts_of_exporter))
        found.append(Scanner(JSON_TOOL, in_json,
                             [exporter, "scan", str(in_json.path)],
                             counts_of_exporter, "the same in JSON"))
    return found


def bench_scan(exporter, generator, directory, rounds, core):
    progress(f"scan: generating {SCAN_LINES:,} lines")
    whole = generate_log(generator, directory, SCAN_LINES)
    part = generate_log(generator, directory, SLICE_LINES)
    in_json = generate_log(generator, directory, SCAN_LINES, "nginx_json")
    tools = scanners(exporter, whole, part, in_json, directory)
    for log in (whole, part, in_json):
        with open(log.path, "rb") as file:
            while file.read(1 << 20):
                pass
    for i in range(rounds):
        progress(f"scan: round {i + 1} of {rounds}")
        for tool in tools:
            if tool.failure:
                continue
            try:
                tool.runs.append(tool.run(directory, core))
            except (BenchError, ValueError, KeyError, OSError) as error:
                tool.failure = f"failed: {error}"
    results = [tool.result() for tool in tools]
    for base in ("wc -l", "mawk -F'\"'"):
        rates = [r["lines_per_core_second"] for r in results
                 if r["tool"] == base and "failure" not in r]
        for result in results:
            if result["tool"] == JSON_TOOL:
                continue  # the others read another log
            if rates and "failure" not in result:
                result["times_" + base.split()[0]] = \
                    result["lines_per_core_second"] / rates[0]
    for log in (whole, part, in_json):
        log.path.unlink()
    return {"average_line_bytes": whole.n_bytes / whole.n_lines,
            "results": results}


# ---- serve ----

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

    def __init__(self, program):
        super().__init__()
        self.program = program

    def start(self, log_path, directory):
        err_path = directory / "exporter.err"
        with open(err_path, "wb") as err:
            self.processes = [PROCESSES.start(
                [self.program, "--web.listen-address=127.0.0.1:0",
                 str(log_path)], stdout=err, stderr=err)]

        def listening():
            self.check_alive()
            return re.search(r'msg="?listening"? address=(\S+)',
                             err_path.read_text())

        self.address = wait_until(listening, "the exporter listens")[1]
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

    end = time.monotonic() + 5
    seen = -1
    while seen != wakeups(pids) and time.monotonic() < end:
        seen = wakeups(pids)
        time.sleep(1)
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


# ---- report ----

def progress(text):
    print(f"  {text}", file=sys.stderr, flush=True)


def print_table(head, rows):
    widths = [max(len(row[i]) for row in [head] + rows)
              for i in range(len(head))]
    for row in [head] + rows:
        cells = [cell.ljust(width) if i in (0, len(head) - 1)
                 else cell.rjust(width)
                 for i, (cell, width) in enumerate(zip(row, widths))]
        print("  ".join(cells).rstrip())


def yes_no(value):
    return "yes" if value else "NO"


def print_scan(scan):
    head = ["scan", "lines", "wall s", "M lines/s", "CPU s/M", "peak MiB",
            "x wc", "x mawk", "right", "note"]
    rows = []
    for r in scan["results"]:
        if "failure" in r:
            rows.append([r["tool"]] + ["-"] * 8 + [r["failure"]])
            continue
        ratios = [f"{r[key]:.3g}" if key in r else "-"
                  for key in ("times_wc", "times_mawk")]
        rows.append([r["tool"], f"{r['lines']:,}", f"{r['wall_seconds']:.3f}",
                     f"{r['lines_per_core_second'] / 1e6:.2f}",
                     f"{r['cpu_seconds_per_million_lines']:.3f}",
                     f"{r['peak_mib']:.1f}"] + ratios +
                    [yes_no(r["counts_right"]), r["note"]])
    print_table(head, rows)
    print("M lines/s: per second of CPU time on one core; wall s includes "
          "what else the machine did.\n")


def print_serve(serve):
    head = ["serve", "CPU %", "wake-ups/s", "lines written", "counted",
            "right", "idle wake-ups", "RSS MiB", "peak MiB", "note"]
    rows = []
    for r in serve["results"]:
        if "failure" in r:
            rows.append([r["tool"]] + ["-"] * 8 + [r["failure"]])
            continue
        rows.append([r["tool"], f"{r['cpu_percent']:.2f}",
                     f"{r['busy_wakeups_per_second']:.0f}",
                     f"{r['written_lines']:,.0f}",
                     f"{r['counted_lines']:,.0f}", yes_no(r["counts_right"]),
                     f"{r['idle_wakeups']:g} in {r['idle_seconds']:g} s",
                     f"{r['resident_mib']:.1f}", f"{r['peak_mib']:.1f}",
                     r["note"]])
    print_table(head, rows)
    rates = [r["written_lines_per_second"] for r in serve["results"]
             if "failure" not in r]
    if rates:
        print(f"CPU % of one core while the log grew by {min(rates):,.0f} "
              f"lines/s or more, one write(2) a line.\n")


def check_goals(scan, serve):
    """name → {value, reached}, for the goals that could be measured."""
    values = {}
    for r in scan["results"][:1]:
        values["scan_lines_per_core_second"] = r.get("lines_per_core_second")
        values["scan_times_mawk"] = r.get("times_mawk")
    for r in scan["results"]:
        if r["tool"] == JSON_TOOL:
            values["scan_json_lines_per_core_second"] = \
                r.get("lines_per_core_second")
    for r in serve["results"][:1]:
        values["serve_cpu_percent"] = r.get("cpu_percent")
        values["serve_idle_wakeups"] = r.get("idle_wakeups")
        values["serve_peak_mib"] = r.get("peak_mib")
    return {name: {"value": value, "reached": GOALS[name][1](value)}
            for name, value in values.items() if value is not None}


def print_goals(goals):
    rows = []
    for name, (text, _, form) in GOALS.items():
        goal = goals.get(name)
        rows.append([text, form.format(goal["value"]),
                     yes_no(goal["reached"])] if goal else
                    [text, "not measured", "-"])
    print_table(["goal", "measured", "reached"], rows)


def machine():
    model = re.search(r"^model name\s*:\s*(.+)$",
                      pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    return {"cpu": model[1] if model else platform.machine(),
            "cores": len(os.sched_getaffinity(0)),
            "kernel": platform.release(),
            "load_average": os.getloadavg()[0]}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    environment = os.environ.get
    parser.add_argument("--exporter", default=environment(
        "ACCESSLOG_EXPORTER", ROOT / "build/release/accesslog_exporter"))
    parser.add_argument("--generate", default=environment(
        "ACCESSLOG_GENERATE", ROOT / "build/release/bench/generate"))
    parser.add_argument("--output", type=pathlib.Path,
                        default=ROOT / "build/bench.json")
    parser.add_argument("--part", choices=["all", "scan", "serve"],
                        default="all")
    parser.add_argument("--peers-only", action="store_true",
                        help="measure the peers alone")
    parser.add_argument("--scan-rounds", type=int, default=5, metavar="N")
    parser.add_argument("--serve-rounds", type=int, default=3, metavar="N")
    parser.add_argument("--window", type=float, default=6, metavar="SECONDS",
                        help="how long the log grows while CPU is measured")
    parser.add_argument("--idle", type=float, default=5, metavar="SECONDS")
    arguments = parser.parse_args()
    programs = ["generate"] if arguments.peers_only else ["exporter",
                                                          "generate"]
    for name in programs:
        path = pathlib.Path(getattr(arguments, name)).resolve()
        if not os.access(path, os.X_OK):
            parser.error(f"{path} is not there; run `make bench`, "
                         f"or name it with --{name}")
        setattr(arguments, name, str(path))
    if arguments.peers_only:
        arguments.exporter = None
    if shutil.which("taskset") is None:
        parser.error("taskset is missing; install util-linux")
    return arguments


def bench(arguments, directory):
    core = max(os.sched_getaffinity(0))
    report = {"machine": machine(), "seed": SEED,
              "scan": {"results": []}, "serve": {"results": []}}
    if arguments.part != "serve":
        report["scan"] = bench_scan(arguments.exporter, arguments.generate,
                                    directory, arguments.scan_rounds, core)
    if arguments.part != "scan":
        report["serve"] = bench_serve(arguments.exporter, arguments.generate,
                                      directory, arguments.serve_rounds,
                                      arguments.window, arguments.idle)

    host = report["machine"]
    print(f"{host['cpu']}, {host['cores']} cores, Linux {host['kernel']}, "
          f"load {host['load_average']:.2f}; medians\n")
    if report["scan"]["results"]:
        print_scan(report["scan"])
    if report["serve"]["results"]:
        print_serve(report["serve"])
    if arguments.exporter:
        report["goals"] = check_goals(report["scan"], report["serve"])
        print_goals(report["goals"])

    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(report, indent=2) + "\n")
    if not arguments.exporter:
        return 0
    ours = [r for part in ("scan", "serve")
            for r in report[part]["results"][:1]]
    return 0 if all(r.get("counts_right") for r in ours) else 1


def on_sigterm(_number, _frame):
    raise SystemExit(143)


def main():
    arguments = parse_arguments()
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise BenchError("prctl(PR_SET_CHILD_SUBREAPER) failed")
    signal.signal(signal.SIGTERM, on_sigterm)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="accesslog-bench-"))
    try:
        return bench(arguments, directory)
    except KeyboardInterrupt:
        return 130
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        PROCESSES.stop_all()
        shutil.rmtree(directory)


if __name__ == "__main__":
    sys.exit(main())
