from __future__ import annotations

import socket

import pytest

from edge_fer.errors import ConfigError, SinkError
from edge_fer.sinks.net import Address, listen, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("9309", Address("127.0.0.1", 9309)),
        (":9309", Address("127.0.0.1", 9309)),
        ("0.0.0.0:9309", Address("0.0.0.0", 9309)),
        ("[::1]:0", Address("::1", 0)),
        ("nas.local:80", Address("nas.local", 80)),
    ],
)
def test_an_address_is_read_and_without_a_host_is_this_computers_own(text: str, address: Address) -> None:
    assert parse_address(text, "--metrics") == address


@pytest.mark.parametrize("text", ["", "host", "host:", "host:70000", "::1:80", "[::g]:80", "[1.2:3]:4", "a b:80", "-1"])
def test_what_is_no_address_is_refused_by_the_name_of_its_option(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--metrics .* is no address"):
        parse_address(text, "--metrics")


def test_an_address_is_shown_as_in_a_url() -> None:
    assert (str(Address("::1", 80)), str(Address("nas", 80))) == ("[::1]:80", "nas:80")


def test_a_port_in_use_is_named_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SinkError, match=f"127.0.0.1:{port} \\(--metrics\\): Address already in use; give another"):
            listen(Address("127.0.0.1", port), "--metrics")


@pytest.mark.parametrize("host", ["192.0.2.1", "a" * 70])
def test_an_address_of_another_computer_is_refused(host: str) -> None:
    with pytest.raises(SinkError, match="give an address of this computer"):
        listen(Address(host, 0), "--metrics")
