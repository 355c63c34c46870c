"""`check`: is a configuration right, and what would it follow right now?"""

import os
import re

import pytest

import support

EXAMPLES = sorted((support.REPOSITORY / "contrib" / "examples").glob("*.yml"))


@pytest.fixture
def config(tmp_path):
    """Write a configuration; return its path."""

    def write(text):
        path = tmp_path / "accesslog.yml"
        path.write_text(text)
        return path

    return write


def refusals(path, *arguments):
    """The lines with which check refuses a configuration."""
    result = support.run("check", *arguments, path)
    assert (result.returncode, result.stdout) == (2, b"")
    return result.stderr.decode().splitlines()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_right(path):
    result = support.run("check", path)
    assert (result.returncode, result.stderr) == (0, b"")


def test_the_example_of_the_manual_is_right(config):
    manual = (support.REPOSITORY / "man" / "accesslog_exporter.yml.5").read_text()
    example = re.search(
        r"\.Sh EXAMPLES\n.*?\.Bd -literal.*?\n(.*?)\.Ed\n", manual, re.S
    )[1].replace("\\e", "\\")
    result = support.run("check", config(example))
    assert (result.returncode, result.stderr) == (0, b"")
    assert b"shop:\n" in result.stdout


def test_a_mistake_has_file_line_and_column(config):
    path = config("sources:\n- paths: {a: b}\n")
    assert refusals(path) == [
        f"{path}:2:10: paths is a mapping; write a list of paths, such as "
        "[/var/log/nginx/*.log]"
    ]


def test_every_wrong_format_has_its_place_in_the_file(config):
    path = config(
        "sources:\n"
        "- paths: a.log\n"
        "  format: ['%{COMBINED} (?<x>.*', combine]\n"
        "- paths: b.log\n"
        "  format: >-\n"
        "    %{COMBINED}\n"
        "    [a\n"
    )
    lines = refusals(path)
    assert len(lines) == 3
    # The text is at column 13, its error behind its 19 bytes.
    assert lines[0].startswith(f"{path}:3:32: ")
    assert lines[1].startswith(f"{path}:3:35: ") and "combine" in lines[1]
    assert lines[2].startswith(f"{path}:7:5: ")
    assert "of this text" not in lines[2]


def test_an_expression_that_does_not_compile_is_refused(config):
    path = config("sources:\n- paths: a\n  format: '%{COMBINED} [b-a]'\n")
    (line,) = refusals(path)
    assert line.startswith(f"{path}:3:")


def test_it_says_what_each_source_would_follow(config, tmp_path):
    for name in ["a.log", "b.log", "b.log.gz", "[x]?.log"]:
        (tmp_path / name).write_text("")
    (tmp_path / "d.log").mkdir()
    path = config(
        "sources:\n"
        "- name: globs\n"
        f"  paths: ['{tmp_path}/*.log*', '{tmp_path}/a.log', '{tmp_path}/no*.log']\n"
        "  exclude: ['*.gz', '*x*']\n"
        "- name: names\n"
        f"  paths: ['{tmp_path}/[x]?.log', '{tmp_path}/later.log']\n"
    )
    for arguments in [["check", path], ["check", f"--config.file={path}"]]:
        result = support.run(*arguments)
        assert (result.returncode, result.stderr) == (0, b"")
        assert result.stdout.decode().splitlines() == [
            "globs:",
            f"  {tmp_path}/[x]?.log: excluded",
            f"  {tmp_path}/a.log",
            f"  {tmp_path}/b.log",
            f"  {tmp_path}/b.log.gz: excluded",
            f"  {tmp_path}/d.log: not a regular file",
            f"  {tmp_path}/no*.log: nothing yet",
            "names:",
            f"  {tmp_path}/[x]?.log",
            f"  {tmp_path}/later.log: not there yet",
        ]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_it_says_what_it_could_not_read(logs):
    (logs / "a.log").touch(mode=0o600)
    (logs / "adm").mkdir(mode=0o750)
    (logs / "adm" / "a.log").touch()
    path = logs / "accesslog.yml"
    path.write_text(f"sources:\n- name: all\n  paths: ['{logs}/a*.log', '{logs}/adm/*.log']\n")
    result = support.run(
        "check", path, wrapper=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    )
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.decode().splitlines() == [
        "all:",
        f"  {logs}/a.log: Permission denied",
        f"  {logs}/adm/*.log: {logs}/adm: Permission denied",
    ]


def test_it_reads_standard_input():
    result = support.run("check", "-", input=b"limits: {}\n")
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")
    result = support.run("check", "-", input=b"limit: {}\n")
    assert result.returncode == 2
    assert result.stderr.startswith(b"-:1:1: ")


def test_a_file_that_is_too_large_is_refused(config):
    path = config("# " + "x" * (1 << 20))
    (line,) = refusals(path)
    assert "larger than 1048576 bytes" in line


def test_what_cannot_be_read_is_said(tmp_path):
    for path, reason in [(tmp_path / "none", "No such file"), (tmp_path, "directory")]:
        (line,) = refusals(path)
        assert str(path) in line and reason in line


@pytest.mark.parametrize(
    "arguments,expected",
    [
        (["check"], "no file to check"),
        (["check", ""], "an empty file name"),
        (["check", "--config.file="], "--config.file"),
        (["check", "--config.file"], "needs a value"),
        (["check", "a", "b"], "check takes one"),
        (["check", "--config.file=a", "b"], "check takes one"),
        (["check", "--format=common", "a"], "--format"),
        (["check", "--web.listen-address=:1", "a"], "--web"),
        (["scan", "--config.file=a", "b"], "leave out --config.file"),
    ],
)
def test_a_wrong_command_line_is_answered(arguments, expected):
    result = support.run(*arguments)
    assert (result.returncode, result.stdout) == (2, b"")
    (line,) = result.stderr.decode().splitlines()
    assert expected in line


def test_a_field_that_no_line_can_have_is_a_warning(config, tmp_path):
    path = config(
        f"sources:\n- paths: {tmp_path}/a.log\n  format: combined\n"
        "metrics:\n- name: x_total\n  type: counter\n  help: x\n"
        "  labels: [{name: agent, from: http_user_agnt}]\n"
    )
    result = support.run("check", path)
    assert result.returncode == 0
    assert result.stderr.decode() == (
        f"{path}:8:32: warning: no format of a source has the field http_user_agnt, "
        "which stays empty; write http_user_agent, or a format that has it\n"
    )
    assert b"a.log" in result.stdout


def test_a_field_that_was_meant_to_be_another_is_a_warning(config, tmp_path):
    path = config(
        f"sources:\n- paths: {tmp_path}/a.log\n"
        "  format: '$request $statu $upstream_cache_key $my_own'\n"
    )
    result = support.run("check", path)
    assert result.returncode == 0
    assert result.stderr.decode() == (
        f"{path}:3:21: warning: the format has the field statu, which nothing uses, and "
        "lacks status; write status if that is meant\n"
    )
    assert b"a.log" in result.stdout
