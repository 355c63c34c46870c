"""The command line: what it answers, what it refuses, and how it says so."""

import json
import os
import re
import signal
import socket
import subprocess

import pytest

import support

LINE = b'192.0.2.1 - - [20/Nov/2026:15:40:00 +0000] "GET / HTTP/1.1" 200 12\n'


def refusal(*arguments, status=2, **options):
    """The one line with which it refuses these arguments."""
    result = support.run(*arguments, **options)
    text = result.stderr.decode()
    assert result.returncode == status, (result.returncode, text)
    assert result.stdout == b""
    assert text.endswith("\n") and text.count("\n") == 1, text
    assert len(text) < 400, text
    return text


@pytest.mark.parametrize("arguments", [["-h"], ["help"], ["scan", "-h"], ["help", "scan"]])
def test_help_is_shown_however_it_is_asked_for(arguments):
    result = support.run(*arguments)
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout == support.run("--help").stdout


def test_help_fits_a_screen():
    result = support.run("--help")
    assert (result.returncode, result.stderr) == (0, b"")
    lines = result.stdout.decode().splitlines()
    assert 5 < len(lines) <= 24
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    "option",
    [
        "--format",
        "--read-from",
        "--state.dir",
        "--web.listen-address",
        "--web.telemetry-path",
        "--log.level",
        "--log.format",
        "--version",
        "scan",
    ],
)
def test_help_names_every_option(option):
    assert option in support.run("--help").stdout.decode()


def test_version_is_one_line_with_name_and_number():
    result = support.run("--version")
    assert (result.returncode, result.stderr) == (0, b"")
    assert re.match(
        r"accesslog_exporter\b.*\b\d+\.\d+", result.stdout.decode().splitlines()[0]
    )


def test_version_is_the_one_of_build_info(exporter, log):
    labels = [
        dict(key)
        for key in exporter(log.path)
        .scrape()
        .matching("accesslog_exporter_build_info")
    ]
    assert len(labels) == 1
    assert labels[0]["version"] in support.run("--version").stdout.decode()
    assert "revision" in labels[0]


@pytest.mark.parametrize("command", [[], ["serve"], ["scan"]], ids=["", "serve", "scan"])
@pytest.mark.parametrize("option", ["--nonsense", "--nonsense=1", "-Z"])
def test_an_unknown_option_is_named(command, option, logs):
    assert option.partition("=")[0] in refusal(*command, option, logs / "access.log")


@pytest.mark.parametrize(
    "word,instead",
    [("scna", "scan"), ("sacn", "scan"), ("serv", "serve"), ("chekc", "check"),
     ("explian", "explain"), ("format", "formats"), ("hlep", "--help"),
     ("version", "--version"), ("helpp", "--help")],
)
def test_a_mistyped_command_is_no_file(word, instead, logs):
    text = refusal(word, "access.log", cwd=logs)
    assert f'there is no command "{word}"; write {instead}, or ./{word} for a file' in text


@pytest.mark.parametrize("word", ["scan", "scna"])
def test_a_command_behind_an_option_is_no_file(word, logs):
    text = refusal("--format=combined", word, "access.log", cwd=logs)
    assert "write" in text and f"scan, or ./{word} for a file of that name" in text


@pytest.mark.parametrize("word", ["scna", "./scna", "scan.", "sca*", "access", "s"])
def test_what_may_be_a_file_is_one(word, logs):
    """Refused for another reason, which comes after the look at the command."""
    if word == "scna":
        (logs / word).touch()
    assert "--quiet" in refusal(word, "--quiet", cwd=logs)


CONFIGURATION = "# Two sites.\n\n---\nsources:\n- paths: access.log\n"


@pytest.mark.parametrize(
    "text", [None, CONFIGURATION, "metrics: []", "# nothing yet\n", "formt: x\n"]
)
@pytest.mark.parametrize("name", ["sites.yml", "sites.yaml"])
def test_a_configuration_is_no_log(name, text, logs):
    if text is not None:
        (logs / name).write_text(text)
    for command in [], ["serve"], ["--config.file=other.yml", "access.log"]:
        assert (
            f"{name} looks like a configuration, not a log; write --config.file={name}"
            in refusal(*command, name, cwd=logs)
        )
    for command in "scan", "explain":
        assert (
            f"{name} looks like a configuration, and {command} works without one; "
            f"leave it out, or write accesslog_exporter check {name}"
            in refusal(command, name, cwd=logs)
        )


