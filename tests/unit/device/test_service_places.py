from __future__ import annotations

from pathlib import Path

import pytest

from edge_fer.device.service_places import HIDDEN_FOLDERS, check_readable, own_files, own_program, why_unreadable
from edge_fer.errors import ConfigError


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder that every user may enter, up to the root; pytest's own folders are for one user alone."""
    folder = tmp_path / "opt"
    folder.mkdir()
    for each in (folder, *folder.parents):
        if not each.stat().st_mode & 0o001:
            try:
                each.chmod(each.stat().st_mode | 0o055)
            except PermissionError:
                pytest.skip(f"{each} cannot be opened to others")
    return folder


def file_in(folder: Path, mode: int = 0o644) -> Path:
    path = folder / "model.tflite"
    path.write_bytes(b"x")
    path.chmod(mode)
    return path


def test_a_file_that_everybody_may_read_is_fine(place: Path) -> None:
    assert why_unreadable(file_in(place), hidden=()) is None
    assert why_unreadable(place, hidden=()) is None


def test_a_file_for_its_owner_alone_is_not(place: Path) -> None:
    assert "may not read" in (why_unreadable(file_in(place, 0o600), hidden=()) or "")


def test_a_folder_that_others_may_not_enter_is_named(place: Path) -> None:
    path = file_in(place)
    place.chmod(0o700)

    assert f"may not enter {place}: chmod o+x {place}" in (why_unreadable(path, hidden=()) or "")


def test_a_folder_that_others_may_enter_but_not_list_does_not_serve(place: Path) -> None:
    inner = place / "bin"
    inner.mkdir(mode=0o711)

    assert why_unreadable(inner, hidden=()) is not None


def test_hidden_folders_hide_what_links_point_to(place: Path) -> None:
    target = place / "home" / "me"
    target.mkdir(parents=True)
    link = place / "link"
    link.symlink_to(file_in(target))

    assert why_unreadable(link, hidden=()) is None
    assert "do not see" in (why_unreadable(link, hidden=(str(place / "home"),)) or "")


def test_a_file_that_is_missing_is_told(place: Path) -> None:
    assert "No such file" in (why_unreadable(place / "absent", hidden=()) or "")


@pytest.mark.parametrize("folder", ["/home", "/root", "/tmp"])
def test_homes_and_temporary_folders_are_hidden(folder: str) -> None:
    assert folder in HIDDEN_FOLDERS


def test_the_refusal_says_what_why_and_where_to(place: Path) -> None:
    path = file_in(place)

    with pytest.raises(ConfigError) as caught:
        check_readable([path], hidden=(str(place),))

    assert str(path) in str(caught.value)
    assert "install edge-fer in /opt" in str(caught.value)
    assert "--user" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_program_is_the_script_of_this_installation(tmp_path: Path) -> None:
    (tmp_path / "edge-fer").touch()

    assert own_program(tmp_path) == (str(tmp_path / "edge-fer"),)


def test_without_a_script_python_starts_it(tmp_path: Path) -> None:
    program = own_program(tmp_path)

    assert Path(program[0]).is_file()
    assert program[1:] == ("-P", "-m", "edge_fer")


def test_all_that_the_program_needs_exists() -> None:
    files = own_files(own_program())

    assert all(path.exists() for path in files)
    assert any(path.name == "numpy" for path in files)
