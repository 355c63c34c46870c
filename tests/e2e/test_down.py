"""What happens to logs while the exporter is down, and around a restart.

Each of these runs twice: it was stopped, or it was killed.  What a scrape has
shown is saved by then, so that both must go on where that scrape was.
"""

import errno
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

import support
from support import (Lives, Log, assert_counted, count_beside_a_copy, next_tick,
                     wait_for)

METRIC = "accesslog_exporter_"


@pytest.fixture(params=["stopped", "killed"])
def lives(request, logs):
    """The last life ends in peace, and that is checked."""
    one = Lives(logs / "state", request.param)
    yield one
    one.close()


@pytest.fixture
def followed(lives, log):
    """Ten lines of the log are counted, shown and saved."""
    daemon = lives.begin(log.path)
    log.write(10)
    assert_counted(daemon, log)
    return log


def shift(log, packed=False):
    """logrotate: .1 becomes .2 and so on, the log becomes .1."""
    for i in range(8, 0, -1):
        for suffix in ("", ".gz"):
            old = pathlib.Path(f"{log.path}.{i}{suffix}")
            if old.exists():
                os.rename(old, f"{log.path}.{i + 1}{suffix}")
    rotated = log.rename()
    if packed:
        pack(rotated)
    log.open()


def pack(path):
    """gzip: the same times, and the original is gone."""
    subprocess.run(["gzip", path], check=True)


def copy_and_truncate(log):
    for i in range(8, 0, -1):
        old = pathlib.Path(f"{log.path}.{i}")
        if old.exists():
            os.rename(old, f"{log.path}.{i + 1}")
    shutil.copyfile(log.path, f"{log.path}.1")
    log.truncate()


# Nothing special.


def test_lines_written_while_it_was_down(lives, followed):
    lives.end()
    followed.write(10)
    assert_counted(lives.begin(), followed)
    followed.write(10)
    assert_counted(lives.daemon, followed)


def test_a_hundred_restarts(lives, followed):
    for _ in range(30 if support.SANITIZED else 100):
        followed.write(1)
        lives.end()
        followed.write(1)
        assert_counted(lives.begin(), followed)


def test_lines_that_were_never_shown(lives, followed):
    """Nobody asked after they were written: they are read again, or for once."""
    followed.write(1000)
    lives.end()
    assert_counted(lives.begin(), followed)


# 32. Writes to the old inode after the new file exists.


def test_the_old_file_is_written_to_before_during_and_after(lives, followed):
    old = os.dup(followed.fd)
    followed.rename()
    followed.open().write(3)
    followed.write(5, fd=old)
    assert_counted(lives.daemon, followed)
    lives.end()
    followed.write(5, fd=old)
    followed.write(3)
    assert_counted(lives.begin(), followed)
    for _ in range(3):
        followed.write(5, fd=old)
        followed.write(3)
        assert_counted(lives.daemon, followed)
    os.close(old)


def test_a_rotation_is_counted_once_however_often_it_restarts(lives, followed):
    """The old file is held all the while, and found again each time."""
    old = os.dup(followed.fd)
    followed.rename()
    followed.open().write(3)
    kinds = assert_counted(lives.daemon, followed).by("kind", METRIC + "rotations_total")
    assert sum(kinds.values()) == 1
    for _ in range(3):
        followed.write(2, fd=old)
        metrics = assert_counted(lives.again(), followed)
        assert metrics.by("kind", METRIC + "rotations_total") == kinds
    os.close(old)


def test_the_old_file_is_packed_while_its_writer_stays(lives, followed):
    """What is in the .gz was counted, and the line after it before it went."""
    old = os.dup(followed.fd)
    rotated = followed.rename()
    followed.open().write(3)
    assert_counted(lives.daemon, followed)
    pack(rotated)
    followed.write(5, fd=old)
    os.close(old)
    assert_counted(lives.daemon, followed)
    followed.write(3)
    assert_counted(lives.again(), followed)


