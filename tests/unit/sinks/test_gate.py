"""The gate's rules by themselves: names, pages, clients and shares."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_fer.sinks.gate import (
    HEADER_BYTES,
    LOOPBACK_CLIENT,
    UNKNOWN_CLIENT,
    Full,
    GateRules,
    Place,
    Refused,
    Shares,
    check,
    client_key,
    client_of,
    host_allowed,
    own_names,
)
from edge_fer.sinks.web.settings import parse_proxies

LOCAL = GateRules(own_names("127.0.0.1", ()), loopback_only=True, pages=frozenset({"/"}))
OPEN = GateRules(own_names("0.0.0.0", ("camera.example.org",)), loopback_only=False)
PROXIES = parse_proxies(["127.0.0.1", "10.0.0.0/24", "2001:db8:1::/48"], "--trusted-proxy")


def passes(rules: GateRules, *headers: tuple[str, str], method: str = "GET", path: str = "/metrics") -> bool:
    given = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    try:
        check(method, path, len(path), given, rules)
    except Refused:
        return False
    return True


# Names


@pytest.mark.parametrize(
    "host",
    ["localhost", "LocalHost:9309", "localhost.", "127.0.0.1", "127.0.0.1:1", "127.9.9.9", "[::1]", "[::1]:9309"],
)
def test_names_of_this_computer_pass_on_loopback(host: str) -> None:
    assert host_allowed(host, LOCAL)


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "evil.localhost.example", "localhost.."),
        *("127.0.0.1.evil", "127.0.0.1.nip.io", "192.168.1.5", "0.0.0.0", "[::]", "[fe80::1]", "2130706433", "127.1"),
        *("0x7f.1", "0177.0.0.1", "localhost:99999", "localhost:x", "localhost:80:80", "a@localhost", "localhost/x"),
        *("localhost#", "localhost?", "[::1", "::1", "[::ffff:8.8.8.8]", "", ":80", "\xb2localhost", "kitchen", "a b"),
        *("kitchen.lan", "localhost\\@evil.example", "localhost%00.evil.example", "localhost,evil.example"),
    ],
)
def test_other_names_are_refused_on_loopback(host: str) -> None:
    assert not host_allowed(host, LOCAL)


@pytest.mark.parametrize(
    "host",
    [
        *(
            "192.168.1.5:9309",
            "[fd00::5]:9309",
            "[fe80::1%25eth0]",
            "kitchen:9309",
            "kitchen.lan:9309",
            "kitchen.local",
        ),
        *("kitchen.home.arpa", "camera.example.org", "Camera.Example.ORG.:443", "localhost"),
    ],
)
def test_addresses_and_local_names_pass_where_the_network_may_come(host: str) -> None:
    assert host_allowed(host, OPEN)


@pytest.mark.parametrize(
    "host",
    [
        *(
            "evil.example",
            "camera.example.org.evil.example",
            "kitchen.lan.evil.example",
            "192.168.1.5.nip.io",
            "1.evil",
        ),
        *(
            "lan.example",
            "kitchen..lan",
            ".lan",
            "2130706433",
            "0x7f000001",
            "home.arpa.example",
            "kit chen",
            "kitchen/",
        ),
    ],
)
def test_public_names_are_refused_where_the_network_may_come(host: str) -> None:
    assert not host_allowed(host, OPEN)


# Pages


def test_a_plain_client_passes() -> None:
    assert passes(LOCAL, ("Host", "localhost:9309"), ("User-Agent", "Prometheus/2.53"), ("Accept", "text/plain"))
    assert passes(LOCAL, ("Host", "localhost"), method="HEAD")


@pytest.mark.parametrize(
    "headers",
    [
        [("Sec-Fetch-Site", "cross-site")],
        [("Sec-Fetch-Site", "same-site")],
        [("Sec-Fetch-Site", "anything")],
        [("Sec-Fetch-Site", "")],
        [("Sec-Fetch-Site", "none"), ("Sec-Fetch-Site", "cross-site")],
        [("Origin", "null")],
        [("Origin", "")],
        [("Origin", "http://evil.example")],
        [("Origin", "http://localhost:1")],
        [("Origin", "http://[")],
        [("Origin", "ftp://localhost:9309")],
        [("Origin", "http://localhost:9309"), ("Origin", "http://evil.example")],
        [("Origin", "http://localhost:9309"), ("Sec-Fetch-Site", "cross-site")],
        [("Referer", "http://evil.example/page")],
        [("Referer", "http://[")],
        [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Accept", "text/html")],
    ],
)
def test_what_comes_from_another_page_is_refused(headers: list[tuple[str, str]]) -> None:
    assert not passes(LOCAL, ("Host", "localhost:9309"), *headers)


@pytest.mark.parametrize(
    "headers",
    [
        [("Sec-Fetch-Site", "none")],
        [("Sec-Fetch-Site", "same-origin"), ("Origin", "http://localhost:9309")],
        [("Origin", "https://localhost:9309")],
        [("Sec-Fetch-Site", "none"), ("Referer", "http://elsewhere.example/")],
    ],
)
def test_what_the_user_or_the_page_itself_asks_passes(headers: list[tuple[str, str]]) -> None:
    assert passes(LOCAL, ("Host", "localhost:9309"), *headers)


def test_a_link_may_lead_to_a_page_and_to_nothing_else() -> None:
    link = [
        ("Host", "localhost"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Mode", "navigate"),
        ("Accept", "text/html"),
    ]
    assert passes(LOCAL, *link, path="/")
    assert not passes(LOCAL, *link, path="/api/state")
    assert not passes(LOCAL, *link, path="/", method="POST")
    assert not passes(LOCAL, *link, ("Sec-Fetch-Mode", "no-cors"), path="/")
    assert not passes(LOCAL, *link, ("Origin", "http://evil.example"), path="/")


def test_one_host_is_needed() -> None:
    assert not passes(LOCAL)
    assert not passes(LOCAL, ("Host", "localhost"), ("Host", "localhost"))


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/metrics", [("X", "a" * HEADER_BYTES)]),
        ("/metrics", [("X" * HEADER_BYTES, "a")]),
        ("/metrics", [("X", "a")] * 4000),
        ("/" + "a" * HEADER_BYTES, []),
    ],
)
def test_too_much_of_it_is_431(path: str, headers: list[tuple[str, str]]) -> None:
    given = [(b"host", b"localhost"), *((name.encode(), value.encode()) for name, value in headers)]
    with pytest.raises(Refused) as refused:
        check("GET", path, len(path), given, LOCAL)
    assert refused.value.status == 431


@given(
    st.lists(st.tuples(st.sampled_from([b"host", b"origin", b"referer", b"sec-fetch-site", b"accept"]), st.binary()))
)
def test_any_bytes_pass_or_are_refused(headers: list[tuple[bytes, bytes]]) -> None:
    for rules in (LOCAL, OPEN):
        statuses = set[int]()
        try:
            check("GET", "/", 1, headers, rules)
        except Refused as refused:
            statuses.add(refused.status)
        assert statuses <= {400, 403, 431}


# Clients


def test_whom_an_address_is_counted_as() -> None:
    assert client_key("192.0.2.1") == client_key("::ffff:192.0.2.1") == "192.0.2.1"
    assert client_key("2001:db8::1") == client_key("2001:db8::ffff:1") != client_key("2001:db8:0:1::1")
    assert client_key("fe80::1%eth0") == client_key("fe80::2%eth0")
    assert client_key("127.0.0.1") == client_key("127.1.2.3") == client_key("::1") == LOOPBACK_CLIENT
    assert client_key(None) == client_key("") == client_key("a path") == UNKNOWN_CLIENT


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("127.0.0.1", [], LOOPBACK_CLIENT),
        ("127.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("127.0.0.1", ["198.51.100.7, 203.0.113.9"], "203.0.113.9"),
        ("127.0.0.1", ["198.51.100.7", "203.0.113.9"], "203.0.113.9"),
        ("127.0.0.1", ["203.0.113.9, 10.0.0.5"], "203.0.113.9"),
        ("127.0.0.1", ["203.0.113.9:4711"], "203.0.113.9"),
        ("127.0.0.1", ["[2001:db8:9::1]:4711"], "2001:db8:9::/64"),
        ("127.0.0.1", ["203.0.113.9, made up"], LOOPBACK_CLIENT),
        ("127.0.0.1", ["unknown"], LOOPBACK_CLIENT),
        ("::ffff:127.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("2001:db8:1::5", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.1.5", ["203.0.113.9"], "10.0.1.5"),
        ("192.0.2.1", ["203.0.113.9", "127.0.0.1"], "192.0.2.1"),
    ],
)
def test_only_proxies_that_are_believed_name_their_client(peer: str, forwarded: list[str], client: str) -> None:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    assert client_of(peer, headers, PROXIES) == client
    assert client_of(peer, headers, ()) == client_key(peer)


# Shares


def test_no_client_takes_more_than_three_quarters() -> None:
    shares = Shares(8)
    for _ in range(6):
        shares.enter(Place("a"))
    with pytest.raises(Full):
        shares.enter(Place("a"))
    shares.enter(Place("b"))
    shares.enter(Place("c"))
    with pytest.raises(Full):
        shares.enter(Place("d"))
    assert shares.taken == 8


def test_who_dawdles_gives_way_to_who_comes_and_the_oldest_first() -> None:
    shares, ended = Shares(4), list[str]()
    for name in ("first", "second", "third"):
        shares.enter(Place("a", lambda: True, end=lambda name=name: ended.append(name)))  # type: ignore[misc]
    shares.enter(Place("a"))
    shares.enter(Place("b"))
    shares.enter(Place("c"))
    assert ended == ["first", "second"]
    assert shares.taken == 4


def test_the_greediest_gives_way_before_others() -> None:
    shares, ended = Shares(3), list[str]()
    for name in ("b", "a", "a"):
        shares.enter(Place(name, lambda: True, end=lambda name=name: ended.append(name)))  # type: ignore[misc]
    shares.enter(Place("c"))
    assert ended == ["a"]


def test_the_slowest_gives_way_before_others() -> None:
    shares, ended = Shares(4), list[float]()
    for rate in (5.0, 1.0, 3.0):
        place = Place("a", lambda: True, lambda rate=rate: rate, lambda rate=rate: ended.append(rate))  # type: ignore[misc]
        shares.enter(place)
    shares.enter(Place("a"))
    assert ended == [1.0]


def test_places_are_given_back_whatever_happens() -> None:
    seen: list[int] = []
    shares = Shares(1, seen.append)

    def fail_inside() -> None:
        with shares.held(Place("a")):
            with pytest.raises(Full), shares.held(Place("b")):
                pytest.fail("there was no place")
            raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        fail_inside()
    assert (shares.taken, seen) == (0, [1, 0])


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.booleans())), st.integers(1, 9))
def test_shares_hold_whatever_comes(arrivals: list[tuple[str, bool, bool]], count: int) -> None:
    shares, held = Shares(count), list[Place]()
    for client, yields, leaves in arrivals:
        place = Place(client, lambda yields=yields: yields)  # type: ignore[misc]
        place.end = lambda place=place: held.remove(place)  # type: ignore[misc]
        try:
            shares.enter(place)
        except Full:
            assert not any(one.yields() for one in held if one.client == client)
        else:
            held.append(place)
            if leaves:
                shares.leave(place)
                held.remove(place)
        assert shares.taken == len(held) <= count
        assert all(sum(one.client == name for one in held) <= shares.per_client for name in "abc")
