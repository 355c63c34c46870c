"""Globs, names with everything in them, and many files."""

import gzip
import os
import shutil

import pytest

import support
from support import assert_counted, count_beside_a_copy, wait_for
from test_following import look, noticed


@noticed
def test_a_globs_later_matches_are_read_from_byte_0(exporter, make_log, logs, how):
    glob = logs / "*.log"
    daemon = exporter(glob)
    first = make_log(logs / "first.log", source=glob)
    first.write(10)
    look(daemon, first, how)
    assert_counted(daemon, first)
    # One that is complete when its name appears.
    second = make_log(logs / "second.tmp", source=glob)
    second.write(10)
    second.path = logs / "second.log"
    os.rename(logs / "second.tmp", second.path)
    look(daemon, second, how)
    metrics = assert_counted(daemon, first, second)
    assert metrics.value("accesslog_exporter_files", source=str(glob), state="following") == 2
    second.write(3)
    first.write(3)
    assert_counted(daemon, first, second)


def test_a_globs_matches_at_the_start_are_read_from_their_end(exporter, make_log, logs):
    glob = logs / "*.log"
    old = make_log(logs / "old.log", source=glob)
    old.write(10)
    old.forget()
    daemon = exporter(glob)
    assert_counted(daemon, old)
    new = make_log(logs / "new.log", source=glob)
    new.write(5)
    old.write(5)
    assert_counted(daemon, old, new)


@noticed
def test_a_glob_over_directories(exporter, make_log, logs, how):
    glob = logs / "*" / "access.log"
    (logs / "a").mkdir()
    one = make_log(logs / "a" / "access.log", source=glob)
    daemon = exporter(glob)
    one.write(5)
    assert_counted(daemon, one)
    (logs / "b").mkdir()
    two = make_log(logs / "b" / "access.log", source=glob)
    two.write(5)
    look(daemon, two, how)
    assert_counted(daemon, one, two)


def test_a_globs_directory_is_away_for_a_while(exporter, make_log, logs):
    """A copy that was left alone comes back with it, and is no news."""
    folder = logs / "site"
    folder.mkdir()
    glob = logs / "*" / "access.log*"
    log = make_log(folder / "access.log", source=glob)
    daemon = exporter(glob)
    count_beside_a_copy(daemon, log)
    os.rename(folder, logs / ".away")
    # Cut twice, nothing is left by which the copy would be recognised.
    for _ in range(2):
        log.truncate().write(60)
        for _ in range(4):
            assert_counted(daemon, log)
    os.rename(logs / ".away", folder)
    log.write(10)
    for _ in range(5):
        assert_counted(daemon, log)


@pytest.mark.parametrize("mode", [0, 0o111])
@pytest.mark.parametrize("closed", ["its own", "the one above"])
def test_a_globs_directory_may_not_be_listed_for_a_while(
    exporter, make_log, logs, closed, mode
):
    """As another user than root: it is told, and what comes to be seen is read."""
    folder = logs / "all" / "site"
    folder.mkdir(parents=True)
    glob = logs / ("all/site/*.log" if closed == "its own" else "all/*/*.log")
    log = make_log(folder / "access.log", source=glob)
    os.chmod(log.path, 0o644)
    log.write(5)
    shut = folder if closed == "its own" else folder.parent
    shut.chmod(mode)
    user = {"user": "nobody", "group": "nogroup", "extra_groups": []}
    daemon = exporter(glob, **(user if os.geteuid() == 0 else {}))

    def told():
        return daemon.logged("the directory cannot be listed; trying again")

    try:
        for n_told in (1, 2):
            wait_for(told, what="a line for the operator")
            for _ in range(3):
                daemon.scrape()
            shut.chmod(0o755)
            wait_for(lambda: daemon.has_open(log.path), what="the directory to be listed")
            log.write(5)
            assert_counted(daemon, log)
            assert [e["path"] for e in told()] == [str(shut)] * n_told
            shut.chmod(mode)
            wait_for(lambda: len(told()) == n_told + 1, what="a line at the next time")
            log.write(5)
    finally:
        shut.chmod(0o755)
    assert_counted(daemon, log)


def test_a_glob_that_matches_nothing_yet_is_no_error(exporter, logs):
    daemon = exporter(logs / "*.log")
    assert daemon.scrape().by("state", "accesslog_exporter_files").get("following", 0) == 0
    assert not [e for e in daemon.log if e["level"] == "error"]