def test_the_old_file_is_packed_before_it_was_read(lives, log):
    """Its writer goes on: more was read of it than the .gz has."""
    lives.begin(log.path)
    old = os.dup(log.fd)
    rotated = log.rename()
    log.open()
    assert_counted(lives.daemon, log)
    lives.daemon.pause()
    log.write(10, fd=old)
    pack(rotated)
    log.write(5, fd=old)
    os.close(old)
    lives.daemon.resume()
    assert_counted(lives.daemon, log)
    assert_counted(lives.again(), log)


def test_the_old_file_is_packed_and_its_inode_used_anew(lives, log):
    lives.begin(log.path)
    rotated = log.rename()
    assert_counted(lives.daemon, log)
    lives.daemon.pause()
    log.write(10)
    inode = os.fstat(log.fd).st_ino
    pack(rotated)
    log.write(5)
    lives.daemon.resume()
    assert_counted(lives.daemon, log)
    lives.end()
    log.close()
    log.open()
    if os.fstat(log.fd).st_ino != inode:
        pytest.skip("this file system does not reuse inodes at once")
    log.write(3)
    assert_counted(lives.begin(), log)
    assert_counted(lives.again(), log)


@pytest.mark.parametrize("lives", ["stopped"], indirect=True)
def test_what_has_no_name_is_read_before_the_end(lives, followed):
    """Nobody could find it the next time."""
    rotated = followed.rename()
    assert_counted(lives.daemon, followed)
    lives.daemon.pause()
    pack(rotated)
    followed.write(5)
    lives.daemon.send(signal.SIGTERM)
    lives.daemon.resume()
    lives.end()
    followed.close()
    assert_counted(lives.begin(), followed)


def test_a_packed_file_ends_before_what_was_seen(lives, followed):
    rotated = followed.rename()
    assert_counted(lives.daemon, followed)
    lives.daemon.pause()
    pack(rotated)
    followed.raw(b"192.0.2.1 - - [20/Nov")
    lives.daemon.resume()
    assert_counted(lives.daemon, followed, lag=21)
    lives.end()
    followed.close()
    assert_counted(lives.begin(), followed, lost=21)
    assert_counted(lives.again(), followed, lost=21)


def test_a_copy_ends_before_what_was_seen(lives, followed):
    shutil.copyfile(followed.path, f"{followed.path}.1")
    followed.raw(b"192.0.2.1 - - [20/Nov")
    assert_counted(lives.daemon, followed, lag=21)
    lives.end()
    followed.truncate()
    followed.write(3)
    assert_counted(lives.begin(), followed, lost=21)
    assert_counted(lives.again(), followed, lost=21)


# 33. A partial line at the rename, completed later in the old inode.


@pytest.mark.parametrize("when", ["down", "up"])
def test_a_partial_line_at_the_rename_is_completed(lives, followed, when):
    line = followed.text("500")
    followed.raw(line[:30])
    metrics = lives.daemon.scrape()
    assert metrics.value(METRIC + "lag_bytes") == 30
    old = os.dup(followed.fd)
    followed.rename()
    followed.open().write(3)
    lives.end()
    if when == "down":
        followed.raw(line[30:], fd=old)
    lives.begin()
    if when == "up":
        metrics = lives.daemon.scrape()
        assert metrics.value(METRIC + "lag_bytes") == 30
        followed.raw(line[30:], fd=old)
    os.close(old)
    assert_counted(lives.daemon, followed)


# 34. A rename with no new file.


def test_renamed_and_no_new_file(lives, followed):
    old = os.dup(followed.fd)
    lives.end()
    followed.write(5)
    followed.rename()
    assert_counted(lives.begin(), followed)
    followed.write(5, fd=old)
    os.close(old)
    metrics = assert_counted(lives.daemon, followed)
    assert metrics.value(METRIC + "files", state="missing") == 1
    followed.open().write(5)
    assert_counted(lives.daemon, followed)


