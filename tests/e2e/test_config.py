"""The daemon with a configuration: what it serves, refuses, and reads again.

Lines are made by line(); what is expected is written out or counted beside
them, never taken from the program.  A reload must not lose or repeat a line,
whatever it changes: so nearly every test of it writes before, during and after,
and compares with all that was written.
"""

import collections
import contextlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pytest

import support
from support import wait_for

EXAMPLES = support.REPOSITORY / "contrib" / "examples"
LATENCY = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
READ_AGAIN = "configuration read again"
NOT_READ = "the configuration was not read again; the one before is in use"
RELOADS = ["SIGHUP", "POST"]


def line(path="/", status=200, size=1, method="GET", agent="e2e/1.0", tail=""):
    """One line of combined, or of what has more columns behind it."""
    return (
        f'192.0.2.1 - - [20/Nov/2026:15:40:00 +0000] "{method} {path} HTTP/1.1" '
        f'{status} {size} "-" "{agent}"{tail}\n'
    )


def append(path, *lines):
    with open(path, "ab") as file:
        for one in lines:
            file.write(one if isinstance(one, bytes) else one.encode())


class Served:
    """A daemon, its configuration file, and ways to have it read again."""

    def __init__(self, exporter, path, text, *arguments, **options):
        self.path = path
        self.write(text)
        self.daemon = exporter(
            f"--config.file={path}", "--web.enable-lifecycle", *arguments, **options
        )

    def write(self, text):
        self.path.write_text(text)

    def told(self):
        return len(self.daemon.logged(READ_AGAIN)), len(self.daemon.logged(NOT_READ))

    def reload(self, how="POST", text=None, succeeds=True):
        """Read it again and wait until that is done; returns the answer."""
        if text is not None:
            self.write(text)
        before = self.told()
        answer = None
        if how == "POST":
            answer = self.daemon.get("/-/reload", method="POST")
            assert answer.status == (200 if succeeds else 500), answer.body
        else:
            self.daemon.send(signal.SIGHUP)
        owed = (before[0] + 1, before[1]) if succeeds else (before[0], before[1] + 1)
        wait_for(lambda: self.told() == owed, what=f"{owed} reloads told of")
        return answer

    def scrape(self):
        return self.daemon.scrape()


@pytest.fixture
def serve(exporter, tmp_path):
    def start(text, *arguments, **options):
        return Served(exporter, tmp_path / "accesslog.yml", text, *arguments, **options)

    return start


def by_labels(metrics, name, *labels):
    """Values that are not zero, keyed by these labels; there are no others."""
    found = {}
    for key, value in metrics.matching(name).items():
        pairs = dict(key)
        pairs.pop("le", None)
        assert set(pairs) == set(labels), f"labels of {name}"
        if value:
            found[tuple(pairs[label] for label in labels)] = value
    return found


def counted(metrics):
    return metrics.total("accesslog_requests_total")


def accounted(metrics, source):
    """Bytes of a source, and that none of them is unaccounted for."""
    return sum(
        metrics.total(f"accesslog_exporter_{name}", source=source)
        for name in ("read_bytes_total", "skipped_bytes_total", "lost_bytes_total", "lag_bytes")
    )


# Serving a configuration


def test_sites_with_labels_of_their_own(serve, logs):
    for name in ["shop", "shop2", "blog"]:
        (logs / f"{name}.log").touch()
    served = serve(f"""
sources:
  - name: shop
    paths: [{logs}/shop.log, {logs}/shop2.log]
    format: combined
    labels: {{ site: shop, tier: gold }}
  - name: blog
    paths: {logs}/blog.log
    labels: {{ site: blog }}
""")
    append(logs / "shop.log", line(size=3), line(size=4, status=404))
    append(logs / "shop2.log", line(size=5))
    append(logs / "blog.log", line(size=6), line(size=7))
    metrics = served.scrape()
    labels = ("status", "site", "tier")
    assert by_labels(metrics, "accesslog_requests_total", *labels) == {
        ("200", "shop", "gold"): 2, ("404", "shop", "gold"): 1, ("200", "blog", ""): 2,
    }
    assert by_labels(metrics, "accesslog_response_bytes_total", *labels) == {
        ("200", "shop", "gold"): 8, ("404", "shop", "gold"): 4, ("200", "blog", ""): 13,
    }
    # The exporter's own metrics know the source, and not its labels.
    assert metrics.by("source", "accesslog_exporter_lines_total", result="parsed") == {
        "shop": 3, "blog": 2,
    }
    assert metrics.value("accesslog_exporter_files", source="shop", state="following") == 2


def test_the_format_of_a_source_is_one_however_many_paths_have_it(serve, logs):
    (logs / "a.log").touch()
    (logs / "b.log").touch()
    served = serve(f"""
sources:
  - {{ name: all, paths: [{logs}/a.log, {logs}/b.log], format: combined }}
""")
    append(logs / "a.log", line())
    append(logs / "b.log", line())
    assert served.scrape().value("accesslog_exporter_format_info", source="all") == 1


def test_methods_and_routes(serve, log):
    served = serve(f"""
default_metrics: false
sources: [{{ paths: {log.path}, format: combined }}]
metrics:
  - name: by_route_total
    labels:
      - {{ name: method, from: request_method, normalize: method }}
      - name: route
        from: request_uri
        normalize: path
        rules:
          - {{ regex: '^/static/.*', replacement: /static }}
          - {{ regex: '^/(?<kind>product|category)/[^/]+$', replacement: '/${{kind}}/:name' }}
          - {{ regex: '^/(product)/', replacement: /never }}
      - {{ name: class, from: status, normalize: status_class }}
""")
    append(
        log.path,
        line("/static/a.css?v=1"), line("/static/b/c.js"), line("/product/shoe", 404),
        line("/category/7-up?x"), line("/product/shoe/size", 301),
        line("/user/17/posts/2026-11-20"),
        line("/u/6ba7b810-9dad-11d1-80b4-00c04fd430c8/deadbeef01"),
        line("/a%2Fb", method="GETX"), line("/", method="get"), line("/", 99, method="PATCH"),
    )
    assert by_labels(
        served.scrape(), "accesslog_by_route_total", "method", "route", "class"
    ) == {
        ("GET", "/static", "2xx"): 2,
        ("GET", "/product/:name", "4xx"): 1,
        ("GET", "/category/:name", "2xx"): 1,
        ("GET", "/never", "3xx"): 1,
        ("GET", "/user/:id/posts/:id", "2xx"): 1,
        ("GET", "/u/:id/:id", "2xx"): 1,
        ("other", "/a%2Fb", "2xx"): 1,
        ("other", "/", "2xx"): 1,
        ("PATCH", "/", "-"): 1,
    }


def test_a_rule_that_replaces_a_part_replaces_the_whole_value(serve, log):
    """One that fits nothing passes the value on (trap 52)."""
    served = serve(f"""
sources: [{{ paths: {log.path} }}]
metrics:
  - name: agents_total
    labels:
      - name: agent
        from: http_user_agent
        rules:
          - {{ regex: 'Firefox/(\\d+)', replacement: 'Firefox $1' }}
          - {{ regex: '^curl', replacement: curl }}
""")
    append(
        log.path, line(agent="Mozilla/5.0 Firefox/132.0"), line(agent="curl/8"),
        line(agent="libcurl/8"), line(agent="-"),
    )
    assert by_labels(served.scrape(), "accesslog_agents_total", "agent") == {
        ("Firefox 132",): 1, ("curl",): 1, ("libcurl/8",): 1, ("-",): 1,
    }


def test_hosts(serve, log):
    served = serve(f"""
sources: [{{ paths: {log.path}, format: '%{{NOTSPACE:host}} %{{COMBINED}}' }}]
metrics:
  - {{ name: hosts_total, labels: [{{ name: host, normalize: host }}] }}
""")
    for host in ["Example.ORG:443", "example.org.", "EXAMPLE.org", "[2001:db8::1]:80", "-"]:
        append(log.path, f"{host} {line()}")
    assert by_labels(served.scrape(), "accesslog_hosts_total", "host") == {
        ("example.org",): 3, ("[2001:db8::1]",): 1, ("-",): 1,
    }


def test_a_budget_sums_the_rest_as_other(serve, log):
    served = serve(f"""
default_metrics: false
sources: [{{ paths: {log.path} }}]
metrics:
  - &paths
    name: paths_total
    labels: [{{ name: path, from: uri, budget: 3 }}, status]
  - <<: *paths
    name: path_bytes_total
    value: body_bytes_sent
""")
    names = ["/a", "/b", "/other", "/c", "/d", "/a", "/e", "/d"]
    append(log.path, *(line(name, size=10**i) for i, name in enumerate(names)))
    metrics = served.scrape()
    requests = by_labels(metrics, "accesslog_paths_total", "path", "status")
    sizes = by_labels(metrics, "accesslog_path_bytes_total", "path", "status")
    assert requests == {
        ("/a", "200"): 2, ("/b", "200"): 1, ("/other", "200"): 1, ("other", "200"): 4,
    }
    assert sizes == {
        ("/a", "200"): 100001, ("/b", "200"): 10, ("/other", "200"): 100,
        ("other", "200"): 11011000,
    }
    for name in ["accesslog_paths_total", "accesslog_path_bytes_total"]:
        assert metrics.value(
            "accesslog_exporter_label_overflow_total", metric=name, label="path"
        ) == 4
        assert metrics.value("accesslog_exporter_series", metric=name) == 4
        assert metrics.value("accesslog_exporter_series_overflow_total", metric=name) == 0


