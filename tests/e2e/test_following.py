"""Following through everything that happens to a log file.

Most of these run twice.  `scrape`: the first thing after the event is a
scrape, whose answer must be complete.  `unprompted`: nobody asks, and the
exporter must notice on its own, which is seen from outside: it has the new
file open, or has read the bytes.
"""

import os
import shutil

import pytest

from support import assert_counted, stays, wait_for

noticed = pytest.mark.parametrize("how", ["scrape", "unprompted"])


def look(daemon, log, how):
    """Let the exporter notice that log.path is another file now."""
    if how == "unprompted":
        wait_for(lambda: daemon.has_open(log.path), what=f"{log.path} to be opened")


@pytest.fixture
def daemon(exporter, log):
    return exporter(log.path)


# Appending.


def test_every_scrape_has_what_was_written_before_it(daemon, log):
    for _ in range(200):
        log.write(3)
        assert_counted(daemon, log)


def test_appended_lines_are_read_without_being_asked(daemon, log):
    daemon.scrape()
    for _ in range(3):
        size = log.write(100).grown
        before = daemon.bytes_read()
        log.write(500)
        wait_for(
            lambda: daemon.bytes_read() - before >= log.grown - size,
            what="the appended bytes to be read",
        )
    assert_counted(daemon, log)


def test_a_file_that_is_there_is_followed_from_its_end(exporter, log):
    log.write(1000)
    log.forget()
    daemon = exporter(log.path)
    assert_counted(daemon, log)
    log.write(5)
    assert_counted(daemon, log)


def test_a_file_that_is_there_is_read_from_its_beginning_when_asked(exporter, log):
    log.write(1000)
    daemon = exporter("--read-from=beginning", log.path)
    assert_counted(daemon, log)
    log.write(5)
    assert_counted(daemon, log)


def test_a_line_in_the_making_at_the_start_counts_once_it_is_whole(exporter, log):
    """Reading begins behind it or at its start; half a line is no request."""
    log.write(3)
    log.forget()
    line = log.text()
    log.raw(line[:40])
    daemon = exporter(log.path)
    daemon.scrape()
    log.raw(line[40:])
    log.write(2)
    metrics = daemon.scrape()
    assert metrics.total("accesslog_exporter_lines_total", result="unparsed") == 0
    counted = metrics.total("accesslog_requests_total")
    assert counted in (2, 3)


def test_an_unfinished_line_is_lag_until_it_is_finished(daemon, log):
    log.write(2)
    line = log.text("404")
    log.requests["404"] -= 1
    log.bytes["404"] -= log.number
    log.n_parsed -= 1
    for i in range(0, len(line) - 1, 25):
        log.raw(line[i:min(i + 25, len(line) - 1)])
        assert_counted(daemon, log, lag=min(i + 25, len(line) - 1))
    log.requests["404"] += 1
    log.bytes["404"] += log.number
    log.n_parsed += 1
    log.raw(b"\n")
    assert_counted(daemon, log)


def test_a_burst_of_a_hundred_megabytes(daemon, log):
    """More than one turn of the loop reads; a scrape may say what is lag."""
    block = b"".join(log.text("200") for _ in range(10_000))
    n, size = log.requests["200"], log.bytes["200"]
    log.raw(block)
    while log.grown < 100_000_000:
        log.raw(block)
        log.requests["200"] += n
        log.bytes["200"] += size
        log.n_parsed += n

    def accounted():
        metrics = daemon.scrape()
        read = metrics.value("accesslog_exporter_read_bytes_total")
        lag = metrics.value("accesslog_exporter_lag_bytes")
        assert read + lag == log.grown
        return lag == 0

    wait_for(accounted, 30, "the burst to be read")
    assert_counted(daemon, log)


# Rotation by rename.