# 35. Rotations between two looks.


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_rotations_while_it_was_down(lives, followed, n, packed):
    followed.write(10)
    lives.end()
    for _ in range(n):
        followed.write(10)
        shift(followed, packed)
    followed.write(10)
    metrics = assert_counted(lives.begin(), followed)
    assert metrics.total("accesslog_requests_total") == 10 * (n + 3)
    # Nor are they counted by the life after.
    assert_counted(lives.again(), followed)


def test_rotated_with_dates_while_it_was_down(lives, followed):
    lives.end()
    for i in range(3):
        followed.write(10)
        rotated = followed.rename(f"-2026112{i}")
        if i < 2:
            pack(rotated)
        followed.open()
    followed.write(10)
    assert_counted(lives.begin(), followed)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
def test_what_was_rotated_before_the_first_start_is_not_counted(
    lives, make_log, logs, packed
):
    log = make_log(logs / "access.log")
    for _ in range(3):
        log.write(50)
        shift(log, packed)
    log.write(50)
    log.forget()
    next_tick()
    daemon = lives.begin(log.path)
    log.write(10)
    assert_counted(daemon, log)
    lives.end()
    for _ in range(2):
        log.write(10)
        shift(log, packed)
    log.write(10)
    metrics = assert_counted(lives.begin(), log)
    assert metrics.total("accesslog_requests_total") == 40


# 36. Rotation, gzip and unlink at once.


def test_renamed_packed_and_unlinked_between_two_looks(lives, followed):
    lives.daemon.pause()
    followed.write(10)
    shift(followed, packed=True)
    followed.write(10)
    lives.daemon.resume()
    assert_counted(lives.daemon, followed)
    assert_counted(lives.again(), followed)


def test_renamed_packed_and_unlinked_twice_between_two_looks(lives, followed):
    """Nobody had the one in the middle open; its text is in the .gz."""
    lives.daemon.pause()
    for _ in range(2):
        followed.write(10)
        shift(followed, packed=True)
    followed.write(10)
    lives.daemon.resume()
    assert_counted(lives.daemon, followed)
    assert_counted(lives.again(), followed)


# 37. Copytruncate.


@pytest.mark.parametrize("n_after", [0, 3, 20, 60], ids=["empty", "less", "same", "more"])
@pytest.mark.parametrize("where", ["paused", "down"])
def test_copied_and_truncated_with_lines_unread(lives, make_log, logs, where, n_after):
    """What was not read when it was cut is in the copy."""
    log = make_log(logs / "access.log")
    log.number = 1000  # so that every number has four digits
    lives.begin(log.path)
    log.write(10, "200")
    assert_counted(lives.daemon, log)
    lives.daemon.pause()
    log.write(10, "200")
    if where == "down":
        lives.how = "killed"
        lives.end()
    copy_and_truncate(log)
    log.write(n_after, "200")
    if where == "down":
        lives.begin()
    else:
        lives.daemon.resume()
    metrics = assert_counted(lives.daemon, log)
    assert metrics.value(METRIC + "rotations_total", kind="truncated") == 1
    assert_counted(lives.again(), log)


@pytest.mark.parametrize("where", ["paused", "down"])
def test_copied_and_truncated_twice_with_lines_unread(lives, followed, where):
    """The second copy is of a log that nobody has seen."""
    lives.daemon.pause()
    followed.write(10)
    if where == "down":
        lives.how = "killed"
        lives.end()
    for _ in range(2):
        copy_and_truncate(followed)
        followed.write(7)
    if where == "down":
        lives.begin()
    else:
        lives.daemon.resume()
    assert_counted(lives.daemon, followed)


def test_copied_truncated_and_packed_while_it_was_down(lives, followed):
    lives.end()
    followed.write(10)
    copy_and_truncate(followed)
    pack(f"{followed.path}.1")
    followed.write(10)
    assert_counted(lives.begin(), followed)


