"""Parts of the program alone: ingest.c, registry.c, save.c beside this file."""

import re
import subprocess

from logs import generate_log
from processes import BenchError, progress

INGEST_LINES = 1_000_000


def output_of(argv):
    run = subprocess.run(argv, capture_output=True, text=True)
    if run.returncode != 0:
        raise BenchError(f"{argv[0]}: status {run.returncode}: {run.stderr}")
    return run.stdout


def bench_ingest(program, generator, directory, rounds):
    """Lines a second through parser, labels and registry."""
    progress("core: ingest")
    log = generate_log(generator, directory, INGEST_LINES, "nginx_timed")
    text = output_of([program, str(log.path), str(rounds)])
    log.path.unlink()
    rows = re.findall(r"^(\S+) +(\d+) lines +(\d+) series +([\d.]+) M", text,
                      re.M)
    return [{"case": case, "lines": int(lines), "series": int(series),
             "lines_per_core_second": float(rate) * 1e6}
            for case, lines, series, rate in rows]


def bench_registry(program, rounds):
    """Many series, and the answer to a scrape of them."""
    progress("core: registry")
    names = ["kind", "series", "series_bytes", "add_ns", "find_ns",
             "snapshot_ms", "lock_ms", "render_ms", "answer_bytes"]
    rows = []
    for line in output_of([program, str(rounds)]).splitlines():
        kind, *numbers = line.split()
        rows.append(dict(zip(names, [kind, *map(float, numbers)])))
    return rows


def bench_save(program, directory, rounds):
    """Saving the state of 100,000 series, and what the loop waits for it."""
    progress("core: save")
    text = output_of([program, str(directory), str(rounds)])
    names = ["case", "series", "rows", "held_ms", "writer_ms"]
    return [dict(zip(names, [case, *map(float, numbers)]))
            for case, *numbers in map(str.split, text.splitlines())]