@noticed
def test_renamed_and_recreated(daemon, log, how):
    log.write(10)
    log.rename()
    log.open().write(20)
    look(daemon, log, how)
    metrics = assert_counted(daemon, log)
    # Its kind says whether a look fell between the two steps.
    assert metrics.total("accesslog_exporter_rotations_total") == 1
    assert metrics.value("accesslog_exporter_files", state="following") == 1
    assert metrics.value("accesslog_exporter_files", state="held") == 1


@noticed
def test_deleted_and_recreated(daemon, log, how):
    log.write(10)
    os.unlink(log.path)
    log.open().write(20)
    look(daemon, log, how)
    metrics = assert_counted(daemon, log)
    assert metrics.total("accesslog_exporter_rotations_total") == 1


def test_deleted_with_lines_that_nobody_had_read(daemon, log):
    """An open descriptor outlives the name."""
    daemon.scrape()
    daemon.pause()
    log.write(10)
    os.unlink(log.path)
    log.open().write(20)
    daemon.resume()
    assert_counted(daemon, log)


@noticed
def test_renamed_with_lines_written_to_the_old_file_after_it(daemon, log, how):
    log.write(10)
    old = os.dup(log.fd)
    log.rename()
    log.write(10, fd=old)
    log.open().write(10)
    look(daemon, log, how)
    for _ in range(20):
        log.write(2, fd=old)
        log.write(3)
        assert_counted(daemon, log)
    os.close(old)


@noticed
def test_a_partial_line_at_the_rename_is_completed_in_the_old_file(daemon, log, how):
    log.write(3)
    line = log.text("500")
    log.raw(line[:30])
    daemon.scrape()
    old = os.dup(log.fd)
    log.rename()
    log.open().write(5)
    look(daemon, log, how)
    metrics = daemon.scrape()
    assert metrics.value("accesslog_exporter_lag_bytes") == 30
    assert metrics.total("accesslog_requests_total") == 8
    log.raw(line[30:], fd=old)
    os.close(old)
    assert_counted(daemon, log)


@noticed
def test_renamed_and_no_new_file_for_a_while(daemon, log, how):
    log.write(4)
    daemon.scrape()
    old = os.dup(log.fd)
    log.rename()
    for _ in range(10):
        log.write(2, fd=old)
        metrics = assert_counted(daemon, log)
    assert metrics.value("accesslog_exporter_files", state="missing") == 1
    os.close(old)
    log.open().write(7)
    look(daemon, log, how)
    metrics = assert_counted(daemon, log)
    assert metrics.value("accesslog_exporter_files", state="missing") == 0
    assert metrics.value("accesslog_exporter_files", state="following") == 1


@noticed
def test_a_missing_file_is_waited_for_and_read_from_byte_0(exporter, make_log, logs, how):
    path = logs / "later.log"
    daemon = exporter(path)
    assert daemon.value("accesslog_exporter_files", state="missing") == 1
    log = make_log(path)
    log.write(10)
    look(daemon, log, how)
    assert_counted(daemon, log)


def test_renamed_away_and_back(daemon, log):
    """The same file at the same path again: nothing is read twice."""
    log.write(10)
    assert_counted(daemon, log)
    away = log.rename(".away")
    log.write(5)
    assert_counted(daemon, log)
    os.rename(away, log.path)
    log.write(5)
    assert_counted(daemon, log)
    log.write(1)
    assert_counted(daemon, log)


def test_its_directory_is_renamed_away_and_back(exporter, make_log, logs):
    """What was written since the last look is in the scrape that finds it again."""
    folder = logs / "site"
    folder.mkdir()
    log = make_log(folder / "access.log")
    daemon = exporter(log.path)
    for _ in range(30):
        log.write(5)
        assert_counted(daemon, log)
        os.rename(folder, logs / "away")
        daemon.scrape()
        os.rename(logs / "away", folder)
        log.write(5)
        assert_counted(daemon, log)


