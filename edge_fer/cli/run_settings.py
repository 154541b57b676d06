"""What the options of `edge-fer run` mean for the parts of a run."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from edge_fer.cli.overwriting import is_standard_output
from edge_fer.cli.streams import on_terminal
from edge_fer.settings import (
    FPS,
    SNAPSHOT_FPS,
    DetectorOptions,
    EndOptions,
    EngineOptions,
    EventOptions,
    FilmOptions,
    FolderOptions,
    FollowingOptions,
    LimitOptions,
    LogOptions,
    MetricsOptions,
    MqttOptions,
    PageOptions,
    ResultOptions,
    SinkOptions,
    SourceOptions,
    TableOptions,
    TurningOptions,
    chosen,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edge_fer.build import RunSettings
    from edge_fer.camera.film_part import FilmPart
    from edge_fer.camera.settings import CameraSettings
    from edge_fer.camera.turning import Turning
    from edge_fer.detectors import FaceSettings
    from edge_fer.sinks.mqtt_settings import MqttSettings
    from edge_fer.sinks.net import Address
    from edge_fer.sinks.web.settings import WebSettings

SOURCE_CREDENTIAL = "source-password"
"""Name of the credential that a systemd unit loads with `LoadCredential=source-password:/path`."""
CSI_CAMERA = "rpicam"
"""What `--camera` calls a camera on a Raspberry Pi's camera connector."""
AUTO = "auto"
"""Value of --rotate that leaves it to the faces."""


def run_settings(names: tuple[str, ...], values: Mapping[str, Any]) -> RunSettings:
    """What a run is asked for.

    Args:
        names: of its sources, at least one.
        values: of all its options by name.

    Raises:
        ConfigError: an option is unusable.
    """
    from edge_fer.build import RunSettings
    from edge_fer.pipeline import RunLimits
    from edge_fer.sinks.window import screen_attached

    source, results, table = chosen(SourceOptions, values), chosen(ResultOptions, values), chosen(TableOptions, values)
    following, engine, end = chosen(FollowingOptions, values), chosen(EngineOptions, values), chosen(EndOptions, values)
    metrics = chosen(MetricsOptions, values)
    if table.anonymize is not None:
        # A face that comes into sight is to be hidden at once, and a picture that hardly moves may hold one.
        following = replace(following, detect_every=following.detect_every or 1, idle_fps=1000.0)
    events = chosen(EventOptions, values)
    prints = results.json or is_standard_output(table.csv) or is_standard_output(events.events)
    show = False if results.headless else results.show
    if show is None:
        # Lines that go to another program are not meant for eyes.
        show = screen_attached(os.environ) and not prints
    serve = web_settings(chosen(PageOptions, values))
    camera = camera_settings(names[0], source, chosen(TurningOptions, values), chosen(LimitOptions, values))
    return RunSettings(
        source=names[0],
        more_sources=names[1:],
        recursive=chosen(FolderOptions, values).recursive,
        wait=source.wait,
        camera=replace(
            camera,
            part=film_part(names, chosen(FilmOptions, values)),
            demo_realtime=show or serve is not None,
            demo_repeat=serve is not None,
        ),
        faces=following_settings(following, chosen(DetectorOptions, values)),
        smoothing_seconds=following.smoothing,
        model=engine.model,
        engine=engine.engine,
        threads=engine.threads,
        limits=RunLimits(end.max_frames, end.duration),
        json=results.json,
        csv=table.csv,
        mqtt=mqtt_settings(chosen(MqttOptions, values)),
        metrics=metrics_address(metrics),
        metrics_names=metrics.metrics_name,
        plugin_sinks=plugin_sinks(chosen(SinkOptions, values)),
        save=results.save,
        serve=serve,
        show=show,
        status=shows_status(chosen(LogOptions, values)) and not (prints and on_terminal(sys.stdout)),
        top=table.top,
        anonymize=table.anonymize,
    )


def film_part(names: tuple[str, ...], options: FilmOptions) -> FilmPart:
    """Which part of each film is read.

    Raises:
        click.UsageError: the part has no length, or the source is no film.
    """
    from edge_fer.camera.film_part import FilmPart
    from edge_fer.camera.live import is_live

    given = [f"--{name}" for name in ("start", "end", "every") if getattr(options, name) is not None]
    if given and (names[0] == "demo" or is_live(names[0])):
        raise click.UsageError(f"{given[0]} is for films: give a file or folder, not {names[0]}")
    if options.end is not None and options.end <= (options.start or 0.0):
        raise click.UsageError(f"--end {options.end:g} is not after --start {options.start or 0.0:g}: give a later one")
    return FilmPart(options.start or 0.0, options.end, options.every)


def shows_status(log: LogOptions) -> bool:
    """Whether people look at standard error and want to see the progress."""
    return on_terminal(sys.stderr) and not log.quiet and log.log_format == "text"


def turning(options: TurningOptions) -> Turning:
    """How pictures are turned, by --rotate and --flip."""
    from edge_fer.camera.turning import Turning

    rotate: Any = 0 if options.rotate == AUTO else int(options.rotate)
    return Turning(rotate, options.flip)


