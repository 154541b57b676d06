"""Browsers that signed in: each by itself, bound to this page and token, and signed out for good."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import httpx
import pytest

pytest.importorskip("uvicorn", reason="needs the extra web")

from hypothesis import given
from hypothesis import strategies as st

from edge_fer.sinks.web.sessions import HOST_PREFIX, MOST_SESSIONS, SESSION_SECONDS, Sessions
from edge_fer.sinks.web.settings import WebLimits
from edge_fer.sinks.web.token import Token
from tests.fakes import FakeClock
from tests.waiting import until
from tests.web.serving import SECRET, serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.web.serving import Served

TOKEN = Token(SECRET)
OTHERS = "theme=dark"


def signed_in(served: Served, **headers: str) -> str:
    """The cookie of a browser that signs in, as it sends it back."""
    answer = httpx.post(f"{served.base}/login", data={"token": SECRET}, headers=headers)
    assert answer.status_code == 303
    return str(answer.headers["set-cookie"]).split(";")[0]


def status(served: Served, *cookies: str, path: str = "/api/state") -> int:
    headers = [("Cookie", cookie.encode("latin-1")) for cookie in cookies]
    return httpx.get(served.base + path, headers=headers).status_code  # type: ignore[arg-type]


def test_each_browser_has_a_session_of_its_own(guarded: Served) -> None:
    one, other = signed_in(guarded), signed_in(guarded)
    assert one != other
    assert SECRET not in one
    httpx.post(f"{guarded.base}/logout", headers={"Cookie": one})
    assert (status(guarded, one), status(guarded, other)) == (401, 200)


def test_a_copy_of_the_cookie_is_worth_nothing_after_signing_out(guarded: Served) -> None:
    cookie = signed_in(guarded)
    assert status(guarded, cookie) == 200
    answer = httpx.post(f"{guarded.base}/logout", headers={"Cookie": cookie})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert all("max-age=0" in one.lower() for one in answer.headers.get_list("set-cookie"))
    assert status(guarded, cookie) == 401


def test_signing_in_again_ends_the_session_before(guarded: Served) -> None:
    first = signed_in(guarded)
    second = signed_in(guarded, Cookie=first)
    assert (status(guarded, first), status(guarded, second)) == (401, 200)


@pytest.mark.parametrize("path", ["/stream.mjpg", "/api/events"])
def test_signing_out_ends_what_other_windows_show(guarded: Served, path: str) -> None:
    cookie = signed_in(guarded)
    guarded.show()
    with httpx.stream("GET", guarded.base + path, headers={"Cookie": cookie}, timeout=60) as stream:
        parts = stream.iter_bytes()
        next(parts)
        httpx.post(f"{guarded.base}/logout", headers={"Cookie": cookie})

        def ended() -> bool:
            guarded.show()
            return next(parts, None) is None

        until(ended, "the end of the stream")


@pytest.mark.parametrize(
    "strange",
    [
        *("a=b", "=;;=", "edge_fer_session=other", 'x="', "\xff=\xfe", "a[]=1; b{}=2", "{json: 1}=2", "k\x7f=\x01"),
        *('say="un;closed', "a=b,c=d", "$Version=1", "expires=Mon, 01 Jan", "x" * 4000),
    ],
)
def test_cookies_of_other_services_sign_nobody_out(guarded: Served, strange: str) -> None:
    cookie = signed_in(guarded)
    assert status(guarded, f"{strange}; {cookie}") == 200
    assert status(guarded, f"{cookie}; {strange}") == 200
    assert status(guarded, f"{strange};{cookie};{strange}") == 200
    assert status(guarded, strange, cookie) == 200
    assert status(guarded, strange) == 401


def test_a_cookie_of_the_same_name_beside_ours_signs_nobody_out(guarded: Served) -> None:
    cookie = signed_in(guarded)
    name = cookie.split("=")[0]
    assert status(guarded, f"{name}=planted; {cookie}") == 200
    assert status(guarded, f"{cookie}; {name}=planted") == 200
    assert status(guarded, f"{name}=planted") == 401


def test_the_cookie_of_another_page_on_this_host_opens_nothing() -> None:
    with serving(secret=SECRET) as one, serving(secret=SECRET) as other:
        cookie, foreign = signed_in(one), signed_in(other)
        assert cookie.split("=")[0] != foreign.split("=")[0], "or signing in there would sign out here"
        assert (status(one, cookie), status(one, foreign)) == (200, 401)
        renamed = cookie.split("=")[0] + "=" + foreign.split("=", 1)[1]
        assert status(one, renamed) == 401


def test_over_https_no_other_service_of_the_host_can_set_the_cookie(guarded: Served) -> None:
    origin = "https://" + guarded.base.removeprefix("http://")
    cookie = signed_in(guarded, Origin=origin)
    assert cookie.startswith(HOST_PREFIX)
    assert status(guarded, cookie) == 200
    httpx.post(f"{guarded.base}/logout", headers={"Cookie": cookie, "Origin": origin})
    assert status(guarded, cookie) == 401


def test_wrong_tokens_of_programs_cannot_be_tried_at_will() -> None:
    with serving(WebLimits(logins_per_minute=3), secret=SECRET) as served:
        answers = [
            httpx.get(f"{served.base}/api/state", headers={"Authorization": f"Bearer wrong-{number}"})
            for number in range(5)
        ]
        right = httpx.get(f"{served.base}/api/state", headers={"Authorization": f"Bearer {SECRET}"})
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    assert right.status_code == 429
    assert right.headers["retry-after"] in right.json()["detail"]


def test_behind_a_proxy_that_is_believed_each_client_has_its_own_limit() -> None:
    def tries(served: Served, client: str) -> list[int]:
        headers = {"X-Forwarded-For": client}
        return [httpx.post(f"{served.base}/login", data={"token": "x"}, headers=headers).status_code for _ in range(3)]

    with serving(WebLimits(logins_per_minute=2), secret=SECRET, proxies=("127.0.0.1",)) as served:
        assert tries(served, "203.0.113.1") == [401, 401, 429]
        assert tries(served, "203.0.113.2") == [401, 401, 429]
        assert tries(served, "made up, 203.0.113.2")[0] == 429
        assert served.reports == []
    with serving(WebLimits(logins_per_minute=2), secret=SECRET) as served:
        assert tries(served, "203.0.113.1") == [401, 401, 429]
        assert tries(served, "203.0.113.2") == [429, 429, 429], "whom nobody believes names nobody"
        assert len(served.reports) == 1
        assert "--trusted-proxy 127.0.0.1" in served.reports[0]


# The store by itself


def test_sessions_have_a_date_and_end() -> None:
    clock = FakeClock()
    sessions = Sessions(TOKEN, 8080, clock.wall_time)
    secret = sessions.begin()
    assert sessions.holds(secret)
    clock.now += SESSION_SECONDS - 1
    assert sessions.holds(secret)
    clock.now += 2
    assert not sessions.holds(secret)
    assert len(sessions) == 0


def test_their_number_is_bounded() -> None:
    sessions = Sessions(TOKEN, 8080, FakeClock().wall_time)
    secrets = [sessions.begin() for _ in range(MOST_SESSIONS + 3)]
    assert len(set(secrets)) == len(secrets)
    assert [sessions.holds(secret) for secret in secrets] == [False] * 3 + [True] * MOST_SESSIONS


def test_they_outlive_a_restart_and_end_with_the_token(tmp_path: Path) -> None:
    path, clock = tmp_path / "sessions.json", FakeClock()
    sessions = Sessions(TOKEN, 8080, clock.wall_time, path)
    kept, ended = sessions.begin(), sessions.begin()
    sessions.end(ended)
    sessions.save()
    again = Sessions(TOKEN, 8080, clock.wall_time, path)
    assert (again.holds(kept), again.holds(ended)) == (True, False)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert kept not in path.read_text()
    assert not Sessions(Token("another-token-of-some-length"), 8080, clock.wall_time, path).holds(kept)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "{}", '{"bound_to": 1}', "[" * 10_000, '{"bound_to": "B", "begun": {"x": "y"}}', "\0"],
)
def test_a_damaged_file_signs_everybody_out_and_is_no_fault(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sessions.json"
    path.write_text(text.replace("B", TOKEN.derive("sessions")))
    path.chmod(0o600)
    sessions = Sessions(TOKEN, 8080, FakeClock().wall_time, path)
    assert len(sessions) == 0
    sessions.begin()
    sessions.save()
    assert json.loads(path.read_text())["begun"]


def test_a_file_that_others_can_read_or_that_leads_elsewhere_is_not_believed(tmp_path: Path) -> None:
    path, clock = tmp_path / "sessions.json", FakeClock()
    sessions = Sessions(TOKEN, 8080, clock.wall_time, path)
    secret = sessions.begin()
    sessions.save()
    (tmp_path / "link").symlink_to(path)
    assert not Sessions(TOKEN, 8080, clock.wall_time, tmp_path / "link").holds(secret)
    path.chmod(0o644)
    assert not Sessions(TOKEN, 8080, clock.wall_time, path).holds(secret)


@given(st.lists(st.text()))
def test_any_cookie_is_looked_at_without_a_fault(headers: list[str]) -> None:
    sessions = Sessions(TOKEN, 8080, FakeClock().wall_time)
    secret = sessions.begin()
    assert not any(sessions.holds(found) for found in sessions.found_in(headers))
    assert secret in sessions.found_in([*headers, f"{sessions.cookie_name}={secret}"])[:MOST_SESSIONS]
