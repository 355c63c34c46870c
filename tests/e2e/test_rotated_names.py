"""Files under the names that a rotation gives: which of them are new.

A file that came and went between two looks is read; a copy, an older file and
another log whose name is similar are not.  What tells them apart is when they
came, what is in them and what they are called.
"""

import gzip
import os
import shutil
import subprocess

import pytest

from support import Log, assert_counted, next_tick, stays, wait_for
from test_following import look, noticed


def write_old(path, n):
    """n lines that are none of what the daemon is to count."""
    log = Log(path)
    log.write(n)
    log.close()


def copy_and_truncate(log):
    """logrotate's copytruncate, with numbers."""
    for i in (3, 2, 1):
        old = log.path.with_name(f"{log.path.name}.{i}")
        if old.exists():
            os.rename(old, f"{log.path}.{i + 1}")
    shutil.copyfile(log.path, f"{log.path}.1")
    log.truncate()


def shift(log):
    """access.log.1 becomes .2, and access.log becomes .1; the writer follows."""
    os.rename(f"{log.path}.1", f"{log.path}.2")
    os.rename(log.path, f"{log.path}.1")
    log.open()


# Two rotations between two looks: the file in the middle was never open.


@noticed
def test_a_file_that_came_and_went_after_the_path_was_seen_empty(exporter, log, how):
    daemon = exporter(log.path)
    log.write(5)
    assert_counted(daemon, log)
    log.rename()
    metrics = assert_counted(daemon, log)
    assert metrics.value("accesslog_exporter_files", state="missing") == 1
    daemon.pause()
    log.open().write(7)
    shift(log)
    log.write(9)
    daemon.resume()
    look(daemon, log, how)
    metrics = assert_counted(daemon, log)
    assert metrics.total("accesslog_requests_total") == 21


@noticed
def test_a_file_that_came_and_went_where_a_link_leads(exporter, make_log, logs, how):
    folder = logs / "data"
    folder.mkdir()
    link = logs / "current"
    link.symlink_to("data/app.log")
    log = make_log(folder / "app.log", source=link)
    daemon = exporter(link)
    log.write(5)
    assert_counted(daemon, log)
    daemon.pause()
    log.rename()
    log.open().write(7)
    shift(log)
    log.write(9)
    daemon.resume()
    look(daemon, log, how)
    metrics = assert_counted(daemon, log)
    assert metrics.total("accesslog_requests_total") == 21


@noticed
def test_logs_of_similar_names_keep_their_lines_apart(exporter, make_log, logs, how):
    """web-2 is not what a rotation makes of web."""
    one, two = make_log(logs / "web"), make_log(logs / "web-2")
    daemon = exporter(one.path, two.path)
    one.write(5)
    two.write(5)
    assert_counted(daemon, one, two)
    daemon.pause()
    one.rename()
    two.rename()
    one.open().write(5)
    two.open().write(50)
    daemon.resume()
    look(daemon, one, how)
    look(daemon, two, how)
    metrics = assert_counted(daemon, one, two)
    assert metrics.total("accesslog_requests_total") == 65


@noticed
@pytest.mark.parametrize("other", ["access_log_443", "access_log-2", "access_log_443.1"])
def test_another_log_is_not_a_rotated_one(exporter, make_log, logs, how, other):
    """Nobody asked for it, though it is as young as what a rotation leaves."""
    log = make_log(logs / "access_log")
    write_old(logs / other, 1000)
    daemon = exporter(log.path)
    log.write(5)
    assert_counted(daemon, log)
    daemon.pause()
    os.unlink(logs / other)
    write_old(logs / other, 1000)
    log.rename()
    log.open().write(5)
    daemon.resume()
    look(daemon, log, how)
    metrics = assert_counted(daemon, log)
    assert metrics.total("accesslog_requests_total") == 10


# Copies beside the log, when it is renamed: they did not come between two looks.


@noticed
def test_copies_made_before_the_start_did_not_come_between(exporter, log, logs, how):
    """copytruncate keeps the log's inode, so that its copies are younger."""
    for i in (3, 2, 1):
        write_old(logs / f"access.log.{i}", 1000)
    next_tick()
    daemon = exporter(log.path)
    log.write(5)
    assert_counted(daemon, log)
    log.rename(".0")
    log.open().write(5)
    look(daemon, log, how)
    metrics = assert_counted(daemon, log)
    assert metrics.total("accesslog_requests_total") == 10


@noticed
def test_an_old_log_that_was_unpacked_did_not_come_between(exporter, log, logs, how):
    packed = logs / "access.log.2.gz"
    write_old(logs / "unpacked", 1000)
    packed.write_bytes(gzip.compress((logs / "unpacked").read_bytes()))
    daemon = exporter(log.path)
    log.write(5)
    assert_counted(daemon, log)
    subprocess.run(["gunzip", "--keep", packed], check=True)
    next_tick()
    metrics = assert_counted(daemon, log)
    assert metrics.total("accesslog_requests_total") == 5
    log.rename()
    log.open().write(5)
    look(daemon, log, how)
    metrics = assert_counted(daemon, log)
    assert metrics.total("accesslog_requests_total") == 10


@noticed
def test_copies_made_while_it_is_followed_did_not_come_between(exporter, log, how):
    daemon = exporter(log.path)
    for _ in range(3):
        log.write(200)
        assert_counted(daemon, log)
        copy_and_truncate(log)
        next_tick()
        assert_counted(daemon, log)
    log.rename(".0")
    log.open().write(5)
    look(daemon, log, how)
    metrics = assert_counted(daemon, log)
    assert metrics.total("accesslog_requests_total") == 605