def test_two_rotations_between_two_looks(daemon, log):
    """The file in the middle was never open: it stands beside, and is found."""
    log.write(10)
    daemon.scrape()
    daemon.pause()
    log.write(10)
    os.rename(log.path, log.path.with_name("access.log.1"))
    log.open().write(20)
    os.rename(log.path.with_name("access.log.1"), log.path.with_name("access.log.2"))
    os.rename(log.path, log.path.with_name("access.log.1"))
    log.open().write(30)
    daemon.resume()
    wait_for(lambda: daemon.has_open(log.path), what="the newest file to be opened")
    assert_counted(daemon, log)


def test_many_rotations_each_seen(daemon, log):
    for i in range(50):
        log.write(5)
        log.rename(f".{i}")
        log.open().write(5)
        assert_counted(daemon, log)
    assert daemon.scrape().total("accesslog_exporter_rotations_total") == 50


def test_the_kinds_of_rotation(daemon, log):
    """What a look finds: another file there, none there, the same one cut."""
    name = "accesslog_exporter_rotations_total"
    log.write(5)
    assert daemon.scrape().by("kind", name) == {}
    daemon.pause()
    log.rename()
    log.open().write(5)
    daemon.resume()
    assert_counted(daemon, log)
    assert daemon.scrape().by("kind", name) == {"replaced": 1}
    log.truncate()
    daemon.scrape()
    assert daemon.scrape().by("kind", name) == {"replaced": 1, "truncated": 1}
    log.rename(".2")
    daemon.scrape()
    assert daemon.scrape().by("kind", name) == {
        "replaced": 1, "truncated": 1, "removed": 1,
    }
    log.open().write(5)
    assert daemon.scrape().by("kind", name) == {
        "replaced": 1, "truncated": 1, "removed": 1,
    }
    assert_counted(daemon, log)


# Truncation.


@noticed
def test_copied_and_truncated(daemon, log, logs, how):
    log.write(50)
    assert_counted(daemon, log)
    shutil.copyfile(log.path, logs / "access.log.1")
    log.truncate()
    before = daemon.bytes_read()
    size = log.grown
    log.write(10)
    if how == "unprompted":
        wait_for(
            lambda: daemon.bytes_read() - before >= log.grown - size,
            what="the new lines to be read",
        )
    metrics = assert_counted(daemon, log)
    assert metrics.value("accesslog_exporter_rotations_total", kind="truncated") == 1


def test_truncated_and_left_empty(daemon, log):
    log.write(50)
    assert_counted(daemon, log)
    log.truncate()
    metrics = assert_counted(daemon, log)
    assert metrics.value("accesslog_exporter_rotations_total", kind="truncated") == 1
    log.write(1)
    assert_counted(daemon, log)


def regrown(daemon, log, n_before, n_after, status=None):
    """Cut and written anew while nobody looks."""
    log.write(n_before, status)
    assert_counted(daemon, log)
    old_size = log.grown
    daemon.pause()
    log.truncate()
    log.write(n_after, status)
    daemon.resume()
    return old_size, log.grown - old_size


def test_truncated_and_regrown_beyond_the_old_offset(daemon, log):
    old, new = regrown(daemon, log, 20, 60)
    assert new > old
    metrics = assert_counted(daemon, log)
    assert metrics.value("accesslog_exporter_rotations_total", kind="truncated") == 1


def test_truncated_and_regrown_to_the_same_size(daemon, log):
    log.number = 1000  # so that every number has four digits
    old, new = regrown(daemon, log, 20, 20, "200")
    assert new == old
    metrics = assert_counted(daemon, log)
    assert metrics.value("accesslog_exporter_rotations_total", kind="truncated") == 1


PROBE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/130.0.0.0 Safari/537.36"
)


@pytest.mark.parametrize("n_after", [20, 60], ids=["same size", "beyond"])
def test_truncated_and_regrown_with_lines_that_end_alike(daemon, log, n_after):
    """A probe's lines: of one length, and the same from the status on."""

    def write(second, n):
        log.raw(
            (
                f"192.0.2.1 - - [20/Nov/2026:15:40:{second:02} +0000] "
                f'"GET /health HTTP/1.1" 200 2 "-" "{PROBE}"\n'
            ).encode()
            * n
        )
        log.n_parsed += n
        log.requests["200"] += n
        log.bytes["200"] += 2 * n

    write(1, 20)
    assert_counted(daemon, log)
    daemon.pause()
    log.truncate()
    write(2, n_after)
    daemon.resume()
    assert_counted(daemon, log)


