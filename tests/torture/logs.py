"""Logs, what their writers and their rotation do to them, and what is owed.

What a log is made of, so that it can be said of every byte where it is:

    span  bytes that were written in one go: a line, or a part of one
    line  one span, or two where it was finished later
    file  one inode: the spans in it.  A copy and a .gz have the same spans

A span is *pending* until a scrape was answered after it was written; then it
is *known*: it has been accounted for, and stays so.  One that can be reached
no more while it is pending is *unsure*: nobody but the exporter can say whether
it had been read.  The next scrape says it, and then that stays so as well.
*Old* ones were there before the exporter came for the first time.
"""

import gzip
import os
import pathlib
import time
from dataclasses import dataclass, field

STATUSES = ("200", "404", "301", "500")


def next_tick():
    """Wait until what is made now is younger than all that is there.

    The time stamps of files may be exact, or those of a clock that is some
    milliseconds late.
    """
    coarse = 5  # CLOCK_REALTIME_COARSE, which Python has no name for
    now = time.time()
    while time.clock_gettime(coarse) <= now:
        time.sleep(0.001)


@dataclass(eq=False)
class Line:
    number: int
    text: bytes
    status: str
    spans: list = field(default_factory=list)
    is_whole: bool = False  # with its newline, in one piece
    is_gone: bool = False  # it will never be counted
    is_counted: bool = False  # a scrape had it


@dataclass(eq=False)
class Span:
    size: int
    line: Line | None  # None: the rest of a line whose beginning was cut
    state: str = "pending"
    is_dead: bool = False  # part of a line, where nobody will finish it


@dataclass(eq=False)
class File:
    path: pathlib.Path | None  # None: it has no name any more
    spans: list = field(default_factory=list)
    is_open: bool = False  # the exporter that runs now has seen it
    is_packed: bool = False  # there is a .gz of it, and it has no name
    unfinished: Line | None = None  # at its end
    owed: bytes = b""  # what its writer has yet to write of that

    @property
    def size(self):
        return sum(span.size for span in self.spans)


class Writer:
    """A descriptor of a web server's worker."""

    def __init__(self, path, file):
        self.fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self.file = file

    def close(self):
        os.close(self.fd)


