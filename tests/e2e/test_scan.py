"""`scan`: files counted once; the corpora that nobody of this project wrote."""

import gzip
import json
import lzma
import pty
import re
import tempfile

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


def by_source(metrics, name):
    """What does not depend on how a file is called."""
    return {
        (key[0], tuple(pair for pair in key[1] if pair[1] != name)): value
        for key, value in metrics.samples.items()
    }


def assert_same_as_standard_input(path):
    """A pipe is read by one thread, from front to back."""
    in_parts = support.scan("--format=combined", path)
    in_one = support.scan("--format=combined", "-", input=path.read_bytes())
    assert by_source(in_parts, str(path)) == by_source(in_one, "-")
    return in_parts


PART = 8 << 20  # BOUNDS_PART_BYTES
LINE = len(combined(1))


@pytest.mark.parametrize("shift", [-1, 0, 1, LINE - 1, LINE, LINE + 1, 5000])
def test_a_line_across_two_parts_is_counted_once(logs, shift):
    """All lines are of one length; the first places the others."""
    n = (2 * PART + PART // 2) // LINE
    line = combined(1)
    at = PART % LINE + shift
    path = logs / "access.log"
    path.write_bytes((b"x" * (at - 1) + b"\n" if at > 0 else b"") + line * n)
    metrics = assert_same_as_standard_input(path)
    assert metrics.by("status", "accesslog_requests_total") == {"200": n}


@pytest.mark.parametrize(
    "between",
    [
        pytest.param(b"x" * (2 * PART + 99), id="a line longer than two parts"),
        pytest.param(bytes(2 * PART), id="NULs through two parts"),
        pytest.param(b"\n" * (2 * PART), id="empty lines"),
        pytest.param(b"\r\n" * (PART + 1), id="CRLF"),
        pytest.param(b"x" * 70_000 + bytes(2 * PART), id="NULs in a long line"),
    ],
)
def test_parts_without_a_line_of_their_own(logs, between):
    path = logs / "access.log"
    path.write_bytes(combined(1000) + between + b"\n" + combined(1000) + b"\xff" * 9)
    metrics = assert_same_as_standard_input(path)
    assert metrics.by("status", "accesslog_requests_total") == {"200": 2000}
    path.write_bytes(combined(1000) + between)
    assert_same_as_standard_input(path)


def test_all_parts_have_the_format_of_the_beginning(logs):
    """Their own lines would be said to be combined; they fit the other as well."""
    timed = combined(1).replace(b"\n", b" 0.250 - 0.125\n")
    path = logs / "access.log"
    path.write_bytes(timed * 1000 + combined(3 * PART // LINE))
    metrics = support.scan(path)
    formats = metrics.by("format", "accesslog_exporter_format_info")
    assert formats == {"nginx_timed": 1}
    assert metrics.total("accesslog_request_duration_seconds_count") == 1000


def test_the_time_of_the_last_line_is_that_of_the_last_part(logs):
    """The one before has a later one; it is longer, and so finished after it."""
    path = logs / "access.log"
    late = combined(2 * PART // LINE).replace(b"2026:15:40", b"2026:23:59")
    path.write_bytes(late + combined(10) + b"no request\n")
    metrics = support.scan(path)
    last = metrics.value("accesslog_exporter_last_line_timestamp_seconds")
    assert last == 1795189200


def test_the_page_is_the_same_on_one_core(logs):
    """To the byte, for many files, small and large, statuses in any order."""
    paths = []
    for i in range(5):
        paths.append(logs / f"{i}.log")
        lines = combined(150_000 if i % 2 else 100, start=i)
        for status in (b"404", b"206", b"500", b"302")[i % 4:]:
            lines += combined(1).replace(b" 200 ", b" %s " % status)
        paths[-1].write_bytes(lines)
    pages = [
        support.subprocess.run(
            [*pinned, support.BINARY, "scan", *paths],
            capture_output=True,
            env=support.ENVIRONMENT,
            timeout=60 * support.SLOW,
        )
        for pinned in ((), ("taskset", "-c", str(min(support.os.sched_getaffinity(0)))))
    ]
    assert [page.returncode for page in pages] == [0, 0]
    assert pages[0].stdout == pages[1].stdout
    metrics = support.Metrics(pages[0].stdout.decode())
    assert metrics.by("status", "accesslog_requests_total") == {
        "200": 2 * 150_000 + 3 * 100, "206": 3, "302": 5, "404": 2, "500": 4
    }
    statuses = [
        dict(key[1])["status"]
        for key in metrics.samples
        if key[0] == "accesslog_requests_total"
    ]
    assert statuses == sorted(statuses)


def test_holes_are_passed_over(logs):
    """100 GB of them, as copytruncate leaves them; nothing is read of them."""
    path = logs / "access.log"
    hole = 100 << 30
    with path.open("wb") as file:
        file.write(combined(10))
        file.seek(hole, 1)
        file.write(combined(10))
        file.truncate(file.tell() + hole)
    metrics = support.scan(path)
    assert metrics.by("status", "accesslog_requests_total") == {"200": 20}
    skipped = metrics.by("reason", "accesslog_exporter_skipped_bytes_total")
    assert skipped == {"nul": 2 * hole}
    read = metrics.total("accesslog_exporter_read_bytes_total")
    assert read + 2 * hole == path.stat().st_size


def test_gzip_files_are_read_as_they_are(logs):
    path = logs / "access.log.2.gz"
    path.write_bytes(gzip.compress(combined(100_000)) + gzip.compress(combined(100)))
    plain = logs / "access.log.1"
    plain.write_bytes(combined(100_000) + combined(100))
    metrics = support.scan(path)
    assert by_source(metrics, str(path)) == by_source(support.scan(plain), str(plain))
    assert metrics.by("status", "accesslog_requests_total") == {"200": 100_100}


def test_gzip_on_standard_input():
    """A file there is read like any other; a pipe cannot be."""
    data = gzip.compress(combined(100))
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        result = support.subprocess.run(
            [support.BINARY, "scan", "-"], stdin=file, capture_output=True
        )
    metrics = support.Metrics(result.stdout.decode())
    assert metrics.by("status", "accesslog_requests_total") == {"200": 100}
    result = support.run("scan", "-", input=data)
    assert result.returncode == 1
    assert "compressed" in result.stderr.decode()


@pytest.mark.parametrize(
    "spoil,reason",
    [
        (lambda data: data[:-5000], "ends too early"),
        (lambda data: data[:-2], "ends too early"),
        (lambda data: data[:-5] + bytes([data[-5] ^ 1]) + data[-4:], "corrupt"),
        (lambda data: data + b"text", "corrupt"),
    ],
)
def test_what_can_be_read_of_a_spoilt_gzip_file_is_counted(logs, spoil, reason):
    path = logs / "access.log.2.gz"
    path.write_bytes(spoil(gzip.compress(combined(100_000))))
    good = logs / "access.log.1"
    good.write_bytes(combined(10))
    result = support.run("scan", path, good)
    assert result.returncode == 1
    told = [support.logfmt(line) for line in result.stderr.decode().splitlines()]
    assert len(told) == 1
    assert told[0]["file"] == str(path)
    assert reason in told[0]["error"]
    assert "is counted" in told[0]["msg"]
    metrics = support.Metrics(result.stdout.decode())
    lines = metrics.by("source", "accesslog_exporter_lines_total")
    assert lines[str(good)] == 10
    if path.stat().st_size < len(gzip.compress(combined(100_000))) - 2:
        assert 50_000 < lines[str(path)] < 100_000
    else:
        assert lines[str(path)] == 100_000


def assert_said_to_have_shrunk(path, returncode, stderr):
    assert returncode == 1
    told = [support.logfmt(line) for line in stderr.decode().splitlines()]
    assert [(line["file"], line["error"]) for line in told] == [
        (str(path), "it shrank while it was read")
    ]
    assert "is counted" in told[0]["msg"]


@pytest.mark.parametrize("size", [0, 100_001])
def test_a_file_that_is_cut_under_the_reader(logs, size):
    """The expression takes about a millisecond for each line."""
    path = logs / "access.log"
    path.write_bytes((b"a" * 199 + b"\n") * 20_000)
    before = path.stat().st_size
    slow = "regex:(a|aa|aaa)+(?<status>[0-9]{3})"
    scan = support.subprocess.Popen(
        [support.BINARY, "scan", f"--format={slow}", path],
        stdout=support.subprocess.PIPE,
        stderr=support.subprocess.PIPE,
        env=support.ENVIRONMENT,
    )
    counts = support.pathlib.Path(f"/proc/{scan.pid}/io")
    # What it reads before the log, with a sanitizer above all, is in it too.
    support.wait_for(
        lambda: int(counts.read_text().split()[1]) > 640 * 1024, interval=0.001
    )
    support.os.truncate(path, size)
    stdout, stderr = scan.communicate(timeout=60 * support.SLOW)
    assert_said_to_have_shrunk(path, scan.returncode, stderr)
    metrics = support.Metrics(stdout.decode())
    lines = metrics.by("result", "accesslog_exporter_lines_total")
    n = lines.pop("unparsed")
    assert not any(lines.values())
    assert 256 * 1024 // 200 < n < before // 200
    # The last line that was read may have no end.
    n_bytes = metrics.total("accesslog_exporter_read_bytes_total")
    assert 200 * (n - 1) < n_bytes <= 200 * n


def test_a_file_that_is_cut_before_its_turn(logs):
    """One thread has looked at all files and is at the first, a FIFO."""
    path = logs / "access.log"
    path.write_bytes(combined(200_000))
    fifo = logs / "fifo"
    support.os.mkfifo(fifo)
    scan = support.subprocess.Popen(
        ["taskset", "-c", str(min(support.os.sched_getaffinity(0))), support.BINARY]
        + ["scan", "--format=combined", fifo, path],
        stdout=support.subprocess.PIPE,
        stderr=support.subprocess.PIPE,
        env=support.ENVIRONMENT,
    )
    with fifo.open("wb") as writer:  # it is read from here on
        support.os.truncate(path, len(combined(1000)))
        writer.write(combined(5))
    stdout, stderr = scan.communicate(timeout=60 * support.SLOW)
    assert_said_to_have_shrunk(path, scan.returncode, stderr)
    lines = support.Metrics(stdout.decode()).by(
        "source", "accesslog_exporter_lines_total"
    )
    assert lines == {str(fifo): 5, str(path): 1000}


def test_other_compressed_files_are_not_read_as_text(logs):
    path = logs / "access.log.2.xz"
    path.write_bytes(lzma.compress(combined(100)))
    result = support.run("scan", path)
    assert result.returncode == 1
    assert "access.log.2.xz" in result.stderr.decode()
    assert "write xzcat FILE | accesslog_exporter scan -" in result.stderr.decode()
    assert not support.Metrics(result.stdout.decode()).total(
        "accesslog_exporter_lines_total"
    )


def test_a_file_that_cannot_be_read_does_not_stop_the_others(logs):
    path = logs / "access.log"
    path.write_bytes(combined(3))
    result = support.run("scan", logs / "none.log", logs, path)
    assert result.returncode == 1
    told = [support.logfmt(line) for line in result.stderr.decode().splitlines()]
    assert [(line["file"], line["error"]) for line in told] == [
        (str(logs / "none.log"), "No such file or directory"),
        (str(logs), "Is a directory"),
    ]
    metrics = support.Metrics(result.stdout.decode())
    assert metrics.by("status", "accesslog_requests_total") == {"200": 3}


def test_explain_reads_gzip(logs):
    path = logs / "access.log.2.gz"
    path.write_bytes(gzip.compress(combined(1000)))
    plain = logs / "access.log.1"
    plain.write_bytes(combined(1000))
    results = [support.run("explain", file) for file in (path, plain)]
    assert results[0].returncode == 0, results[0].stderr.decode()
    assert b"combined" in results[0].stdout
    assert results[0].stdout.replace(path.name.encode(), b"") == results[
        1
    ].stdout.replace(plain.name.encode(), b"")


def scan_on_a_terminal(path, *options):
    """Its status and what a person sees who has sent the page elsewhere."""
    ours, theirs = pty.openpty()
    with support.subprocess.Popen(
        [support.BINARY, "scan", *options, path],
        stdout=support.subprocess.PIPE,
        stderr=theirs,
        env=support.ENVIRONMENT,
    ) as process:
        support.os.close(theirs)
        page = process.communicate(timeout=30 * support.SLOW)[0]
    seen = b""
    try:
        while more := support.os.read(ours, 65536):
            seen += more
    except OSError:  # the other end was closed, and all of it was read
        pass
    support.os.close(ours)
    assert process.returncode == 0
    return page, seen.decode()


def test_what_is_counted_has_a_format_whatever_the_first_lines_are(logs):
    """Neither the first line, nor the first 64 KiB, fit any."""
    for name, before in ("long", b"x" * 70_000 + b"\n"), ("other", b"# x\n" * 20_000):
        path = logs / name
        path.write_bytes(before + combined(50))
        result = support.run("scan", path)
        assert b"no shipped format" not in result.stderr
        metrics = support.Metrics(result.stdout.decode())
        assert metrics.value("accesslog_exporter_lines_total", result="parsed") == 50


def test_a_terminal_shows_how_far_it_is(logs):
    path = logs / "access.log"
    path.write_bytes(combined(100_000))
    page, seen = scan_on_a_terminal(path)
    assert page == support.run("scan", path).stdout
    frames = seen.split("\r")
    assert frames[0] == ""
    assert re.match(r" +\d+ % of 8\.\d MB, .* lines/s.* \[.*\]", frames[1]), frames[1]
    assert frames[-1] == "\n"
    assert re.fullmatch(
        r"8\.\d MB, 100 k lines in \d+\.\d s, [\d.]+ [kM]? ?lines/s *", frames[-2]
    ), frames[-2]
    # What was drawn is drawn over to its end.
    assert all(len(frame) >= 79 for frame in frames[1:-1])


def test_no_progress_with_quiet_or_without_a_terminal(logs):
    path = logs / "access.log"
    path.write_bytes(combined(100))
    page, seen = scan_on_a_terminal(path, "--quiet")
    assert seen == ""
    result = support.run("scan", path)
    assert (result.stdout, result.stderr) == (page, b"")
    result = support.run("serve", "--quiet", path)
    assert result.returncode == 2
    assert "--quiet" in result.stderr.decode()
