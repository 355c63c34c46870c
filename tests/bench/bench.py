"""Measure accesslog_exporter beside the tools that people use instead.

README.md beside this file says what each figure is and how it is taken.
"""

import argparse
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import sys
import tempfile

import core
import ratios
import scan
import serve
import tables
from logs import SEED
from processes import PROCESSES, BenchError, adopt_orphans

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
IDLE_FILES = 1000


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
        "ACCESSLOG_GENERATE", ROOT / "build/release/bench/generate"),
        help="ingest, registry and save are beside it")
    parser.add_argument("--output", type=pathlib.Path,
                        default=ROOT / "build/bench.json")
    parser.add_argument("--part", choices=["all", "scan", "serve", "core"],
                        default="all")
    parser.add_argument("--peers-only", action="store_true",
                        help="measure the peers alone")
    parser.add_argument("--scan-rounds", type=int, default=5, metavar="N")
    parser.add_argument("--serve-rounds", type=int, default=3, metavar="N")
    parser.add_argument("--core-rounds", type=int, default=5, metavar="N")
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
    for name in ("taskset", "gzip"):
        if shutil.which(name) is None:
            parser.error(f"{name} is missing")
    return arguments


def measure(arguments, directory, report):
    exporter, generate = arguments.exporter, arguments.generate
    if arguments.part in ("all", "scan"):
        report["scan"] = scan.bench_scan(
            exporter, generate, directory, arguments.scan_rounds,
            max(os.sched_getaffinity(0)))
    if arguments.part in ("all", "serve"):
        report["serve"] = serve.bench_serve(
            exporter, generate, directory, arguments.serve_rounds,
            arguments.window, arguments.idle)
        if exporter:
            report["idle"] = serve.bench_idle(exporter, directory, IDLE_FILES,
                                              arguments.idle)
    if arguments.part in ("all", "core") and exporter:
        beside = pathlib.Path(generate).parent
        rounds = arguments.core_rounds
        report["core"] = {
            "ingest": core.bench_ingest(beside / "ingest", generate, directory,
                                        rounds),
            "registry": core.bench_registry(beside / "registry", rounds),
            "save": core.bench_save(beside / "save", directory, rounds)}


def show(report):
    host = report["machine"]
    print(f"{host['cpu']}, {host['cores']} cores, Linux {host['kernel']}, "
          f"load {host['load_average']:.2f}; medians\n")
    if report["scan"]["results"]:
        tables.print_scan(report["scan"])
    if report["serve"]["results"]:
        tables.print_serve(report["serve"])
    if report["idle"]:
        tables.print_idle(report["idle"])
    if report["core"]["ingest"]:
        tables.print_core(report["core"])
    if report["goals"]:
        tables.print_goals(report["goals"])


def bench(arguments, directory):
    report = {"machine": machine(), "seed": SEED,
              "scan": {"results": []}, "serve": {"results": []}, "idle": {},
              "core": {"ingest": [], "registry": [], "save": []}}
    measure(arguments, directory, report)
    report["ratios"] = ratios.ratios_of(report)
    report["goals"] = ratios.goals_of(report) if arguments.exporter else []
    report["counts_right"] = {
        f"{part}: {row['tool']}": bool(row.get("counts_right"))
        for part in ("scan", "serve") for row in report[part]["results"]
        if row["tool"].startswith(scan.OURS)}
    show(report)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(report, indent=2) + "\n")
    return 0 if all(report["counts_right"].values()) else 1


def on_sigterm(_number, _frame):
    raise SystemExit(143)


def main():
    arguments = parse_arguments()
    adopt_orphans()
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