def test_truncated_and_regrown_to_less(daemon, log):
    old, new = regrown(daemon, log, 60, 20)
    assert new < old
    assert_counted(daemon, log)


def test_truncated_and_regrown_with_the_same_first_line(daemon, log):
    log.write(1)
    first = log.text("200")
    log.truncate()
    log.forget()
    log.number = 0
    log.raw(first)
    log.requests["200"] += 1
    log.bytes["200"] += 2
    log.n_parsed += 1
    log.write(20)
    daemon.scrape()
    # All of what came before is another test's matter: begin from here.
    base = daemon.scrape().by("status", "accesslog_requests_total")
    daemon.pause()
    log.truncate()
    log.raw(first)
    log.number = 5000
    log.write(60, "404")
    daemon.resume()
    now = daemon.scrape().by("status", "accesslog_requests_total")
    assert now["200"] - base["200"] == 1
    assert now["404"] - base["404"] == 60


def test_rewritten_one_line_shorter(daemon, log):
    """An editor: truncated by the last line, in place."""
    log.write(20)
    assert_counted(daemon, log)
    last = len(log.path.read_bytes().splitlines(keepends=True)[-1])
    os.ftruncate(log.fd, os.stat(log.path).st_size - last)
    daemon.scrape()
    log.write(3)
    metrics = daemon.scrape()
    # The whole file counts as new then, or nothing does but the new lines;
    # what must not happen is that it stops, or that lines are torn.
    assert metrics.total("accesslog_exporter_lines_total", result="unparsed") == 0
    assert metrics.total("accesslog_requests_total") in (20 + 3, 20 + 19 + 3)


def test_truncated_under_a_writer_that_does_not_append(daemon, log):
    """Its next write makes a hole before it: NULs, skipped and counted."""
    log.write(100)
    assert_counted(daemon, log)
    offset = log.grown
    writer = os.open(log.path, os.O_WRONLY)
    os.lseek(writer, offset, os.SEEK_SET)
    log.truncate()
    line = log.text()
    os.write(writer, line)
    log.grown += offset + len(line)
    os.close(writer)
    metrics = assert_counted(daemon, log, skipped=offset)
    assert metrics.value("accesslog_exporter_skipped_bytes_total", reason="nul") == offset


def test_what_was_seen_and_not_read_is_lost_when_it_is_cut(daemon, log):
    """An unfinished line is known; the truncation takes it, and it is told."""
    log.write(5)
    log.raw(b"192.0.2.9 - - [unfinished")
    assert_counted(daemon, log, lag=25)
    log.truncate()
    log.write(5)
    metrics = assert_counted(daemon, log, lost=25)
    assert metrics.value("accesslog_exporter_lost_bytes_total", reason="truncated") == 25


def test_what_was_seen_first_and_not_read_is_cut_and_another_line_is_there(daemon, log):
    """Longer than before: only how it begins tells."""
    log.raw(b"192.0.2.9 - - [unfinished")
    assert_counted(daemon, log, lag=25)
    daemon.pause()
    log.truncate()
    log.write(1)
    daemon.resume()
    metrics = assert_counted(daemon, log, lost=25)
    assert metrics.value("accesslog_exporter_lost_bytes_total", reason="truncated") == 25


def test_what_was_seen_first_and_cut_is_not_in_a_file_that_came_and_went(daemon, log):
    log.raw(b"192.0.2.9 - - [unfinished")
    assert_counted(daemon, log, lag=25)
    daemon.pause()
    log.truncate()
    log.rename(".2")
    log.open().write(2)
    log.rename(".1")
    log.open().write(3)
    daemon.resume()
    assert_counted(daemon, log, lost=25)