def test_a_limit_of_series_sums_the_rest_as_other(serve, log):
    served = serve(f"""
default_metrics: false
limits: {{ series: 5 }}
sources: [{{ paths: {log.path} }}]
metrics:
  - {{ name: paths_total, labels: [{{ name: path, from: uri }}] }}
  - {{ name: few_total, labels: [{{ name: path, from: uri }}], max_series: 2 }}
""")
    append(log.path, *(line(f"/{i % 8}") for i in range(80)))
    metrics = served.scrape()
    assert by_labels(metrics, "accesslog_paths_total", "path") == {
        ("/0",): 10, ("/1",): 10, ("/2",): 10, ("/3",): 10, ("other",): 40,
    }
    assert by_labels(metrics, "accesslog_few_total", "path") == {("/0",): 10, ("other",): 70}
    assert metrics.by("metric", "accesslog_exporter_series_overflow_total") == {
        "accesslog_paths_total": 40, "accesslog_few_total": 70,
    }


def test_dropped_lines_are_counted_as_filtered(serve, log):
    served = serve(f"""
sources:
  - paths: {log.path}
    drop:
      - {{ field: request_uri, regex: '^/(health|metrics)\\b' }}
      - {{ field: http_user_agent, regex: '^kube-probe/' }}
""")
    dropped = [line("/health"), line("/metrics?x", 500), line("/a", agent="kube-probe/1.3")]
    kept = [line("/healthy"), line("/a/health", 404), line("/a", agent="a kube-probe/1.3")]
    append(log.path, *dropped, *kept, "junk\n")
    metrics = served.scrape()
    source = str(log.path)
    assert metrics.by("result", "accesslog_exporter_lines_total", source=source) == {
        "filtered": 3, "parsed": 3, "unparsed": 1,
    }
    assert metrics.by("status", "accesslog_requests_total") == {"200": 2, "404": 1}
    size = os.path.getsize(log.path)
    assert metrics.value("accesslog_exporter_read_bytes_total", source=source) == size


def test_formats_are_tried_in_order(serve, log):
    served = serve(f"""
sources:
  - paths: {log.path}
    format: [nginx_timed, combined, '%{{NOTSPACE:host}} said %{{STATUS:status}}']
metrics:
  - {{ name: hosts_total, labels: [host] }}
""")
    append(log.path, line(size=4), line(tail=" 0.25 0.001 0.125"), "h said 404\n", "h said\n")
    metrics = served.scrape()
    assert metrics.by("status", "accesslog_requests_total") == {"200": 2, "404": 1}
    assert metrics.total("accesslog_response_bytes_total") == 5
    assert metrics.value("accesslog_request_duration_seconds_count") == 1
    assert metrics.value("accesslog_request_duration_seconds_sum") == 0.25
    assert metrics.value("accesslog_upstream_duration_seconds_sum") == 0.125
    assert by_labels(metrics, "accesslog_hosts_total", "host") == {("-",): 2, ("h",): 1}
    assert metrics.total("accesslog_exporter_lines_total", result="unparsed") == 1


def test_what_is_excluded_is_left_alone(serve, logs):
    for name in ["a.log", "b.log", "b.log.1", "debug.log"]:
        (logs / name).touch()
    support.next_tick()  # else b.log.1 may have been b.log in between
    served = serve(f"""
sources: [{{ name: all, paths: '{logs}/*.log*', exclude: ['*.1', '{logs}/debug*'] }}]
""")
    for number, name in enumerate(["a.log", "b.log", "b.log.1", "debug.log", "debug-new.log"]):
        append(logs / name, line(size=10**number))
    metrics = served.scrape()
    assert metrics.total("accesslog_response_bytes_total") == 11
    assert metrics.value("accesslog_exporter_files", source="all", state="following") == 2


def test_a_namespace_of_its_own(serve, log):
    served = serve(f"""
namespace: web
sources: [{{ paths: {log.path} }}]
metrics:
  - {{ name: paths_total, labels: [uri] }}
  - {{ name: web_named_total }}
""")
    append(log.path, line("/x", size=7))
    metrics = served.scrape()
    assert metrics.value("web_requests_total", status="200") == 1
    assert metrics.value("web_response_bytes_total", status="200") == 7
    assert metrics.value("web_paths_total", uri="/x") == 1
    assert metrics.value("web_named_total") == 1
    assert not metrics.access()
    assert metrics.value("accesslog_exporter_series", metric="web_paths_total") == 1


def test_without_the_default_metrics(serve, log):
    served = serve(f"""
namespace: ''
default_metrics: false
sources: [{{ paths: {log.path}, format: nginx_timed }}]
metrics: [{{ name: n_total }}]
""")
    append(log.path, line(tail=" 0.25 0.001 0.125"))
    metrics = served.scrape()
    assert metrics.value("n_total") == 1
    about_requests = {
        name for name, _ in metrics.samples
        if not name.startswith(("accesslog_exporter_", "process_"))
    }
    assert about_requests == {"n_total"}


def test_a_histogram_for_each_label(serve, log):
    served = serve(f"""
sources: [{{ paths: {log.path}, format: nginx_timed }}]
metrics:
  - name: route_seconds
    help: Time by route.
    type: histogram
    value: request_time
    buckets: [0.1, 1]
    labels: [{{ name: route, from: request_uri, normalize: path }}]
  - {{ name: last_seconds, type: gauge, value: request_time }}
""")
    times = {"/a": ["0.100", "0.101", "5.000", "-"], "/b/1": ["0.000"]}
    append(log.path, *(
        line(path, tail=f" {one} - -") for path, all_of in times.items() for one in all_of
    ))
    metrics = served.scrape()
    name = "accesslog_route_seconds"
    assert metrics.types[name] == "histogram"
    assert f"# HELP {name} Time by route.\n" in metrics.text
    buckets = {
        (dict(key)["route"], float(dict(key)["le"])): value
        for key, value in metrics.matching(f"{name}_bucket").items()
    }
    infinite = float("inf")
    assert buckets == {
        ("/a", 0.1): 1, ("/a", 1): 2, ("/a", infinite): 3,
        ("/b/:id", 0.1): 1, ("/b/:id", 1): 1, ("/b/:id", infinite): 1,
    }
    assert metrics.value(f"{name}_sum", route="/a") == 5.201
    assert metrics.value(f"{name}_count", route="/a") == 3
    assert metrics.types["accesslog_last_seconds"] == "gauge"
    assert metrics.value("accesslog_last_seconds") == 0


ALL_THERE_IS = """
namespace: site
limits: {{ series: 1000, label_bytes: 64 }}
sources:
  - name: shop
    paths: [{logs}/shop.log]
    format: [nginx_timed, combined]
    labels: {{ site: shop }}
    drop: {{ field: request_uri, regex: ^/health }}
metrics:
  - name: routes_total
    help: 'Requests by "route", \\ and all.'
    labels:
      - {{ name: route, from: request_uri, normalize: path, budget: 5 }}
      - {{ name: agent, from: http_user_agent }}
  - name: route_duration_seconds
    help: Time by route.
    type: histogram
    value: request_time
    labels: [{{ name: route, from: request_uri, normalize: path, budget: 5 }}]
"""


@pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool on this machine")
def test_promtool_finds_nothing_to_say(serve, logs):
    (logs / "shop.log").touch()
    served = serve(ALL_THERE_IS.format(logs=logs))
    append(logs / "shop.log", *(
        line(f"/{chr(97 + i)}", agent='a\\x22"\\\\ \\n', tail=" 0.2 - 0.1") for i in range(9)
    ), line("/health"))
    answer = served.daemon.get("/metrics")
    assert support.Metrics(answer.body.decode()).total("site_routes_total") == 9
    result = subprocess.run(
        ["promtool", "check", "metrics"], input=answer.body, capture_output=True,
        timeout=30 * support.SLOW,
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")


def test_labels_are_utf_8_whatever_the_log_holds(serve, log):
    served = serve(f"""
limits: {{ label_bytes: 8 }}
sources: [{{ paths: {log.path}, format: combined }}]
metrics:
  - {{ name: agents_total, labels: [{{ name: agent, from: http_user_agent }}] }}
  - name: ruled_total
    labels:
      - name: agent
        from: http_user_agent
        rules: [{{ regex: '^b(.*)$', replacement: 'x$1' }}]
        budget: 100
""")
    bad = "�"
    values = {  # each malformed piece is one U+FFFD, and none is cut
        b"b\xff": f"b{bad}",
        b"b\xc0\xaf": f"b{bad}{bad}",
        b"b\xed\xa0\x80": f"b{bad}{bad}",  # a third would not fit
        b"b\xe2\x82": f"b{bad}",
        b"b\xf4\x90\x80\x80": f"b{bad}{bad}",
        "bäöüß".encode(): "bäöü",  # 9 bytes: the last one would be cut
        "1234567€".encode(): "1234567",
        "b\N{GRINNING FACE}ok1".encode(): "b\N{GRINNING FACE}ok1",
        b"b\x01\x7f": "b\x01\x7f",
    }
    for value in values:
        append(log.path, line(agent="AGENT").encode().replace(b"AGENT", value))
    answer = served.daemon.get("/metrics")
    metrics = support.Metrics(answer.body.decode("utf-8", errors="strict"))
    owed = collections.Counter(values.values())
    assert by_labels(metrics, "accesslog_agents_total", "agent") == {
        (value,): n for value, n in owed.items()
    }
    assert metrics.total("accesslog_ruled_total") == len(values)
    assert metrics.total("accesslog_exporter_lines_total", result="parsed") == len(values)
    # Lone bytes, and rules that do not match them, cost no line.
    for (name, labels) in metrics.samples:
        if name == "accesslog_ruled_total":
            assert len(dict(labels)["agent"].encode()) <= 8


# The command line and a configuration


def test_files_on_the_command_line_take_the_place_of_the_sources(serve, logs, make_log):
    (logs / "config.log").touch()
    given = make_log(logs / "given.log")
    served = serve(
        f"""
namespace: web
sources: [{{ name: theirs, paths: {logs}/config.log, labels: {{ site: x }} }}]
metrics: [{{ name: n_total }}]
""",
        "--format=combined",
        given.path,
    )
    given.write(3)
    append(logs / "config.log", line())
    metrics = served.scrape()
    assert metrics.total("web_n_total") == 3
    assert metrics.by("source", "accesslog_exporter_lines_total") == {str(given.path): 3}
    assert "site=" not in metrics.text
    served.reload("SIGHUP")
    given.write(2)
    assert served.scrape().total("web_n_total") == 5


@pytest.mark.parametrize("how", RELOADS)
@pytest.mark.parametrize("given", [[], ["given.log"]], ids=["", "files"])
def test_standard_input_cannot_be_read_again(exporter, logs, how, given):
    """It has ended, and what was read of it stays in use."""
    path = logs / "given.log"
    text = f"namespace: web\nsources: [{{ paths: {path} }}]\n"
    with subprocess.Popen(["printf", "%s", text], stdout=subprocess.PIPE) as written:
        daemon = exporter(
            "--config.file=-", "--web.enable-lifecycle", *given,
            stdin=written.stdout, cwd=logs,
        )
    daemon.errors_expected = True
    says = "standard input cannot be read again; start with --config.file=FILE"
    if how == "SIGHUP":
        daemon.send(signal.SIGHUP)
    else:
        answer = daemon.get("/-/reload", method="POST")
        assert answer.status == 500
        assert says in answer.body.decode()
    wait_for(lambda: daemon.logged(NOT_READ))
    assert daemon.logged(NOT_READ)[0]["error"] == says
    append(path, line())
    metrics = daemon.scrape()
    assert metrics.total("web_requests_total") == 1
    assert metrics.value("accesslog_exporter_config_last_reload_successful") == 0


def test_a_format_on_the_command_line_needs_files_there(logs):
    path = logs / "accesslog.yml"
    path.write_text(f"sources: [{{ paths: {logs}/a.log }}]\n")
    result = support.run("serve", f"--config.file={path}", "--format=combined")
    assert (result.returncode, result.stdout) == (2, b"")
    (text,) = result.stderr.decode().splitlines()
    assert "--format" in text and "configuration" in text


@pytest.mark.parametrize(
    "text,place,words",
    [
        ("sources:\n- paths: a\n  fromat: combined\n", "3:3", ["fromat", "format"]),
        ("metric: []\n", "1:1", ["metric", "metrics"]),
        ("sources: [{paths: a, drop: [{feild: uri, regex: a}]}]\n", "1:30", ["field"]),
        ("sources: [{paths: a, format: nginx_time}]\n", "1:30", ["write nginx_timed"]),
        ("metrics:\n- name: a\n  labels:\n  - name: b\n    rule: []\n", "5:5", ["rules"]),
        ("metrics: [{name: a, labels: [le]}]\n", "1:30", ["le"]),
        ("metrics: [{name: a, labels: [b, {name: b}]}]\n", "1:", ["b"]),
        (
            "sources: [{paths: a, labels: {b: c}}]\nmetrics: [{name: a, labels: [b]}]\n",
            "1:31", ["b"],
        ),
        ("sources: [{paths: a, format: '%{COMBINE}'}]\n", "1:", ["COMBINE"]),
        ("sources: [{paths: a, format: combine}]\n", "1:", ["combined"]),
        ("sources: [{paths: a, drop: {field: uri, regex: 'a('}}]\n", "1:", []),
        (
            "metrics:\n- name: a\n  labels: [{name: b, rules: {regex: '(a)', replacement: '$2'}}]\n"
            "sources: [{paths: x}]\n",
            "3:", ["2"],
        ),
        ("sources: [\n", "2:1", []),
        ("sources: [{paths: a}, {paths: a}]\n", "1:", ["a"]),
        ("metrics: [{name: requests_total}]\nsources: [{paths: a}]\n", "1:", ["requests_total"]),
        ("metrics: [{name: exporter_lines_total}]\nsources: [{paths: a}]\n", "1:", ["taken"]),
        ("metrics: [{name: a, type: histogram, value: time_local, buckets: [1]}]\n"
         "sources: [{paths: a}]\n", "1:", ["time_local"]),
        ("limits: {series: 1}\n", "1:1", ["source"]),
    ],
)
def test_mistakes_have_their_place(tmp_path, text, place, words):
    path = tmp_path / "accesslog.yml"
    path.write_text(text)
    served = support.run("serve", "--web.listen-address=127.0.0.1:0", f"--config.file={path}")
    assert (served.returncode, served.stdout) == (2, b"")
    (said,) = served.stderr.decode().splitlines()
    assert f"{path}:{place}" in said
    for word in words:
        assert word in said.partition(f"{path}:")[2]
    if text.startswith("limits"):
        return  # check takes a configuration without sources
    checked = support.run("check", path)
    assert (checked.returncode, checked.stdout) == (2, b"")
    # Both say the same; serve puts its name before it.
    assert checked.stderr.decode().splitlines()[0] in said


def test_a_configuration_that_is_not_there(tmp_path):
    path = tmp_path / "none.yml"
    result = support.run("serve", f"--config.file={path}")
    (said,) = result.stderr.decode().splitlines()
    assert str(path) in said and "No such file" in said
    assert result.returncode == support.run("check", path).returncode == 2


def test_check_and_serve_agree_on_what_is_followed(serve, logs):
    for name in ["a.log", "b.log", "b.log.gz"]:
        (logs / name).touch()
    text = f"""
sources:
  - {{ name: one, paths: ['{logs}/*.log*', {logs}/later.log], exclude: '*.gz' }}
"""
    served = serve(text)
    result = support.run("check", served.path)
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.decode().splitlines() == [
        "one:", f"  {logs}/a.log", f"  {logs}/b.log", f"  {logs}/b.log.gz: excluded",
        f"  {logs}/later.log: not there yet",
    ]
    for name in ["a.log", "b.log"]:
        wait_for(lambda: served.daemon.has_open(logs / name))
    assert not served.daemon.has_open(logs / "b.log.gz")
    append(logs / "later.log", line())
    assert counted(served.scrape()) == 1


# Reading it again


def plain(*sources, rest=""):
    return "sources:\n" + "".join(f"  - {{ {one} }}\n" for one in sources) + rest


@pytest.mark.parametrize("how", RELOADS)
def test_counters_offsets_and_pid_stay(serve, log, how):
    text = plain(f"name: s, paths: {log.path}")
    log.write(2)  # there before the start: not to be counted
    log.forget()
    served = serve(text)
    log.source = "s"
    pid = served.daemon.pid
    started = served.scrape().value("process_start_time_seconds")
    log.write(5)
    support.assert_counted(served.daemon, log)
    served.daemon.pause()
    log.write(7)  # between the last look and the reload
    if how == "SIGHUP":
        served.daemon.send(signal.SIGHUP)
        served.daemon.resume()
        wait_for(lambda: served.told() == (1, 0), what="the reload")
    else:
        served.daemon.resume()
        served.reload("POST")
    log.write(11)
    metrics = support.assert_counted(served.daemon, log)
    assert served.daemon.pid == pid and served.daemon.process.poll() is None
    assert metrics.value("process_start_time_seconds") == started
    assert metrics.value("accesslog_exporter_files", source="s", state="following") == 1
    assert metrics.value("accesslog_exporter_config_last_reload_successful") == 1
    at = metrics.value("accesslog_exporter_config_last_reload_success_timestamp_seconds")
    assert started - 2 <= at <= time.time() + 1


def test_an_unfinished_line_goes_on(serve, log):
    served = serve(plain(f"name: s, paths: {log.path}"))
    log.source = "s"
    whole = log.text()
    log.raw(whole[:50])
    assert served.scrape().value("accesslog_exporter_lag_bytes", source="s") == 50
    served.reload()
    metrics = served.scrape()
    assert metrics.value("accesslog_exporter_lag_bytes", source="s") == 50
    assert counted(metrics) == 0
    log.raw(whole[50:])
    support.assert_counted(served.daemon, log)


@pytest.mark.parametrize("how", RELOADS)
def test_sources_come_and_go(serve, logs, make_log, how):
    a, b = make_log(logs / "a.log", "a"), make_log(logs / "b.log", "b")
    one = f"name: a, paths: {a.path}"
    two = f"name: b, paths: {b.path}"
    served = serve(plain(one))
    b.write(4)
    b.forget()  # b is there when it is added: from its end
    a.write(1)
    served.reload(how, plain(one, two))
    a.write(2)
    b.write(3)
    support.assert_counted(served.daemon, a, b)
    # One goes: its counts stay, its file is closed, nothing more is counted.
    served.reload(how, plain(one))
    assert not served.daemon.has_open(b.path)
    fd = os.open(b.path, os.O_WRONLY | os.O_APPEND)
    os.write(fd, line(size=10**6).encode())
    os.close(fd)
    a.write(5)
    metrics = support.assert_counted(served.daemon, a, b)
    assert metrics.total("accesslog_exporter_files", source="b") == 0
    # And comes back: from its end, and its counts go on.
    served.reload(how, plain(two, one))
    b.write(6)
    a.write(1)
    metrics = support.assert_counted(served.daemon, a, b)
    assert metrics.value("accesslog_exporter_files", source="b", state="following") == 1
    assert metrics.value("accesslog_exporter_format_info", source="b") == 1


def test_unread_bytes_of_a_source_that_goes_are_no_lag(serve, logs, make_log):
    a, b = make_log(logs / "a.log", "a"), make_log(logs / "b.log", "b")
    served = serve(plain(f"name: a, paths: {a.path}", f"name: b, paths: {b.path}"))
    b.write(2)
    b.raw(b.text()[:30])  # an unfinished line
    assert served.scrape().value("accesslog_exporter_lag_bytes", source="b") == 30
    served.reload(text=plain(f"name: a, paths: {a.path}"))
    metrics = served.scrape()
    # What is not followed has no lag that an alert could wait for.
    assert metrics.total("accesslog_exporter_lag_bytes", source="b") == 0
    assert counted(metrics) == 2


@pytest.mark.parametrize("path", ["access.log", "*.log", "a*.log*"])
@pytest.mark.parametrize("how", RELOADS)
def test_a_renamed_source_keeps_the_place_in_its_file(serve, log, how, path):
    path = log.path.parent / path
    served = serve(plain(f"name: old, paths: '{path}'"))
    log.write(3)
    assert counted(served.scrape()) == 3
    before = log.grown
    served.daemon.pause()
    log.write(4)
    if how == "SIGHUP":
        served.write(plain(f"name: new, paths: '{path}'"))
        served.daemon.send(signal.SIGHUP)
        served.daemon.resume()
        wait_for(lambda: served.told() == (1, 0), what="the reload")
    else:
        served.daemon.resume()
        served.reload("POST", plain(f"name: new, paths: '{path}'"))
    log.write(5)
    metrics = served.scrape()
    assert metrics.by("status", "accesslog_requests_total") == support.nonzero(log.requests)
    assert metrics.by("status", "accesslog_response_bytes_total") == support.nonzero(log.bytes)
    assert accounted(metrics, "old") + accounted(metrics, "new") == log.grown
    assert accounted(metrics, "old") >= before
    assert metrics.value("accesslog_exporter_files", source="new", state="following") == 1
    assert metrics.total("accesslog_exporter_files", source="old") == 0
    log.write(6)
    assert counted(served.scrape()) == log.n_parsed


def test_a_path_that_becomes_a_glob_and_back(serve, log):
    served = serve(plain(f"name: s, paths: {log.path}"))
    log.source = "s"
    for pattern in ["*.log", "access.log", "access*", "a*.log"]:
        log.write(3)
        served.reload(text=plain(f"name: s, paths: '{log.path.parent}/{pattern}'"))
        log.write(2)
        support.assert_counted(served.daemon, log)


def test_a_glob_of_many_files_under_another_name(serve, logs, make_log):
    made = [make_log(logs / f"{i}.log") for i in range(20)]
    served = serve(plain(f"name: old, paths: '{logs}/*.log'"))
    for name in ["new", "newer"]:
        for one in made:
            one.write(2)
        served.reload(text=plain(f"name: {name}, paths: '{logs}/*.log'"))
        for one in made:
            one.write(1)
        metrics = served.scrape()
        assert counted(metrics) == sum(one.n_parsed for one in made)
        assert metrics.value("accesslog_exporter_files", source=name, state="following") == 20
    late = make_log(logs / "late.log")
    late.write(3)
    assert counted(served.scrape()) == sum(one.n_parsed for one in made) + 3


def test_a_held_file_is_read_on_by_a_renamed_source(serve, log):
    """The server still writes to the rotated file when the reload comes."""
    served = serve(plain(f"name: old, paths: {log.path}"))
    log.write(3)
    assert counted(served.scrape()) == 3
    log.rename()
    old = log.fd
    log.fd = None
    log.open()
    log.write(2)
    log.write(1, fd=old)
    assert counted(served.scrape()) == 6
    served.reload(text=plain(f"name: new, paths: {log.path}"))
    log.write(4, fd=old)
    log.write(1)
    os.close(old)
    assert counted(served.scrape()) == log.n_parsed == 11


def test_a_held_file_is_read_on_when_nothing_changes(serve, log):
    text = plain(f"name: s, paths: {log.path}")
    served = serve(text)
    log.source = "s"
    log.write(3)
    log.rename()
    old = log.fd
    log.fd = None
    log.open()
    log.write(2)
    support.assert_counted(served.daemon, log)
    served.reload(text=text + "metrics: [{ name: n_total }]\n")
    log.write(4, fd=old)
    log.write(1)
    os.close(old)
    metrics = support.assert_counted(served.daemon, log)
    assert metrics.value("accesslog_n_total") == 5
    assert metrics.value("accesslog_exporter_files", source="s", state="held") == 1


def test_what_is_read_from_its_beginning_is_read_once(serve, log):
    log.write(5)
    served = serve(plain(f"name: s, paths: {log.path}"), "--read-from=beginning")
    assert counted(served.scrape()) == 5
    for source in [
        f"name: s, paths: {log.path}, format: combined",
        f"name: t, paths: {log.path}",
        f"name: t, paths: [{log.path}, {log.path}.2]",
        f"name: t, paths: {log.path}, labels: {{ site: a }}",
    ]:
        served.reload(text=plain(source, rest="default_metrics: false\nmetrics: [name: n_total]\n"))
        log.write(2)
        metrics = served.scrape()
    assert metrics.total("accesslog_n_total", site="a") == 2
    total = sum(metrics.total("accesslog_exporter_lines_total", source=name) for name in "st")
    assert total == 13


@pytest.mark.parametrize("swapped", [True, False], ids=["swapped", "moved"])
def test_paths_change_places_between_sources(serve, logs, make_log, swapped):
    x, y, z = (make_log(logs / f"{name}.log") for name in "xyz")
    if swapped:
        first = plain(f"name: a, paths: [{x.path}, {y.path}]", f"name: b, paths: {z.path}")
        second = plain(f"name: a, paths: {z.path}", f"name: b, paths: [{x.path}, {y.path}]")
    else:
        first = plain(f"name: a, paths: [{x.path}, {y.path}]", f"name: b, paths: {z.path}")
        second = plain(f"name: a, paths: {y.path}", f"name: b, paths: [{z.path}, {x.path}]")
    served = serve(first)
    for number in range(6):
        for one in (x, y, z):
            one.write(number + 1)
        if number == 3:
            served.scrape()
        served.reload(text=[second, first][number % 2])
        for one in (x, y, z):
            one.write(2)
    metrics = served.scrape()
    owed = sum((one.bytes for one in (x, y, z)), collections.Counter())
    assert metrics.by("status", "accesslog_response_bytes_total") == support.nonzero(owed)
    assert accounted(metrics, "a") + accounted(metrics, "b") == x.grown + y.grown + z.grown


def test_a_source_takes_over_what_another_had(serve, log):
    """Two sources match the file; the one that follows it goes."""
    a, b = f"name: a, paths: {log.path}", f"name: b, paths: '{log.path.parent}/*.log'"
    served = serve(plain(a, b))
    log.write(3)
    assert counted(served.scrape()) == 3
    served.reload(text=plain(b))
    log.write(4)
    metrics = served.scrape()
    assert metrics.by("status", "accesslog_response_bytes_total") == support.nonzero(log.bytes)
    assert metrics.value("accesslog_exporter_files", source="b", state="following") == 1


def test_what_is_no_longer_excluded_is_read_from_its_end(serve, logs):
    """As every file that is there when it is first to be followed."""
    append(logs / "a.log", line())
    append(logs / "b.log", *(line() for _ in range(100)))
    source = f"name: s, paths: '{logs}/*.log'"
    served = serve(plain(f"{source}, exclude: 'b*'"))
    append(logs / "b.log", line())
    append(logs / "a.log", line(size=3))
    assert counted(served.scrape()) == 1
    served.reload(text=plain(source))
    append(logs / "b.log", line(size=5))
    metrics = served.scrape()
    assert counted(metrics) == 2
    assert metrics.total("accesslog_response_bytes_total") == 8
    # And the other way round: it is closed.
    served.reload(text=plain(f"{source}, exclude: 'a*'"))
    append(logs / "a.log", line(size=7))
    append(logs / "b.log", line(size=11))
    assert served.scrape().total("accesslog_response_bytes_total") == 19
    assert not served.daemon.has_open(logs / "a.log")


@pytest.mark.parametrize("how", RELOADS)
def test_another_format(serve, log, how):
    source = f"name: s, paths: {log.path}"
    served = serve(plain(f"{source}, format: combined"))
    append(log.path, line(tail=" 0.5 - 0.25"))
    assert served.scrape().matching("accesslog_request_duration_seconds_count") in (
        {}, {(): 0},
    )
    served.reload(how, plain(f"{source}, format: nginx_timed"))
    append(log.path, line(tail=" 0.5 - 0.25"), line(tail=" 1.5 - 0.25"))
    metrics = served.scrape()
    assert counted(metrics) == 3
    assert metrics.value("accesslog_request_duration_seconds_sum") == 2
    assert metrics.value("accesslog_request_duration_seconds_count") == 2
    served.reload(how, plain(f"{source}, format: '%{{WORD:a}} %{{STATUS:status}}'"))
    append(log.path, "x 404\n", line())
    metrics = served.scrape()
    assert metrics.by("status", "accesslog_requests_total") == {"200": 3, "404": 1}
    assert metrics.total("accesslog_exporter_lines_total", result="unparsed") == 1
    served.reload(how, plain(source))  # recognised by its lines, again
    append(log.path, *(line(tail=" 0.5 - 0.25") for _ in range(3)))
    metrics = served.scrape()
    assert metrics.by("status", "accesslog_requests_total") == {"200": 6, "404": 1}
    assert metrics.value("accesslog_request_duration_seconds_count") == 5


RULED = """
metrics:
  - name: r_total
    labels:
      - name: r
        from: uri
        rules: {{ regex: '^/(.).*', replacement: '{}' }}
        {}
"""


@pytest.mark.parametrize("how", RELOADS)
def test_another_rule(serve, log, how):
    source = f"name: s, paths: {log.path}"
    served = serve(plain(source, rest=RULED.format("old $1", "")))
    append(log.path, line("/a"), line("/bc"))
    assert by_labels(served.scrape(), "accesslog_r_total", "r") == {("old a",): 1, ("old b",): 1}
    served.reload(how, plain(source, rest=RULED.format("new $1", "")))
    append(log.path, line("/a"), line("/d"))
    assert by_labels(served.scrape(), "accesslog_r_total", "r") == {
        ("old a",): 1, ("old b",): 1, ("new a",): 1, ("new d",): 1,
    }


def test_another_rule_mends_a_spent_budget(serve, log):
    """Who sees `other` writes a rule, and reads it again: it must help."""
    source = f"name: s, paths: {log.path}"
    served = serve(plain(source, rest="""
metrics:
  - name: r_total
    labels: [{ name: r, from: uri, budget: 3 }]
"""))
    append(log.path, *(line(f"/{i}") for i in range(5)))
    assert served.scrape().value("accesslog_r_total", r="other") == 2
    served.reload(text=plain(source, rest="""
metrics:
  - name: r_total
    labels: [{ name: r, from: uri, normalize: path, budget: 3 }]
"""))
    append(log.path, *(line(f"/{i}") for i in range(5)))
    metrics = served.scrape()
    assert metrics.total("accesslog_r_total") == 10
    assert metrics.value("accesslog_r_total", r="/:id") == 5


def test_a_budget_is_kept_by_those_who_have_it(serve, log):
    text = plain(f"name: s, paths: {log.path}", rest="""
metrics:
  - name: r_total
    labels: [{ name: r, from: uri, budget: 3 }]
""")
    served = serve(text)
    append(log.path, *(line(f"/{i}") for i in range(5)))
    for n in range(1, 4):
        served.reload(text=text + f"# {n}\n")
        append(log.path, *(line(f"/{i}") for i in reversed(range(5))))
        metrics = served.scrape()
        assert by_labels(metrics, "accesslog_r_total", "r") == {
            ("/0",): n + 1, ("/1",): n + 1, ("/2",): n + 1, ("other",): 2 * (n + 1),
        }
        assert metrics.value(
            "accesslog_exporter_label_overflow_total", metric="accesslog_r_total", label="r"
        ) == 2 * (n + 1)


@pytest.mark.parametrize("how", RELOADS)
def test_metrics_come_change_and_go(serve, log, how):
    source = f"name: s, paths: {log.path}"

    def text(labels):
        return plain(source, rest=f"metrics: [{{ name: m_total, labels: [{labels}] }}]\n")

    served = serve(plain(source))
    log.source = "s"
    log.write(3)
    assert not served.scrape().matching("accesslog_m_total")
    served.reload(how, text("status"))  # added
    log.write(4, "200")
    metrics = support.assert_counted(served.daemon, log)
    assert by_labels(metrics, "accesslog_m_total", "status") == {("200",): 4}
    served.reload(how, text("status, request_method"))  # changed
    log.write(5, "404")
    metrics = support.assert_counted(served.daemon, log)
    assert by_labels(metrics, "accesslog_m_total", "status", "request_method") == {
        ("404", "GET"): 5,
    }
    assert metrics.value("accesslog_exporter_series", metric="accesslog_m_total") == 1
    served.reload(how, plain(source))  # removed
    log.write(6)
    metrics = support.assert_counted(served.daemon, log)
    assert "accesslog_m_total " not in metrics.text and "accesslog_m_total{" not in metrics.text
    served.reload(how, text("status"))  # back: it goes on, and does not go down
    log.write(2, "500")
    metrics = support.assert_counted(served.daemon, log)
    assert by_labels(metrics, "accesslog_m_total", "status") == {("200",): 4, ("500",): 2}
    shown = len(metrics.matching("accesslog_m_total"))
    assert metrics.value("accesslog_exporter_series", metric="accesslog_m_total") == shown


def test_another_help_and_another_type(serve, log):
    source = f"name: s, paths: {log.path}, format: nginx_timed"
    rest = "metrics: [{{ name: m_total, help: {}, type: {}, value: request_time }}]"
    served = serve(plain(source, rest=rest.format("First.", "counter")))
    append(log.path, line(tail=" 0.5 - -"))
    metrics = served.scrape()
    assert metrics.value("accesslog_m_total") == 0.5
    served.reload(text=plain(source, rest=rest.format("Second.", "gauge")))
    append(log.path, line(tail=" 0.25 - -"))
    metrics = served.scrape()
    assert metrics.types["accesslog_m_total"] == "gauge"
    assert metrics.value("accesslog_m_total") == 0.25
    assert "# HELP accesslog_m_total Second.\n" in metrics.text
    served.reload(text=plain(source, rest=rest.format("Third.", "gauge")))
    metrics = served.scrape()
    assert metrics.value("accesslog_m_total") == 0.25
    # As accesslog_exporter.yml(5) says: a changed help waits for a restart.
    assert "# HELP accesslog_m_total Second.\n" in metrics.text


def test_other_buckets(serve, log):
    source = f"name: s, paths: {log.path}, format: nginx_timed"
    rest = "metrics: [{{ name: h_seconds, type: histogram, value: request_time, buckets: {} }}]"
    served = serve(plain(source, rest=rest.format([1, 2])))
    append(log.path, line(tail=" 0.5 - -"))
    assert served.scrape().value("accesslog_h_seconds_count") == 1
    served.reload(text=plain(source, rest=rest.format([1, 2, 3])))
    append(log.path, line(tail=" 2.5 - -"))
    metrics = served.scrape()
    # Other buckets are another histogram: it begins anew, as at a restart.
    assert [value for value in metrics.matching("accesslog_h_seconds_bucket").values()] == [
        0, 0, 1, 1,
    ]
    assert metrics.value("accesslog_h_seconds_sum") == 2.5


def test_other_labels_of_a_source(serve, log):
    source = f"name: s, paths: {log.path}"
    served = serve(plain(f"{source}, labels: {{ site: a }}"))
    append(log.path, line(), line())
    assert served.scrape().value("accesslog_requests_total", status="200", site="a") == 2
    served.reload(text=plain(f"{source}, labels: {{ site: b }}"))
    append(log.path, line())
    metrics = served.scrape()
    assert metrics.value("accesslog_requests_total", status="200", site="a") == 2
    assert metrics.value("accesslog_requests_total", status="200", site="b") == 1


BROKEN = [
    ("sources: [\n", ":2:1: "),
    ("sources: [{ paths: a, fromat: x }]\n", ":1:23: "),
    ("sources: [{ paths: a, format: '%{NONE}' }]\n", ":1:"),
    ("limits: {}\n", ":1:1: "),
    (None, "No such file"),
]


@pytest.mark.parametrize("broken,place", BROKEN, ids=["yaml", "key", "format", "none", "gone"])
@pytest.mark.parametrize("how", RELOADS)
def test_a_broken_file_keeps_the_one_before(serve, log, how, broken, place):
    text = plain(f"name: s, paths: {log.path}", rest="metrics: [{ name: n_total }]\n")
    served = serve(text)
    served.daemon.errors_expected = True
    log.source = "s"
    log.write(3)
    assert served.daemon.value("accesslog_exporter_config_last_reload_successful") == 1
    if broken is None:
        served.path.unlink()
    answer = served.reload(how, broken, succeeds=False)
    if answer:
        assert answer.status == 500 and b"the one before is in use" in answer.body
        assert f"{served.path}" in answer.body.decode() and place in answer.body.decode()
    (entry,) = served.daemon.logged(NOT_READ)
    assert entry["level"] == "error"
    assert place in entry["error"] and str(served.path) in entry["error"]
    log.write(4)
    metrics = support.assert_counted(served.daemon, log)
    assert metrics.value("accesslog_n_total") == 7
    assert metrics.value("accesslog_exporter_config_last_reload_successful") == 0
    served.reload(how, text)
    log.write(1)
    metrics = support.assert_counted(served.daemon, log)
    assert metrics.value("accesslog_exporter_config_last_reload_successful") == 1


def test_a_field_that_no_line_can_have_is_logged_at_start_and_reload(serve, log):
    metric = "metrics: [{{ name: n_total, labels: [{{ name: agent, from: {} }}] }}]\n"
    source = f"name: s, paths: {log.path}, format: combined"
    served = serve(plain(source, rest=metric.format("http_user_agnt")))
    message = "a field of the configuration is in no format"
    (entry,) = served.daemon.logged(message)
    assert (entry["level"], entry["file"]) == ("warn", str(served.path))
    text = served.path.read_text().splitlines()
    assert "http_user_agnt" in text[int(entry["line"]) - 1]
    assert "write http_user_agent" in entry["error"]
    served.reload("SIGHUP", plain(source, rest=metric.format("http_user_agent")))
    assert len(served.daemon.logged(message)) == 1
    served.reload("SIGHUP", plain(source, rest=metric.format("http_refere")))
    assert "write http_referer" in served.daemon.logged(message)[1]["error"]


def test_a_field_that_was_meant_to_be_another_is_logged_at_start_and_reload(serve, log):
    text = "name: s, paths: {}, format: '$request {}'"
    served = serve(plain(text.format(log.path, "$stauts")))
    message = "a field of the format is almost one that is used"
    (entry,) = served.daemon.logged(message)
    assert (entry["level"], entry["file"]) == ("warn", str(served.path))
    line = served.path.read_text().splitlines()[int(entry["line"]) - 1]
    assert line[int(entry["column"]) - 1 :].startswith("$stauts")
    served.reload("SIGHUP", plain(text.format(log.path, "$status")))
    assert len(served.daemon.logged(message)) == 1
    served.reload("SIGHUP", plain(text.format(log.path, "$statuss")))
    assert "field statuss" in served.daemon.logged(message)[1]["error"]


@pytest.mark.parametrize("source", ["file", "fifo"])
def test_a_format_is_said_to_be_recognised_once_it_is_given_no_more(serve, log, logs, source):
    path = log.path
    if source == "fifo":
        path = logs / "pipe"
        os.mkfifo(path)
    given = plain(f"name: s, paths: {path}, format: combined")
    served = serve(given)
    line = b'192.0.2.1 - - [20/Nov/2026:15:40:00 +0000] "GET / HTTP/1.1" 200 12 "-" "x"\n'

    def write(total):
        with open(path, "ab") as file:
            file.write(line)
        wait_for(lambda: counted(served.scrape()) == total, what=f"line {total}")
        return served.daemon.logged("format recognised")

    assert not write(1)
    served.reload("SIGHUP", plain(f"name: s, paths: {path}"))
    (entry,) = write(2)
    assert (entry["source"], entry["format"]) == ("s", "combined")
    served.reload("SIGHUP")
    assert len(write(3)) == 1
    served.reload("SIGHUP", given)
    assert len(write(4)) == 1


def test_without_the_lifecycle_there_is_no_such_page(exporter, log, tmp_path):
    path = tmp_path / "accesslog.yml"
    path.write_text(plain(f"name: s, paths: {log.path}"))
    daemon = exporter(f"--config.file={path}")
    for method in ["POST", "PUT", "GET"]:
        answer = daemon.get("/-/reload", method=method)
        assert answer.status == 404
        assert answer.body == b"404: start with --web.enable-lifecycle\n"
    assert not daemon.logged(READ_AGAIN)
    daemon.send(signal.SIGHUP)
    wait_for(lambda: daemon.logged(READ_AGAIN), what="SIGHUP to do")


def test_the_reload_is_posted(serve, log):
    served = serve(plain(f"name: s, paths: {log.path}"))
    for method in ["GET", "HEAD", "DELETE"]:
        answer = served.daemon.get("/-/reload", method=method)
        assert answer.status == 405
        assert "POST" in answer.headers["Allow"] and "GET" not in answer.headers["Allow"]
    assert served.told() == (0, 0)
    for path in ["/metrics", "/"]:
        answer = served.daemon.get(path, method="POST")
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert served.daemon.get("/-/reload", method="PUT").status == 200


def counters_of(metrics):
    """Everything that must never go down, by its name and labels."""
    return {
        (name, labels): value
        for (name, labels), value in metrics.samples.items()
        if name.endswith(("_total", "_bucket", "_sum", "_count"))
        and not name.startswith("process_")
    }


@pytest.mark.parametrize("glob", ["access.log", "*.log"], ids=["one path", "path and glob"])
@pytest.mark.parametrize("how", RELOADS)
def test_fifty_reloads_under_load(serve, logs, make_log, how, glob):
    log = make_log(logs / "access.log", "s")
    source = f"name: s, paths: '{log.path}', format: combined"
    texts = [
        plain(source, rest="metrics: [{ name: n_total }]\n"),
        plain(source, rest="metrics: [{ name: n_total }, { name: m_total, labels: [status] }]\n"),
        plain(source.replace("combined", "[nginx_timed, combined]"), rest="""
metrics:
  - name: n_total
  - name: m_total
    labels: [status]
  - name: r_total
    labels: [{ name: r, from: request_uri, normalize: path, budget: 2 }]
"""),
        plain(source.replace("access.log", glob), rest="""
metrics:
  - name: n_total
  - name: r_total
    labels: [{ name: r, from: request_uri, normalize: path, budget: 2 }]
"""),
    ]
    served = serve(texts[0])
    enough = threading.Event()
    seen = collections.defaultdict(float)
    problems = []
    n_scrapes = 0

    def write():
        for n in support.paced(2000, 60):
            log.write(n)
            if enough.is_set():
                return

    def watch():
        nonlocal n_scrapes
        while not enough.is_set():
            metrics = served.scrape()
            for key, value in counters_of(metrics).items():
                if value < seen[key]:
                    problems.append((key, seen[key], value))
                seen[key] = max(seen[key], value)
            n_scrapes += 1

    threads = [threading.Thread(target=write), threading.Thread(target=watch)]
    for thread in threads:
        thread.start()
    try:
        for number in range(1, 51):
            n_before, lines_before = n_scrapes, log.n_parsed
            served.reload(how, texts[number % len(texts)])
            wait_for(
                lambda: n_scrapes > n_before and log.n_parsed >= lines_before + 80,
                what="lines and a scrape between two reloads",
            )
    finally:
        enough.set()
        for thread in threads:
            thread.join(20 * support.SLOW)
    assert not any(thread.is_alive() for thread in threads)
    assert problems == []
    assert log.n_parsed >= 50 * 80
    metrics = support.assert_counted(served.daemon, log)
    assert metrics.value("accesslog_n_total") == log.n_parsed
    assert served.told() == (50, 0)


def test_reloads_from_all_sides_at_once(serve, log):
    text = plain(f"name: s, paths: {log.path}")
    served = serve(text)
    log.source = "s"
    answers = []

    def post():
        for _ in range(10):
            answers.append(served.daemon.get("/-/reload", method="POST").status)

    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        served.daemon.send(signal.SIGHUP)
        log.write(3)
        served.scrape()
    for thread in threads:
        thread.join()
    assert answers == [200] * 40
    support.assert_counted(served.daemon, log)


@pytest.mark.parametrize("change", ["nothing", "metric", "format", "name"])
def test_a_reload_in_the_middle_of_a_backlog(serve, log, change):
    source = f"name: s, paths: {log.path}, format: combined"
    texts = {
        "nothing": plain(source),
        "metric": plain(source, rest="metrics: [{ name: m_total, labels: [uri] }]\n"),
        "format": plain(source.replace("combined", "auto")),
        "name": plain(source.replace("name: s", "name: t")),
    }
    served = serve(texts["nothing"])
    served.daemon.pause()
    for _ in range(40):
        log.write(5000)  # 27 MB: several turns of the loop
    served.write(texts[change])
    served.daemon.send(signal.SIGHUP)
    served.daemon.resume()
    wait_for(lambda: served.told() == (1, 0), what="the first reload")
    for number in range(1, 10):
        served.reload("SIGHUP", texts[change if number % 2 == 0 else "nothing"])
    log.write(1)

    def lag():
        return served.scrape().total("accesslog_exporter_lag_bytes")

    wait_for(lambda: lag() == 0, 30, "all of it to be read")
    metrics = served.scrape()
    assert metrics.by("status", "accesslog_requests_total") == support.nonzero(log.requests)
    assert metrics.by("status", "accesslog_response_bytes_total") == support.nonzero(log.bytes)
    assert sum(accounted(metrics, name) for name in ["s", "t"]) == log.grown


def test_what_a_broken_file_would_have_shown_is_not_shown(serve, log, logs):
    """The mistake is in the last line, behind much that is right."""
    served = serve(plain(f"name: s, paths: {log.path}"))
    served.daemon.errors_expected = True
    log.source = "s"
    log.write(2)
    before = {key for key in served.scrape().samples}
    served.reload(succeeds=False, text=f"""
namespace: other
sources:
  - {{ name: s, paths: {log.path}, labels: {{ site: x }} }}
  - {{ name: phantom, paths: {logs}/phantom.log }}
  - {{ name: last, paths: {logs}/last.log, drop: {{ field: uri, regex: 'a(' }} }}
metrics:
  - {{ name: m_total, labels: [{{ name: uri, budget: 3 }}] }}
""")
    log.write(2)
    metrics = support.assert_counted(served.daemon, log)
    new = {key for key in metrics.samples if key not in before}
    assert {name for name, _ in new} <= {
        "accesslog_exporter_scrapes_total", "accesslog_exporter_format_info",
        "accesslog_exporter_last_line_timestamp_seconds",
    }


def test_many_reloads_leave_no_descriptors_and_no_memory(serve, log):
    source = f"name: s, paths: '{log.path}'"
    texts = [plain(source), plain(source, rest="metrics: [{ name: m_total, labels: [uri] }]\n")]
    served = serve(texts[0])
    log.source = "s"

    def resources():
        metrics = served.scrape()
        return (
            metrics.value("process_open_fds"),
            metrics.value("process_resident_memory_bytes"),
        )

    def many():
        for number in range(40):
            log.write(1)
            served.reload(text=texts[number % 2])
        return resources()

    many()
    fds, memory = many()
    fds_later, memory_later = many()
    support.assert_counted(served.daemon, log)
    assert fds_later == fds
    if not support.SANITIZED:  # whose quarantine grows
        assert memory_later - memory < 4 * 2**20


# Cardinality


N_ATTACK = 200_000


def letters(number):
    """A word of its own for each number."""
    word = ""
    while number or not word:
        number, digit = divmod(number, 26)
        word += chr(ord("A") + digit)
    return word


def attack(path, n=N_ATTACK):
    """Lines of which no two have a path, host, method or user agent in common."""
    total = 0
    with open(path, "ab") as file:
        for i in range(n):
            size = i % 977
            total += size
            file.write(
                f'h{i}.example.org 192.0.2.1 - - [20/Nov/2026:15:40:00 +0000] '
                f'"X{letters(i)} /x{i:x}y/p{i} HTTP/1.1" 200 {size} "-" "agent {i}"\n'.encode()
            )
    return total


ATTACKED = """
sources:
  - name: s
    paths: {path}
    format: '%{{NOTSPACE:host}} %{{COMBINED}}'
metrics:
  - &all
    name: all_total
    labels:
      - {{ name: path, from: request_uri, normalize: path{budget} }}
      - {{ name: host, normalize: host{budget} }}
      - {{ name: method, from: request_method{budget} }}
      - {{ name: agent, from: http_user_agent{budget} }}
  - <<: *all
    name: bytes_total
    value: body_bytes_sent
  - name: methods_total
    labels: [{{ name: method, from: request_method, normalize: method }}]
"""


@pytest.mark.parametrize("budget", [10, 1000, None])
def test_an_attack_with_distinct_values(serve, logs, budget):
    path = logs / "access.log"
    path.touch()
    text = ATTACKED.format(path=path, budget=f", budget: {budget}" if budget else "")
    served = serve(text)
    total = attack(path)
    wait_for(
        lambda: served.scrape().value("accesslog_exporter_lag_bytes", source="s") == 0,
        60, "all of it to be read",
    )
    metrics = served.scrape()
    assert metrics.total("accesslog_all_total") == N_ATTACK
    assert metrics.total("accesslog_bytes_total") == total
    assert metrics.total("accesslog_requests_total") == N_ATTACK
    assert by_labels(metrics, "accesslog_methods_total", "method") == {("other",): N_ATTACK}
    for name in ["accesslog_all_total", "accesslog_bytes_total"]:
        n = len(metrics.matching(name))
        assert metrics.value("accesslog_exporter_series", metric=name) == n
        if budget:
            # Every line spends the four budgets at once.
            assert n == budget + 1
            for label in ["path", "host", "method", "agent"]:
                assert metrics.value(
                    "accesslog_exporter_label_overflow_total", metric=name, label=label
                ) == N_ATTACK - budget
        else:
            assert n == 100_000
            assert metrics.value(
                "accesslog_exporter_series_overflow_total", metric=name
            ) == N_ATTACK - n + 1
    resident = metrics.value("process_resident_memory_bytes")
    print(f"budget {budget}: {resident / 2**20:.1f} MiB resident")
    if support.SANITIZED:
        return
    # Without a budget: two metrics of 100,000 series, and an answer with them.
    assert resident < (100 if budget else 200) * 10**6


# contrib/examples


def example(name, **paths):
    text = (EXAMPLES / f"{name}.yml").read_text()
    for old, new in paths.values():
        assert old in text
        text = text.replace(old, str(new))
    return text


def shown(metrics):
    """{name: type} of what is shown about requests."""
    return {
        name: kind for name, kind in metrics.types.items()
        if not name.startswith(("accesslog_exporter", "process_"))
    }


def assert_histogram(metrics, name, truth, bounds):
    """truth: {labels: observed values}, labels as a tuple of pairs."""
    counts = {tuple(sorted(key)): value for key, value in metrics.matching(f"{name}_count").items()}
    assert counts == {key: len(values) for key, values in truth.items()}
    for key, values in truth.items():
        labels = dict(key)
        assert metrics.value(f"{name}_sum", **labels) == pytest.approx(sum(values), abs=1e-9)
        buckets = {
            float(dict(pairs)["le"]): value
            for pairs, value in metrics.matching(f"{name}_bucket", **labels).items()
        }
        assert buckets == {
            bound: sum(value <= bound for value in values) for bound in [*bounds, float("inf")]
        }


def test_the_example_of_sites(serve, logs):
    for name in ["shop.access.log", "blog-de.access.log"]:
        (logs / name).touch()
    served = serve(example("sites", all=("/var/log/nginx", logs)))
    numbers = random.Random(3)
    requests, sizes = collections.Counter(), collections.Counter()
    times, upstream = collections.defaultdict(list), collections.defaultdict(list)
    routes = {
        "/": "/", "/product/shoe?c=red": "/product/:name", "/category/7": "/category/:name",
        "/css/a.css": "/static", "/2025/11/post": "/:year/:month/:post", "/user/17": "/user/:id",
    }
    for _ in range(500):
        site = numbers.choice(["shop", "blog"])
        path = numbers.choice(list(routes))
        method = numbers.choice(["GET", "POST", "PROPFIND"])
        status = numbers.choice([200, 404])
        size, took = numbers.randrange(5000), numbers.randrange(12000)
        parts = [numbers.randrange(900) for _ in range(numbers.randrange(3))]
        tail = f" {took / 1000:.3f} - " + (", ".join(f"{p / 1000:.3f}" for p in parts) or "-")
        name = "shop.access.log" if site == "shop" else "blog-de.access.log"
        append(logs / name, line(path, status, size, method, tail=tail))
        method = method if method != "PROPFIND" else "other"
        key = (method, routes[path], str(status), site)
        requests[key] += 1
        sizes[key] += size
        where = tuple(sorted({"method": method, "route": routes[path], "site": site}.items()))
        times[where].append(took / 1000)
        if parts:
            upstream[where].append(sum(parts) / 1000)
    append(logs / "shop.access.log", line("/health", tail=" 0.1 - -"))
    append(logs / "blog-de.access.log", line("/a", agent="kube-probe/1", tail=" 0.1 - -"))
    metrics = served.scrape()
    labels = ("method", "route", "status", "site")
    assert by_labels(metrics, "accesslog_site_requests_total", *labels) == requests
    assert by_labels(metrics, "accesslog_site_response_bytes_total", *labels) == (
        support.nonzero(sizes)
    )
    assert_histogram(metrics, "accesslog_site_request_duration_seconds", times, LATENCY)
    assert_histogram(metrics, "accesslog_site_upstream_duration_seconds", upstream, LATENCY)
    assert shown(metrics) == {
        "accesslog_site_requests": "counter",
        "accesslog_site_response_bytes": "counter",
        "accesslog_site_request_duration_seconds": "histogram",
        "accesslog_site_upstream_duration_seconds": "histogram",
    }
    assert metrics.total("accesslog_exporter_lines_total", result="filtered") == 2


def test_the_example_of_httpd_exporter(serve, logs):
    (logs / "access.log").touch()
    served = serve(example("httpd-exporter", all=("/var/log/apache2", logs)))
    append(logs / "access.log", line(size=100), line(size=200), line(status=404, size="-"))
    metrics = served.scrape()
    assert shown(metrics) == {"httpd_requests": "counter", "httpd_bytes_sent": "counter"}
    assert by_labels(metrics, "httpd_requests_total", "status_code") == {
        ("200",): 2, ("404",): 1,
    }
    assert metrics.value("httpd_bytes_sent_total") == 300


def test_the_example_of_nginxlog_exporter(serve, logs):
    (logs / "access.log").touch()
    served = serve(example("nginxlog-exporter", all=("/var/log/nginx", logs)))
    append(
        logs / "access.log",
        line(size=10, tail=" 0.300 0.001 0.250 500"),
        line(size=20, tail=" 0.400 0.001, - 0.100, 0.200 600"),
        line(method="POST", status=502, size=30, tail=" 3.000 - - 700"),
        line(size=40, tail=" 0.500 0.002 0.125"),  # nginx_timed: no length
    )
    metrics = served.scrape()
    labels = ("method", "status")
    assert by_labels(metrics, "nginx_http_response_count_total", *labels) == {
        ("GET", "200"): 3, ("POST", "502"): 1,
    }
    get = (("method", "GET"), ("status", "200"))
    post = (("method", "POST"), ("status", "502"))
    # Counters without _total are told by the text: the parser bends their names.
    for name, sizes in {"response": (70, 30), "request": (1100, 700)}.items():
        name = f"nginx_http_{name}_size_bytes"
        assert f"# TYPE {name} counter\n" in metrics.text
        assert re.findall(rf"^{name}.*$", metrics.text, re.M) == [
            f'{name}{{method="GET",status="200"}} {sizes[0]}',
            f'{name}{{method="POST",status="502"}} {sizes[1]}',
        ]
    assert_histogram(metrics, "nginx_http_response_time_seconds_hist",
                     {get: [0.3, 0.4, 0.5], post: [3.0]}, LATENCY)
    assert_histogram(metrics, "nginx_http_upstream_time_seconds_hist",
                     {get: [0.25, 0.3, 0.125]}, LATENCY)
    assert_histogram(metrics, "nginx_http_upstream_connect_time_seconds_hist",
                     {get: [0.001, 0.001, 0.002]}, LATENCY)
    promised = set(re.findall(
        r"^#   (nginx_\w+)\{", (EXAMPLES / "nginxlog-exporter.yml").read_text(), re.M))
    assert promised == {
        re.match(r"# TYPE (\S+)", text)[1] for text in metrics.text.splitlines()
        if text.startswith("# TYPE nginx_")
    }


def test_the_example_of_access_log_exporter(serve, logs):
    (logs / "exporter.log").touch()
    served = serve(example("access-log-exporter", all=("/var/log/nginx", logs)))
    append(
        logs / "exporter.log",
        "Example.org:80\tGET\t200\t0.300\t500\t1500\t192.0.2.7:80\t0.001\t0.200\t0.250\n",
        "example.org\tGET\t200\t0.100\t700\t2500\t192.0.2.7:80, unix:/s\t"
        "0.001, 0.002\t0.010, 0.020\t0.030, 0.040\n",
        "example.org\tBREW\t404\t0.000\t80\t90\t-\t-\t-\t-\n",
        "b.example.org\tPOST\t201\t1.000\t1001\t10\n",
    )
    metrics = served.scrape()
    assert by_labels(metrics, "http_requests_total", "host", "method", "status") == {
        ("example.org", "GET", "200"): 2,
        ("example.org", "other", "404"): 1,
        ("b.example.org", "POST", "201"): 1,
    }
    get, brew, post = (
        tuple(sorted({"host": host, "method": method, "status": status}.items()))
        for host, method, status in [
            ("example.org", "GET", "200"), ("example.org", "other", "404"),
            ("b.example.org", "POST", "201"),
        ]
    )
    size = [10, 1000, 100000, 1000000, 5000000, 50000000, 200000000]
    assert_histogram(metrics, "http_request_size_bytes",
                     {get: [500, 700], brew: [80], post: [1001]}, size)
    assert_histogram(metrics, "http_response_size_bytes",
                     {get: [1500, 2500], brew: [90], post: [10]}, size)
    assert_histogram(metrics, "http_request_duration_seconds",
                     {get: [0.3, 0.1], brew: [0], post: [1.0]}, LATENCY)
    assert_histogram(metrics, "http_upstream_connect_duration_seconds",
                     {get: [0.001, 0.003]}, LATENCY)
    assert_histogram(metrics, "http_upstream_header_duration_seconds",
                     {get: [0.2, 0.03]}, LATENCY)
    assert_histogram(metrics, "http_upstream_request_duration_seconds",
                     {get: [0.25, 0.07]}, LATENCY)
    promised = set(re.findall(
        r"^#   (http_\w+)\{", (EXAMPLES / "access-log-exporter.yml").read_text(), re.M))
    assert promised == {
        re.match(r"# TYPE (\S+)", text)[1] for text in metrics.text.splitlines()
        if text.startswith("# TYPE http_")
    }


# A real nginx with two upstream servers, one of them down


@pytest.fixture
def failing_over(logs):
    """(send(), log): an nginx whose requests may need two upstream servers."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")
    if not nginx:
        pytest.skip("no nginx on this machine")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    f, log = logs, logs / "access.log"
    (f / "www").mkdir()
    (f / "www" / "ok").write_text("fine\n")
    (f / "nginx.conf").write_text(f"""
        daemon off; user root; pid {f}/nginx.pid; worker_processes 1;
        error_log {f}/error.log;
        events {{ worker_connections 128; }}
        http {{
            log_format timed escape=default '$remote_addr - $remote_user [$time_local] '
                '"$request" $status $body_bytes_sent "$http_referer" '
                '"$http_user_agent" $request_time $upstream_connect_time '
                '$upstream_response_time';
            access_log {log} timed;
            client_body_temp_path {f}/body; proxy_temp_path {f}/proxy;
            fastcgi_temp_path {f}/fastcgi; uwsgi_temp_path {f}/uwsgi;
            scgi_temp_path {f}/scgi;
            upstream both {{
                server unix:{f}/down.sock max_fails=0;
                server unix:{f}/inner.sock max_fails=0;
            }}
            upstream none {{ server unix:{f}/down.sock max_fails=0; }}
            server {{
                listen 127.0.0.1:{port};
                location / {{ root {f}/www; log_not_found off; }}
                location = /ok {{ proxy_pass http://both; }}
                location = /dead {{ proxy_pass http://none; }}
                location = /redirected {{ proxy_pass http://none; error_page 502 = /ok; }}
            }}
            server {{
                listen unix:{f}/inner.sock; access_log off;
                location / {{ root {f}/www; }}
            }}
        }}""")
    process = subprocess.Popen(
        [nginx, "-c", f / "nginx.conf", "-p", f], stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )

    def send(path, agent="e2e"):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}{path}", headers={"User-Agent": agent})
        try:
            with urllib.request.urlopen(request, timeout=10 * support.SLOW) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def answers():
        assert process.poll() is None, process.stderr.read().decode()
        with contextlib.suppress(OSError):
            return send("/nothing") == 404

    try:
        wait_for(answers, what="nginx to answer")
        yield send, log
    finally:
        process.terminate()
        process.wait(20 * support.SLOW)
        process.stderr.close()


def seconds_of(text):
    """What a list of nginx's is in all, or None; in thousandths, exact."""
    found = re.findall(r"\d+\.\d{3}", text)
    return sum(int(one.replace(".", "")) for one in found) if found else None


def test_nginx_with_an_upstream_server_down(serve, failing_over):
    send, log = failing_over
    served = serve(f"""
sources: [{{ name: nginx, paths: {log}, format: nginx_timed, labels: {{ site: a }} }}]
metrics:
  - name: route_upstream_seconds
    type: histogram
    value: upstream_response_time
    labels: [{{ name: route, from: request_uri, normalize: path }}, status]
  - name: connect_seconds_total
    value: upstream_connect_time
  - {{ name: agents_total, labels: [{{ name: agent, from: http_user_agent }}] }}
""")
    start = log.stat().st_size
    sent = collections.Counter()
    for number in range(40):
        for path in ["/ok", "/dead", "/redirected", "/missing"]:
            status = send(f"{path}?n={number}", 'a"b\\c')
            sent[path, str(status)] += 1
    assert set(sent) == {
        ("/ok", "200"), ("/dead", "502"), ("/redirected", "200"), ("/missing", "404"),
    }
    wait_for(lambda: log.read_bytes()[start:].count(b"\n") == 160, what="nginx to log")
    truth, connects, n_lists, n_redirects = collections.defaultdict(list), 0, 0, 0
    shape = re.compile(
        r'"GET (/\w+)\?n=\d+ HTTP/1.1" (\d{3}) \d+ "-" "[^"]*" (\d+\.\d{3}) '
        r"((?:-|\d\.\d{3})(?:(?:, | : )(?:-|\d\.\d{3}))*) (.*)$"
    )
    for text in log.read_bytes()[start:].decode().splitlines():
        path, status, _, connect, response = shape.search(text).groups()
        n_lists += "," in response
        n_redirects += ":" in response
        connects += seconds_of(connect) or 0
        if seconds_of(response) is not None:
            truth[path, status].append(seconds_of(response))
    assert n_lists >= 20 and n_redirects == 40, "nginx did not write lists: the test is wrong"
    metrics = served.scrape()
    name = "accesslog_route_upstream_seconds"
    counts = by_labels(metrics, f"{name}_count", "route", "status", "site")
    assert counts == {(*key, "a"): len(values) for key, values in truth.items()}
    for (route, status), values in truth.items():
        assert metrics.value(f"{name}_sum", route=route, status=status) == pytest.approx(
            sum(values) / 1000, abs=1e-9)
    assert metrics.value("accesslog_connect_seconds_total") == pytest.approx(
        connects / 1000, abs=1e-9)
    assert metrics.by("status", "accesslog_requests_total") == {
        "200": 80, "502": 40, "404": 40,
    }
    assert metrics.value("accesslog_upstream_duration_seconds_count") == 120
    assert metrics.value("accesslog_request_duration_seconds_count") == 160
    assert metrics.total("accesslog_exporter_lines_total", result="unparsed") == 0
    assert metrics.total("accesslog_exporter_field_errors_total") == 0
    # escape=default writes \\x22 and \\x5C, which stay as they are written.
    assert by_labels(metrics, "accesslog_agents_total", "agent", "site") == {
        ("a\\x22b\\x5Cc", "a"): 160,
    }
