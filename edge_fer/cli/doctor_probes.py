"""How `edge-fer doctor` looks at this computer."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_fer.cli.doctor_asked import ask, needs_of
from edge_fer.device.findings import Installed, Probes
from edge_fer.errors import EdgeFerError, ModelError, SinkError, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edge_fer.build import RunSettings
    from edge_fer.cli.doctor_asked import Asked
    from edge_fer.confinement import Walls
    from edge_fer.sinks.mqtt_settings import MqttSettings

DEVICES = Path("/dev")
CONNECT_SECONDS = 5.0
MIDDLE_OF_AN_EMOTION = 8
"""Frames into an emotion of the demo, before it turns into the next."""


def probes_for(options: Sequence[str], environment: Mapping[str, str]) -> Probes:
    """The probes for a run with these options; without any, for the installed service."""
    from edge_fer.device.board import temperature_celsius, throttled_word

    asked = functools.cache(lambda: ask(options, environment))
    return Probes(
        needs=lambda: needs_of(asked()),
        engine=lambda: open_engine(_usable(asked)),
        engines=list_engines,
        broken_parts=broken_parts,
        damaged_models=damaged_models,
        demo_faces=lambda: read_demo_faces(_usable(asked)),
        detector=lambda: open_face_detector(_usable(asked)),
        cameras=cameras,
        may_use=lambda camera: os.access(camera, os.R_OK | os.W_OK),
        picture=lambda camera: take_picture(camera, asked().settings),
        temperature=temperature_celsius,
        throttled=throttled_word,
        free_bytes=free_bytes,
        service=functools.cache(find_service),
        broker=lambda: log_in(asked().settings.mqtt),
        walls=standing_walls,
    )


def standing_walls() -> Walls:
    """The walls around a process that opens a model of strangers, as this computer lets them stand: tried.

    Raises:
        EdgeFerError: such a process cannot be started.
    """
    from edge_fer.confined import Job, Limits, nothing, run_confined

    found: list[Walls] = []
    run_confined(Job(nothing, {}), Limits(30.0, 1_000_000_000), walls=found.append)
    return found[0]


def open_engine(settings: RunSettings) -> str:
    """Open the model, and name it and its engine.

    Raises:
        EdgeFerError: it does not open.
    """
    from edge_fer.inference.open_model import open_classifier

    classifier = open_classifier(settings.model, settings.engine, settings.threads)
    classifier.close()
    return f"{classifier.engine} opens {classifier.manifest.name} {classifier.manifest.recipe}"


def list_engines() -> list[str]:
    """The engines that there are, each with what it loads."""
    from edge_fer.inference.finding_engines import engines_here

    return engines_here()


def broken_parts() -> list[str]:
    """What other packages bring and cannot be imported, one line each."""
    from edge_fer.registry import unusable

    return unusable()


def open_face_detector(settings: RunSettings) -> tuple[str, str | None]:
    """Open the face detector: its name, and why it is not the best one here, where that is a fault.

    Raises:
        EdgeFerError: it does not open.
    """
    from edge_fer.detectors import open_detector

    opened = open_detector(settings.faces.detector, settings.faces.search)
    return opened.name, opened.warning


def damaged_models(folder: Path | None = None) -> list[str]:
    """The bundled models whose hash is not that of their manifest, each with its reason."""
    from edge_fer.inference.formats import SUFFIX_OF_FORMAT
    from edge_fer.inference.manifest import read_manifest
    from edge_fer.inference.open_model import BUNDLED_MODELS_FOLDER

    folder = folder or BUNDLED_MODELS_FOLDER
    files = sorted(path for suffix in SUFFIX_OF_FORMAT.values() for path in folder.glob(f"*{suffix}"))
    if not files:
        return [f"{folder} holds no model"]
    damaged = []
    for file in files:
        try:
            read_manifest(file)
        except ModelError as error:
            damaged.append(str(error))
    return damaged


def read_demo_faces(settings: RunSettings) -> dict[str, bool]:
    """Find and read one face of each emotion in frames of the demo; whether that was right, by emotion.

    Raises:
        EdgeFerError: the model does not open, or the faces are damaged.
    """
    from edge_fer.analyzer import EdgeFer
    from edge_fer.camera.demo import EMOTION_FRAMES, FRAMES, DemoSource
    from edge_fer.sinks.summary import TruthCheck
    from edge_fer.types import FER_LABELS, Frame

    demo, read = DemoSource(), dict.fromkeys(FER_LABELS, False)
    left = set(read)
    with EdgeFer(settings.model, engine=settings.engine, threads=settings.threads) as fer:
        for seq in range(MIDDLE_OF_AN_EMOTION, FRAMES, EMOTION_FRAMES):
            due = [face for face in demo.truth(seq) if face.emotion in left]
            if not due:
                continue
            seen = fer.analyze(Frame(demo.picture(seq), seq, 0.0, 0.0, "demo"))
            for face in due:
                check = TruthCheck()
                check.add(seen, [face])
                read[face.emotion] = check.right == 1
                left.discard(face.emotion)
    return read


def cameras(devices: Path = DEVICES) -> list[str]:
    """The camera devices of this computer; on a Raspberry Pi some of them are other stages of its picture processor."""
    found = (path for path in devices.glob("video*") if path.name.removeprefix("video").isdigit())
    return [str(path) for path in sorted(found, key=lambda path: int(path.name.removeprefix("video")))]


def take_picture(camera: str, settings: RunSettings) -> str:
    """Open a camera, address or file, wait for a frame, and say what it gives.

    Raises:
        SourceError: it gives none.
    """
    from edge_fer.camera.opening import open_source
    from edge_fer.cli.run import source_text

    if camera.partition(":")[0] == "rpicam" and shutil.which("rpicam-vid") is None:
        raise SourceError("rpicam-vid is not installed: sudo apt install rpicam-apps")
    source = open_source(camera, settings.camera)
    try:
        source.read(settings.camera.open_timeout_seconds)
        return source_text(source.info)
    finally:
        source.close()


def free_bytes(folder: str) -> int:
    """Space left for ordinary users on the disk of a folder, or of the nearest one above that exists.

    Raises:
        SinkError: the disk does not report it.
    """
    path = Path(folder)
    for place in (path, *path.parents):
        with contextlib.suppress(OSError):  # not there, or not for this user
            return shutil.disk_usage(place).free
    raise SinkError(f"the disk of {folder} does not report how much space is left")


def find_service() -> Installed | None:
    """The service that is installed; None where there is none.

    Raises:
        EdgeFerError: systemd does not answer.
    """
    from edge_fer._version import __version__
    from edge_fer.cli.service_machine import installed_service, text_as_now, this_machine

    machine = this_machine()
    service = installed_service(machine, user=None)
    if service is None:
        return None
    text = service.text() or ""
    try:
        current = text_as_now(machine, service, text) == text
    except (EdgeFerError, click.ClickException):  # reported by the check of the settings
        current = f"version {__version__};" in text
    user = service.scope == "user"
    command = f"{'' if user else 'sudo '}edge-fer service"
    return Installed(service.status(), str(service.file), current, command)


def log_in(settings: MqttSettings | None, seconds: float = CONNECT_SECONDS) -> None:
    """Connect to the broker as a run would, but under another name and without a will, and leave again.

    Raises:
        SinkError: it does not let us in; one line that says why.
    """
    if settings is not None:
        from edge_fer.sinks.mqtt_login import try_to_log_in

        try_to_log_in(settings, seconds)


def _usable(asked: Callable[[], Asked]) -> RunSettings:
    """What is asked for; where that is unusable, which another check reports, what the defaults are."""
    from edge_fer.build import RunSettings

    try:
        return asked().settings
    except EdgeFerError:
        return RunSettings()
