"""Every setting, declared once: options, files, environment, documentation, range checks and a service's rights.

Each group is a frozen dataclass of what a user may set, with a declaration at each field. `RUN` and `PREDICT` say which
groups a command takes; its options are made from them, and so are the keys of the configuration, which are those of
`run`. The settings of the parts (`CameraSettings`, `TrackingSettings` and others) take defaults and ranges from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, get_args

from edge_fer.config.setting import Setting, by_name, declared

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

Preset: TypeAlias = Literal["fast", "balanced", "thorough"]
Rotate: TypeAlias = Literal["0", "90", "180", "270", "auto"]
Flip: TypeAlias = Literal["none", "horizontal", "vertical", "both"]
"""`horizontal` exchanges left and right, `vertical` top and bottom."""
LogFormat: TypeAlias = Literal["text", "json"]

Anonymize: TypeAlias = Literal["blur", "pixelate", "box"]

FPS, SNAPSHOT_FPS = 30.0, 5.0
"""Frames per second requested where nothing is set: of cameras, and of an address that gives one picture at a time."""
MAX_FACES = 1000
LONGEST_FILM_SECONDS = 1e7
"""About 115 days."""
Group = TypeVar("Group")


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What is read, and what is asked of a camera."""

    source: tuple[str, ...] = Setting(
        "text",
        "Video, picture, folder or address to read, or `demo`; cameras are given by `camera`.",
        argument=True,
        rival="camera",
        use="reads",
    ).field()
    camera: str | None = Setting(
        "text",
        "Camera: a number, /dev/videoN, a name in /dev/v4l/by-id, or rpicam for a Raspberry Pi camera module.",
        metavar="N|DEVICE|rpicam",
        rival="source",
    ).field()
    width: int = Setting(
        "integer", "Requested frame width.", default=640, unit="pixels", lowest=16, highest=16_384
    ).field()
    height: int = Setting(
        "integer", "Requested frame height.", default=480, unit="pixels", lowest=16, highest=16_384
    ).field()
    fps: float | None = Setting(
        "number",
        f"Requested frames per second, {FPS:g} by default; for an address that gives one picture at a time, requests "
        f"per second, {SNAPSHOT_FPS:g} by default.",
        metavar="FPS",
        lowest=0.1,
        highest=1000,
    ).field()
    source_password_file: Path | None = Setting(
        "path",
        "File with the password of an IP camera whose user name is in its address. Without this option, systemd's "
        "credential source-password is used.",
        metavar="FILE",
        use="reads",
        secret=True,
    ).field()
    stall_seconds: float = Setting(
        "number",
        "Reconnect after this many seconds without a new frame.",
        default=5.0,
        unit="seconds",
        lowest=0.5,
        highest=3600,
    ).field()
    wait: bool = Setting(
        "switch",
        "Wait for a camera or stream that is missing at the start, as for one that goes away later.",
        default=False,
        negatable=True,
    ).field()


@dataclass(frozen=True, slots=True)
class FolderOptions:
    """How folders are searched."""

    recursive: bool = Setting("switch", "Search folders within folders too.", default=False).field()


@dataclass(frozen=True, slots=True)
class FilmOptions:
    """Which part of a film is read."""

    start: float | None = Setting(
        "number",
        "Read films from this position on.",
        unit="seconds",
        lowest=0,
        highest=LONGEST_FILM_SECONDS,
        in_files=False,
    ).field()
    end: float | None = Setting(
        "number",
        "Read films up to this position.",
        unit="seconds",
        lowest=0,
        highest=LONGEST_FILM_SECONDS,
        lowest_excluded=True,
        in_files=False,
    ).field()
    every: float | None = Setting(
        "number",
        "Read one frame of a film per this many seconds.",
        unit="seconds",
        lowest=0.001,
        highest=LONGEST_FILM_SECONDS,
        in_files=False,
    ).field()


@dataclass(frozen=True, slots=True)
class TurningOptions:
    """How pictures are turned before anything looks at them."""

    rotate: Rotate = Setting(
        "text",
        "Degrees clockwise by which to rotate the picture of a camera that hangs sideways or upside down; auto takes "
        "the rotation in which faces are found.",
        default="0",
        choices=get_args(Rotate),
    ).field()
    flip: Flip = Setting(
        "text",
        "Mirror the picture: horizontal exchanges left and right, vertical top and bottom; after --rotate.",
        default="none",
        choices=get_args(Flip),
    ).field()


