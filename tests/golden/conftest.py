"""The golden tests use the end-to-end tests' support module."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
pytest.register_assert_rewrite("support")

import support  # noqa: E402


def pytest_configure():
    if not support.BINARY.exists():
        raise pytest.UsageError(
            f"{support.BINARY} is not there: build it with `make`, or name "
            "another one in ACCESSLOG_EXPORTER"
        )
