"""What `make bench-check` says of a run of the bench."""

import json
import subprocess
import sys

import pytest

import support

BENCH = support.REPOSITORY / "tests" / "bench"
RATIOS = {"scan_times_wc": 0.5, "scan_times_mawk": 5.0}


@pytest.fixture
def check(tmp_path):
    """Runs check.py on a bench.json and an expected.json with these ratios."""

    def run(measured, expected=None, *options, right=True):
        bench = tmp_path / "bench.json"
        bench.write_text(json.dumps({
            "machine": {"cores": 2},
            "ratios": measured,
            "counts_right": {"scan: accesslog_exporter": True, "serve": right},
        }))
        recorded = tmp_path / "expected.json"
        if expected is not None:
            recorded.write_text(json.dumps({"ratios": expected}))
        return subprocess.run(
            [sys.executable, BENCH / "check.py", f"--bench={bench}",
             f"--expected={recorded}", *options],
            capture_output=True, text=True,
        )

    return run


def test_the_same_ratios_pass(check):
    result = check(RATIOS, RATIOS)
    assert (result.returncode, result.stderr) == (0, "")
    assert "2 ratios, 0 lost" in result.stdout


def test_more_passes(check):
    assert check({name: 10 * value for name, value in RATIOS.items()},
                 RATIOS).returncode == 0


@pytest.mark.parametrize("was,status", [(6.2, 0), (6.3, 1), (100, 1)])
def test_a_loss_of_more_than_a_fifth_fails(check, was, status):
    """5.0 is 19.4 % less than 6.2, and 20.6 % less than 6.3."""
    result = check(RATIOS, dict(RATIOS, scan_times_mawk=was))
    assert result.returncode == status, result.stdout
    assert ("scan_times_mawk: 5, " in result.stdout) == bool(status)
    assert "scan_times_wc" not in result.stdout


def test_what_was_not_measured_is_lost(check):
    result = check({"scan_times_wc": 0.5}, RATIOS)
    assert result.returncode == 1
    assert "scan_times_mawk: 5 was recorded, nothing was measured" in result.stdout


def test_what_is_new_is_said_and_passes(check):
    result = check(dict(RATIOS, scan_times_mtail=27.0), RATIOS)
    assert result.returncode == 0
    assert "scan_times_mtail: 27, not recorded yet" in result.stdout


def test_wrong_counts_fail_and_are_not_recorded(check):
    assert check(RATIOS, RATIOS, right=False).returncode == 1
    result = check(RATIOS, None, "--record", right=False)
    assert result.returncode == 1
    assert "counts of this run are wrong" in result.stderr


def test_what_is_recorded_is_what_is_expected(check):
    assert check(RATIOS).returncode == 1  # nothing was recorded
    assert check(RATIOS, None, "--record").returncode == 0
    assert check(RATIOS).returncode == 0
    assert check({name: value / 2 for name, value in RATIOS.items()}
                 ).returncode == 1


def test_the_recorded_ratios_are_those_of_the_bench():
    """A doctored copy of them fails, so they are what is compared."""
    recorded = json.loads((BENCH / "expected.json").read_text())["ratios"]
    assert {"scan_times_wc", "scan_times_mawk", "scan_times_goaccess",
            "scan_all_cores_times_one", "serve_cpu_of_mtail_times_ours"} <= set(recorded)
    assert all(value > 0 for value in recorded.values())