@pytest.mark.parametrize("n_lines", [0, 5])
@pytest.mark.parametrize("n_kept", [0, 1000])
def test_what_is_cut_off_behind_the_last_whole_line_is_lost(daemon, log, n_lines, n_kept):
    """Of an unfinished line, all or a part: nothing that was read is gone."""
    log.write(n_lines)
    log.raw(b"x" * 3000)
    whole = log.grown - 3000
    assert_counted(daemon, log, lag=3000)
    os.ftruncate(log.fd, whole + n_kept)
    assert_counted(daemon, log, lag=n_kept, lost=3000 - n_kept)
    if n_kept:
        log.junk(b"\n")  # the rest of the line is a line
    log.write(5)
    metrics = assert_counted(daemon, log, lost=3000 - n_kept)
    lost = metrics.value("accesslog_exporter_lost_bytes_total", reason="truncated")
    assert lost == 3000 - n_kept


# Links and directories.


@noticed
def test_a_symbolic_link_that_points_elsewhere(exporter, make_log, logs, how):
    one = make_log(logs / "one.log", source=logs / "current")
    two = make_log(logs / "two.log", source=logs / "current")
    link = logs / "current"
    link.symlink_to("one.log")
    daemon = exporter(link)
    one.write(10)
    assert_counted(daemon, one, two)
    two.write(10)
    fresh = logs / "current.new"
    fresh.symlink_to("two.log")
    os.rename(fresh, link)
    look(daemon, two, how)
    one.write(5)
    two.write(5)
    assert_counted(daemon, one, two)


@noticed
def test_a_linked_file_elsewhere_that_is_rotated(exporter, make_log, logs, how):
    """The link stays; what it names is replaced, in a directory of its own."""
    real = logs / "real"
    real.mkdir()
    link = logs / "access.log"
    log = make_log(real / "access.log", source=link)
    link.symlink_to("real/access.log")
    daemon = exporter(link)
    log.write(10)
    assert_counted(daemon, log)
    log.rename()
    log.open().write(10)
    look(daemon, log, how)
    assert_counted(daemon, log)


@noticed
def test_a_directory_that_is_replaced(exporter, make_log, logs, how):
    folder = logs / "site"
    folder.mkdir()
    log = make_log(folder / "access.log")
    daemon = exporter(log.path)
    log.write(10)
    assert_counted(daemon, log)
    old = os.dup(log.fd)
    os.rename(folder, logs / "site.old")
    folder.mkdir()
    log.open().write(10)
    log.write(3, fd=old)
    os.close(old)
    look(daemon, log, how)
    assert_counted(daemon, log)
    log.write(3)
    assert_counted(daemon, log)


@noticed
def test_a_directory_that_is_deleted_and_comes_back(exporter, make_log, logs, how):
    folder = logs / "site"
    folder.mkdir()
    log = make_log(folder / "access.log")
    daemon = exporter(log.path)
    log.write(10)
    assert_counted(daemon, log)
    shutil.rmtree(folder)
    wait_for(
        lambda: daemon.value("accesslog_exporter_files", state="missing") == 1
    )
    folder.mkdir()
    log.open().write(10)
    look(daemon, log, how)
    assert_counted(daemon, log)


@noticed
def test_a_directory_that_is_missing_at_the_start(exporter, make_log, logs, how):
    folder = logs / "a" / "b"
    daemon = exporter(folder / "access.log")
    folder.mkdir(parents=True)
    log = make_log(folder / "access.log")
    log.write(10)
    look(daemon, log, how)
    assert_counted(daemon, log)
    log.write(10)
    assert_counted(daemon, log)


def test_the_same_file_under_two_names_is_counted_once(exporter, make_log, logs):
    log = make_log(logs / "one.log")
    os.link(log.path, logs / "two.log")
    (logs / "three.log").symlink_to("one.log")
    daemon = exporter(
        log.path, log.path, logs / "two.log", logs / "three.log", logs / "*.log"
    )
    log.write(10)
    metrics = daemon.scrape()
    assert metrics.by("status", "accesslog_requests_total") == dict(log.requests)
    assert metrics.total("accesslog_exporter_read_bytes_total") == log.grown


