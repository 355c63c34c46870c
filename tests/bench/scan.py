"""Logs that are finished, counted once: on one core beside others, on all."""

import os
import pathlib
import shutil
import statistics
import subprocess

from logs import (counts_of_exporter, counts_of_goaccess, counts_of_mawk,
                  counts_of_mtail, generate_log)
from processes import BenchError, progress, run_pinned

HERE = pathlib.Path(__file__).resolve().parent
# At 12 million lines a second, starting (9 ms) is one percent of it.
SCAN_LINES = 8_000_000
OTHER_LINES = 2_000_000  # in JSON, and packed
SLICE_LINES = 100_000

OURS = "accesslog_exporter"
OURS_IN_JSON = "accesslog_exporter, JSON"
OURS_GZIPPED = "accesslog_exporter, gzip"
OURS_ON_ALL = "accesslog_exporter, all cores"
WC = "wc -l"
MAWK = "mawk -F'\"'"
GOACCESS = "goaccess"
MTAIL = "mtail -one_shot"


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
                    least_wall_seconds=min(r[0] for r in self.runs),
                    cpu_seconds=cpu,
                    lines_per_wall_second=self.log.n_lines / wall,
                    lines_per_core_second=self.log.n_lines / cpu,
                    cpu_seconds_per_million_lines=cpu / self.log.n_lines * 1e6,
                    peak_mib=peak, counts_right=self.right)


def scanners(exporter, whole, part, in_json, packed, directory):
    """Those that run on one core, ours first, then ours in other ways."""
    goaccess_out = directory / "goaccess.json"
    sliced = f"the first {part.n_lines:,} lines only"
    found = [
        Scanner(WC, whole, ["wc", "-l", str(whole.path)], None,
                "counts lines only"),
        Scanner(MAWK, whole,
                ["mawk", "-F\"", "-f", str(HERE / "combined.awk"),
                 str(whole.path)], counts_of_mawk),
        Scanner(GOACCESS, part,
                ["goaccess", str(part.path), "--no-global-config",
                 "--log-format=COMBINED", "--no-progress",
                 "--no-parsing-spinner", "-o", str(goaccess_out)],
                counts_of_goaccess, sliced + "; fills all its panels",
                goaccess_out),
        Scanner(MTAIL, part,
                ["mtail", "-one_shot", "-one_shot_format=prometheus",
                 "-progs", str(HERE / "combined.mtail"),
                 "-logs", str(part.path), "-log_dir", str(directory)],
                counts_of_mtail, sliced),
    ]
    if not exporter:
        return found

    fewer = f"the first {packed.n_lines:,} lines"

    def ours(name, log, note=""):
        return Scanner(name, log, [exporter, "scan", str(log.path)],
                       counts_of_exporter, note)

    return [ours(OURS, whole)] + found + [
        ours(OURS_IN_JSON, in_json, fewer + " in JSON"),
        ours(OURS_GZIPPED, packed, fewer + " from gzip"),
        ours(OURS_ON_ALL, whole, "not pinned to one core"),
    ]


def packed_log(generator, directory, lines):
    """A log in gzip's form alone, as gzip -1 makes it."""
    log = generate_log(generator, directory, lines)
    subprocess.run(["gzip", "-1", log.path], check=True)
    log.path = log.path.with_name(log.path.name + ".gz")
    return log


def read_once(path):
    """So that it is in the page cache."""
    with open(path, "rb") as file:
        while file.read(1 << 20):
            pass


def bench_scan(exporter, generator, directory, rounds, core):
    progress(f"scan: generating {SCAN_LINES:,} lines")
    packed = packed_log(generator, directory, OTHER_LINES)
    whole = generate_log(generator, directory, SCAN_LINES)
    part = generate_log(generator, directory, SLICE_LINES)
    in_json = generate_log(generator, directory, OTHER_LINES, "nginx_json")
    paths = [log.path for log in (whole, part, in_json, packed)]
    tools = scanners(exporter, whole, part, in_json, packed, directory)
    for path in paths:
        read_once(path)
    for i in range(rounds):
        progress(f"scan: round {i + 1} of {rounds}")
        for tool in tools:
            if tool.failure:
                continue
            try:
                cores = ",".join(map(str, os.sched_getaffinity(0))) \
                    if tool.name == OURS_ON_ALL else core
                tool.runs.append(tool.run(directory, cores))
            except (BenchError, ValueError, KeyError, OSError) as error:
                tool.failure = f"failed: {error}"
    for path in paths:
        path.unlink()
    return {"average_line_bytes": whole.n_bytes / whole.n_lines,
            "cores": len(os.sched_getaffinity(0)),
            "results": [tool.result() for tool in tools]}
