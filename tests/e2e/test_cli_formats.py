"""`explain` and `formats`, and formats of every syntax on the command line."""

import re
import subprocess

import pytest

import support

GOOD = b'192.0.2.1 - - [20/Nov/2026:15:40:00 +0000] "GET /a?b HTTP/1.1" 200 612 "-" "x"\n'
NO_BRACKET = GOOD.replace(b"[", b"").replace(b"]", b"")
NO_STATUS = GOOD.replace(b" 200 ", b" ok ")


def run(*arguments, data=b""):
    return subprocess.run(
        [support.BINARY, *arguments],
        input=data,
        capture_output=True,
        timeout=10 * support.SLOW,
        env=support.ENVIRONMENT,
    )


def explain(data, *options):
    result = run("explain", *options, "-", data=data)
    assert not result.stderr
    return result.returncode, result.stdout.decode()


def test_explain_says_which_format_and_why():
    code, text = explain(GOOD * 3)
    assert code == 0
    assert text.startswith("format    combined\n")
    assert "fit       3 of 3 lines looked at" in text
    points = {
        row.split()[0]: row.split()[1:] for row in text.splitlines() if row.startswith("  ")
    }
    assert points["combined"] == ["9", "taken"]
    assert points["common"] == ["6"]


def test_explain_shows_the_fields_of_one_line():
    code, text = explain(NO_STATUS + GOOD, "--format=combined")
    table = text.split("\nline 2\n")[1].splitlines()
    fields = dict(row.split(None, 1) for row in table)
    assert fields["remote_addr"] == "192.0.2.1"
    assert fields["status"] == "200"
    assert fields["uri"] == "/a"
    assert fields["http_user_agent"] == "x"
    assert code == 1


@pytest.mark.parametrize(
    "line,column,expected",
    [
        (NO_STATUS, NO_STATUS.index(b"ok") + 1, "status, three digits or -"),
        (NO_BRACKET, len(b"192.0.2.1 - ") + 1, '" [" after remote_user'),
        (GOOD[:60], 61, '"" " after request'),
    ],
)
def test_explain_puts_a_caret_where_a_line_stops_fitting(line, column, expected):
    line = line.rstrip(b"\n")
    code, text = explain(GOOD + line + b"\n", "--format=combined")
    assert code == 1
    rows = text.splitlines()
    at = rows.index(f"line 2, column {column}: expected {expected}")
    assert rows[at + 2].strip() == "^"
    caret = rows[at + 2].index("^")
    shown = rows[at + 1] + " "
    assert shown[caret] == (line + b" ").decode()[column - 1]


def test_explain_cuts_a_long_line_around_the_caret():
    line = GOOD.replace(b"/a", b"/" + b"a" * 5000).replace(b" 200 ", b" ok ")
    _, text = explain(line, "--format=combined")
    assert f"column {line.index(b'ok') + 1}: expected status" in text
    assert max(map(len, text.splitlines())) < 90
    rows = text.splitlines()
    caret = next(row for row in rows if row.strip() == "^").index("^")
    assert rows[rows.index(" " * caret + "^") - 1][caret:].startswith("ok 612")


def test_explain_of_what_no_format_fits_shows_the_one_that_comes_furthest():
    code, text = explain(NO_STATUS)
    assert code == 1
    assert text.startswith("format    none fits\n")
    assert "expected status, three digits or - (" in text


def test_explain_shows_few_of_many_misfits():
    code, text = explain(GOOD + NO_STATUS * 20, "--format=combined")
    assert code == 1
    assert text.count("^") == 5
    assert text.endswith("\n15 more lines do not fit\n")


def test_explain_of_control_bytes_prints_none():
    _, text = explain(b"\x1b[31m\xff\x07 no access log\n")
    assert text.isprintable() or set(text) - {"\n"} <= set(map(chr, range(32, 127)))


def test_explain_exit_codes(tmp_path):
    log = tmp_path / "access.log"
    log.write_bytes(GOOD)
    assert run("explain", log).returncode == 0
    assert run("explain", "--format=%h %y", log).returncode == 2
    assert run("explain", tmp_path / "none").returncode == 1
    assert run("explain").returncode == 2
    assert run("explain", log, log).returncode == 2
    assert run("explain", "--web.telemetry-path=/m", log).returncode == 2
    log.write_bytes(b"\x1f\x8b\x08" + bytes(20))
    result = run("explain", log)
    assert result.returncode == 1 and b"gzip data is corrupt" in result.stderr


def test_formats_lists_every_shipped_format():
    result = run("formats")
    assert result.returncode == 0 and not result.stderr
    names = [row.split()[0] for row in result.stdout.decode().splitlines()]
    assert names == sorted(
        path.stem
        for path in (support.REPOSITORY / "patterns").glob("*.[gj]*")
        if path.stem != "base"
    )
    assert all(len(row) > 20 for row in result.stdout.splitlines())


