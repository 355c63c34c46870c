"""Lines that other projects test with, and the fields they expect of them.

fixtures.jsonl in ACCESSLOG_CORPORA has a line, its format in words, and what is
expected.  Each is read with the formats below for those words, in turn; one of
them must give all that is expected.  What does not apply is listed with its
reason.
"""

import json
import re
import subprocess

import pytest

import support

PATH = support.CORPORA / "fixtures.jsonl"
FIXTURES = [json.loads(row) for row in PATH.read_text().splitlines()] if PATH.exists() else []

COMBINED = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent"'
)
VHOST = '%v %h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-agent}i"'
BUNKERWEB = (
    '$host $remote_addr - $request_id $remote_user [$time_local] "$request" $status '
    '$body_bytes_sent "$http_referer" "$http_user_agent"'
)
NPM = (
    '$status - $request_method $scheme $host "$request_uri" [Client $remote_addr] '
    "[Length $body_bytes_sent] [Gzip $gzip_ratio] "
)
NPM_END = '"$http_user_agent" "$http_referer"'
NGINX_PROXY_MANAGER = [
    f"[$time_local] $upstream_cache_status $upstream_status {NPM}[Sent-to $server] {NPM_END}",
    f"[$time_local] $upstream_cache_status $upstream_status {NPM}{NPM_END}",
    f"[$time_local] {NPM}[Sent-to $server] {NPM_END}",
    f"[$time_local] {NPM}{NPM_END}",
]
FORMATS = {
    "nginx combined (+variants)": [
        "auto",
        VHOST,
        *NGINX_PROXY_MANAGER,
        '[$time_local] $server_name $remote_addr $request_time "$request" $status '
        "$body_bytes_sent $request_length $http_referer $http_user_agent",
        COMBINED.replace(" - $remote_user", " -"),
        BUNKERWEB,
    ],
    "nginx proxy manager": ["auto", *NGINX_PROXY_MANAGER],
    "apache combined/common (+vhost)": ["auto", VHOST],
    "bunkerweb": [BUNKERWEB, VHOST],
    "aws alb": [
        "$type $time_iso8601 $elb $remote_addr:$remote_port $upstream_addr $waited "
        "$upstream_response_time $answered $status $upstream_status $request_length "
        '$bytes_sent "$request_method $scheme://$host$request_uri $server_protocol" '
        '"$http_user_agent" $ssl_cipher $ssl_protocol'
    ],
    "zoraxy": [
        "$date $clock [$time] [router:$router] [origin:$host] [client: $remote_addr] "
        "[useragent: $http_user_agent] $request_method $request_uri $status"
    ],
    "aws cloudfront (tab)": [
        r"$date\t$clock\t$edge\t$bytes_sent\t$remote_addr\t$request_method\t$domain\t$uri\t"
        r"$status\t$http_referer\t$http_user_agent\t$args\t$http_cookie\t$result\t$id\t$host\t"
        r"$scheme\t$request_length\t$request_time\t$http_x_forwarded_for"
    ],
}
FIELDS = {
    "status": ["status"],
    "bytes": ["body_bytes_sent", "bytes_sent"],
    "method": ["request_method"],
    "path": ["uri", "request_uri"],
    "protocol": ["server_protocol"],
    "remote_addr": ["remote_addr"],
    "referer": ["http_referer"],
    "user_agent": ["http_user_agent"],
    "user": ["remote_user"],
    "vhost": ["host", "server_name"],
    "request_time": ["request_time"],
}


def why_not(fixture):
    """Why a line has no format of text, or None."""
    if fixture["line"].startswith("{"):
        return "JSON, which is no format of text"
    if re.search(r"^\S+ std(out|err) [FP] ", fixture["line"]):
        return "wrapped by a container runtime, whose columns are not the server's"
    return None


def not_expected(fixture, key, fields):
    """Why an expectation is no field of ours, or None."""
    if key == "path" and fields.get("request_uri") == "(no value)":
        return "others call it a path, but the request is no request line"
    if key == "path" and fixture["format"].startswith("aws cloudfront"):
        return "the path and its query are two columns"
    if key == "remote_addr" and fixture["format"].startswith("envoy"):
        return "taken from X-Forwarded-For; the format has no address"
    return None


def explain(line, form):
    """The fields of the line as `explain` shows them; {} where it does not fit."""
    result = subprocess.run(
        [support.BINARY, "explain", f"--format={form}", "-"],
        input=line.encode() + b"\n",
        capture_output=True,
        env=support.ENVIRONMENT,
        timeout=10 * support.SLOW,
    )
    assert result.returncode in (0, 1), result.stderr.decode()
    parts = result.stdout.decode().split("\nline 1\n")
    if result.returncode or len(parts) == 1:
        return {}
    fields = {}
    for row in parts[1].splitlines():
        name, _, value = row.lstrip().partition(" ")
        fields[name] = value.lstrip()
    return fields


def differences(fixture, fields):
    found = []
    if not fields:
        return ["the line does not fit"]
    for key, value in fixture["expect"].items():
        if key == "request_time_ms":
            key, value = "request_time", value / 1000
        if key not in FIELDS or value is None or not_expected(fixture, key, fields):
            continue
        shown = [fields[name] for name in FIELDS[key] if name in fields]
        texts = {text for one in shown for text in one.split("  = ")}
        if isinstance(value, float):
            agrees = any(text == f"{value:g}" or _number(text) == value for text in texts)
        else:
            agrees = str(value) in texts
        if not agrees:
            found.append(f"{key} should be {value!r} and is {shown}")
    return found


def _number(text):
    try:
        return float(text)
    except ValueError:
        return None


def cases():
    if not FIXTURES:
        reason = f"no {PATH}: name its folder in ACCESSLOG_CORPORA"
        return [pytest.param(None, id="none", marks=pytest.mark.skip(reason=reason))]
    return [
        pytest.param(
            fixture,
            id=f"{n}-{fixture['source']}",
            marks=[pytest.mark.skip(reason=why_not(fixture))] if why_not(fixture) else [],
        )
        for n, fixture in enumerate(FIXTURES, 1)
    ]


@pytest.mark.parametrize("fixture", cases())
def test_the_fields_that_others_expect(fixture):
    tried = {
        form: explain(fixture["line"], form)
        for form in FORMATS.get(fixture["format"], ["auto"])
    }
    if fixture["expect"].get("unparsed"):
        assert not any(tried.values())
        return
    found = {form: differences(fixture, fields) for form, fields in tried.items()}
    assert any(not differing for differing in found.values()), (fixture["line"], found)
