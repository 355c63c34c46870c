"""Real-looking lines in, exact metrics out: one folder a format.

<format>/input.log      what nginx or Apache writes, and what goes wrong with it
<format>/expected.prom  every access sample that is not zero, and what became of
                        the lines and fields, summed over sources

The numbers in expected.prom were counted from the lines, not copied from the
program.
"""

import pathlib
import shutil
import subprocess

import pytest

import support

FOLDERS = sorted(
    path.parent for path in pathlib.Path(__file__).parent.glob("*/input.log")
)
TEXT_FOLDERS = [path for path in FOLDERS if not path.name.endswith("_json")]
# Those whose core ends with status and bytes, one after the other.
ENDING_IN_BYTES = [
    path
    for path in TEXT_FOLDERS
    if path.name not in ("envoy", "haproxy_http", "istio")
]
ABOUT_LINES = (
    "accesslog_exporter_lines_total",
    "accesslog_exporter_field_errors_total",
)


def samples(metrics):
    """{(name, labels without source): value}, without counters that are zero."""
    found = support.collections.Counter()
    for (name, labels), value in metrics.samples.items():
        exporters = name.startswith("accesslog_exporter_")
        if not name.startswith("accesslog_") or exporters and name not in ABOUT_LINES:
            continue
        labels = {key: text for key, text in labels if key != "source"}
        if "le" in labels:
            labels["le"] = float(labels["le"])
        histogram = name.endswith(("_bucket", "_count", "_sum"))
        if value or histogram:
            found[(name, tuple(sorted(labels.items())))] += value
    return dict(found)


def assert_equal(metrics, folder):
    expected = samples(support.Metrics((folder / "expected.prom").read_text()))
    assert samples(metrics) == expected


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
@pytest.mark.parametrize("given", ["named", "auto"])
def test_the_metrics_of_the_lines(folder, given):
    name = folder.name if given == "named" else "auto"
    metrics = support.scan(f"--format={name}", folder / "input.log")
    assert_equal(metrics, folder)
    assert metrics.value("accesslog_exporter_format_info", format=folder.name) == 1


@pytest.mark.parametrize("folder", ENDING_IN_BYTES, ids=lambda path: path.name)
def test_a_line_cut_at_any_byte_counts_from_its_bytes_column_on(folder):
    """A line of its own from each cut: the core decides, and nothing after it."""
    line = (folder / "input.log").read_bytes().split(b"\n")[0].lstrip(b"\xef\xbb\xbf")
    core = line.index(b'" 200 ') + len(b'" 200 1')  # one digit is a number
    cuts = range(1, len(line) + 1)
    metrics = support.scan(
        f"--format={folder.name}", "-", input=b"".join(line[:n] + b"\n" for n in cuts)
    )
    assert metrics.by("result", "accesslog_exporter_lines_total") == {
        "parsed": len(line) - core + 1,
        "unparsed": core - 1,
    }
    assert metrics.by("status", "accesslog_requests_total") == {
        "200": len(line) - core + 1
    }


def test_a_line_of_json_cut_at_any_byte_counts_from_its_request_on():
    """A string is known from its last quote on; each cut is one repair."""
    folder = pathlib.Path(__file__).parent / "nginx_json"
    line = (folder / "input.log").read_bytes().split(b"\n")[0]
    core = line.index(b' HTTP/1.1"') + len(b' HTTP/1.1"')
    status = line.index(b'"200"') + len(b'"200"')
    cuts = range(1, len(line) + 1)
    metrics = support.scan(
        "--format=nginx_json", "-", input=b"".join(line[:n] + b"\n" for n in cuts)
    )
    assert metrics.by("result", "accesslog_exporter_lines_total") == {
        "parsed": len(line) - core + 1,
        "unparsed": core - 1,
    }
    assert metrics.by("status", "accesslog_requests_total") == {
        "-": status - core,
        "200": len(line) - status + 1,
    }


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_the_order_of_the_lines_does_not_matter(folder):
    data = (folder / "input.log").read_bytes()
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    backwards = b"\n".join(reversed(data.split(b"\n"))) + b"\n"
    metrics = support.scan(f"--format={folder.name}", "-", input=backwards)
    assert_equal(metrics, folder)


def test_every_shipped_format_of_text_has_a_folder():
    shipped = {
        path.stem
        for path in (support.REPOSITORY / "patterns").glob("*.grok")
        if path.stem != "base"
    }
    assert shipped == {folder.name for folder in TEXT_FOLDERS}


def test_repairs_of_json_are_counted():
    """In nginx_json: \\x16\\x03; 000 and nothing; a list; a comma; a torn line."""
    folder = pathlib.Path(__file__).parent
    metrics = support.scan("--format=auto", folder / "nginx_json" / "input.log")
    assert metrics.value("accesslog_exporter_json_repairs_total") == 1 + 2 + 1 + 1 + 1
    metrics = support.scan("--format=auto", folder / "caddy_json" / "input.log")
    assert metrics.total("accesslog_exporter_json_repairs_total") == 0


def test_the_time_of_a_line_outlives_the_line():
    """It has escapes, and those of the next line are decoded to the same place."""
    lines = (
        rb'{"status":200,"time_local":"20\/Nov\/2026:15:40:00 +0000"}',
        rb'{"status":200,"http_user_agent":"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\""}',
        b"",
    )
    metrics = support.scan("--format=json", "-", input=b"\n".join(lines))
    last = metrics.value("accesslog_exporter_last_line_timestamp_seconds")
    assert last == 1795189200


def test_a_locale_with_a_decimal_comma_changes_nothing(tmp_path):
    """A German locale of our own making, since machines seldom have one."""
    if not shutil.which("localedef"):
        pytest.skip("no localedef on this machine")
    name = "de_DE.UTF-8"
    made = subprocess.run(
        ["localedef", "-i", "de_DE", "-f", "UTF-8", tmp_path / name], capture_output=True
    )
    if made.returncode:
        pytest.skip("localedef has no sources here (Debian: package locales)")
    folder = pathlib.Path(__file__).parent / "nginx_timed"
    result = subprocess.run(
        [support.BINARY, "scan", "--format=nginx_timed", folder / "input.log"],
        capture_output=True,
        timeout=30 * support.SLOW,
        # glibc keeps what it parsed of LOCPATH, and LeakSanitizer finds it.
        env=dict(
            support.ENVIRONMENT,
            LOCPATH=str(tmp_path),
            LC_ALL=name,
            ASAN_OPTIONS="detect_leaks=0",
        ),
    )
    assert result.returncode == 0, result.stderr.decode()
    assert_equal(support.Metrics(result.stdout.decode()), folder)