class Log:
    def __init__(self, folder, name, naming, is_long):
        self.name = name
        self.path = folder / f"{name}.log"
        self.naming = naming
        self.padding = 700 * "." if is_long else ""
        self.lines = []
        self.spans = []
        self.files = []
        self.current = None  # the file at self.path
        self.writer = None
        self.old = None  # a worker that has not opened the new log yet
        self.rotated = []  # files with a rotation's names, the youngest first
        self.n_rotations = 0
        self.may_make_old = True  # the exporter has not come yet

    def close(self):
        for writer in (self.writer, self.old):
            if writer:
                writer.close()

    # Writing.

    def text(self):
        number = len(self.lines) + 1
        status = STATUSES[number % len(STATUSES)]
        line = Line(
            number,
            f'192.0.2.{number % 200} - - [20/Nov/2026:15:40:{number % 60:02} +0000] '
            f'"GET /{self.name}/{number} HTTP/1.1" {status} {number} '
            f'"https://example.org/" "torture{self.padding} {self.name}/{number}"\n'.encode(),
            status,
        )
        self.lines.append(line)
        return line

    def add_span(self, file, size, line):
        span = Span(size, line)
        if self.may_make_old:
            span.state = "old"
        if line:
            line.spans.append(span)
            line.is_gone |= self.may_make_old
        file.spans.append(span)
        self.spans.append(span)

    def put(self, writer, data, chunks=1):
        size = max(1, -(-len(data) // chunks))
        for begin in range(0, len(data), size):
            os.write(writer.fd, data[begin:begin + size])

    def finish(self, writer):
        """Write the rest of a line."""
        file = writer.file
        if not file.owed:
            return b""
        data, line = file.owed, file.unfinished
        self.add_span(file, len(data), line)
        if line:
            line.is_whole = True
        file.owed, file.unfinished = b"", None
        return data

    def write(self, writer, n, chunks=1):
        data = self.finish(writer)
        for _ in range(n):
            line = self.text()
            line.is_whole = True
            self.add_span(writer.file, len(line.text), line)
            data += line.text
        self.put(writer, data, chunks)

    def part(self, writer, percent):
        """Begin a line, cut in its date or behind its bytes.

        So that neither piece can be taken for a line with another number.
        """
        if writer.file.owed:
            return
        line = self.text()
        begin, end = line.text.index(b"["), line.text.index(b"]")
        if percent >= 50:
            begin = line.text.rindex(b'"torture')
            end = len(line.text) - 1
        cut = begin + 1 + (end - begin - 1) * (percent % 50) // 50
        self.add_span(writer.file, cut, line)
        self.put(writer, line.text[:cut])
        writer.file.unfinished, writer.file.owed = line, line.text[cut:]

    # What happens to names.

    def create(self):
        """An empty log, as logrotate's create makes one."""
        if self.current is None:
            os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
            self.current = File(self.path)
            self.files.append(self.current)

    def reopen(self, keep=False):
        if self.writer and self.writer.file is self.current:
            return
        if self.writer and not keep:
            self.put(self.writer, self.finish(self.writer))
            self.writer.close()
        elif self.writer:
            if self.old:
                self.put(self.old, self.finish(self.old))
                self.old.close()
            self.old = self.writer
        self.create()
        self.writer = Writer(self.path, self.current)

    def name_rotated(self):
        """Where the log goes now; the others make room."""
        self.n_rotations += 1
        if self.naming == "dateext":
            return pathlib.Path(f"{self.path}-20261120-{1795190000 + self.n_rotations}")
        for i in reversed(range(len(self.rotated))):
            file = self.rotated[i]
            suffix = ".gz" if file.path.suffix == ".gz" else ""
            target = pathlib.Path(f"{self.path}.{i + 2}{suffix}")
            os.rename(file.path, target)
            file.path = target
        return pathlib.Path(f"{self.path}.1")

    def rotate(self, create):
        if self.current is None:
            return
        target = self.name_rotated()
        os.rename(self.path, target)
        self.current.path = target
        self.rotated.insert(0, self.current)
        self.current = None
        if create:
            self.create()

    def copy(self, preserve, n_late=0):
        """copytruncate.  Returns the spans that nobody has any more."""
        file = self.current
        if file is None:
            return []
        target = self.name_rotated()
        target.write_bytes(self.path.read_bytes())
        if preserve:
            times = os.stat(self.path)
            os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))
        copy = File(target, list(file.spans))
        self.files.append(copy)
        self.rotated.insert(0, copy)
        if file.unfinished:
            file.unfinished.spans[-1].is_dead = True
        if n_late and self.writer and self.writer.file is file:
            self.write(self.writer, n_late)
        return self.cut(file)

    def cut(self, file, kept=()):
        """Truncate a file to the spans that are kept; returns the others."""
        os.truncate(file.path, sum(span.size for span in kept))
        gone = file.spans[len(kept):]
        file.spans = list(kept)
        if file.unfinished:
            # What its writer still has to write is no line, but text.
            file.unfinished.is_gone = True
            file.unfinished = None
        return gone

    def trim(self):
        """Cut what is unfinished off."""
        file = self.current
        if file is None or not file.unfinished:
            return []
        return self.cut(file, file.spans[:-1])

    def delete(self):
        file, self.current = self.current, None
        os.unlink(self.path)
        file.path = None
        return file

    def gzip(self, i):
        """Compress one as gzip does; returns the file that has no name then."""
        plain = [f for f in self.rotated if f.path.suffix != ".gz"]
        if len(plain) < i:
            return None
        file = plain[i - 1]
        times = os.stat(file.path)
        target = pathlib.Path(f"{file.path}.gz")
        data = gzip.compress(file.path.read_bytes(), 1, mtime=int(times.st_mtime))
        target.write_bytes(data)
        os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))
        packed = File(target, list(file.spans))
        if file.unfinished:
            file.unfinished.spans[-1].is_dead = True
        self.files.append(packed)
        self.rotated[self.rotated.index(file)] = packed
        os.unlink(file.path)
        file.path = None
        file.is_packed = True
        return file

    def drop(self):
        """Delete the oldest; with numbers only the last can go."""
        if not self.rotated:
            return None
        file = self.rotated.pop()
        os.unlink(file.path)
        file.path = None
        return file
