"""Runs a program against the exporter, and says what it did wrong."""

import os
import pathlib
import shutil
import tempfile
import time
import traceback

from daemon import Daemon, Failure, nap
from logs import Log, next_tick

CONFIGURATION = """\
sources:
{sources}
metrics:
  - name: seen_total
    help: Requests of each line, by the number that it carries.
    labels: [request_uri]
{extra}"""
SOURCE = "  - {{ name: {name}, paths: ['{path}'], format: combined }}\n"
EXTRA = "  - { name: extra_total, labels: [status] }\n"
METRIC = "accesslog_exporter_"
COPY_BYTES = 4096  # BOUNDS_COPY_BYTES
UNSAVED = tuple(METRIC + name for name in ("scrapes_total", "stale_scrapes_total", "rotations_total", "state_errors"))


class World:
    """A folder, the logs in it, and the exporter that follows them."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.trace = []  # the steps as they were taken
        self.logs = []
        self.daemon = None
        self.asked = []  # connections of scrapes that nobody has read
        self.before = {}  # what the last scrape showed
        self.extra = False
        self.trouble = None  # "full", "away"
        self.repaired_at = 0
        self.is_unsaved = False  # a scrape was answered during the trouble

    # Building it.

    def setup(self, layout, naming, read_from, n_old, length):
        folder = self.folder / "logs"
        folder.mkdir()
        names = ("a", "b") if layout in ("pair", "glob") else ("a",)
        self.logs = [Log(folder, name, naming, length == "long") for name in names]
        self.sources = {
            "path": {"a": "a.log"},
            "rotated": {"a": "a.log*"},
            "glob": {"all": "*.log"},
            "pair": {"a": "a.log", "b": "b.log"},
        }[layout]
        # Of each source: unsure bytes that were accounted for, and bytes and
        # texts of which nobody knows whether they were read.
        self.accounts = {
            name: {"settled": 0, "loose": 0, "n_loose": 0, "slack": 0} for name in self.sources
        }
        self.state = self.folder / "state"
        self.state.mkdir()
        self.configuration = self.folder / "accesslog_exporter.yml"
        self.configure(False)
        self.daemon = Daemon(
            self.folder / "messages",
            [f"--config.file={self.configuration}", f"--read-from={read_from}",
             f"--state.dir={self.state}"],
        )
        for log in self.logs:
            # What is there at the start counts, if it was asked for.
            for _ in range(2):
                log.may_make_old = read_from == "end" or layout != "rotated"
                if int(n_old):
                    log.reopen()
                    log.write(log.writer, int(n_old))
                    log.rotate(create=False)
            log.may_make_old = read_from == "end"
            log.reopen()
            log.write(log.writer, int(n_old))
            log.may_make_old = False
        next_tick()
        self.start()
        self.scrape()

    def configure(self, extra):
        text = CONFIGURATION.format(
            sources="".join(
                SOURCE.format(name=name, path=self.folder / "logs" / path)
                for name, path in self.sources.items()
            ),
            extra=EXTRA if extra else "",
        )
        self.configuration.write_text(text)

    # What can be reached, and what cannot.

    def can_read(self, file):
        return file.path is not None or (self.daemon.is_up and file.is_open)

    def lose(self, spans):
        """Nobody but the exporter knows whether these had been read."""
        files = [file for log in self.logs for file in log.files]
        there = {span for file in files if self.can_read(file) for span in file.spans}
        for span in spans:
            if span.state == "pending" and span not in there:
                span.state = "unsure"

    def loosen(self, log, file):
        """Of a file of which nothing was read nobody can say later what it was.

        So bytes of its first line may be told as lost that are found again, or
        the other way round.
        """
        if file.unfinished and file.spans[0].line is file.unfinished:
            self.account_of(log)["slack"] += file.size

    def account_of(self, log):
        return self.accounts["all" if "all" in self.accounts else log.name]

    def all_spans(self):
        return [span for log in self.logs for file in log.files for span in file.spans]

    def is_fragile(self):
        """What was shown may not be saved, so that its log must stay."""
        return self.trouble or self.is_unsaved

    # The steps.  Each returns False where it is impossible.

    def log_of(self, name):
        return next((log for log in self.logs if log.name == name), None)

    def step(self, text):
        word, *rest = text.split()
        if rest and rest[0] in "ab" and word not in ("reload",):
            log = self.log_of(rest[0])
            done = log and getattr(self, "log_" + word.replace("-", "_"))(log, *rest[1:])
        else:
            done = getattr(self, word.replace("-", "_"))(*rest)
        self.trace.append(text if done is not False and done is not None else f"# {text}")

    def may_write(self, writer):
        """Not into what is gone when it is killed, while nothing can be saved."""
        return writer and not (writer.file.path is None and self.is_fragile())

    def log_write(self, log, n, chunks):
        if not self.may_write(log.writer):
            return False
        log.write(log.writer, int(n), int(chunks))
        return self.written(log.writer)

    def log_old(self, log, n):
        if not self.may_write(log.old):
            return False
        log.write(log.old, int(n))
        return self.written(log.old)

    def log_part(self, log, percent):
        if not self.may_write(log.writer) or log.writer.file.owed:
            return False
        log.part(log.writer, int(percent))
        return self.written(log.writer)

    def log_finish(self, log):
        done = False
        for writer in (log.writer, log.old):
            if self.may_write(writer) and writer.file.owed:
                log.write(writer, 0)
                done = self.written(writer)
        return done

    def written(self, writer):
        if not self.can_read(writer.file):
            self.lose(writer.file.spans)
        return True

    def log_rotate(self, log, create):
        if not log.current:
            return False
        log.rotate(create == "create")
        return True

    def log_turn(self, log, keep):
        """Renamed, and the writer has the new one at once."""
        return self.log_rotate(log, "nocreate") and self.log_reopen(log, keep)

    def log_reopen(self, log, keep):
        if log.writer.file is log.current:
            return False
        if not (self.may_write(log.writer) and (not log.old or self.may_write(log.old))):
            return False
        log.reopen(keep == "keep")
        self.lose(self.all_spans())
        return True

    def log_copy(self, log, preserve, n_late=0):
        if not log.current or not log.current.size:
            return False
        self.loosen(log, log.current)
        self.lose(log.copy(preserve == "preserve", n_late))
        return True

    def log_copy_late(self, log, n):
        # What is written in between is lost, and the copy of a short log cannot
        # be told from another log then.
        if self.is_fragile() or (log.current and log.current.size < COPY_BYTES):
            return False
        return self.log_copy(log, "fresh", int(n))

    def log_delete(self, log):
        if not log.current or self.is_fragile():
            return False
        self.lose(log.delete().spans)
        return True

    def log_gzip(self, log, i):
        """Not while a worker may write to it and nothing can be saved."""
        if self.is_fragile():
            return False
        # What is written after it must be younger than what it has: then the
        # times of the two tell that it is old, when its anchor is not in it.
        next_tick()
        file = log.gzip(int(i))
        if file:
            self.lose(file.spans)
        return bool(file)

    def log_drop(self, log):
        if self.is_fragile():
            return False
        file = log.drop()
        if file:
            self.lose(file.spans)
        return bool(file)

    def log_truncate(self, log):
        if not log.current or self.is_fragile():
            return False
        self.loosen(log, log.current)
        self.lose(log.cut(log.current))
        return True

    def log_trim(self, log):
        """Between two looks, so that each finds what the other left."""
        if not log.current or not log.current.unfinished or self.is_fragile():
            return False
        if not self.scrape():
            return False
        self.lose(log.trim())
        self.scrape()
        return True

    def nap(self, milliseconds):
        nap(int(milliseconds))
        return True

    def ask(self):
        if not self.daemon.is_up or self.daemon.is_paused:
            return False
        self.asked.append(self.daemon.ask())
        return True

    def pause(self):
        if not self.daemon.is_up or self.daemon.is_paused:
            return False
        self.daemon.pause()
        return True

    def resume(self):
        if not self.daemon.is_up or not self.daemon.is_paused:
            return False
        self.daemon.resume()
        return True

    def ended(self):
        for connection in self.asked:
            connection.close()
        self.asked.clear()
        if self.is_fragile():
            # What it counts of itself is in no log.
            for key in [key for key in self.before if key.startswith(UNSAVED)]:
                del self.before[key]
        for log in self.logs:
            for file in log.files:
                file.is_open = False
                self.loosen(log, file)
                if file.is_packed and file.unfinished:
                    # It goes on in its .gz, which ends before that.
                    self.account_of(log)["slack"] += file.unfinished.spans[-1].size
        self.lose(self.all_spans())
        return True

    def kill(self, milliseconds):
        if not self.daemon.is_up:
            return False
        nap(int(milliseconds))
        self.daemon.kill()
        return self.ended()

    def stop(self):
        if not self.daemon.is_up:
            return False
        self.daemon.stop(bool(self.trouble))
        return self.ended()

    def start(self):
        if self.daemon.is_up:
            return False
        if self.trouble:
            self.repair()
        self.repaired_at = 0
        self.daemon.start()
        return True

    def start_kill(self, milliseconds):
        """Killed at its start, wherever it is by then."""
        if self.daemon.is_up:
            return False
        if self.trouble:
            self.repair()
        self.daemon.spawn()
        return self.kill(milliseconds)

    def reload(self, kind):
        if not self.daemon.is_up:
            return False
        if kind == "broken":
            self.configuration.write_text("sources: [\n")
            self.daemon.reload()
            # It must be read while it is broken, or it was no step.
            if not self.daemon.is_paused:
                self.daemon.scrape()
        else:
            self.extra = kind == "extra"
        self.configure(self.extra)
        if kind != "broken":
            self.daemon.reload()
        return True

    # Trouble with the state.

    def full(self):
        if self.trouble or not self.daemon.is_up or not self.scrape():
            return False
        self.daemon.limit_files(4096)
        self.trouble = "full"
        return True

    def away(self):
        if self.trouble or not self.daemon.is_up or not self.scrape():
            return False
        os.rename(self.state, self.folder / "away")
        self.state.write_text("no directory\n")
        self.trouble = "away"
        return True

    def repair(self):
        if not self.trouble:
            return False
        if self.trouble == "away":
            self.state.unlink()
            os.rename(self.folder / "away", self.state)
        elif self.daemon.is_up:
            self.daemon.limit_files(None)
        self.trouble = None
        # It tries again now and then, and until it did nothing is saved.
        self.repaired_at = time.time() if self.daemon.is_up else 0
        return True

    # The end.

    def end(self):
        """Whatever the program did: in peace, everything is right."""
        if self.daemon.is_paused:
            self.daemon.resume()
        if self.trouble:
            self.repair()
        self.start()
        self.scrape()
        self.stop()
        self.start()
        self.scrape()
        self.stop()

    def close(self):
        if self.daemon:
            self.daemon.abandon()
        for connection in self.asked:
            connection.close()
        for log in self.logs:
            log.close()

    # What must be so.

    def scrape(self):
        if not self.daemon.is_up or self.daemon.is_paused:
            return False
        scrape = self.daemon.scrape()
        self.see_unlinked()
        if scrape.total(METRIC + "state_saved_timestamp_seconds") > self.repaired_at:
            self.repaired_at = 0
        self.is_unsaved = bool(self.trouble or self.repaired_at)
        self.check_cumulative(scrape)
        counted = scrape.by("request_uri", "accesslog_seen_total")
        for log in self.logs:
            self.check_lines(log, counted)
        if counted:
            raise Failure(f"counted what nobody has written: {counted}")
        self.check_totals(scrape)
        for source in self.sources:
            self.check_bytes(scrape, source)
        for log in self.logs:
            for file in log.files:
                file.is_open |= file.path is not None
        return True

    def see_unlinked(self):
        """What had no name before it was asked: the kernel knows who has it."""
        for log in self.logs:
            for writer in filter(None, (log.writer, log.old)):
                file = writer.file
                if file.path is not None or file.is_open:
                    continue
                file.is_open = self.daemon.has_open(writer.fd)
                for span in file.spans:
                    if file.is_open and span.state == "unsure":
                        span.state = "pending"

    def check_cumulative(self, scrape):
        now = scrape.cumulative()
        for key, value in self.before.items():
            if "extra_total" in key and not now.get(key):
                continue  # its metric is gone, or was, and began anew
            if key not in now:
                raise Failure(f"{key} was {value:g}, and is not there any more")
            if now[key] < value:
                raise Failure(f"{key} went down from {value:g} to {now[key]:g}")
        self.before = now

    def check_lines(self, log, counted):
        """Takes its lines out of counted."""
        missing, double, strange = [], [], []
        for file in log.files:
            if self.can_read(file):
                for span in file.spans:
                    if span.state == "pending":
                        span.state = "known"
        for line in log.lines:
            n = counted.pop(f"/{log.name}/{line.number}", 0)
            sure = all(span.state == "known" for span in line.spans)
            if n > 1:
                double.append(line.number)
            elif n and (line.is_gone or not line.is_whole):
                strange.append(line.number)
            elif not n and line.is_whole and not line.is_gone and (sure or line.is_counted):
                missing.append(line.number)
            line.is_counted = bool(n)
            if n:
                for span in line.spans:
                    span.state = "known"
            elif any(span.state == "unsure" for span in line.spans):
                line.is_gone = True
        if missing or double or strange:
            raise Failure(
                f"lines of {log.name}: missing {missing}, more than once {double}, "
                f"counted though they cannot be known {strange}"
            )

    def check_totals(self, scrape):
        """The metrics that everybody has agree with the lines counted."""
        lines = [line for log in self.logs for line in log.lines if line.is_counted]
        requests, sizes = {}, {}
        for line in lines:
            requests[line.status] = requests.get(line.status, 0) + 1
            sizes[line.status] = sizes.get(line.status, 0) + line.number
        for name, owed in (("requests", requests), ("response_bytes", sizes)):
            shown = scrape.by("status", f"accesslog_{name}_total")
            if shown != owed:
                raise Failure(f"accesslog_{name}_total is {shown}, its lines make {owed}")

    def logs_of(self, source):
        return self.logs if source == "all" else [self.log_of(source)]

    def check_bytes(self, scrape, source):
        """read + skipped + lost + lag = growth, and each of them what it is."""
        logs = self.logs if source == "all" else [self.log_of(source)]
        account = self.accounts[source]
        grown = read = lag = dead = unsure = n_unparsed = n_dead = 0
        for span in (span for log in logs for span in log.spans):
            if span.state == "unsure":
                span.state = "settled"
                unsure += span.size
                if not span.line or span.is_dead:
                    account["loose"] += span.size
                    account["n_loose"] += 1
            if span.state != "known":
                continue
            grown += span.size
            if not span.line:
                read += span.size
                n_unparsed += 1
            elif span.line.is_counted:
                read += span.size
            elif span.is_dead:
                dead += span.size
                n_dead += 1
        for file in (file for log in logs for file in log.files):
            head = file.unfinished and file.unfinished.spans[-1]
            if head and not head.is_dead and head.state == "known" and self.can_read(file):
                lag += head.size

        def between(name, shown, low, more):
            if not low <= shown <= low + more:
                owed = f"{low}" if not more else f"from {low} to {low + more}"
                raise Failure(f"{name} of {source}: {shown:g}, must be {owed}; {seen}")

        seen = {
            name.removesuffix("_total"): scrape.total(METRIC + name, source=source)
            for name in ("read_bytes_total", "skipped_bytes_total", "lost_bytes_total",
                         "lag_bytes")
        }
        accounted = sum(seen.values())
        grown += account["settled"]
        slack = account["slack"]
        between("read + skipped + lost + lag", accounted, grown - slack, unsure + 2 * slack)
        account["slack"] = 0
        account["settled"] += accounted - grown
        loose = dead + account["loose"]
        between("read bytes", seen["read_bytes"], read, loose)
        between("lag bytes", seen["lag_bytes"], lag, loose)
        between("skipped bytes", seen["skipped_bytes"], 0, 0)

        def lines(result):
            return scrape.total(METRIC + "lines_total", source=source, result=result)

        n_parsed = sum(line.is_counted for log in logs for line in log.lines)
        between("parsed lines", lines("parsed"), n_parsed, 0)
        between("unparsed lines", lines("unparsed"), n_unparsed, n_dead + account["n_loose"])
        between("filtered and long lines", lines("filtered") + lines("too_long"), 0, 0)


def run(program):
    """Run it in a folder of its own; returns None, or what went wrong."""
    folder = tempfile.mkdtemp(prefix="accesslog-torture-")
    world = World(folder)
    try:
        world.setup(*program[0].split()[1:])
        world.trace.append(program[0])
        for text in program[1:]:
            world.step(text)
        world.end()
        return None
    except Failure as failure:
        return describe(world, program, failure)
    except Exception:
        return describe(world, program, traceback.format_exc())
    finally:
        world.close()
        shutil.rmtree(folder)


def describe(world, program, failure):
    """What whoever mends it wants to see."""
    rest = program[len(world.trace):]
    names = sorted((world.folder / "logs").iterdir())
    messages = world.daemon.log.read_text(errors="replace") if world.daemon else ""
    return "\n".join(
        [f"{failure}", "the program:"]
        + [f"    {text}" for text in world.trace]
        + ([f"    {rest[0]}   # here"] if rest else ["    # at its end"])
        + [f"    # {text}" for text in rest[1:]]
        + ["the logs:"]
        + [f"    {name.name}: {name.stat().st_size} bytes, inode {name.stat().st_ino}"
           for name in names]
        + ["what it said:"]
        + [f"    {line}" for line in messages.splitlines()[-60:]]
    )
