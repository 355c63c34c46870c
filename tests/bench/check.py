#!/usr/bin/python3
"""Compare the ratios of a run of the bench with those that were recorded.

    check.py             build/bench.json beside expected.json; fails on a loss
    check.py --record    makes expected.json of build/bench.json
"""

import argparse
import json
import pathlib
import sys

from ratios import LOSS_ALLOWED, UNSTEADY, losses

HERE = pathlib.Path(__file__).resolve().parent


def record(report, path):
    if not all(report["counts_right"].values()):
        sys.exit("check: the counts of this run are wrong")
    kept = {"machine": report["machine"],
            "ratios": {name: round(value, 4)
                       for name, value in sorted(report["ratios"].items())
                       if name not in UNSTEADY}}
    path.write_text(json.dumps(kept, indent=2) + "\n")
    print(f"{path}: {len(kept['ratios'])} ratios recorded")


def compare(report, path):
    expected = json.loads(path.read_text())["ratios"]
    measured = report["ratios"]
    lost = losses(measured, expected)
    for name, was, now in lost:
        if now is None:
            print(f"{name}: {was:.4g} was recorded, nothing was measured")
        else:
            print(f"{name}: {now:.4g}, {1 - now / was:.0%} less than "
                  f"{was:.4g}")
    for name in sorted(set(measured) - set(expected) - UNSTEADY):
        print(f"{name}: {measured[name]:.4g}, not recorded yet")
    wrong = [name for name, right in report["counts_right"].items()
             if not right]
    for name in wrong:
        print(f"{name}: the counts are wrong")
    print(f"{len(expected)} ratios, {len(lost)} lost more than "
          f"{LOSS_ALLOWED:.0%}")
    return 1 if lost or wrong else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--record", action="store_true",
                        help="make expected.json of this run")
    parser.add_argument("--bench", type=pathlib.Path, metavar="FILE",
                        default=HERE.parent.parent / "build/bench.json")
    parser.add_argument("--expected", type=pathlib.Path, metavar="FILE",
                        default=HERE / "expected.json")
    arguments = parser.parse_args()
    try:
        report = json.loads(arguments.bench.read_text())
        if arguments.record:
            record(report, arguments.expected)
            return 0
        return compare(report, arguments.expected)
    except FileNotFoundError as error:
        sys.exit(f"check: {error.filename} is not there; `make bench` writes "
                 "bench.json, `check.py --record` expected.json")


if __name__ == "__main__":
    sys.exit(main())
