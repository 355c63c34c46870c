"""What was measured, as tables for people."""

import scan


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


def print_scan(part):
    head = ["scan", "lines", "wall s", "M lines/s", "CPU s/M", "peak MiB",
            "x wc", "x mawk", "right", "note"]
    rate = {r["tool"]: r["lines_per_core_second"] for r in part["results"]
            if "failure" not in r}
    rows = []
    for r in part["results"]:
        if "failure" in r:
            rows.append([r["tool"]] + ["-"] * 8 + [r["failure"]])
            continue
        ratios = [f"{r['lines_per_core_second'] / rate[peer]:.3g}"
                  if peer in rate else "-" for peer in (scan.WC, scan.MAWK)]
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


def print_idle(idle):
    print(f"serve, {idle['files']:,} idle files: {idle['idle_wakeups']} "
          f"wake-ups in {idle['idle_seconds']:g} s, "
          f"{idle['resident_mib']:.1f} MiB resident\n")


def print_core(core):
    print_table(
        ["core: lines through parser, labels, registry", "series",
         "M lines/s"],
        [[r["case"], f"{r['series']:,}",
          f"{r['lines_per_core_second'] / 1e6:.2f}"]
         for r in core["ingest"]])
    print()
    print_table(
        ["core: many series", "series", "bytes each", "ns to add",
         "ns to find", "snapshot ms", "lock ms", "render ms", "answer MB"],
        [[r["kind"], f"{r['series']:,.0f}", f"{r['series_bytes']:.0f}",
          f"{r['add_ns']:.0f}", f"{r['find_ns']:.0f}",
          f"{r['snapshot_ms']:.2f}", f"{r['lock_ms']:.2f}",
          f"{r['render_ms']:.1f}", f"{r['answer_bytes'] / 1e6:.1f}"]
         for r in core["registry"]])
    print("Of CPU time, the best round; from memory, on one thread.\n")
    print_table(
        ["core: saving the state", "series", "rows", "loop stands still ms",
         "writer ms"],
        [[r["case"], f"{r['series']:,.0f}", f"{r['rows']:,.0f}",
          f"{r['held_ms']:.1f}", f"{r['writer_ms']:.0f}"]
         for r in core["save"]])
    print("Of wall time, the worst round.\n")


def print_goals(goals):
    print_table(["goal", "measured", "reached"],
                [[goal["goal"], goal["measured"], yes_no(goal["reached"])]
                 for goal in goals])