@pytest.mark.parametrize("n_lines", [3, 500])
def test_a_glob_never_counts_renamed_copies_again(exporter, make_log, logs, n_lines):
    """access.log* takes .1, .2 ... too: the same inodes under other names."""
    glob = logs / "access.log*"
    log = make_log(logs / "access.log", source=glob)
    daemon = exporter(glob)
    for round in range(4):
        log.write(n_lines)
        if round % 2:
            assert_counted(daemon, log)
        for i in range(round, 0, -1):
            os.rename(logs / f"access.log.{i}", logs / f"access.log.{i + 1}")
        log.rename(".1")
        log.open().write(1)
        assert_counted(daemon, log)
    support.stays(lambda: daemon.scrape().access(), 1.5, interval=0.25)


@pytest.mark.parametrize("n_lines", [3, 500])
def test_a_glob_never_counts_copytruncates_copies_again(exporter, make_log, logs, n_lines):
    """The copy is a new inode; what it holds was counted where it was written."""
    glob = logs / "access.log*"
    log = make_log(logs / "access.log", source=glob)
    daemon = exporter(glob)
    for _ in range(4):
        log.write(n_lines)
        assert_counted(daemon, log)
        for i in (3, 2, 1):
            if (logs / f"access.log.{i}").exists():
                os.rename(logs / f"access.log.{i}", logs / f"access.log.{i + 1}")
        shutil.copyfile(log.path, logs / "access.log.1")
        log.truncate()
        log.write(1)
        metrics = daemon.scrape()
        assert metrics.by("status", "accesslog_requests_total") == dict(log.requests)
    support.stays(lambda: daemon.scrape().access(), 1.5, interval=0.25)


def test_a_glob_never_counts_a_copy_that_is_still_being_made(exporter, make_log, logs):
    """logrotate copies block by block, and a look may fall between two blocks."""
    glob = logs / "access.log*"
    log = make_log(logs / "access.log", source=glob)
    daemon = exporter(glob)
    log.write(2000)
    assert_counted(daemon, log)
    data = log.path.read_bytes()
    with open(logs / "access.log.1", "wb", buffering=0) as copy:
        for i in range(0, len(data), 4096):
            copy.write(data[i:i + 4096])
            metrics = daemon.scrape()
            assert metrics.by("status", "accesslog_requests_total") == dict(log.requests)
    log.truncate()
    log.write(1)
    metrics = daemon.scrape()
    assert metrics.by("status", "accesslog_requests_total") == dict(log.requests)


def test_a_glob_reads_an_empty_rotated_file_whose_name_goes(exporter, make_log, logs):
    """Seen empty, it might become a copy; its writer has more to write."""
    glob = logs / "access.log*"
    log = make_log(logs / "access.log", source=glob)
    (logs / "access.log.1").write_bytes(b"of before\n")
    daemon = exporter(glob)
    log.write(3)
    assert_counted(daemon, log)
    daemon.pause()
    os.rename(logs / "access.log.1", logs / "access.log.3")
    log.rename(".2")
    log.open()
    old = os.dup(log.fd)
    empty = log.rename(".1")
    log.open().write(1)
    daemon.resume()
    assert_counted(daemon, log)
    os.unlink(empty)
    assert_counted(daemon, log)
    log.write(5, fd=old)
    os.close(old)
    assert_counted(daemon, log)


def test_a_glob_leaves_compressed_copies_alone(exporter, make_log, logs):
    glob = logs / "access.log*"
    log = make_log(logs / "access.log", source=glob)
    daemon = exporter(glob)
    log.write(100)
    assert_counted(daemon, log)
    old = log.rename(".1")
    log.open().write(1)
    assert_counted(daemon, log)
    (logs / "access.log.2.gz").write_bytes(gzip.compress(old.read_bytes()))
    os.unlink(old)
    wait_for(
        lambda: daemon.value(
            "accesslog_exporter_files", source=str(glob), state="ignored"
        ) == 1
    )
    assert_counted(daemon, log)


def test_a_compressed_file_without_the_suffix_is_known_by_its_first_bytes(
    exporter, make_log, logs
):
    glob = logs / "access.log*"
    log = make_log(logs / "access.log", source=glob)
    daemon = exporter(glob)
    log.write(10)
    (logs / "packed").write_bytes(gzip.compress(log.path.read_bytes()))
    os.rename(logs / "packed", logs / "access.log-20261120")
    wait_for(
        lambda: daemon.scrape().total("accesslog_exporter_files", state="ignored") == 1
    )
    assert_counted(daemon, log)


