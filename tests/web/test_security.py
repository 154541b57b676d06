"""Who is let in: host, origin, token, cookie; each refusal by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

pytest.importorskip("uvicorn", reason="needs the extra web")

from edge_fer.sinks.gate import own_names
from edge_fer.sinks.web.settings import WebLimits
from tests.web.serving import SECRET, serving

if TYPE_CHECKING:
    from tests.web.serving import Served

BEARER = {"Authorization": f"Bearer {SECRET}"}


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1", "127.0.0.1:9", "127.8.0.1", "[::1]:8080"])
def test_this_computers_names_are_answered(served: Served, host: str) -> None:
    assert httpx.get(served.base, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil@localhost", "localhost/", ""),
        *("192.168.1.5", "localhost:port", "[::1", "0x7f000001", "2130706433"),
    ],
)
def test_foreign_names_are_refused_so_that_no_page_can_rebind_its_name(served: Served, host: str) -> None:
    response = httpx.get(f"{served.base}/api/state", headers={"Host": host})
    assert response.status_code == 403
    assert "observation" not in response.text


@pytest.mark.parametrize("hosts", [b"", b"Host: localhost\r\nHost: evil.example\r\n"], ids=["none", "two"])
def test_a_request_must_have_one_host(served: Served, hosts: bytes) -> None:
    with served.connect() as client:
        client.sendall(b"GET /api/state HTTP/1.1\r\n" + hosts + b"Connection: close\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_old_clients_without_a_host_are_refused(served: Served) -> None:
    with served.connect() as client:
        client.sendall(b"GET /api/state HTTP/1.0\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.split(b" ")[1] == b"400"


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:1", "https://127.0.0.1.evil.example", "file://", ""]
)
@pytest.mark.parametrize("path", ["/api/predict", "/login", "/logout"])
def test_requests_from_other_pages_are_refused(served: Served, path: str, origin: str) -> None:
    response = httpx.post(served.base + path, headers={"Origin": origin}, content=b"x")
    assert response.status_code == 403


def test_requests_from_the_page_itself_are_answered(served: Served) -> None:
    served.show()
    headers = {"Origin": served.base, "Sec-Fetch-Site": "same-origin"}
    assert httpx.get(f"{served.base}/api/state", headers=headers).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_other_pages_can_link_here_but_not_embed(served: Served, site: str) -> None:
    embed = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors", "Accept": "image/*"}
    link = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Accept": "text/html"}
    assert httpx.get(f"{served.base}/stream.mjpg", headers=embed).status_code == 403
    assert httpx.get(f"{served.base}/api/state", headers=link).status_code == 403
    assert httpx.get(f"{served.base}/", headers=link).status_code == 200


@pytest.mark.parametrize(
    "given",
    [
        *("", "Bearer", "Bearer wrong", "Bearer \xe9", f"Basic {SECRET}", SECRET),
        *(f"Bearer {SECRET}x", f"Bearer {SECRET[:-1]}"),
    ],
)
def test_a_missing_or_wrong_token_is_refused(guarded: Served, given: str) -> None:
    headers = {"Authorization": given.encode("latin-1")} if given else {}
    response = httpx.get(f"{guarded.base}/api/state", headers=headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert "observation" not in response.text


@pytest.mark.parametrize("cookie", ["edge_fer_session=wrong", f"edge_fer_session={SECRET}", "=;;=", 'x="', "\xff"])
def test_a_wrong_cookie_is_refused(guarded: Served, cookie: str) -> None:
    response = httpx.get(f"{guarded.base}/api/state", headers={"Cookie": cookie.encode("latin-1")})
    assert response.status_code == 401


def test_a_token_in_the_address_opens_nothing_so_that_none_gets_into_a_log(guarded: Served) -> None:
    assert httpx.get(f"{guarded.base}/api/state?token={SECRET}").status_code == 401


def test_people_are_led_to_the_form_and_programs_told_what_is_missing(guarded: Served) -> None:
    person = httpx.get(guarded.base, headers={"Accept": "text/html"})
    assert (person.status_code, person.headers["location"]) == (303, "/login")
    program = httpx.get(guarded.base)
    assert (program.status_code, program.json()["status"]) == (401, 401)


def test_signing_in_gives_a_cookie_that_is_not_the_token(guarded: Served) -> None:
    guarded.show()
    with httpx.Client(base_url=guarded.base) as client:
        answer = client.post("/login", data={"token": f" {SECRET}\n"}, headers={"Origin": guarded.base})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        (cookie,) = answer.headers.get_list("set-cookie")
        assert SECRET not in cookie
        assert {"httponly", "samesite=strict", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
        assert client.get("/api/state").status_code == 200
        assert client.post("/logout").headers["location"] == "/login"
        assert client.get("/api/state").status_code == 401


def test_behind_https_the_cookie_stays_there(guarded: Served) -> None:
    origin = {"Origin": "https://" + guarded.base.removeprefix("http://")}
    answer = httpx.post(f"{guarded.base}/login", data={"token": SECRET}, headers=origin)
    assert "secure" in {part.strip().lower() for part in answer.headers["set-cookie"].split(";")}


def test_a_wrong_token_in_the_form_gives_no_cookie_and_is_not_shown(guarded: Served) -> None:
    answer = httpx.post(f"{guarded.base}/login", data={"token": "<b>wrong</b>"})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "wrong" not in answer.text


def test_tokens_cannot_be_tried_at_will() -> None:
    with serving(WebLimits(logins_per_minute=3), secret=SECRET) as guarded:
        answers = [httpx.post(f"{guarded.base}/login", data={"token": f"{n}"}).status_code for n in range(5)]
        late = httpx.post(f"{guarded.base}/login", data={"token": SECRET})
    assert answers == [401, 401, 401, 429, 429]
    assert late.status_code == 429
    assert int(late.headers["retry-after"]) >= 1


def test_a_sign_in_of_another_type_or_size_is_refused(guarded: Served) -> None:
    assert httpx.post(f"{guarded.base}/login", json={"token": SECRET}).status_code == 415
    assert httpx.post(f"{guarded.base}/login", data={"token": "x" * 5000}).status_code == 413


def test_names_that_were_given_are_answered_and_others_are_not() -> None:
    with serving(secret=SECRET, names=("camera.example",)) as guarded:
        guarded.show()
        for host, status in (("camera.example", 200), ("Camera.Example:443", 200), ("other.example", 403)):
            headers = BEARER | {"Host": host}
            assert httpx.get(f"{guarded.base}/api/state", headers=headers).status_code == status


def test_open_to_all_addresses_still_means_no_foreign_name() -> None:
    with serving(secret=SECRET, host="0.0.0.0") as guarded:
        guarded.show()
        for host, status in (("192.168.1.5:8080", 200), ("kitchen.lan", 200), ("evil.example", 403)):
            headers = BEARER | {"Host": host}
            assert httpx.get(f"{guarded.base}/api/state", headers=headers).status_code == status


def test_own_names_hold_this_computer_only_where_others_can_come() -> None:
    assert own_names("127.0.0.1", ()) == {"localhost", "127.0.0.1"}
    assert {"localhost", "box.example"} < own_names("0.0.0.0", ("Box.Example",))


def test_secrets_are_in_no_report(guarded: Served) -> None:
    guarded.show()
    httpx.get(f"{guarded.base}/api/state", headers=BEARER)
    httpx.post(f"{guarded.base}/login", data={"token": SECRET})
    httpx.get(f"{guarded.base}/nothing?{SECRET}", headers=BEARER)
    assert guarded.reports == []