def names():
    return [row.split()[0] for row in run("formats").stdout.decode().splitlines()]


def test_formats_shows_an_expression_and_a_sample_of_it():
    for name in names():
        rows = run("formats", name).stdout.decode().splitlines()
        expression = rows[rows.index("expression") + 1].strip()
        sample = rows[rows.index("sample") + 1][2:].encode() + b"\n"
        as_text = expression if "json:" in expression else f"grok:{expression}"
        for form in name, "auto", as_text:
            code, text = explain(sample, f"--format={form}")
            assert code == 0, (name, text)
        assert explain(sample)[1].startswith(f"format    {name}\n")


def test_formats_shows_json_as_what_it_stands_for():
    result = run("formats", "json")
    assert result.returncode == 0 and result.stdout == run("formats", "nginx_json").stdout


@pytest.mark.parametrize(
    "name,advice",
    [("combine", "write combined"), ("nginx_jsno", "write nginx_json"),
     ("nginx", "write accesslog_exporter formats"),
     ("auto", "auto takes the one of them that fits"), ("nope", "write accesslog_exporter formats")],
)
def test_formats_says_what_to_write_instead(name, advice):
    result = run("formats", name)
    assert result.returncode == 2
    assert advice in result.stderr.decode()


def test_formats_refuses_what_is_none():
    for name in "nope", "STATUS":
        result = run("formats", name)
        assert result.returncode == 2
        assert b'no format is called "' + name.encode() in result.stderr
    result = run("formats", "common", "combined")
    assert result.returncode == 2
    assert b"formats takes one name" in result.stderr


@pytest.mark.parametrize(
    "form,column",
    [
        ("$status ${x", 9),
        ("log_format m '$status", 14),
        ("%h %y", 4),
        ("apache:%>s %{x", 13),
        ("regex:(?<status>a", 18),
    ],
)
def test_a_wrong_format_is_refused_with_its_column(form, column):
    result = run("scan", f"--format={form}", "-")
    assert result.returncode == 2
    assert f"--format, column {column}: " in result.stderr.decode()


@pytest.mark.parametrize(
    "form",
    [
        '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent',
        "log_format x '$remote_addr - $remote_user [$time_local] '\n"
        "  '\"$request\" $status $body_bytes_sent';",
        '%h %l %u %t "%r" %>s %b',
        'LogFormat "%h %l %u %t \\"%r\\" %>s %b" common',
        "%{COMMON}",
        r'regex:[^"]+ "(?<request>[^"]*)" (?<status>\d+) (?<body_bytes_sent>\d+)',
    ],
)
def test_every_syntax_counts_the_same(form):
    metrics = support.scan(f"--format={form}", "-", input=GOOD * 2 + b"no\n")
    assert metrics.by("status", "accesslog_requests_total") == {"200": 2}
    assert metrics.by("status", "accesslog_response_bytes_total") == {"200": 1224}
    lines = metrics.by("result", "accesslog_exporter_lines_total")
    assert lines["parsed"] == 2 and lines["unparsed"] == 1


MISSPELT = "a field of the format is almost one that is used"


def test_a_field_that_was_meant_to_be_another_is_logged_by_scan():
    form = '$remote_addr - - [$time_local] "$request" $statu $body_bytes_sent'
    result = run("scan", f"--format={form}", "-", data=GOOD)
    assert result.returncode == 0
    (line,) = result.stderr.decode().splitlines()
    entry = support.logfmt(line)
    assert (entry["level"], entry["msg"]) == ("warn", MISSPELT)
    assert (entry["option"], entry["column"]) == ("--format", "43")
    assert "write status" in entry["error"]
    result = run("scan", f"--format={form.replace('statu', 'status $my_own')}", "-", data=GOOD)
    assert (result.returncode, result.stderr) == (0, b"")


def test_a_field_that_was_meant_to_be_another_is_logged_once(exporter, logs):
    daemon = exporter("--format=$request $statu", logs / "a.log", logs / "b.log")
    (entry,) = daemon.logged(MISSPELT)
    assert (entry["option"], entry["column"]) == ("--format", "10")


@pytest.mark.parametrize("text", ["README.md", "man/accesslog_exporter-formats.7"])
def test_the_regex_of_the_manual_fits_a_log(text):
    """Of combined format, which is what people have."""
    manual = (support.REPOSITORY / text).read_text()
    forms = re.findall(r"regex:[^\n]*\+\)", manual)
    assert forms
    for form in forms:
        code, answer = explain(GOOD, "--format=" + form.replace("\\ed", "\\d"))
        assert code == 0 and "1 of 1 lines" in answer, form


def test_help_fits_a_screen():
    rows = run("--help").stdout.decode().splitlines()
    assert len(rows) <= 24
    assert max(map(len, rows)) <= 80