def test_truncated_without_a_copy_what_is_gone_is_told(lives, followed):
    """Known from the last look: the unfinished line is lost, and no more."""
    followed.raw(b"192.0.2.9 - - [unfinished")
    assert_counted(lives.daemon, followed, lag=25)
    lives.end()
    followed.truncate()
    followed.write(3)
    metrics = assert_counted(lives.begin(), followed, lost=25)
    assert metrics.value(METRIC + "lost_bytes_total", reason="truncated") == 25


def test_deleted_while_it_was_down_what_is_gone_is_told(lives, followed):
    followed.raw(b"192.0.2.9 - - [unfinished")
    assert_counted(lives.daemon, followed, lag=25)
    lives.end()
    os.unlink(followed.path)
    followed.open().write(3)
    metrics = assert_counted(lives.begin(), followed, lost=25)
    assert metrics.value(METRIC + "lost_bytes_total", reason="removed") == 25


# 38. The inode reused by a different file while we were down.


@pytest.mark.parametrize("n_lines", [3, 10, 40], ids=["shorter", "same size", "longer"])
def test_the_inode_is_reused_while_it_was_down(lives, make_log, logs, n_lines):
    log = make_log(logs / "access.log")
    log.number = 1000
    lives.begin(log.path)
    log.write(10, "200")
    assert_counted(lives.daemon, log)
    inode = os.stat(log.path).st_ino
    lives.end()
    # The file systems in use give a number back at once, or not at all.
    log.close()
    os.unlink(log.path)
    log.open()
    if os.stat(log.path).st_ino != inode:
        os.unlink(log.path)
        pytest.skip("this file system does not reuse inodes at once")
    log.write(n_lines, "200")
    assert_counted(lives.begin(), log)


# 39. The same inode number on another device.


def can_mount():
    return subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "true"], capture_output=True
    ).returncode == 0


mounts = pytest.mark.skipif(not can_mount(), reason="no user namespaces here")


def in_mounts(script):
    """Start what follows with mounts of its own; the process id stays."""
    return ["unshare", "--user", "--map-root-user", "--mount",
            "sh", "-ec", script + '\nexec "$@"', "sh"]


@mounts
def test_the_same_inode_number_on_another_device(logs, exporter):
    """Two file systems in memory number their files alike."""
    for name in "ab":
        (logs / name).mkdir()
    daemon = exporter(
        logs / "a" / "access.log", logs / "b" / "access.log",
        wrapper=in_mounts(
            f"for i in a b; do mount -t tmpfs none {logs}/$i; >{logs}/$i/access.log; done"
        ),
    )
    # What is mounted there is seen by it and its like only.
    seen = pathlib.Path(f"/proc/{daemon.pid}/root{logs}")
    one, two = (
        Log(seen / name / "access.log", source=logs / name / "access.log") for name in "ab"
    )
    try:
        assert os.fstat(one.fd).st_ino == os.fstat(two.fd).st_ino
        for _ in range(3):
            one.write(10)
            two.write(7)
            assert_counted(daemon, one, two)
        one.rename()
        two.rename()
        one.open().write(3)
        two.open().write(4)
        assert_counted(daemon, one, two)
    finally:
        one.close()
        two.close()


# 41. Directories, links, mounts and stale handles.


def test_the_directory_is_moved_while_it_was_down(lives, make_log, logs):
    folder = logs / "site"
    folder.mkdir()
    log = make_log(folder / "access.log")
    lives.begin(log.path)
    log.write(10)
    assert_counted(lives.daemon, log)
    lives.end()
    os.rename(folder, logs / "site.old")
    folder.mkdir()
    log.open().write(10)
    assert_counted(lives.begin(), log)


def look_often(daemon):
    """More often than a glob may miss a name before it is forgotten."""
    for _ in range(8):
        assert daemon.get("/metrics").status in (200, 503)