@pytest.mark.parametrize("argument", ["access.log", "access.log*"])
def test_a_compressed_file_that_was_seen_empty_is_no_log(exporter, make_log, logs, argument):
    log = make_log(logs / "access.log", source=logs / argument)
    daemon = exporter(logs / argument)
    log.write(10)
    assert_counted(daemon, log)
    packed = logs / "access.log-20261120"
    packed.touch()
    log.rename(".1")
    log.open()
    assert_counted(daemon, log)
    packed.write_bytes(gzip.compress(b"of before\n"))
    assert_counted(daemon, log)


NAMES = [
    "with space.log",
    "100%20.log",
    "a#b.log",
    "a:b.log",
    "[a].log",
    "what?.log",
    "star*.log",
    "{a,b}.log",
    "back\\slash.log",
    "quote\".log",
    "-dash.log",
    "ünïcode.log",
    "~tilde.log",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_with_special_characters_is_that_file(exporter, make_log, logs, name):
    """A file of exactly that name comes before what it would match as a glob."""
    log = make_log(logs / name)
    # What the name would match if it were taken for a glob, and must not.
    for decoy in ("a.log", "whatX.log", "starX.log", "b.log"):
        if not (logs / decoy).exists():
            make_log(logs / decoy).write(3)
    daemon = exporter(log.path)
    log.write(10)
    assert_counted(daemon, log)
    log.rename()
    log.open().write(10)
    assert_counted(daemon, log)


def test_long_names_are_told_apart(exporter, make_log, logs):
    """Paths of containers are longer than any label value from a log may be."""
    folder = logs / ("pods-" + "x" * 200) / ("container-" + "y" * 200)
    folder.mkdir(parents=True)
    one, two = make_log(folder / "one.log"), make_log(folder / "two.log")
    daemon = exporter(one.path, two.path)
    one.write(10)
    two.write(20)
    assert_counted(daemon, one, two)


def test_a_name_that_is_not_utf_8(exporter, make_log, logs):
    path = os.fsdecode(os.fsencode(logs) + b"/caf\xe9.log")
    log = make_log(path, source=f"{logs}/caf\ufffd.log")
    daemon = exporter(path)
    log.write(10)
    assert_counted(daemon, log)


def test_a_relative_name(exporter, logs, make_log):
    log = make_log(logs / "access.log", source="access.log")
    daemon = exporter("access.log", cwd=logs)
    log.write(10)
    assert_counted(daemon, log)
    log.rename()
    log.open().write(10)
    look(daemon, log, "unprompted")
    assert_counted(daemon, log)


@pytest.mark.parametrize("given", ["glob", "list"])
def test_a_thousand_files(exporter, make_log, logs, given):
    glob = logs / "*.log"
    many = [
        make_log(logs / f"site-{i}.log", source=glob if given == "glob" else None)
        for i in range(1000)
    ]
    daemon = exporter(*([glob] if given == "glob" else [one.path for one in many]))
    for one in many:
        one.write(2)
    assert_counted(daemon, *many)
    for one in many[::100]:
        one.rename(".1")
        one.open().write(3)
    many[7].write(3)
    assert_counted(daemon, *many)


def test_the_soft_limit_of_descriptors_is_no_limit(exporter, make_log, logs):
    """It is 1,024 on every machine, and the hard one is what is meant."""
    many = [make_log(logs / f"site-{i}.log") for i in range(200)]
    daemon = exporter(
        *[one.path for one in many], wrapper=["prlimit", "--nofile=100:4096"]
    )
    for one in many:
        one.write(1)
    assert_counted(daemon, *many)


def test_more_files_than_descriptors(exporter, make_log, logs):
    """What cannot be opened is told and retried; the rest goes on."""
    many = [make_log(logs / f"site-{i}.log") for i in range(200)]
    daemon = exporter(
        *[one.path for one in many], wrapper=["prlimit", "--nofile=100:100"]
    )
    for one in many:
        one.write(1)
    metrics = daemon.scrape()
    states = metrics.by("state", "accesslog_exporter_files")
    assert sum(states.values()) == 200
    assert states["following"] >= 50
    assert states["unreadable"] == 200 - states["following"]
    assert metrics.total("accesslog_requests_total") == states["following"]
    daemon.errors_expected = True
