#!/usr/bin/python3
"""How time and memory grow: with followed files, series and unread bytes.

Prints the tables that README.md in the root shows; what is not named with
--part is left out.  The largest needs 10,000 descriptors, 250 MB of memory and
1.5 GB of disk.
"""

import argparse
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time

from logs import counts_of_exporter, generate_log
from processes import (PROCESSES, BenchError, adopt_orphans, cpu_seconds,
                       progress, resident_mib, run_pinned, wait_until, wakeups)
from serve import ExporterFollower, wait_until_at_rest
from tables import print_table

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LINE = ('192.0.2.1 - - [20/Nov/2026:15:40:00 +0000] "GET {} HTTP/1.1" '
        '200 5 "-" "-"\n')
GB = 1_000_000_000
METRICS = 10  # each has 100,000 series at most, one of them `other`
DEADLINE_S = 600


class Serving:
    """The exporter, from its start until it has counted n_lines."""

    def __init__(self, arguments, directory, options, log, n_lines):
        begin = time.monotonic()
        self.follower = ExporterFollower(
            arguments.exporter, ["--read-from=beginning", *options])
        self.follower.start(log, directory, "*" not in str(log))
        self.pids = self.follower.pids()
        wait_until(lambda: counts_of_exporter(
            self.follower.scrape()).lines() >= n_lines,
            f"{n_lines:,} lines are counted", DEADLINE_S)
        self.start_s = time.monotonic() - begin

    def scrape(self):
        """(CPU ms, MB of the answer), the best of three."""
        best = None
        for _ in range(3):
            cpu = cpu_seconds(self.pids)
            size = len(self.follower.scrape())
            cpu = cpu_seconds(self.pids) - cpu
            best = cpu if best is None else min(best, cpu)
        return best * 1e3, size / 1e6

    def idle_wakeups(self, seconds):
        wait_until_at_rest(self.pids)
        woken = wakeups(self.pids)
        time.sleep(seconds)
        return wakeups(self.pids) - woken

    def peak_mib(self):
        return resident_mib(self.pids)[1]

    def resident_mib(self):
        return resident_mib(self.pids)[0]


def scale_files(arguments, directory):
    rows = []
    for n in (1, 100, 1000, 10_000):
        progress(f"{n:,} files")
        logs = directory / "files"
        logs.mkdir()
        for i in range(n):
            (logs / f"{i}.log").write_text(LINE.format("/"))
        serving = Serving(arguments, directory, [], logs / "*.log", n)
        cpu_ms, answer_mb = serving.scrape()
        rows.append([f"{n:,}", f"{serving.start_s:.2f}",
                     f"{serving.idle_wakeups(5)} in 5 s", f"{cpu_ms:.1f}",
                     f"{answer_mb:.2f}", f"{serving.resident_mib():.1f}"])
        serving.follower.stop()
        shutil.rmtree(logs)
    print_table(["followed files", "s until counted", "idle wake-ups",
                 "scrape ms of CPU", "answer MB", "resident MiB"], rows)
    print()


def scale_series(arguments, directory):
    rows = []
    for n in (10_000, 100_000, 1_000_000):
        progress(f"{n:,} series")
        n_values = n // METRICS
        log = directory / "series.log"
        # One place of 100,000 is kept for `other`.
        n_values = min(n_values, 99_999)
        with open(log, "w") as out:
            out.writelines(LINE.format(f"/{i}") for i in range(n_values))
        config = directory / "series.yml"
        config.write_text(
            f"sources: [{{ paths: [{log}] }}]\nmetrics:\n" + "".join(
                f"  - {{ name: m{i}, labels: [{{ name: uri, "
                "from: request_uri }], max_series: 100000 }\n"
                for i in range(METRICS)))
        serving = Serving(arguments, directory, [f"--config.file={config}"],
                          None, n_values)
        cpu_ms, answer_mb = serving.scrape()
        rows.append([f"{n_values * METRICS:,}", f"{serving.start_s:.2f}",
                     f"{cpu_ms:.1f}", f"{answer_mb:.1f}",
                     f"{serving.resident_mib():.1f}",
                     f"{serving.peak_mib():.1f}"])
        serving.follower.stop()
        log.unlink()
    print_table(["series", "s until counted", "scrape ms of CPU", "answer MB",
                 "resident MiB", "peak MiB"], rows)
    print()


