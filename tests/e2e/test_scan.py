"""`scan`: files counted once; the corpora that nobody of this project wrote."""

import gzip
import json

import pytest

import support

SHIPPED = {"clf": "common", "combined": "combined", "vhost_combined": "vhost_combined"}

TRUTHS = sorted(support.CORPORA.glob("*.json")) if support.CORPORA.is_dir() else []
no_corpora = pytest.mark.skipif(
    not TRUTHS,
    reason=f"no corpora in {support.CORPORA}: name their folder in ACCESSLOG_CORPORA",
)


def cases():
    if not TRUTHS:
        return [pytest.param(None, None, id="no corpora", marks=no_corpora)]
    found = []
    for path in TRUTHS:
        truth = json.loads(path.read_text())
        names = ["auto"]
        if truth["format"] in SHIPPED:
            names.append(SHIPPED[truth["format"]])
        found += [pytest.param(truth, name, id=f"{path.stem}-{name}") for name in names]
    return found


def assert_agrees(metrics, tolerant):
    by = metrics.by
    assert by("status", "accesslog_requests_total") == tolerant["requests_by_status"]
    assert by("status", "accesslog_response_bytes_total") == {
        status: n for status, n in tolerant["bytes_by_status"].items() if n
    }
    lines = by("result", "accesslog_exporter_lines_total")
    assert lines.get("parsed", 0) == tolerant["parsed"]
    assert lines.get("unparsed", 0) == tolerant["unparsed"]
    assert lines.get("too_long", 0) == 0


@pytest.mark.parametrize("truth,name", cases())
def test_scan_agrees_with_the_truth(truth, name):
    path = support.CORPORA / truth["name"]
    metrics = support.scan(f"--format={name}", path)
    assert_agrees(metrics, truth["tolerant"])
    assert metrics.total("accesslog_exporter_read_bytes_total") == truth["bytes"]


@pytest.mark.parametrize(
    "truth,name", [case for case in cases() if "auto" in case.id or "no " in case.id]
)
def test_serve_agrees_with_scan(truth, name, exporter):
    """Following a file that is there, and scanning it, are the same count."""
    path = support.CORPORA / truth["name"]
    daemon = exporter("--read-from=beginning", path)
    metrics = daemon.scrape()
    assert_agrees(metrics, truth["tolerant"])
    # Zeros for the common statuses are for rate(), and so for serve alone.
    scanned = support.scan(path).access()
    assert support.nonzero(metrics.access()) == support.nonzero(scanned)


@no_corpora
@pytest.mark.parametrize("name", ["auto", "common", "combined"])
def test_mixed_lines_and_those_that_do_not_parse(name):
    """jc_clf.log, counted by eye: 21 lines, 2 empty, 2 that are no requests."""
    path = support.CORPORA / "jc_clf.log"
    metrics = support.scan(f"--format={name}", path)
    lines = metrics.by("result", "accesslog_exporter_lines_total")
    assert lines == {"parsed": 17, "unparsed": 2}
    assert metrics.by("status", "accesslog_requests_total") == {
        "200": 13,
        "302": 2,
        "404": 2,
    }
    assert metrics.by("status", "accesslog_response_bytes_total") == {
        "200": 2326 + 83 + 5 * 215 + 250 + 250 + 2326 + 1243 + 1479 + 3423,
        "404": 2 * 298,
    }
    assert metrics.total("accesslog_exporter_read_bytes_total") == path.stat().st_size


@no_corpora
def test_several_files_are_added_up_and_told_apart():
    paths = [support.CORPORA / name for name in
             ("farm_common.log", "farm_combined.log", "farm_vhost_combined.log")]
    metrics = support.scan(*paths)
    truths = [json.loads(path.with_suffix(".json").read_text()) for path in paths]
    owed = support.collections.Counter()
    for truth in truths:
        owed.update(truth["tolerant"]["requests_by_status"])
    assert metrics.by("status", "accesslog_requests_total") == owed
    for path, truth in zip(paths, truths):
        assert metrics.value(
            "accesslog_exporter_format_info",
            source=str(path),
            format=SHIPPED[truth["format"]],
        ) == 1
        assert metrics.value(
            "accesslog_exporter_lines_total", source=str(path), result="parsed"
        ) == truth["tolerant"]["parsed"]


def combined(n, start=1):
    return b"".join(
        b'192.0.2.1 - - [20/Nov/2026:15:40:00 +0000] "GET /%d HTTP/1.1" 200 %d "-" "-"\n'
        % (i, i)
        for i in range(start, start + n)
    )


def test_standard_input():
    data = combined(50_000)
    metrics = support.scan("-", input=data)
    assert metrics.by("status", "accesslog_requests_total") == {"200": 50_000}
    assert metrics.by("status", "accesslog_response_bytes_total") == {
        "200": 50_000 * 50_001 // 2
    }
    assert metrics.total("accesslog_exporter_read_bytes_total") == len(data)


def test_standard_input_that_comes_in_pieces():
    """A pipe gives what it has: lines are cut anywhere, and waited for."""
    data = combined(300)
    with support.subprocess.Popen(
        [support.BINARY, "scan", "-"],
        stdin=support.subprocess.PIPE,
        stdout=support.subprocess.PIPE,
        env=support.ENVIRONMENT,
    ) as process:
        for i in range(0, len(data), 37):
            process.stdin.write(data[i:i + 37])
            process.stdin.flush()
        text = process.communicate(timeout=30 * support.SLOW)[0].decode()
    assert process.returncode == 0
    metrics = support.Metrics(text)
    assert metrics.by("status", "accesslog_requests_total") == {"200": 300}


def test_a_last_line_without_a_newline_is_a_line(logs):
    """Nothing will follow it: unlike serve, scan counts it."""
    path = logs / "access.log"
    path.write_bytes(combined(3).rstrip(b"\n"))
    metrics = support.scan(path)
    assert metrics.by("status", "accesslog_requests_total") == {"200": 3}


def test_an_empty_file_is_fine(logs):
    path = logs / "access.log"
    path.touch()
    metrics = support.scan(path)
    assert metrics.by("status", "accesslog_requests_total") == {}
    assert metrics.total("accesslog_exporter_read_bytes_total") == 0


@pytest.mark.parametrize("length", [0, 1, 4095, 4096, 65536, 262144])
def test_lines_across_reads_are_whole(logs, length):
    """A file whose first line shifts all others against the read buffer."""
    filler = b"x" * length + b"\n" if length else b""
    path = logs / "access.log"
    path.write_bytes(filler + combined(20_000))
    metrics = support.scan("--format=combined", path)
    assert metrics.by("status", "accesslog_requests_total") == {"200": 20_000}
    assert metrics.by("status", "accesslog_response_bytes_total") == {
        "200": 20_000 * 20_001 // 2
    }


def test_what_scan_prints_passes_promtool(logs):
    path = logs / "access.log"
    path.write_bytes(combined(10))
    result = support.run("scan", path)
    check = support.subprocess.run(
        ["promtool", "check", "metrics"], input=result.stdout, capture_output=True
    )
    assert (check.returncode, check.stdout, check.stderr) == (0, b"", b"")


def test_a_compressed_file_is_not_read_as_text(logs):
    """Reading it is another day's work; until then it must not count as lines."""
    path = logs / "access.log.2.gz"
    path.write_bytes(gzip.compress(combined(100)))
    result = support.run("scan", path)
    assert result.returncode == 1
    assert "access.log.2.gz" in result.stderr.decode()
