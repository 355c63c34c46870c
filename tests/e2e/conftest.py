"""Fixtures of the end-to-end tests; what they are made of is in support.py."""

import concurrent.futures
import os
import pathlib
import shutil
import tempfile

import pytest

pytest.register_assert_rewrite("support", "receiving")

import support  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line(
        "markers",
        "background(job): job() runs in a thread from the start of the run, so "
        "that what must take half a minute takes none of it; the test gets its "
        "result as the fixture `outcome` and runs last",
    )
    if not support.BINARY.exists():
        raise pytest.UsageError(
            f"{support.BINARY} is not there: build it with `make`, or name "
            "another one in ACCESSLOG_EXPORTER"
        )


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("background") is not None)


@pytest.fixture(scope="session", autouse=True)
def background_jobs(request):
    marks = [item.get_closest_marker("background") for item in request.session.items]
    jobs = dict.fromkeys(mark.args[0] for mark in marks if mark)
    with concurrent.futures.ThreadPoolExecutor(max(1, len(jobs))) as pool:
        yield {job: pool.submit(job) for job in jobs}


@pytest.fixture
def outcome(request, background_jobs):
    job = request.node.get_closest_marker("background").args[0]
    return background_jobs[job].result(timeout=300 * support.SLOW)


@pytest.fixture
def logs():
    """A directory of its own that every user may enter, as /var/log is."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="accesslog-e2e-"))
    os.chmod(folder, 0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def exporter(logs):
    """Start the daemon; at the end stop it and check that it ended well.

    It ends before the folder goes: the last one to close a deleted file waits
    for the file system to free it, and that second is not the daemon's.
    """
    started = []

    def start(*arguments, **options):
        started.append(support.Exporter(*arguments, **options))
        return started[-1]

    yield start
    for one in started:
        one.stop()
    for one in started:
        one.check_end()


@pytest.fixture
def log(logs):
    """One access log, empty, open for appending."""
    one = support.Log(logs / "access.log")
    yield one
    one.close()


@pytest.fixture
def make_log():
    """More logs, closed at the end."""
    made = []

    def make(path, source=None):
        made.append(support.Log(path, source))
        return made[-1]

    yield make
    for one in made:
        one.close()