@dataclass(frozen=True, slots=True)
class ResultOptions:
    """Where results go on this computer."""

    json: bool = Setting(
        "switch", "Print one JSON line per frame on standard output.", default=False, negatable=True
    ).field()
    save: Path | None = Setting(
        "path", "Write the annotated video, such as out.mp4.", metavar="FILE", use="writes video"
    ).field()
    show: bool | None = Setting("switch", "Show a window; by default where there is a screen.", negatable=True).field()
    headless: bool = Setting(
        "switch", "Never show a window; the same as --no-show.", default=False, in_files=False
    ).field()


@dataclass(frozen=True, slots=True)
class TableOptions:
    """Results that `run` and `predict` have in common."""

    csv: Path | None = Setting(
        "path", "Write one row per face to a file; - is standard output.", metavar="FILE", use="writes"
    ).field()
    anonymize: Anonymize | None = Setting(
        "text",
        "Make faces unrecognisable in every picture that is shown, saved or sent.",
        choices=get_args(Anonymize),
    ).field()
    top: int = Setting(
        "integer", "Number of emotions shown per face.", default=1, metavar="N", lowest=1, highest=100
    ).field()


@dataclass(frozen=True, slots=True)
class EndOptions:
    """When a run ends before its source does."""

    max_frames: int | None = Setting("integer", "End after this many frames.", metavar="N", lowest=1).field()
    duration: float | None = Setting(
        "number", "End after this time.", unit="seconds", lowest=0, lowest_excluded=True
    ).field()


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What reads the faces."""

    engine: str = Setting(
        "text",
        "What runs the model: litert for .tflite, onnxruntime for .onnx, or one that another package brings.",
        default="auto",
        metavar="NAME",
        old_names=("backend",),
    ).field()
    model: Path | None = Setting(
        "path",
        "A .tflite or .onnx file with its manifest, or a bundled model: small (the default) or nano.",
        metavar="PATH",
        use="reads model",
    ).field()
    threads: int = Setting(
        "integer", "Threads that the engine may use.", default=1, metavar="N", lowest=1, highest=256
    ).field()


@dataclass(frozen=True, slots=True)
class FollowingOptions:
    """How often faces are searched for, and how they are followed; the preset decides what is None."""

    preset: Preset = Setting(
        "text",
        "How often and how finely to search for faces; each of the options below can still be given.",
        default="balanced",
        choices=get_args(Preset),
    ).field()
    detect_every: int | None = Setting(
        "integer", "Search the whole frame every N frames.", metavar="N", lowest=1, highest=10_000
    ).field()
    detect_width: int | None = Setting(
        "integer", "Search no picture wider than this.", unit="pixels", lowest=24, highest=10_000
    ).field()
    scale_factor: float | None = Setting(
        "number",
        "Step between the face sizes that are searched; smaller is more thorough and slower.",
        unit="ratio",
        lowest=1.01,
        highest=3.0,
    ).field()
    min_face_px: int | None = Setting(
        "integer",
        "Ignore faces smaller than this, in pixels of the frame.",
        unit="pixels",
        lowest=1,
        highest=10_000,
    ).field()
    max_faces: int = Setting(
        "integer", "Maximum number of faces to follow.", default=20, metavar="N", lowest=1, highest=MAX_FACES
    ).field()
    forget_seconds: float = Setting(
        "number",
        "How long a lost face keeps its id.",
        default=2.0,
        unit="seconds",
        lowest=0,
        highest=3600,
    ).field()
    smoothing: float = Setting(
        "number",
        "Time constant of the smoothing of scores; 0 turns it off.",
        default=0.3,
        unit="seconds",
        lowest=0,
        highest=60,
    ).field()
    idle_fps: float = Setting(
        "number",
        "Searches per second while nothing moves and no face is in sight.",
        default=1.0,
        metavar="FPS",
        lowest=0,
        highest=1000,
    ).field()


@dataclass(frozen=True, slots=True)
class DetectorOptions:
    """What finds the faces."""

    detector: str = Setting(
        "text",
        "What finds faces: yunet (extra yunet), haar (always available), or a detector of another package; auto takes "
        "yunet where it is installed.",
        default="auto",
        metavar="NAME",
    ).field()
    detector_model: Path | None = Setting(
        "path", "Another model file for the detector, such as another YuNet (.onnx).", metavar="FILE", use="reads"
    ).field()
    cascade: Path | None = Setting("path", "Another cascade (XML) for haar.", metavar="FILE", use="reads").field()


@dataclass(frozen=True, slots=True)
class LimitOptions:
    """What a file may cost."""

    # 51 million pixels take 153 MB, and a telephone's 50 megapixels are 50.3 million.
    max_megapixels: float = Setting(
        "number",
        "Refuse pictures and videos with more pixels, before they are decoded.",
        default=51,
        unit="megapixels",
        lowest=0.001,
        highest=1000,
    ).field()


@dataclass(frozen=True, slots=True)
class MqttOptions:
    """The broker to which states are published."""

    mqtt: str | None = Setting(
        "text",
        "Publish emotion, number of faces and frame rate to this MQTT broker: mqtt://USER@HOST:PORT/PREFIX, or "
        "mqtts://.",
        metavar="URL",
        network=True,
    ).field()
    mqtt_password_file: Path | None = Setting(
        "path",
        "File with the password for the broker. Without this option, systemd's credential mqtt-password is used.",
        metavar="FILE",
        use="reads",
        secret=True,
    ).field()
    mqtt_ca: Path | None = Setting(
        "path", "Trust these certificates (PEM) instead of the system's.", metavar="FILE", use="reads"
    ).field()
    mqtt_cert: Path | None = Setting(
        "path",
        "Certificate (PEM) by which this device is known to the broker; needs --mqtt-key.",
        metavar="FILE",
        use="reads",
    ).field()
    mqtt_key: Path | None = Setting(
        "path", "Private key (PEM, not encrypted) of --mqtt-cert.", metavar="FILE", use="reads", secret=True
    ).field()
    mqtt_interval: float = Setting(
        "number", "Minimum time between two messages.", default=1.0, unit="seconds", lowest=0.1, highest=3600
    ).field()
    mqtt_discovery: str = Setting(
        "text",
        "Topic prefix under which Home Assistant looks for devices; empty turns discovery off.",
        default="homeassistant",
        metavar="PREFIX",
        may_be_empty=True,
    ).field()
    mqtt_name: str | None = Setting(
        "text", "Name of the device that people see; by default its --mqtt-id, or host and camera.", metavar="NAME"
    ).field()
    mqtt_id: str | None = Setting(
        "text", "Name of the device in topics; by default made from this computer and the camera.", metavar="ID"
    ).field()


@dataclass(frozen=True, slots=True)
class MetricsOptions:
    """Figures of the run for Prometheus."""

    metrics: str | None = Setting(
        "text",
        "Serve Prometheus metrics at http://HOST:PORT/metrics. 9309 alone listens on this computer only, 0.0.0.0:9309 "
        "on the network.",
        metavar="HOST:PORT",
        network=True,
    ).field()
    metrics_name: tuple[str, ...] = Setting(
        "texts",
        "Also accept requests for the metrics under this host name; needed only for names in public domains.",
        metavar="NAME",
    ).field()


@dataclass(frozen=True, slots=True)
class SinkOptions:
    """Outputs of other packages."""

    sink: tuple[str, ...] = Setting(
        "texts",
        "Also write to this output of another package; may be given several times.",
        metavar="NAME[=URL]",
        use="writes",
        network=True,
    ).field()


@dataclass(frozen=True, slots=True)
class EventOptions:
    """Rules over what is seen, and what happens when one becomes true; files hold them as `[[events]]`."""

    on: tuple[str, ...] = Setting(
        "texts",
        "Rule that makes an event when it becomes true, such as 'happy > 0.8 for 2s'; may be given several times. "
        "docs/events.md explains the language.",
        metavar="RULE",
        in_files=False,
    ).field()
    do: tuple[str, ...] = Setting(
        "texts",
        "What happens on the events of the --on before it: log, command:PROGRAM ARGUMENTS, webhook:URL, "
        "snapshot:FOLDER or mqtt; may be given several times.",
        metavar="ACTION",
        in_files=False,
    ).field()
    events: Path | None = Setting(
        "path",
        "Write each event as a JSON line to this file; - is standard output.",
        metavar="FILE",
        in_files=False,
        use="writes",
    ).field()
    command_seconds: float = Setting(
        "number",
        "End the program of a command action after this time.",
        default=10.0,
        unit="seconds",
        lowest=0.1,
        highest=3600,
    ).field()
    webhook_secret_file: Path | None = Setting(
        "path",
        "File with the secret that webhooks are signed with. Without this option, systemd's credential webhook-secret "
        "is used.",
        metavar="FILE",
        use="reads",
        secret=True,
    ).field()
    webhook_ca: Path | None = Setting(
        "path", "Trust these certificates (PEM) for webhooks instead of the system's.", metavar="FILE", use="reads"
    ).field()
    webhook_queue: Path | None = Setting(
        "path",
        "Keep events that wait for a webhook in this folder, so that they outlive the run; without it, in memory.",
        metavar="DIR",
        use="fills",
    ).field()


@dataclass(frozen=True, slots=True)
class PageOptions:
    """The page in the browser."""

    serve: str | None = Setting(
        "text",
        "Serve a web page with the live picture, numbers and photo upload. 127.0.0.1:8080 is for this computer only; "
        "any other address requires a token.",
        metavar="HOST:PORT",
        network=True,
    ).field()
    serve_name: tuple[str, ...] = Setting(
        "texts", "A further host name under which the page is reached, such as that of a proxy.", metavar="NAME"
    ).field()
    trusted_proxy: tuple[str, ...] = Setting(
        "texts",
        "Address or network of a proxy whose X-Forwarded-For names its clients; rate limits then count those clients.",
        metavar="IP",
    ).field()
    serve_token: bool = Setting(
        "switch",
        "Require the token on 127.0.0.1 too, for computers with several users.",
        default=False,
        negatable=True,
    ).field()


@dataclass(frozen=True, slots=True)
class LogOptions:
    """Which messages are shown, and in which form."""

    verbose: bool = Setting(
        "switch", "Log details as well, such as every attempt to connect.", default=False, short="-v"
    ).field()
    quiet: bool = Setting("switch", "Log warnings and errors only.", default=False, short="-q").field()
    log_format: LogFormat = Setting(
        "text",
        "Form of the messages on standard error: lines of text, or one JSON object per line.",
        default="text",
        choices=get_args(LogFormat),
    ).field()


@dataclass(frozen=True, slots=True)
class PredictOptions:
    """What `predict` alone takes."""

    json: bool = Setting("switch", "Print one JSON line per picture.", default=False).field()
    annotate: Path | None = Setting(
        "path", "Write annotated copies of the pictures into this folder.", metavar="DIR", use="fills"
    ).field()
    mirror: bool = Setting(
        "switch",
        "Read --whole pictures mirrored too and average the scores, as is always done with faces that are found.",
        default=False,
    ).field()
    whole: bool = Setting("switch", "Take each picture as one face that is already cropped.", default=False).field()
    min_face_px: int = Setting(
        "integer",
        "Ignore faces smaller than this, in pixels of the picture.",
        default=16,
        unit="pixels",
        lowest=1,
        highest=10_000,
    ).field()


RUN: tuple[type, ...] = (
    SourceOptions,
    FolderOptions,
    FilmOptions,
    TurningOptions,
    ResultOptions,
    TableOptions,
    EndOptions,
    EngineOptions,
    FollowingOptions,
    DetectorOptions,
    LimitOptions,
    MqttOptions,
    MetricsOptions,
    SinkOptions,
    EventOptions,
    PageOptions,
    LogOptions,
)
"""The groups that `edge-fer run` takes."""

FROM_FILES: Mapping[str, tuple[type, ...]] = {
    "run": RUN,
    "predict": (TurningOptions, EngineOptions, DetectorOptions, LimitOptions, LogOptions),
}
"""The groups that a command takes from files and the environment where the command line does not give them."""

PREDICT: tuple[type, ...] = (PredictOptions, FolderOptions, TableOptions, *FROM_FILES["predict"])
"""The groups that `edge-fer predict` takes."""


def settings_of(groups: Iterable[type]) -> tuple[Setting, ...]:
    """The settings of groups, in their order."""
    return tuple(setting for group in groups for setting in declared(group))


def keys() -> tuple[Setting, ...]:
    """What files and the environment can set."""
    return tuple(setting for setting in settings_of(RUN) if setting.in_files)


def chosen(group: type[Group], values: Mapping[str, Any]) -> Group:
    """A group with the values that a command was given.

    Args:
        group: one of the dataclasses above.
        values: by name, those of other groups too, each as the group's field takes it.
    """
    return group(**{setting.name: values[setting.name] for setting in declared(group)})


def ranges(group: type, *names: str) -> tuple[Setting, ...]:
    """The settings of these names, for `check_ranges`."""
    settings = by_name(declared(group))
    return tuple(settings[name] for name in names)