# Copies that a glob matches.


@pytest.mark.parametrize("n_lines", [3, 300])
def test_a_copy_under_a_name_that_was_there_at_the_start(exporter, make_log, logs, n_lines):
    """The name .1 is known, and the file under it is another one each time."""
    glob = logs / "access.log*"
    write_old(logs / "access.log.1", 200)
    log = make_log(logs / "access.log", source=glob)
    daemon = exporter(glob)
    log.write(n_lines)
    assert_counted(daemon, log)
    copy_and_truncate(log)
    metrics = assert_counted(daemon, log)
    assert metrics.total("accesslog_requests_total") == n_lines
    stays(lambda: daemon.scrape().access(), 1.5, interval=0.25)
    assert_counted(daemon, log)


@noticed
@pytest.mark.parametrize("n_lines", [100])
def test_a_copy_that_becomes_the_log_is_followed(exporter, make_log, logs, n_lines, how):
    """An editor saves: what it wrote beside the log takes the log's name."""
    glob = logs / "access.log*"
    log = make_log(logs / "access.log", source=glob)
    daemon = exporter(glob)
    log.write(n_lines)
    assert_counted(daemon, log)
    shutil.copyfile(log.path, logs / "access.log.new")
    assert_counted(daemon, log)
    os.rename(logs / "access.log.new", log.path)
    assert_counted(daemon, log)
    log.open()
    before = daemon.bytes_read()
    size = log.grown
    log.write(50)
    if how == "unprompted":
        wait_for(
            lambda: daemon.bytes_read() - before >= log.grown - size,
            what="the appended lines to be read",
        )
    metrics = assert_counted(daemon, log)
    assert metrics.total("accesslog_requests_total") == n_lines + 50
    assert metrics.value("accesslog_exporter_files", state="following") == 1


@pytest.mark.parametrize("n_seen", [0, 1, 2])
@pytest.mark.parametrize("n_alike", [1, 2])
@pytest.mark.parametrize("beside", ["a log", "a copy of one that was cut"])
def test_a_log_that_begins_like_a_short_one_is_another(
    exporter, make_log, logs, beside, n_alike, n_seen
):
    """One probe asks both sites in the same seconds; then they go their ways."""
    glob = logs / "*.log*"
    short = make_log(logs / "a.log", source=glob)
    daemon = exporter(glob)
    short.write(n_alike)
    assert_counted(daemon, short)
    if beside != "a log":
        shutil.copyfile(short.path, logs / "a.log.1")
        short.truncate()
        assert_counted(daemon, short)
        short.write(1)
        assert_counted(daemon, short)
    other = make_log(logs / "b.log", source=glob)
    other.site = short.site
    for _ in range(n_seen):
        other.write(1)
        daemon.scrape()
    other.write(5)
    for _ in range(2):
        assert_counted(daemon, short, other)
        other.write(50)
    assert_counted(daemon, short, other)


def test_a_short_copy_becomes_the_log_and_is_written_to_at_once(exporter, make_log, logs):
    """Its beginning was counted before it was cut off."""
    glob = logs / "access.log*"
    log = make_log(logs / "access.log", source=glob)
    daemon = exporter(glob)
    log.write(10)
    assert_counted(daemon, log)
    text = log.path.read_bytes()
    log.truncate()
    log.write(1)
    assert_counted(daemon, log)
    copy = logs / "access.log.new"
    copy.write_bytes(text)
    assert_counted(daemon, log)
    daemon.pause()
    os.rename(copy, log.path)
    log.open().write(5)
    daemon.resume()
    for _ in range(2):
        assert_counted(daemon, log)


def test_a_new_empty_file_is_not_called_a_copy(exporter, make_log, logs):
    """Nothing is all that it has in common with another file."""
    glob = logs / "*.log"
    old = make_log(logs / "old.log", source=glob)
    old.write(3)
    old.forget()
    daemon = exporter(glob)
    new = make_log(logs / "new.log", source=glob)

    for _ in range(3):
        assert_counted(daemon, old, new)
    new.write(2)
    old.write(1)
    metrics = assert_counted(daemon, old, new)
    assert metrics.value("accesslog_exporter_files", state="following") == 2

    def said():
        return [e["msg"] for e in daemon.log if e.get("path") == str(new.path)]

    # What had been said about it before would stand before this.
    wait_for(lambda: "following" in said(), what="the line that it is followed")
    assert said() == ["following"]


@pytest.mark.parametrize("is_seen_empty", [False, True])
def test_a_copy_that_a_glob_sees_of_a_log_that_is_named(exporter, log, is_seen_empty):
    """The log is followed by its name, its copy is found by the glob."""
    daemon = exporter(log.path, f"{log.path}*")
    log.write(50)  # more than 4 KiB, or it might be another log
    assert_counted(daemon, log)
    log.write(20)
    if is_seen_empty:
        open(f"{log.path}.1", "w").close()
        daemon.scrape()
    shutil.copyfile(log.path, f"{log.path}.1")
    wait_for(lambda: daemon.scrape().total("accesslog_requests_total") == 70)
    log.truncate()
    log.write(10)
    metrics = daemon.scrape()
    assert metrics.total("accesslog_requests_total") == 80
