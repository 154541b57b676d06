from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge_fer.errors import ConfigError
from edge_fer.sinks.mqtt_settings import (
    MqttSettings,
    check_identity,
    check_topic,
    device_id,
    parse_mqtt_url,
    read_password,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("url", "settings"),
    [
        ("mqtt://broker", MqttSettings("broker")),
        ("mqtts://broker", MqttSettings("broker", 8883, tls=True)),
        ("mqtt://cam@broker:1884/flat/fer/", MqttSettings("broker", 1884, user="cam", prefix="flat/fer")),
        ("mqtt://a%40b@[::1]", MqttSettings("::1", user="a@b")),
        ("mqtt://broker/k%C3%BCche", MqttSettings("broker", prefix="küche")),
    ],
)
def test_an_address_is_taken_apart(url: str, settings: MqttSettings) -> None:
    assert parse_mqtt_url(url) == settings


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("broker:1883", "mqtt://"),
        ("http://broker", "mqtt://"),
        ("mqtt://", "no address"),
        ("mqtt://broker:99999", "no address"),
        ("mqtt://broker:0", "no address"),
        ("mqtt://broker?tls=1", "no address"),
        ("mqtt://[::1", "no address"),
        ("mqtt://" + "a" * 64, "no name of a host"),
        ("mqtt://a b", "no name of a host"),
        ("mqtt://.broker", "no name of a host"),
        ("mqtt://bro\0ker", "no name of a host"),
        ("mqtt://" + "u" * 1001 + "@broker", "longer than 1000 bytes"),
        ("mqtt://broker/a/+/b", "prefix"),
        ("mqtt://broker/a%23", "prefix"),
        ("mqtt://broker/$SYS", "prefix"),
        ("mqtt://broker/a%00b", "prefix"),
    ],
)
def test_an_address_that_cannot_be_is_refused(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words.replace("/", "\\/")):
        parse_mqtt_url(url)


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError, match="--mqtt-password-file") as caught:
        parse_mqtt_url("mqtt://cam:hunter2@broker")
    assert "hunter2" not in str(caught.value)


def test_settings_do_not_show_their_password() -> None:
    assert "hunter2" not in repr(MqttSettings("broker", user="cam", password="hunter2"))


@pytest.mark.parametrize(
    ("host", "local"),
    [("localhost", True), ("127.0.0.5", True), ("::1", True), ("nas", False), ("127.0.0.1.example.com", False)],
)
def test_only_this_computer_is_local(host: str, local: bool) -> None:
    assert MqttSettings(host).local is local


def test_an_address_with_colons_is_shown_in_brackets() -> None:
    assert (MqttSettings("::1").address, MqttSettings("nas").address) == ("[::1]:1883", "nas:1883")


@pytest.mark.parametrize("topic", ["a+", "#", "$SYS", "a\nb", "a//b", "x" * 201])
def test_a_topic_that_cannot_be_published_to_is_refused(topic: str) -> None:
    with pytest.raises(ConfigError, match="the thing may hold no"):
        check_topic(topic, "the thing")


@pytest.mark.parametrize("identity", ["", "a b", "a/b", "ü", "x" * 65, "cam\n"])
def test_an_id_that_home_assistant_would_not_take_is_refused(identity: str) -> None:
    with pytest.raises(ConfigError, match="--mqtt-id"):
        check_identity(identity)


def test_the_password_is_the_only_line_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes(b" pass word \r\n")
    assert read_password(file, {}) == " pass word "


def test_the_password_is_taken_from_a_credential_where_no_file_is_given(tmp_path: Path) -> None:
    assert read_password(None, {}) is None
    assert read_password(None, {"CREDENTIALS_DIRECTORY": str(tmp_path)}) is None
    (tmp_path / "mqtt-password").write_text("from-systemd\n")
    assert read_password(None, {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == "from-systemd"
    (tmp_path / "other").write_text("from-file")
    assert read_password(tmp_path / "other", {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == "from-file"


@pytest.mark.parametrize("data", [b"", b"\n", b"two\nlines\n", b"x" * 5000, b"\xff\xfe"])
def test_a_file_that_is_no_password_is_refused_without_its_contents(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "password"
    file.write_bytes(data)
    with pytest.raises(ConfigError, match="password") as caught:
        read_password(file, {})
    assert "lines" not in str(caught.value)
    assert "xxx" not in str(caught.value)


def test_a_password_file_that_is_missing_or_a_folder_is_named(tmp_path: Path) -> None:
    for file in (tmp_path / "none", tmp_path):
        with pytest.raises(ConfigError, match=f"cannot read the MQTT password in {file}"):
            read_password(file, {})


def test_an_id_stays_and_differs_by_computer_board_and_camera(tmp_path: Path) -> None:
    machine, board = tmp_path / "machine-id", tmp_path / "serial-number"
    machine.write_text("1f3a90c25b7e4d68a1b2c3d4e5f60718\n")
    files = (machine, board)
    one = device_id("camera 0", files)
    assert one == device_id("camera 0", files)
    assert check_identity(one) is None
    assert one != device_id("camera 1", files)
    assert machine.read_text().strip() not in one
    # A copied memory card brings the same machine id along.
    board.write_bytes(b"10000000abcdef01\x00")
    copied = device_id("camera 0", files)
    board.write_bytes(b"10000000abcdef02\x00")
    assert len({one, copied, device_id("camera 0", files)}) == 3


def test_a_computer_without_any_number_of_its_own_goes_by_its_name(tmp_path: Path) -> None:
    files = (tmp_path / "none",)
    (tmp_path / "empty").write_text("\n")
    assert device_id("0", files, "kitchen") == device_id("0", (tmp_path / "empty",), "kitchen")
    assert device_id("0", files, "kitchen") != device_id("0", files, "hall")
