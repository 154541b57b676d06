"""Where an address leads, and where no stranger may lead."""

from __future__ import annotations

import pytest

from edge_fer.camera.addresses import Guide, holds_password, may_lead, network_of, parse_address
from edge_fer.errors import SourceError

NUMBERS = {
    "public.example": ["93.184.216.34"],
    "other.example": ["2606:2800:220:1::1"],
    "cam.lan": ["192.168.1.20"],
    "nas.lan": ["fd00::5", "10.0.0.5"],
    "localhost": ["::1", "127.0.0.1"],
    "trick.example": ["127.0.0.1"],
    "metadata": ["169.254.169.254"],
}


def guide(host: str) -> Guide:
    return Guide(parse_address(f"http://{host}/"), lambda name, port: NUMBERS.get(name, [name]))


@pytest.mark.parametrize(
    ("number", "network"),
    [
        ("127.0.0.1", "this computer"),
        ("127.9.9.9", "this computer"),
        ("0.0.0.0", "this computer"),
        ("::1", "this computer"),
        ("::", "this computer"),
        ("::ffff:127.0.0.1", "this computer"),
        ("::ffff:10.0.0.1", "private"),
        ("10.1.2.3", "private"),
        ("172.16.0.1", "private"),
        ("192.168.0.1", "private"),
        ("100.64.0.1", "private"),
        ("fd12::1", "private"),
        ("169.254.169.254", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("8.8.8.8", "public"),
        ("2606:4700::1", "public"),
        ("224.0.0.1", "special"),
        ("ff02::1", "special"),
    ],
)
def test_networks(number, network):
    assert network_of(number) == network


@pytest.mark.parametrize(
    "host", ["localhost", "127.1.1.1", "0.0.0.0", "trick.example", "cam.lan", "nas.lan", "metadata"]
)
def test_what_is_on_the_internet_leads_nowhere_near(host):
    with pytest.raises(SourceError, match="no stranger may lead"):
        guide("public.example").check(parse_address(f"http://{host}:8080/x"))
    guide("public.example").check(parse_address("http://other.example/x"))


@pytest.mark.parametrize("host", ["localhost", "trick.example", "::1", "metadata"])
def test_what_is_in_a_private_network_leads_to_others_there_and_not_to_this_computer(host):
    with pytest.raises(SourceError, match="no stranger may lead"):
        guide("cam.lan").check(parse_address(f"http://{f'[{host}]' if ':' in host else host}/x"))
    guide("cam.lan").check(parse_address("http://nas.lan/x"))
    guide("cam.lan").check(parse_address("http://public.example/x"))


def test_what_is_on_this_computer_may_lead_anywhere_by_the_same_scheme():
    guide("localhost").check(parse_address("http://nas.lan/x"))
    assert may_lead("this computer", "this computer")
    with pytest.raises(SourceError, match=r"leads to rtsp://nas\.lan/x"):
        guide("localhost").check(parse_address("rtsp://nas.lan/x"))


def test_a_name_that_is_changed_on_the_way_leads_no_nearer():
    answers = [["93.184.216.34"], ["127.0.0.1"]]
    led = Guide(parse_address("http://public.example/"), lambda name, port: answers.pop(0))
    assert led.numbers(parse_address("http://public.example/")) == ["93.184.216.34"]
    with pytest.raises(SourceError, match="no stranger may lead"):
        led.numbers(parse_address("http://public.example/next"))


def test_of_several_numbers_only_those_that_are_allowed_are_used():
    led = Guide(
        parse_address("http://public.example/"),
        lambda name, port: ["10.0.0.1", "8.8.8.8"] if name == "both" else ["8.8.4.4"],
    )
    assert led.numbers(parse_address("http://both/")) == ["8.8.8.8"]


@pytest.mark.parametrize(
    ("text", "user", "password", "host", "port", "target"),
    [
        ("rtsp://anna:s3cret@cam/live", "anna", "s3cret", "cam", 554, "/live"),
        ("http://cam", None, None, "cam", 80, "/"),
        ("HTTPS://cam?a=1#x", None, None, "cam", 443, "/?a=1"),
        ("rtsp://anna:p%40ss@cam:8554/a b", "anna", "p@ss", "cam", 8554, "/a%20b"),
        ("rtsp://anna:p@ss@cam/x", "anna", "p@ss", "cam", 554, "/x"),
        ("rtsp://anna:p/a?s#s@cam/x", "anna", "p/a?s#s", "cam", 554, "/x"),
        ("rtsp://anna@cam/x", "anna", None, "cam", 554, "/x"),
        ("http://[fe80::1]:81/ü", None, None, "fe80::1", 81, "/%C3%BC"),
        ("http://cam/x\r\nHost: other", None, None, "cam", 80, "/x%0D%0AHost:%20other"),
    ],
)
def test_addresses_as_people_type_them(text, user, password, host, port, target):
    found = parse_address(text)
    assert (found.user, found.password, found.host, found.port, found.target) == (user, password, host, port, target)
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("rtsp://anna:x@cam/", True),
        ("rtsp://anna:p/x@cam/", True),
        ("rtsp://anna@cam/", False),
        ("http://cam/snap?user=a&pwd=x", True),
        ("http://cam/snap?user=a&pwd={password}", False),
        ("http://cam/a?token=1", True),
        ("film.mp4", False),
        ("0", False),
    ],
)
def test_whether_a_password_stands_in_an_address(text, holds):
    assert holds_password(text) is holds


@pytest.mark.parametrize(
    ("reference", "text", "login"),
    [
        ("/b", "rtsp://cam:8554/b", True),
        ("c?d", "rtsp://cam:8554/a/c?d", True),
        ("rtsp://cam:8554/z", "rtsp://cam:8554/z", True),
        ("rtsp://cam/z", "rtsp://cam/z", False),
        ("rtsp://b:c@other/z", "rtsp://other/z", False),
    ],
)
def test_a_login_goes_along_within_one_server_only(reference, text, login):
    joined = parse_address("rtsp://anna:s3cret@cam:8554/a/b").joined(reference)
    assert joined.text == text
    assert (joined.user is not None) is login