@pytest.mark.parametrize("name", ["access.yml", "access.yaml"])
def test_a_log_may_be_named_as_a_configuration_is(name, logs, exporter, make_log):
    log = make_log(logs / name)
    daemon = exporter(log.path)  # which is empty
    log.write(10)
    support.assert_counted(daemon, log)
    daemon.stop()
    metrics = support.scan(log.path)
    assert metrics.total("accesslog_requests_total") == 10
    daemon = exporter(log.path)
    assert daemon.logged("following")
    for line in b'{"status": 200, "x": 1}\n', b"2026-11-20T15:40:00Z GET / 200\n", b"\n":
        log.path.write_bytes(line)
        assert support.run("scan", log.path).returncode == 0


def test_what_is_no_regular_file_or_no_file_is_not_taken_for_a_configuration(logs):
    """It is refused for another reason, which comes after the look at it."""
    (logs / "folder.yml").mkdir()
    os.mkfifo(logs / "pipe.yml")
    (logs / "sites.conf").write_text(CONFIGURATION)
    for name in "folder.yml", "pipe.yml", "sites.conf", "*.yml", ".yml", "access.log":
        text = refusal("serve", name, "--web.listen-address=x", cwd=logs)
        assert "--web.listen-address" in text


def test_to_look_for_a_configuration_is_nothing_to_who_writes_to_a_fifo(logs):
    """Opened and closed again, it would end its writer with SIGPIPE."""
    os.mkfifo(logs / "pipe.yml")
    with subprocess.Popen(["tee", "pipe.yml"], cwd=logs, stdin=subprocess.PIPE) as writer:
        try:
            writer.stdin.write(3 * LINE)
            writer.stdin.close()
            support.wait_for(
                lambda: " S " in open(f"/proc/{writer.pid}/stat").read(),
                what="the writer to wait for a reader",
            )
            assert "sites.yml" in refusal("scan", "pipe.yml", "sites.yml", cwd=logs)
            result = support.run("scan", "pipe.yml", cwd=logs, timeout=10)
        finally:
            writer.kill()
    metrics = support.Metrics(result.stdout.decode())
    assert metrics.total("accesslog_requests_total") == 3


def test_check_takes_what_looks_like_a_configuration(logs):
    (logs / "sites.yml").write_text(CONFIGURATION)
    assert support.run("check", "sites.yml", cwd=logs).returncode == 0
    assert "No such file" in refusal("check", "missing.yml", cwd=logs)


def test_a_mistyped_option_is_named(logs):
    for option, instead in ("--fromat=x", "--format"), ("--web.lifecycle", "--web."):
        assert f"did you mean {instead}" in refusal(option, logs / "access.log")


@pytest.mark.parametrize(
    "arguments",
    [["-config.file=x"], ["-config.file", "x"], ["access.log", "-web.enable-lifecycle"],
     ["scan", "access.log", "-format=combined"], ["serve", "-log.level=debug"], ["-quiet"]],
    ids=" ".join,
)
def test_an_option_with_one_dash_is_named_with_two(arguments):
    name = next(word for word in arguments if word[0] == "-").partition("=")[0]
    assert f"{name} begins with two dashes; write -{name}" in refusal(*arguments)
    for argument in "-cofnig.file=x", "-Z.log":
        assert f'unknown option "{argument.partition("=")[0]}"' in refusal(argument)


@pytest.mark.parametrize("command", [[], ["serve"], ["scan"]], ids=["", "serve", "scan"])
def test_no_file_is_refused(command):
    assert re.search(r"(?i)file", refusal(*command))


