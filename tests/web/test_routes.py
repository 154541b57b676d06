"""Every path that is answered, and that nothing else is."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import httpx
import pytest

pytest.importorskip("uvicorn", reason="needs the extra web")

from edge_fer.sinks.gate import HEADERS
from edge_fer.sinks.web.openapi import description
from edge_fer.sinks.web.routes import STATIC, routes
from edge_fer.sinks.web.settings import WebLimits
from tests.web.serving import SECRET

if TYPE_CHECKING:
    from tests.web.serving import Served

TABLE = {
    ("GET", "/"): "token",
    ("GET", "/app.js"): "token",
    ("GET", "/timeline.js"): "token",
    ("GET", "/photo.js"): "token",
    ("GET", "/style.css"): "open",
    ("GET", "/icon.svg"): "open",
    ("GET", "/login"): "open",
    ("POST", "/login"): "open",
    ("POST", "/logout"): "token",
    ("GET", "/healthz"): "open",
    ("GET", "/stream.mjpg"): "token",
    ("GET", "/api/state"): "token",
    ("GET", "/api/events"): "token",
    ("POST", "/api/predict"): "token",
    ("GET", "/openapi.json"): "token",
}
"""All routes; a new one must be written down here, with who may use it."""


def test_the_table_of_routes_is_this_one() -> None:
    assert {(route.method, route.path): "open" if route.open else "token" for route in routes()} == TABLE


@pytest.mark.parametrize(("method", "path"), TABLE)
def test_only_open_paths_answer_without_the_token(guarded: Served, method: str, path: str) -> None:
    with httpx.stream(method, guarded.base + path) as response:
        refused = response.status_code == 401
    assert refused == (TABLE[method, path] == "token")


@pytest.mark.parametrize("path", [path for method, path in TABLE if method == "GET"])
def test_the_token_opens_them(guarded: Served, path: str) -> None:
    guarded.show()
    with httpx.stream("GET", guarded.base + path, headers={"Authorization": f"Bearer {SECRET}"}) as response:
        assert response.status_code == 200
        for name, value in HEADERS.items():
            assert response.headers[name] == value
        assert "server" not in response.headers


@pytest.mark.parametrize(
    "path", ["/nothing", "/static/index.html", "/index.html", "/api", "/api/state/", "//", "/docs", "/API/STATE"]
)
def test_other_paths_are_not_found(served: Served, path: str) -> None:
    response = httpx.get(served.base + path)
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert all(response.headers[name] == value for name, value in HEADERS.items())


@pytest.mark.parametrize(
    "target",
    [
        b"/../../../../etc/passwd",
        b"/%2e%2e/%2e%2e/etc/passwd",
        b"/app.js/../../routes.py",
        b"/..%2froutes.py",
        b"/style.css%00.html",
        b"/static/..\\..\\token.py",
        b"/%c0%ae%c0%ae/etc/passwd",
    ],
)
def test_no_path_leads_out_of_the_table(served: Served, target: bytes) -> None:
    with served.connect() as client:
        client.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert re.match(rb"HTTP/1\.1 (404|400) ", answer)
    assert b"root:" not in answer
    assert b"import" not in answer


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "POST", "BREW"])
def test_other_methods_are_refused_and_the_right_ones_named(served: Served, method: str) -> None:
    response = httpx.request(method, served.base + "/api/state")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", ["/", "/api/state", "/stream.mjpg", "/api/events"])
def test_head_tells_the_headers_and_ends(served: Served, path: str) -> None:
    response = httpx.head(served.base + path)
    assert response.status_code == 200
    assert response.content == b""


def test_the_page_needs_no_other_host_and_no_inline_code() -> None:
    allowed = ("http://www.w3.org/2000/svg",)
    for path in STATIC.iterdir():
        text = path.read_text()
        for name in allowed:
            text = text.replace(name, "")
        assert "http://" not in text, path
        assert "https://" not in text, path
        assert not re.search(r"\bsrc=\"//|<style|style=\"|\son\w+=\"|javascript:|innerHTML|eval\(", text), path
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


def test_every_file_of_the_page_is_served(served: Served) -> None:
    served_files = {path.strip("/") or "index.html" for _, path in TABLE} | {"login.html"}
    assert {path.name for path in STATIC.iterdir()} <= served_files


def test_health_tells_whether_frames_come_and_nothing_else(guarded: Served) -> None:
    before = httpx.get(guarded.base + "/healthz")
    assert (before.status_code, before.json()) == (503, {"status": "no frames"})
    guarded.show()
    after = httpx.get(guarded.base + "/healthz")
    assert (after.status_code, after.json()) == (200, {"status": "ok"})


def test_the_state_tells_faces_health_and_timeline(served: Served) -> None:
    served.show(emotion="sad")
    state = httpx.get(served.base + "/api/state").json()
    assert state["observation"]["faces"][0]["emotion"] == "sad"
    assert state["health"]["frames"] == 1
    assert state["health"]["camera"]["up"] is True
    assert state["health"]["dropped"] == {}
    assert state["sign_in"] is False
    assert isinstance(state["timeline"], list)


def test_the_description_names_every_path_for_programs() -> None:
    paths = description(WebLimits())["paths"]
    for_people = {"/", "/login", "/logout", "/app.js", "/timeline.js", "/photo.js", "/style.css", "/icon.svg"}
    assert set(paths) == {path for _, path in TABLE} - for_people
    assert {(method.upper(), path) for path, methods in paths.items() for method in methods} <= set(TABLE)


def test_every_reference_in_the_description_leads_somewhere() -> None:
    whole = description(WebLimits())
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(whole)):
        place = whole
        for step in reference.split("/"):
            place = place[step]
        assert place


def test_the_state_is_as_the_description_says(served: Served) -> None:
    served.show()
    schemas = description(WebLimits())["components"]["schemas"]
    state = httpx.get(served.base + "/api/state").json()
    assert set(schemas["State"]["required"]) <= set(state) <= set(schemas["State"]["properties"])
    assert set(state["observation"]) == set(schemas["Observation"]["required"])
    assert set(schemas["Face"]["required"]) <= set(state["observation"]["faces"][0])