def test_the_same_argument_twice_is_one_file(exporter, log):
    daemon = exporter(log.path, log.path)
    log.write(10)
    log.raw(b"192.0.2.9 - - [unfinished")
    metrics = assert_counted(daemon, log, lag=25)
    assert metrics.value("accesslog_exporter_files", state="following") == 1
    assert metrics.by("state", "accesslog_exporter_files") == {"following": 1}


# Unreadable.


def test_a_new_file_that_is_unreadable_for_a_while(exporter, make_log, logs):
    """As another user than root: permission is denied, later it is granted."""
    log = make_log(logs / "access.log")
    os.chmod(log.path, 0o644)
    user = {"user": "nobody", "group": "nogroup", "extra_groups": []}
    daemon = exporter(log.path, **(user if os.geteuid() == 0 else {}))
    log.write(5)
    assert_counted(daemon, log)
    log.rename()
    umask = os.umask(0o777)
    try:
        log.open()
    finally:
        os.umask(umask)
    log.write(5)
    wait_for(
        lambda: daemon.value("accesslog_exporter_files", state="unreadable") == 1,
        what="the gauge to say that it is unreadable",
    )
    log.write(5)

    def complaints():
        return [e for e in daemon.log if e.get("level") in ("warn", "error")]

    told = wait_for(complaints, what="a line for the operator")
    os.chmod(log.path, 0o644)
    wait_for(lambda: daemon.has_open(log.path), what="the retry")
    metrics = assert_counted(daemon, log)
    assert metrics.value("accesslog_exporter_files", state="unreadable") == 0
    assert complaints() == told, "told once per change, not at every try"
    daemon.errors_expected = True


def test_a_path_that_is_a_directory_for_a_while(exporter, log):
    daemon = exporter(log.path)
    log.write(5)
    daemon.scrape()
    log.rename()
    log.path.mkdir()
    wait_for(lambda: daemon.value("accesslog_exporter_files", state="following") == 0)
    os.rmdir(log.path)
    log.open().write(5)
    wait_for(lambda: daemon.has_open(log.path))
    assert_counted(daemon, log)
    daemon.errors_expected = True


def test_a_path_that_is_a_loop_of_links_for_a_while(exporter, log):
    daemon = exporter(log.path)
    log.write(5)
    daemon.scrape()
    log.rename()
    log.path.symlink_to(log.path.name)
    wait_for(lambda: daemon.value("accesslog_exporter_files", state="following") == 0)
    os.unlink(log.path)
    log.open().write(5)
    wait_for(lambda: daemon.has_open(log.path))
    assert_counted(daemon, log)
    daemon.errors_expected = True


def test_a_fifo_does_not_hang_it(exporter, log, logs):
    """Opening one for reading blocks until somebody writes; it must not."""
    os.mkfifo(logs / "pipe.log")
    daemon = exporter(log.path, logs / "pipe.log")
    log.write(5)
    metrics = daemon.scrape()
    assert metrics.by("status", "accesslog_requests_total") == dict(log.requests)
    daemon.errors_expected = True


# What is in the file.


def test_a_line_that_is_too_long_is_skipped_to_its_newline(daemon, log):
    log.write(2)
    log.raw(b"x" * 200_000)
    metrics = daemon.scrape()
    seen = sum(
        metrics.total(f"accesslog_exporter_{name}")
        for name in ("read_bytes_total", "skipped_bytes_total", "lag_bytes")
    )
    assert seen == log.grown
    assert metrics.total("accesslog_exporter_lines_total", result="too_long") == 0
    log.raw(b"y" * 300_000 + b"\n")
    log.write(2)
    metrics = assert_counted(daemon, log, skipped=500_001)
    assert metrics.value("accesslog_exporter_skipped_bytes_total", reason="too_long") == 500_001
    assert metrics.value("accesslog_exporter_lines_total", result="too_long") == 1