def camera_settings(source: str, options: SourceOptions, turn: TurningOptions, limits: LimitOptions) -> CameraSettings:
    """What is asked of a source.

    Raises:
        ConfigError: its password is unusable.
    """
    from edge_fer.camera.settings import CameraSettings

    return CameraSettings(
        width=options.width,
        height=options.height,
        fps=options.fps or FPS,
        snapshot_fps=options.fps or SNAPSHOT_FPS,
        password=source_password(source, options.source_password_file),
        stall_seconds=options.stall_seconds,
        max_picture_px=round(limits.max_megapixels * 1e6),
        turning=turning(turn),
        find_rotation=turn.rotate == AUTO,
    )


def source_password(source: str, file: Path | None) -> str | None:
    """The password of an IP camera; None where the source is none, or needs none.

    Raises:
        ConfigError: the file is unusable, or there is no address whose password it could be.
    """
    from edge_fer.errors import ConfigError
    from edge_fer.passwords import read_password

    if "://" not in source:
        if file is None:
            return None
        raise ConfigError("--source-password-file is for an address of a camera, such as rtsp://USER@HOST/PATH")
    password = read_password(file, os.environ, SOURCE_CREDENTIAL, "camera's")
    login = source.partition("://")[2].partition("/")[0]
    # A credential may be there for another source than the one that is asked for now.
    return password if file is not None or "@" in login or "{password}" in source else None


def camera_name(text: str) -> str:
    """What `--camera` means: a number, a path and `rpicam` as they are, any other word a name in /dev/v4l/by-id."""
    is_plain = text.isdigit() or "/" in text or not text or text.partition(":")[0] == CSI_CAMERA
    return text if is_plain else f"/dev/v4l/by-id/{text}"


def following_settings(options: FollowingOptions, detector: DetectorOptions) -> FaceSettings:
    """How to search and how to follow, from the options given and the preset for those that are not."""
    from edge_fer.detectors import FaceSettings
    from edge_fer.faces.detector_settings import DetectorSettings
    from edge_fer.faces.tracking_settings import PRESETS, TrackingSettings

    preset = PRESETS[options.preset]
    search = DetectorSettings(
        model=detector.detector_model,
        cascade=detector.cascade,
        detect_width=options.detect_width,
        scale_factor=options.scale_factor or preset.scale_factor,
        min_face_px=options.min_face_px or preset.min_face_px,
        max_faces=options.max_faces,
    )
    detect_every = options.detect_every or preset.detect_every
    tracking = TrackingSettings(
        detect_every=detect_every,
        search_every=min(detect_every, preset.search_every),
        look_every=preset.look_every,
        looks_a_frame=preset.looks_a_frame,
        read_every=preset.read_every,
        forget_seconds=options.forget_seconds,
        idle_fps=options.idle_fps,
        max_faces=options.max_faces,
    )
    return FaceSettings(detector.detector, search, tracking)


def plugin_sinks(options: SinkOptions) -> tuple[tuple[str, str], ...]:
    """Name and text of each output of another package."""
    parts = (text.partition("=") for text in options.sink)
    return tuple((name, value) for name, _, value in parts)


def metrics_address(options: MetricsOptions) -> Address | None:
    """Where the metrics are served; None for nowhere.

    Raises:
        ConfigError: it is no address.
    """
    from edge_fer.sinks.net import check_names, parse_address

    check_names(options.metrics_name, "--metrics-name")
    return None if options.metrics is None else parse_address(options.metrics, "--metrics")


def mqtt_settings(options: MqttOptions) -> MqttSettings | None:
    """What is asked of MQTT; None where it is not asked for.

    Raises:
        ConfigError: an option is unusable.
    """
    from edge_fer.errors import ConfigError
    from edge_fer.sinks.mqtt_settings import check_identity, check_topic, parse_mqtt_url, read_password

    if options.mqtt is None:
        return None
    settings = parse_mqtt_url(options.mqtt)
    if options.mqtt_ca is not None and not settings.tls:
        raise ConfigError("--mqtt-ca is for TLS: give the broker as mqtts://")
    if (options.mqtt_cert is None) != (options.mqtt_key is None):
        raise ConfigError("--mqtt-cert and --mqtt-key belong together: give both")
    if options.mqtt_cert is not None and not settings.tls:
        raise ConfigError("--mqtt-cert is for TLS: give the broker as mqtts://")
    if options.mqtt_id is not None:
        check_identity(options.mqtt_id)
    discovery_prefix = options.mqtt_discovery.strip("/")
    check_topic(discovery_prefix, "--mqtt-discovery")
    password = read_password(options.mqtt_password_file, os.environ)
    if password is not None and settings.user is None:
        raise ConfigError("there is a password for MQTT but no user: give the broker as mqtt://USER@HOST")
    return replace(
        settings,
        password=password,
        ca=options.mqtt_ca,
        certificate=options.mqtt_cert,
        key=options.mqtt_key,
        interval_seconds=options.mqtt_interval,
        discovery_prefix=discovery_prefix,
        name=options.mqtt_name,
        identity=options.mqtt_id,
    )


def web_settings(options: PageOptions) -> WebSettings | None:
    """What is asked of the page; None where it is not asked for.

    Raises:
        ConfigError: an option is unusable.
    """
    from edge_fer.sinks.net import parse_address
    from edge_fer.sinks.web.settings import WebSettings, parse_proxies

    if options.serve is None:
        return None
    return WebSettings(
        parse_address(options.serve, "--serve", "127.0.0.1:8080"),
        options.serve_name,
        proxies=parse_proxies(options.trusted_proxy, "--trusted-proxy"),
        token=options.serve_token,
    )
