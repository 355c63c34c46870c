"""What is compared from one run to the next, and what is to be reached.

A ratio is between two figures of the same run, so that it travels from one
machine to another; more is always better.
"""

import scan

OURS_SERVING = "accesslog_exporter"
LOSS_ALLOWED = 0.20

# Goals, but not recorded: what a thousand wake-ups a second cost the peer
# changes threefold with what else the machine does.
UNSTEADY = {"serve_cpu_of_tail_mawk_times_ours"}


def by(rows, key):
    return {row[key]: row for row in rows if "failure" not in row}


def ratios_of(report):
    """name → ratio, of all that was measured."""
    found = {}
    tools = by(report["scan"]["results"], "tool")
    rate = {name: row["lines_per_core_second"] for name, row in tools.items()}

    def add(name, numerator, denominator):
        if numerator and denominator:
            found[name] = numerator / denominator

    for name, peer in (("wc", scan.WC), ("mawk", scan.MAWK),
                       ("goaccess", scan.GOACCESS), ("mtail", scan.MTAIL)):
        add(f"scan_times_{name}", rate.get(scan.OURS), rate.get(peer))
    mawk = rate.get(scan.MAWK)
    add("scan_json_times_mawk", rate.get(scan.OURS_IN_JSON), mawk)
    add("scan_gzip_times_mawk", rate.get(scan.OURS_GZIPPED), mawk)
    if scan.OURS in tools and scan.OURS_ON_ALL in tools:
        add("scan_all_cores_times_one",
            tools[scan.OURS]["least_wall_seconds"],
            tools[scan.OURS_ON_ALL]["least_wall_seconds"])

    followers = by(report["serve"]["results"], "tool")
    ours = followers.get(OURS_SERVING, {})
    for name, peer in (("mtail", "mtail"), ("tail_mawk", "tail -F | mawk")):
        for what, figure in (("cpu", "cpu_percent"),
                             ("memory", "resident_mib")):
            if what == "memory" and peer != "mtail":
                continue
            add(f"serve_{what}_of_{name}_times_ours",
                followers.get(peer, {}).get(figure), ours.get(figure))

    for row in report["core"]["ingest"]:
        add(f"core_{row['case']}_times_mawk", row["lines_per_core_second"],
            mawk)
    for row in report["core"]["registry"]:
        name = f"{row['kind']}_{row['series']:.0f}"
        add(f"series_{name}_text_times_memory",
            row["answer_bytes"] / row["series"], row["series_bytes"])
        add(f"series_{name}_rendered_times_mawk_lines",
            row["series"] / (row["render_ms"] / 1e3), mawk)
    return found


def figures_of(report):
    """What the goals are about."""
    tools = by(report["scan"]["results"], "tool")
    ours = by(report["serve"]["results"], "tool").get(OURS_SERVING, {})
    scrape = next((row for row in report["core"]["registry"]
                   if (row["kind"], row["series"]) == ("counter", 100_000)), {})
    figures = dict(report["ratios"])
    figures.update({
        "scan_rate": tools.get(scan.OURS, {}).get("lines_per_core_second"),
        "serve_cpu_percent": ours.get("cpu_percent"),
        "serve_wakeups": ours.get("busy_wakeups_per_second"),
        "serve_idle_wakeups": ours.get("idle_wakeups"),
        "serve_idle_wakeups_of_1000": report["idle"].get("idle_wakeups"),
        "serve_resident_mb": ours.get("resident_mib", 0) * 1.048576 or None,
        "lock_ms": scrape.get("lock_ms"),
        "save_ms": max((row["held_ms"] for row in report["core"]["save"]),
                       default=None),
        "scrape_ms": scrape.get("snapshot_ms", 0) + scrape.get("render_ms", 0)
        if scrape else None,
    })
    return figures


def at_least(bound):
    return lambda value: value >= bound


def below(bound):
    return lambda value: value < bound


GOALS = [
    ("scan_rate", "scan: 12 M lines/s on one core", at_least(12e6),
     "{:,.0f} lines/s"),
    ("scan_times_wc", "scan: 0.4 of wc -l", at_least(0.4), "{:.2f}"),
    ("scan_times_mawk", "scan: 4 times mawk", at_least(4), "{:.1f} times"),
    ("scan_times_goaccess", "scan: 100 times goaccess", at_least(100),
     "{:.0f} times"),
    ("scan_all_cores_times_one", "scan: 1.8 times as fast on two cores",
     at_least(1.8), "{:.2f} times"),
    ("serve_cpu_percent", "serve: below 1 % of a core at 20,000 lines/s",
     below(1), "{:.2f} %"),
    ("serve_cpu_of_mtail_times_ours", "serve: a tenth of mtail's CPU",
     at_least(10), "mtail takes {:.0f} times as much"),
    ("serve_cpu_of_tail_mawk_times_ours", "serve: a tenth of tail | mawk's",
     at_least(10), "tail | mawk takes {:.0f} times as much"),
    ("serve_wakeups", "serve: four wake-ups a second while busy",
     below(4.5), "{:.1f}"),
    ("serve_idle_wakeups", "serve: none while idle", below(1), "{:.0f}"),
    ("serve_idle_wakeups_of_1000", "serve: none while 1,000 files are idle",
     below(1), "{:.0f}"),
    ("serve_resident_mb", "serve: resident below 8 MB with one file",
     below(8), "{:.1f} MB"),
    ("scrape_ms", "scrape: 100,000 series below 50 ms of one core", below(50),
     "{:.1f} ms"),
    ("lock_ms", "scrape: the lock below 2 ms for them", below(2), "{:.2f} ms"),
    ("save_ms", "save: the loop stands still below 20 ms", below(20),
     "{:.1f} ms"),
]


def goals_of(report):
    """[{name, goal, measured, reached}], for what could be measured."""
    figures = figures_of(report)
    return [{"name": name, "goal": text, "value": figures[name],
             "measured": form.format(figures[name]),
             "reached": bool(holds(figures[name]))}
            for name, text, holds, form in GOALS
            if figures.get(name) is not None]


def losses(measured, expected):
    """What a run has lost against the recorded one: [(name, was, is)]; is
    None where it was not measured."""
    return [(name, was, measured.get(name)) for name, was in expected.items()
            if measured.get(name) is None
            or measured[name] < was * (1 - LOSS_ALLOWED)]