def test_a_line_just_short_enough_is_counted(daemon, log):
    base = len(log.text("200", agent=""))
    log.forget()
    log.number = 0
    log.raw(log.text("200", agent="a" * (65536 - base)))
    assert_counted(daemon, log)


def test_a_line_just_too_long_is_not(daemon, log):
    base = len(log.text("200", agent=""))
    line = log.text("200", agent="a" * (65536 + 2 - base))
    log.forget()
    log.raw(line)
    metrics = assert_counted(daemon, log, skipped=len(line))
    assert metrics.value("accesslog_exporter_lines_total", result="too_long") == 1


def test_a_run_of_nuls_is_skipped(daemon, log):
    log.write(2)
    log.raw(b"\0" * 3_000_001)
    log.write(2)
    metrics = assert_counted(daemon, log, skipped=3_000_001)
    assert metrics.value("accesslog_exporter_skipped_bytes_total", reason="nul") == 3_000_001


def test_a_sparse_file_of_ten_gigabytes_is_no_work(exporter, make_log, logs):
    hole = 10 * 1024**3
    log = make_log(logs / "sparse.log")
    log.hole(hole).write(5)
    daemon = exporter("--read-from=beginning", log.path)
    wait_for(lambda: daemon.scrape().total("accesslog_requests_total") == 5)
    assert_counted(daemon, log, skipped=hole)


def test_other_files_are_fresh_while_a_sparse_one_is_skipped(exporter, log, logs, make_log):
    sparse = make_log(logs / "sparse.log")
    daemon = exporter(log.path, sparse.path)
    sparse.hole(4 * 1024**3)
    log.write(5)
    metrics = daemon.scrape()
    assert metrics.total("accesslog_requests_total") == 5


def test_carriage_returns_before_newlines(daemon, log):
    lines = b"".join(log.text().replace(b"\n", b"\r\n") for _ in range(10))
    log.raw(lines + b"\r\n")
    assert_counted(daemon, log)


@pytest.mark.parametrize("cut", range(4))
def test_a_byte_order_mark_at_byte_0(exporter, make_log, logs, cut):
    """It may arrive in pieces, and only byte 0 is its place."""
    path = logs / "bom.log"
    daemon = exporter(path)
    log = make_log(path)
    log.raw(b"\xef\xbb\xbf"[:cut])
    daemon.scrape()
    log.raw(b"\xef\xbb\xbf"[cut:])
    log.write(5)
    metrics = assert_counted(daemon, log, skipped=3)
    assert metrics.value("accesslog_exporter_skipped_bytes_total", reason="bom") == 3


def test_a_byte_order_mark_again_after_a_rotation(exporter, make_log, logs):
    path = logs / "bom.log"
    daemon = exporter(path)
    log = make_log(path)
    log.raw(b"\xef\xbb\xbf").write(2)
    assert_counted(daemon, log, skipped=3)
    log.rename()
    log.open().raw(b"\xef\xbb\xbf").write(2)
    assert_counted(daemon, log, skipped=6)


def test_empty_lines_count_nowhere(daemon, log):
    log.write(1)
    log.raw(b"\n\n\r\n\n")
    log.write(1)
    assert_counted(daemon, log)


def test_lines_that_do_not_parse_are_counted_and_not_logged(daemon, log):
    log.write(1)
    daemon.scrape()
    before = len(daemon.log)
    for _ in range(1000):
        log.junk()
    assert_counted(daemon, log)
    assert len(daemon.log) - before <= 1


def test_an_empty_file_has_no_lag(daemon, log):
    assert_counted(daemon, log)


# Not noticed twice.


def test_nothing_is_counted_that_was_not_written(daemon, log):
    """A quiet log's counters stand still through looks, and through touches."""
    log.write(10)
    assert_counted(daemon, log)
    os.utime(log.path)
    os.chmod(log.path, 0o600)
    stays(lambda: daemon.scrape().access(), 2, interval=0.1)
    assert_counted(daemon, log)