def sparse(path, size):
    """A hole of so many bytes between two lines."""
    with open(path, "w") as out:
        out.write(LINE.format("/before"))
        out.flush()
        os.lseek(out.fileno(), size, os.SEEK_CUR)
        os.write(out.fileno(), LINE.format("/behind").encode())


def scan_row(arguments, directory, name, paths, n_bytes, n_lines):
    out = directory / "out"
    cores = ",".join(map(str, os.sched_getaffinity(0)))
    wall, cpu, peak = run_pinned(
        [arguments.exporter, "scan", *map(str, paths)], cores, str(out),
        str(directory / "err"), DEADLINE_S)
    counted = counts_of_exporter(out.read_text()).lines()
    if counted != n_lines:
        raise BenchError(f"{name}: {counted} lines and not {n_lines}")
    return [name, f"{n_bytes / GB:.1f}", f"{n_lines:,}", f"{wall:.2f}",
            f"{cpu:.2f}", f"{n_bytes / GB / wall:.1f}",
            f"{n_lines / wall / 1e6:.1f}", f"{peak:.1f}"]


def serve_row(arguments, directory, name, path, n_bytes, n_lines):
    serving = Serving(arguments, directory, [], path, n_lines)
    cpu = cpu_seconds(serving.pids)
    peak = serving.peak_mib()
    serving.follower.stop()
    wall = serving.start_s
    return [name, f"{n_bytes / GB:.1f}", f"{n_lines:,}", f"{wall:.2f}",
            f"{cpu:.2f}", f"{n_bytes / GB / wall:.1f}",
            f"{n_lines / wall / 1e6:.1f}", f"{peak:.1f}"]


def scale_backlog(arguments, directory):
    rows = []
    path = directory / "sparse.log"
    for n_bytes in (GB, 100 * GB):
        progress(f"a hole of {n_bytes // GB} GB")
        sparse(path, n_bytes)
        rows.append(scan_row(arguments, directory, "scan, sparse", [path],
                             n_bytes, 2))
        rows.append(serve_row(arguments, directory, "serve, sparse", path,
                              n_bytes, 2))
        path.unlink()

    progress("generating 1 GB of lines")
    log = generate_log(arguments.generate, directory, 4_000_000)
    rows.append(scan_row(arguments, directory, "scan", [log.path],
                         log.n_bytes, log.n_lines))
    rows.append(serve_row(arguments, directory, "serve", log.path,
                          log.n_bytes, log.n_lines))
    # Links to one file: all of it is read as often, out of the page cache.
    progress("100 GB of lines")
    links = []
    for i in range(100 * GB // log.n_bytes):
        links.append(directory / f"link-{i}.log")
        os.link(log.path, links[-1])
    rows.append(scan_row(arguments, directory,
                         f"scan, {len(links)} files", links,
                         len(links) * log.n_bytes, len(links) * log.n_lines))
    print_table(["backlog", "GB", "lines", "s", "CPU s", "GB/s", "M lines/s",
                 "peak MiB"], rows)
    print()


PARTS = {"files": scale_files, "series": scale_series,
         "backlog": scale_backlog}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--exporter", default=os.environ.get(
        "ACCESSLOG_EXPORTER", str(ROOT / "build/release/accesslog_exporter")))
    parser.add_argument("--generate", default=os.environ.get(
        "ACCESSLOG_GENERATE", str(ROOT / "build/release/bench/generate")))
    parser.add_argument("--part", action="append", choices=PARTS)
    arguments = parser.parse_args()
    adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    directory = pathlib.Path(tempfile.mkdtemp(prefix="accesslog-scale-"))
    try:
        for name in arguments.part or PARTS:
            PARTS[name](arguments, directory)
    except BenchError as error:
        sys.exit(f"scale: {error}")
    finally:
        PROCESSES.stop_all()
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