@pytest.mark.parametrize("n_lives", [1, 2])
@pytest.mark.parametrize(
    "argument", ["site/access.log", "site/access.log*", "*/access.log*"]
)
def test_the_directory_is_away_at_the_start(lives, make_log, logs, argument, n_lives):
    """As where it is renamed, or mounted late: what was read of it is known."""
    folder, elsewhere = logs / "site", logs / ".away"
    folder.mkdir()
    glob = logs / argument
    log = make_log(folder / "access.log", source=glob)
    lives.begin(glob)
    count_beside_a_copy(lives.daemon, log, is_copied="*" in argument)
    for _ in range(n_lives):
        lives.end()
        if folder.exists():
            os.rename(folder, elsewhere)
        lives.daemon = support.Exporter(
            f"--state.dir={lives.state}", glob, settled=False
        )
        look_often(lives.daemon)
    os.rename(elsewhere, folder)
    log.write(10)
    lives.settle()
    for _ in range(5):
        assert_counted(lives.daemon, log)


@mounts
@pytest.mark.parametrize("argument", ["access.log", "access.log*"])
def test_the_directory_is_mounted_after_the_start(lives, make_log, logs, argument):
    """Until then an empty one of another file system is in its place."""
    folder = logs / "site"
    folder.mkdir()
    glob = folder / argument
    log = make_log(folder / "access.log", source=glob)
    lives.begin(glob)
    count_beside_a_copy(lives.daemon, log, is_copied="*" in argument)
    lives.end()
    lives.daemon = support.Exporter(
        f"--state.dir={lives.state}", glob, settled=False,
        wrapper=in_mounts(f"mount -t tmpfs none {folder}"),
    )
    look_often(lives.daemon)
    subprocess.run(
        ["nsenter", f"--target={lives.daemon.pid}", "--user", "--mount",
         "--preserve-credentials", "umount", folder],
        check=True,
    )
    log.write(10)
    lives.settle()
    for _ in range(5):
        assert_counted(lives.daemon, log)


def test_a_symbolic_link_points_elsewhere_after_the_restart(lives, make_log, logs):
    link = logs / "current"
    one = make_log(logs / "one.log", source=link)
    two = make_log(logs / "two.log", source=link)
    link.symlink_to("one.log")
    lives.begin(link)
    one.write(10)
    assert_counted(lives.daemon, one, two)
    lives.end()
    os.unlink(link)
    link.symlink_to("two.log")
    one.write(5)
    two.write(10)
    assert_counted(lives.begin(), one, two)


def test_a_hard_link_is_no_other_file_after_the_restart(lives, followed, logs):
    os.link(followed.path, logs / "access.log.1")
    followed.write(5)
    assert_counted(lives.again(), followed)
    os.unlink(followed.path)
    followed.open().write(5)
    assert_counted(lives.daemon, followed)
    assert_counted(lives.again(), followed)


@mounts
def test_one_file_bind_mounted_under_two_names_is_counted_once(logs, exporter, log):
    other = logs / "elsewhere"
    other.mkdir()
    (other / "bound.log").touch()
    daemon = exporter(
        log.path, other / "bound.log",
        wrapper=in_mounts(f"mount --bind {log.path} {other}/bound.log"),
    )
    log.write(10)
    metrics = daemon.scrape()
    assert metrics.by("status", "accesslog_requests_total") == dict(log.requests)
    assert metrics.total(METRIC + "read_bytes_total") == log.grown
    log.rename()
    log.open().write(10)
    metrics = daemon.scrape()
    assert metrics.by("status", "accesslog_requests_total") == dict(log.requests)


