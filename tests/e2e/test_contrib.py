"""What goes with the program: contrib/, and the PromQL of the README."""

import os
import re
import shutil
import signal
import subprocess
import threading
import urllib.request

import pytest

import support
from support import wait_for

CONTRIB = support.REPOSITORY / "contrib"
RULES = CONTRIB / "prometheus" / "accesslog.rules.yml"
GENERATOR = os.environ.get(
    "ACCESSLOG_GENERATE", support.REPOSITORY / "build/release/bench/generate"
)


def needs(program):
    return pytest.mark.skipif(
        not shutil.which(program), reason=f"no {program} on this machine"
    )


def succeeds(*command):
    """Run it; fail with all that it says if it does not end with 0."""
    done = subprocess.run(
        command, cwd=CONTRIB / "prometheus", text=True, timeout=60 * support.SLOW,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout


def readme_expressions():
    """Every code span of the README's section Metrics that names a metric.

    As it stands there: what a Markdown table would need an escape for, such
    as a "|", is copied with the escape and is wrong then.
    """
    readme = (support.REPOSITORY / "README.md").read_text()
    section = re.search(r"^## Metrics\n(.*?)^## ", readme, re.M | re.S)[1]
    spans = re.findall(r"`([^`\n]+)`", section)
    blocks = re.findall(r"^ {4}(.+)$", section, re.M)
    return [code for code in spans + blocks if re.search(r"\baccesslog_", code)]


def metric_names():
    """Every name that a sample of ours can have."""
    text = (support.REPOSITORY / "include/accesslog/metrics.def").read_text()
    found = re.findall(r'^METRIC\(\w+, (\w+), "(\w+)"', text, re.M)
    names = {name for _, name in found}
    for kind, name in found:
        if kind == "HISTOGRAM":
            names |= {f"{name}_{end}" for end in ("bucket", "sum", "count")}
    return names


@needs("promtool")
@pytest.mark.parametrize(
    "command",
    ["check rules accesslog.rules.yml",
     "check config prometheus.yml",
     "test rules accesslog.rules.test.yml"],
)
def test_promtool_accepts(command):
    succeeds("promtool", *command.split())


@needs("promtool")
def test_promql_of_the_readme_parses(tmp_path):
    expressions = readme_expressions()
    assert any("histogram_quantile" in code for code in expressions)
    assert any("== 0" in code for code in expressions)
    rules = tmp_path / "readme.yml"
    rules.write_text(
        "groups:\n- name: readme\n  rules:\n"
        + "".join(
            f"  - record: readme:{i}\n    expr: |-\n      {code}\n"
            for i, code in enumerate(expressions)
        )
    )
    succeeds("promtool", "check", "rules", rules)


def test_rules_and_readme_name_metrics_that_there_are():
    known = metric_names()
    # "instance:accesslog_requests:rate5m" is a recorded series, not one of ours.
    ours = r"(?<![:\w])accesslog_\w+(?![:\w])"
    for where, text in [
        ("README.md", "\n".join(readme_expressions())),
        (RULES.name, "\n".join(
            re.sub(r"#.*|summary:.*", "", line) for line in RULES.read_text().splitlines()
        )),
    ]:
        named = set(re.findall(ours, text))
        assert len(named) > 5, where
        assert not named - known, where


@needs("systemd-analyze")
def test_systemd_accepts_the_unit(tmp_path):
    unit = CONTRIB / "systemd" / "accesslog_exporter.service"
    text, n = re.subn(
        r"^ExecStart=\S+", f"ExecStart={support.BINARY}", unit.read_text(), flags=re.M
    )
    assert n == 1
    copy = tmp_path / unit.name
    copy.write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", copy],
        capture_output=True, text=True, timeout=60 * support.SLOW,
    )
    # An unknown setting is a warning, and ends with 0.
    said = [line for line in done.stderr.splitlines() if unit.name in line]
    assert (done.returncode, said) == (0, [])


@needs("bash")
def test_completion_offers_every_option():
    completion = CONTRIB / "completions" / "accesslog_exporter.bash"
    succeeds("bash", "-n", completion)
    offered = ""
    for words in ("--", "scan --"):
        script = (
            f"source '{completion}'; COMP_WORDS=(accesslog_exporter {words}); "
            "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); "
            '_accesslog_exporter; printf "%s\\n" "${COMPREPLY[@]}"'
        )
        offered += subprocess.run(
            ["bash", "-c", script], capture_output=True, text=True, check=True
        ).stdout
    text = subprocess.run(
        [support.BINARY, "--help"], capture_output=True, text=True, check=True
    ).stdout
    options = re.findall(r"(?<![\w-])--[a-z.-]+", text)
    assert options
    assert {one.rstrip("=") for one in offered.split()} == set(options)


class Run:
    """contrib/run, as `make run` starts it, in a process group of its own."""

    def __init__(self, listen):
        self.output = []
        self.process = subprocess.Popen(
            [CONTRIB / "run", support.BINARY, GENERATOR],
            env=dict(support.ENVIRONMENT, LISTEN=listen), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )
        self.readers = [
            threading.Thread(target=self.output.extend, args=(stream,))
            for stream in (self.process.stdout, self.process.stderr)
        ]
        for reader in self.readers:
            reader.start()

    def url(self):
        found = re.search(r"^(http://\S+) follows ", "".join(self.output), re.M)
        return found and found[1]

    def wait(self):
        status = self.process.wait(10 * support.SLOW)
        for reader in self.readers:
            reader.join(10 * support.SLOW)
            assert not reader.is_alive(), "a process of contrib/run is left"
        self.process.stdout.close()
        self.process.stderr.close()
        return status


@pytest.mark.skipif(
    not os.path.exists(GENERATOR), reason=f"{GENERATOR} is not built (make bench)"
)
def test_run_serves_at_the_url_that_it_prints():
    run = Run("127.0.0.1:0")
    try:
        url = wait_for(run.url, what="the URL")
        with urllib.request.urlopen(url, timeout=10 * support.SLOW) as answer:
            assert b"accesslog_requests_total" in answer.read()
    finally:
        os.killpg(run.process.pid, signal.SIGINT)
    assert run.wait() == 0


@pytest.mark.skipif(
    not os.path.exists(GENERATOR), reason=f"{GENERATOR} is not built (make bench)"
)
def test_run_prints_no_url_when_the_port_is_taken(exporter, log):
    taken = exporter(log.path).addresses[0]
    run = Run(taken)
    assert run.wait() == 1
    assert not run.url()
    assert "is in use" in "".join(run.output)
