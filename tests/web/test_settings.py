from __future__ import annotations

import pytest

from edge_fer.errors import ConfigError
from edge_fer.sinks.net import Address, parse_address
from edge_fer.sinks.web.settings import WebSettings, parse_proxies


@pytest.mark.parametrize(
    ("text", "address", "shown"),
    [
        ("127.0.0.1:8080", Address("127.0.0.1", 8080), "127.0.0.1:8080"),
        ("8080", Address("127.0.0.1", 8080), "127.0.0.1:8080"),
        (":8080", Address("127.0.0.1", 8080), "127.0.0.1:8080"),
        ("0.0.0.0:80", Address("0.0.0.0", 80), "0.0.0.0:80"),
        ("[::1]:8080", Address("::1", 8080), "[::1]:8080"),
        ("box.local:0", Address("box.local", 0), "box.local:0"),
    ],
)
def test_addresses(text: str, address: Address, shown: str) -> None:
    assert parse_address(text, "--serve") == address
    assert str(address) == shown


@pytest.mark.parametrize(
    "text", ["", "host", "host:", "::1:80", "[::1]", "a b:80", "host:65536", "http://host:80", "me@host:80", "[1.2]:80"]
)
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--serve .* is no address"):
        parse_address(text, "--serve")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost", "LocalHost"])
def test_this_computer_alone_needs_no_token(host: str) -> None:
    assert not WebSettings(Address(host, 80)).needs_token


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "box.local", "localhost.example", "128.0.0.1", ""])
def test_every_other_address_needs_one(host: str) -> None:
    assert WebSettings(Address(host, 80)).needs_token


def test_a_name_of_a_proxy_needs_one_too() -> None:
    assert WebSettings(Address(), ("camera.example",)).needs_token


@pytest.mark.parametrize("name", ["", "https://camera.example", "camera.example:443", "a b", "*", "-x"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"--serve-name .* is no host name"):
        WebSettings(names=(name,))


def test_this_computer_can_be_asked_for_it_too() -> None:
    assert WebSettings(Address(), token=True).needs_token


@pytest.mark.parametrize("text", ["", "proxy.lan", "127.0.0.1:80", "10.0.0.0/33", "*"])
def test_a_proxy_that_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--trusted-proxy .* is no address of a proxy: give one such as"):
        parse_proxies([text], "--trusted-proxy")
