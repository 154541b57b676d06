"""What a check-up needs to know, how it looks, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from edge_fer.confinement import Walls

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edge_fer.device.service import Status

State: TypeAlias = Literal["ok", "warn", "fail", "skip"]
"""`warn` works but not well, `fail` is needed and does not work, `skip` was not asked for."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found."""

    state: State
    text: str
    fix: str = ""
    """What to do about it, where there is something to do."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What the settings ask for, as far as something may stand in its way."""

    origin: str
    """Where the settings are from, in words."""
    camera: str | None = None
    """Number, device file or `rpicam`; None where the source is no camera."""
    sources: tuple[str, ...] = ()
    """Address or paths that frames are read from; none for a camera or the demo. They may hold a password."""
    of_service: bool = False
    """Whether they are the settings of the installed service."""
    broker: str | None = None
    """Host and port as shown to people; None without MQTT."""
    folder: str = "/"
    """Where it writes."""


@dataclass(frozen=True, slots=True)
class Installed:
    """The service as it is installed."""

    status: Status
    file: str
    current: bool
    """Whether it is what `install` would write now."""
    command: str = "edge-fer service"
    """How its commands begin."""


@dataclass(frozen=True, slots=True)
class Probes:
    """How to look at the computer; tests bring their own."""

    needs: Callable[[], Needs]
    """What the settings ask for. Raises EdgeFerError where they are unusable."""
    engine: Callable[[], str]
    """Open the model that is asked for, and name engine and model. Raises EdgeFerError."""
    engines: Callable[[], Sequence[str]]
    """The engines that there are, each with what it loads."""
    broken_parts: Callable[[], Sequence[str]]
    """Detectors, engines, outputs and sources of other packages that cannot be imported, each with its reason."""
    damaged_models: Callable[[], Sequence[str]]
    """Bundled models that are not as they were released, each with its reason."""
    demo_faces: Callable[[], Mapping[str, bool]]
    """Whether each of the demo's faces is found and read, by emotion. Raises EdgeFerError."""
    cameras: Callable[[], Sequence[str]]
    """The cameras of this computer."""
    may_use: Callable[[str], bool]
    """Whether this user may use a camera."""
    picture: Callable[[str], str]
    """Take a picture from a camera, address or file, and say what it gives. Raises EdgeFerError."""
    temperature: Callable[[], float | None]
    """Degrees Celsius of the processor."""
    throttled: Callable[[], int | None]
    """The firmware's word on throttling."""
    free_bytes: Callable[[str], int]
    """Space left on the disk of a folder."""
    service: Callable[[], Installed | None]
    """The service; None where it is not installed. Raises EdgeFerError."""
    broker: Callable[[], None]
    """Log in at the broker and leave. Raises EdgeFerError."""
    detector: Callable[[], tuple[str, str | None]] = lambda: ("not looked at", None)
    """Open the face detector that is asked for: its name, and why it is not the best one here. Raises EdgeFerError."""
    walls: Callable[[], Walls] = Walls
    """Which walls stand around a process that opens files of strangers. Raises EdgeFerError."""