@pytest.mark.parametrize(
    "option,expected",
    [
        ("--read-from=middle", ["middle", "beginning", "end"]),
        ("--log.level=loud", ["loud", "debug", "info", "warn", "error"]),
        ("--log.format=xml", ["xml", "logfmt", "json"]),
        ("--web.telemetry-path=metrics", ["metrics", "/"]),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(option, expected, logs):
    text = refusal(option, logs / "access.log")
    assert [word for word in expected if word not in text] == []


@pytest.mark.parametrize(
    "address",
    ["", "nonsense", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
     "127.0.0.1:80x", "[::1", "[::1]", "::1:9649", "[127.0.0.1:9649"],
)
def test_a_bad_address_is_refused_and_named(address, logs):
    text = refusal(f"--web.listen-address={address}", logs / "access.log")
    assert address in text
    assert "PORT" in text or "9649" in text, "what to write instead"


@pytest.mark.parametrize(
    "one,two", [("127.0.0.1:9", "127.0.0.1:9"), (":9", "9"), ("*:9", ":9")]
)
def test_an_address_that_is_given_twice_is_refused(one, two, logs):
    text = refusal(
        f"--web.listen-address={one}", f"--web.listen-address={two}", logs / "access.log"
    )
    assert f"--web.listen-address={two} was given twice; write it once" in text


@pytest.mark.parametrize(
    "one,two",
    [(":9", "127.0.0.1:9"), ("127.0.0.1:9", "9"), ("[::1]:9", "*:9"), ("[::]:9", "localhost:9"),
     ("0.0.0.0:9", "127.0.0.1:9")],
)
def test_an_address_within_another_is_refused(one, two, logs):
    text = refusal(
        f"--web.listen-address={one}", f"--web.listen-address={two}", logs / "access.log"
    )
    assert f"--web.listen-address={one} and {two} have the same port" in text
    assert "write only that" in text


def test_a_port_in_use_ends_it_with_1(logs):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        result = support.run(f"--web.listen-address={address}", logs / "access.log")
    lines = result.stderr.decode().splitlines()
    assert result.returncode == 1
    complaint = [line for line in lines if address in line]
    assert len(complaint) == 1 and "in use" in complaint[0], lines


@pytest.mark.parametrize("command", ["serve", "scan"])
def test_a_pattern_that_does_not_compile_is_refused_with_its_column(command, logs):
    text = refusal(command, "--format=%{IP:remote_addr} (", logs / "access.log")
    assert re.search(r"\b(column |:)\d+", text), text


def test_the_column_is_where_the_mistake_stands(logs):
    pattern = "%{CLIENT:remote_addr} %{NOSUCHNAME:status}"
    text = refusal(f"--format={pattern}", logs / "access.log")
    assert "NOSUCHNAME" in text
    assert f"column {pattern.index('%{NOSUCHNAME') + 1}" in text


def test_a_pattern_without_a_status_is_refused(logs):
    """It could count nothing: the metrics are keyed by status."""
    assert "status" in refusal("--format=%{CLIENT:remote_addr}", logs / "access.log")


@pytest.mark.parametrize("command", ["serve", "scan"])
def test_an_unknown_format_is_refused_with_the_ones_it_knows(command, logs):
    text = refusal(command, "--format=nonsense", logs / "access.log")
    for name in ("nonsense", "auto", "common", "combined", "vhost_combined",
                 "nginx_timed", "apache_timed"):
        assert name in text


def test_a_grok_expression_as_the_format(logs):
    path = logs / "own.log"
    path.write_bytes(b"200 7 a\n404 11 b\nnothing\n200 - c\n")
    metrics = support.scan(
        "--format=%{STATUS:status} %{BYTES:body_bytes_sent}", path
    )
    assert metrics.by("status", "accesslog_requests_total") == {"200": 2, "404": 1}
    assert metrics.by("status", "accesslog_response_bytes_total") == {
        "200": 7,
        "404": 11,
    }
    assert metrics.total("accesslog_exporter_lines_total", result="unparsed") == 1


def test_words_in_a_grok_expression(logs):
    path = logs / "own.log"
    path.write_bytes(b"GET 200 7\nPOST 404 11\n")
    metrics = support.scan("--format=%{WORD:request_method} %{STATUS:status}", path)
    assert metrics.by("status", "accesslog_requests_total") == {"200": 1, "404": 1}


def test_scan_of_a_missing_file_ends_with_1_and_counts_the_others(logs):
    one, two = logs / "one.log", logs / "two.log"
    one.write_bytes(LINE)
    two.write_bytes(LINE * 2)
    result = support.run("scan", one, logs / "missing.log", two)
    assert result.returncode == 1
    complaints = result.stderr.decode().splitlines()
    assert [line for line in complaints if "missing.log" in line]
    metrics = support.Metrics(result.stdout.decode())
    assert metrics.by("status", "accesslog_requests_total") == {"200": 3}


def test_scan_of_a_directory_ends_with_1(logs):
    result = support.run("scan", logs)
    assert result.returncode == 1
    assert str(logs) in result.stderr.decode()


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_directory_is_called_one_with_what_to_write(exporter, logs, slash):
    (logs / "d").mkdir()
    daemon = exporter(f"{logs}/d{slash}")
    (entry,) = daemon.logged("the file cannot be read; trying again")
    assert entry["error"] == f"it is a directory; write '{logs}/d/*access.log'"


def test_scan_to_a_full_disk_ends_with_1(logs):
    path = logs / "access.log"
    path.write_bytes(LINE)
    with open("/dev/full", "wb") as full:
        result = support.subprocess.run(
            [support.BINARY, "scan", path],
            stdout=full,
            stderr=support.subprocess.PIPE,
            env=support.ENVIRONMENT,
            timeout=30 * support.SLOW,
        )
    assert result.returncode == 1
    assert result.stderr.decode().count("\n") >= 1


def test_a_missing_file_is_no_reason_not_to_start(exporter, logs):
    daemon = exporter(logs / "not-yet.log")
    assert daemon.value("accesslog_exporter_files", state="missing") == 1


def test_the_log_is_logfmt(exporter, log):
    daemon = exporter(log.path)
    for line in daemon.lines:
        assert re.fullmatch(
            r'time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=(debug|info|warn|error)'
            r' msg=(?:[^\s"=]+|"(?:[^"\\\n]|\\.)*")'
            r'(?: [a-z_]+=(?:[^\s"=]*|"(?:[^"\\\n]|\\.)*"))*\n',
            line,
        ), line


def test_the_log_is_json_when_asked(exporter, log):
    daemon = exporter("--log.format=json", log.path)
    for line in daemon.lines:
        entry = json.loads(line)
        assert {"time", "level", "msg"} <= set(entry)


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_a_hostile_file_name_stays_one_log_line(exporter, logs, form):
    name = 'a "b"\\c\nlevel=error msg=fake'
    path = logs / name
    path.write_bytes(LINE)
    daemon = exporter(
        f"--log.format={form}", "--log.level=debug", "--read-from=beginning", path
    )
    daemon.scrape()
    support.wait_for(lambda: daemon.logged("format recognised"))
    for line in daemon.lines:
        entry = support.logfmt(line)
        assert {"time", "level", "msg"} <= set(entry), line
        assert entry["level"] != "error"


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_a_file_name_that_is_no_text_is_logged_as_text(exporter, logs, form):
    """As JSON has to be: RFC 8259, section 8.1."""
    name = "\ufffd\x01" + "\u00e9" + "\ufffd" * 70
    path = os.fsencode(logs) + b"/\xff\x01\xc3\xa9" + b"\xc3" * 70
    with open(path, "wb") as file:
        file.write(LINE)
    daemon = exporter(f"--log.format={form}", os.fsdecode(path))
    support.wait_for(lambda: daemon.logged("following"))
    if form == "json":
        for entry in daemon.logged("following"):
            assert entry["path"] == entry["source"] == f"{logs}/{name}"
    assert name.replace("\x01", "\\u0001") in daemon.raw_log.decode()


def test_a_log_that_nobody_reads_holds_nothing_up(exporter, make_log, logs):
    daemon = exporter(logs / "*.log")
    daemon.fill_log()
    many = []
    for i in range(4):
        many.append(make_log(logs / f"{i}.log", source=logs / "*.log"))
        many[-1].write(5)
        support.wait_for(lambda: daemon.has_open(many[-1].path))
    support.assert_counted(daemon, *many)
    assert not daemon.logged("following")
    daemon.reads_log.set()
    support.wait_for(lambda: daemon.lines.count("filler=1\n") > 1000)
    many.append(make_log(logs / "later.log", source=logs / "*.log"))
    many[-1].write(1)
    support.wait_for(lambda: daemon.logged("following"))
    assert daemon.logged("following")[0]["path"] == str(many[-1].path)
    dropped = daemon.logged("the log was full; lines of it were dropped")
    assert len(dropped) == 1
    assert int(dropped[0]["lines"]) >= 4


@pytest.mark.parametrize(
    "level,quiet", [("debug", False), ("info", False), ("warn", True), ("error", True)]
)
def test_the_log_level_decides_what_is_said(level, quiet, logs):
    """At `warn` a peaceful life says nothing, so no address can be read off."""
    path = logs / "access.log"
    path.write_bytes(LINE)
    with support.subprocess.Popen(
        [support.BINARY, f"--log.level={level}", "--web.listen-address=127.0.0.1:0", path],
        stderr=support.subprocess.PIPE,
        env=support.ENVIRONMENT,
    ) as process:
        listening = re.compile(r":[0-9A-F]{4} 00000000:0000 0A ")

        def listens():
            """It is at work once a descriptor of it is a listening socket."""
            sockets = {
                line.split()[9]
                for line in open("/proc/net/tcp")
                if listening.search(line)
            }
            folder = f"/proc/{process.pid}/fd"
            for name in support.os.listdir(folder):
                try:
                    target = support.os.readlink(f"{folder}/{name}")
                except FileNotFoundError:
                    continue
                if target.startswith("socket:[") and target[8:-1] in sockets:
                    return True
            return False

        support.wait_for(listens, what="a listening socket")
        process.send_signal(signal.SIGTERM)
        text = process.communicate(timeout=5 * support.SLOW)[1].decode()
    assert process.returncode == 0, text
    assert (text == "") == quiet, text
    assert level == "debug" or "level=debug" not in text


def test_the_format_is_said_once(exporter, log):
    daemon = exporter(log.path)
    log.write(10)
    daemon.scrape()
    log.write(10)
    daemon.scrape()
    said = support.wait_for(lambda: daemon.logged("format recognised"))
    assert [(entry["source"], entry["format"]) for entry in said] == [
        (str(log.path), "combined")
    ]


@pytest.mark.parametrize("source", ["file", "-"])
def test_a_format_that_was_given_was_not_recognised(exporter, log, source):
    """It would be said where no line fits, too."""
    if source == "-":
        reader, writer = os.pipe()
        with open(reader, "rb") as stdin:
            daemon = exporter("--format=combined", "-", log.path, stdin=stdin)
        os.write(writer, LINE)
    else:
        daemon = exporter("--format=combined", log.path)
    log.write(10)
    log.junk()
    wanted = {str(log.path), "-"} if source == "-" else {str(log.path)}
    support.wait_for(
        lambda: wanted == set(daemon.scrape().by("source", "accesslog_exporter_format_info")),
        what="the format in the metrics",
    )
    assert not daemon.logged("format recognised")
    if source == "-":
        os.close(writer)


def test_it_keeps_looking_for_the_format_while_nothing_fits(exporter, log):
    daemon = exporter(log.path)
    for _ in range(3):
        log.junk()
    metrics = support.assert_counted(daemon, log)
    assert metrics.total("accesslog_exporter_format_info") == 0
    assert not daemon.logged("format recognised")
    log.write(5)
    metrics = support.assert_counted(daemon, log)
    assert metrics.value("accesslog_exporter_format_info", format="combined") == 1
    assert len(support.wait_for(lambda: daemon.logged("format recognised"))) == 1


def test_a_hang_up_is_survived_and_logged(exporter, log):
    daemon = exporter(log.path)
    before = len(daemon.log)
    daemon.send(signal.SIGHUP)
    support.wait_for(lambda: len(daemon.log) > before, what="a line about SIGHUP")
    log.write(3)
    support.assert_counted(daemon, log)


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_a_signal_for_nginx_is_survived_and_logged(exporter, log, number):
    daemon = exporter(log.path)
    daemon.send(number)
    (line,) = support.wait_for(
        lambda: daemon.logged("the signal changes nothing: logs are followed across "
                              "rotations without one")
    )
    assert line["signal"] == number.name
    log.write(3)
    support.assert_counted(daemon, log)


@pytest.mark.skipif(support.SANITIZED, reason="a sanitizer reserves terabytes")
@pytest.mark.parametrize("command", ["check", "scan", "explain", "serve"])
def test_no_memory_is_no_mistake_of_the_user(command, logs):
    """Status 1 wherever it ends, as memory grows from not enough to start."""
    log = logs / "access.log"
    log.write_bytes(LINE)
    config = logs / "exporter.yml"
    config.write_text("sources:\n" + "".join(
        f"- {{ name: s{i}, paths: [{logs}/{i}.log], format: combined }}\n"
        for i in range(1000)
    ))
    with socket.create_server(("127.0.0.1", 0)) as server:
        arguments = {
            "check": [config],
            "scan": [log, "--format=%{COMBINED}"],
            "explain": [log],
            # It ends, because the port is in use.
            "serve": [f"--web.listen-address=127.0.0.1:{server.getsockname()[1]}",
                      f"--config.file={config}"],
        }[command]

        def status(kib):
            limit = f"--as={kib * 1024}"
            result = support.run(command, *arguments, wrapper=("prlimit", limit, "--"))
            return result.returncode, result.stderr.decode()

        def is_enough(kib):
            code, text = status(kib)
            return code == 0 or "in use by another process" in text

        few, enough = 1024, 1024 * 1024
        assert is_enough(enough)
        while enough - few > 64:
            middle = (few + enough) // 2
            few, enough = (few, middle) if is_enough(middle) else (middle, enough)
        codes = set()
        for kib in range(max(0, enough - 8192), enough, 64):
            code, text = status(kib)
            if code != 127:  # the system's own, before it runs
                assert code in (0, 1), (kib, code, text)
                codes.add(code)
        assert 1 in codes