FAILING = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
static int fails(int fd)
{
	struct stat a, b;
	return !fstat(fd, &a) && !stat(getenv("FAILING"), &b) && a.st_ino == b.st_ino;
}
#define READ(name, type) \\
ssize_t name(int fd, void *to, size_t n, type at) \\
{ \\
	ssize_t (*real)(int, void *, size_t, type) = dlsym(RTLD_NEXT, #name); \\
	if (!fails(fd)) return real(fd, to, n, at); \\
	errno = atoi(getenv("ERROR")); \\
	return -1; \\
}
READ(pread, off_t)
READ(pread64, off64_t)
"""

preloads = pytest.mark.skipif(
    support.SANITIZED or not shutil.which("cc"),
    reason="no compiler here, or a run-time library that wants to be first",
)


def failing(logs, mark, error):
    """While mark is a link to a file, reading that file fails."""
    source, library = logs / "failing.c", logs / "failing.so"
    source.write_text(FAILING)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return ["env", f"LD_PRELOAD={library}", f"FAILING={mark}", f"ERROR={error}"]


@preloads
def test_a_stale_handle_as_nfs_gives_one(logs, log, exporter):
    """The file was removed on the server: what is there now is followed."""
    mark = logs / "stale"
    daemon = exporter(log.path, wrapper=failing(logs, mark, errno.ESTALE))
    log.write(10)
    assert_counted(daemon, log)
    old = log.rename(".away")
    os.link(old, mark)
    os.write(log.fd, b"a line that nobody can read any more\n")
    for _ in range(2):
        log.open().write(10)
        assert_counted(daemon, log)


@preloads
@pytest.mark.parametrize("is_renamed", [False, True], ids=["in place", "renamed"])
@pytest.mark.parametrize("argument", ["access.log", "*.log", "access.log*"])
def test_a_log_that_cannot_be_read_at_the_start(lives, make_log, logs, argument, is_renamed):
    """It is no other file for that: it is read on when it can be read."""
    glob = logs / argument
    log = make_log(logs / "access.log", source=glob)
    lives.begin(glob)
    log.write(100)
    assert_counted(lives.daemon, log)
    lives.end()
    log.write(50)
    mark = logs / "failing"
    if is_renamed:
        os.link(log.rename(), mark)
        log.open().write(5)
    else:
        os.link(log.path, mark)
    lives.daemon = support.Exporter(
        f"--state.dir={lives.state}", glob, settled=False,
        wrapper=failing(logs, mark, errno.EIO),
    )
    look_often(lives.daemon)
    mark.unlink()
    wait_for(
        lambda: lives.settle().value("accesslog_requests_total", status="200")
        >= log.requests["200"],
        what="the log to be read on",
    )
    log.write(5)
    for _ in range(5):
        assert_counted(lives.daemon, log)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize("is_renamed", [False, True], ids=["in place", "renamed"])
@pytest.mark.parametrize("argument", ["access.log", "*.log", "access.log*"])
def test_a_log_that_may_not_be_read_at_the_start(lives, make_log, logs, argument, is_renamed):
    """As another user than root; then the mode is mended."""
    nobody = {"wrapper": ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]}
    logs.chmod(0o777)
    glob = logs / argument
    log = make_log(logs / "access.log", source=glob)
    lives.begin(glob, **nobody)
    log.write(100)
    assert_counted(lives.daemon, log)
    lives.end()
    log.write(50)
    path = log.path
    if is_renamed:
        path = log.rename()
        log.open().write(5)
    os.chmod(path, 0)
    lives.daemon = support.Exporter(
        f"--state.dir={lives.state}", glob, settled=False, **nobody
    )
    look_often(lives.daemon)
    os.chmod(path, 0o644)
    wait_for(
        lambda: lives.settle().value("accesslog_requests_total", status="200")
        >= log.requests["200"],
        what="the log to be read on",
    )
    log.write(5)
    for _ in range(5):
        assert_counted(lives.daemon, log)


# 42. Names that a glob matches.


@pytest.mark.parametrize("rotation", ["shift", "gz", "dateext", "rotatelogs", "copy"])
def test_a_glob_counts_nothing_again_after_a_restart(lives, make_log, logs, rotation):
    glob = logs / "access.log*"
    log = make_log(logs / "access.log", source=glob)
    lives.begin(glob)
    log.write(10)
    assert_counted(lives.daemon, log)

    def rotate(i):
        log.write(10)
        match rotation:
            case "shift" | "gz":
                shift(log, rotation == "gz")
            case "dateext":
                log.rename(f"-2026112{i}")
                log.open()
            case "rotatelogs":
                log.path = logs / f"access.log.179519973{i}"
                log.open()
            case "copy":
                copy_and_truncate(log)
        log.write(10)

    for i in range(3):
        rotate(i)
        assert_counted(lives.again(), log)
        lives.end()
        rotate(3 + i)
        assert_counted(lives.begin(), log)


# 44. What is saved cannot be relied on: the rest is test_state's.


def test_killed_between_reading_and_saving(lives, followed):
    """At any instant; whatever was saved, all lines are counted once."""
    lives.how = "killed"
    for delay in (0, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016):
        for _ in range(5):
            followed.write(50)
            support.window(delay)
            lives.again()
    assert_counted(lives.daemon, followed)


# 45. Odd contents.


def test_an_empty_file_that_was_seen_is_no_old_one(lives, log):
    lives.begin(log.path)
    lives.end()
    log.write(10)
    assert_counted(lives.begin(), log)


def test_an_empty_file_that_was_seen_and_renamed_while_it_was_down(lives, log):
    lives.begin(log.path)
    lives.end()
    log.write(10)
    shift(log)
    log.write(10)
    assert_counted(lives.begin(), log)


def test_no_newline_at_all(lives, log):
    lives.begin(log.path)
    line = log.text()
    log.raw(line[:50])
    lives.daemon.scrape()
    lives.again()
    assert lives.daemon.scrape().value(METRIC + "lag_bytes") == 50
    lives.end()
    log.raw(line[50:])
    assert_counted(lives.begin(), log)


def test_a_sparse_file_is_not_skipped_twice(lives, make_log, logs):
    hole = 10 * 1024**3
    log = make_log(logs / "sparse.log")
    log.hole(hole).write(5)
    lives.begin("--read-from=beginning", log.path)
    wait_for(lambda: lives.daemon.scrape().total("accesslog_requests_total") == 5)
    lives.end()
    log.write(5)
    assert_counted(lives.begin(), log, skipped=hole)


# 47. A file that appeared while it was down.


def test_a_globs_new_match_is_read_from_byte_0(lives, make_log, logs):
    glob = logs / "*.log"
    one = make_log(logs / "one.log", source=glob)
    lives.begin(glob)
    one.write(10)
    assert_counted(lives.daemon, one)
    lives.end()
    two = make_log(logs / "two.log", source=glob)
    two.write(10)
    one.write(10)
    assert_counted(lives.begin(), one, two)


def test_a_file_that_was_waited_for_is_read_from_byte_0(lives, make_log, logs):
    lives.begin(logs / "later.log")
    lives.end()
    log = make_log(logs / "later.log")
    log.write(10)
    assert_counted(lives.begin(), log)


# 48. What is shown is never lower than what was shown before.


def test_nothing_is_shown_until_all_is_read_again(lives, followed):
    """A backlog takes its time; until then the answer is 503, with a hint."""
    n, size = followed.requests["200"], followed.bytes["200"]
    block = b"".join(followed.text("200") for _ in range(10_000))
    n, size = followed.requests["200"] - n, followed.bytes["200"] - size
    followed.raw(block)
    lives.how = "killed"
    shown = lives.daemon.scrape().access()
    lives.end()
    while followed.grown < 100_000_000:
        followed.raw(block)
        followed.requests["200"] += n
        followed.bytes["200"] += size
        followed.n_parsed += n
    daemon = support.Exporter(f"--state.dir={lives.state}", *lives.arguments, settled=False)
    lives.daemon = daemon
    n_refused = 0

    def answered():
        nonlocal n_refused
        ready = daemon.get("/-/ready").status
        answer = daemon.get("/metrics")
        assert answer.status in (200, 503)
        if answer.status == 200:
            return support.Metrics(answer.body.decode())
        assert int(answer.headers["Retry-After"]) > 0
        assert ready == 503
        n_refused += 1

    metrics = wait_for(answered, 60, "the backlog to be read", interval=0.001)
    assert n_refused
    assert all(metrics.samples[key] >= value for key, value in shown.items())
    assert daemon.get("/-/ready").status == 200
    assert_counted(daemon, followed, metrics=metrics)
