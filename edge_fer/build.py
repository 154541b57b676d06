"""The one place where settings become parts."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from edge_fer.camera._ffmpeg import restrict_process

# First of all imports: OpenCV reads how long a camera may block when it is loaded.
from edge_fer.camera._opencv import use_threads
from edge_fer.camera.auto_turning import AutoTurnedSource
from edge_fer.camera.files import Files, open_files
from edge_fer.camera.read_ahead import ReadAhead
from edge_fer.camera.settings import CameraSettings
from edge_fer.camera.turning import TurnedSource, turned_truth
from edge_fer.camera.videos import VideoFile
from edge_fer.detectors import FaceSettings, build_file_follower, build_follower, open_detector, upright_judge
from edge_fer.errors import MissingExtra, one_line
from edge_fer.faces.detector_settings import DetectorSettings
from edge_fer.inference.notes import classifier_notes
from edge_fer.inference.open_model import open_classifier
from edge_fer.inference.smoothing import ScoreSmoother
from edge_fer.pipeline import Pipeline, RunLimits
from edge_fer.reading import ReadingSchedule
from edge_fer.registry import SINKS, create
from edge_fer.serving import serve_metrics, serve_page
from edge_fer.settings import FollowingOptions
from edge_fer.sinks.anonymize import Anonymizer
from edge_fer.sinks.csv import CsvFileSink, CsvSink
from edge_fer.sinks.film import FILM_SUFFIXES, import_av
from edge_fer.sinks.jsonl import JsonLinesSink
from edge_fer.sinks.mqtt import open_mqtt
from edge_fer.sinks.runner import Filling, SystemClock, run_sink, run_view_sink
from edge_fer.sinks.status import StatusLine
from edge_fer.sinks.video import FilmSettings, VideoSink
from edge_fer.sinks.window import WindowSink, choose_screen
from edge_fer.watching import both, is_watched, listen_to, monitor_of, open_watched_source

if TYPE_CHECKING:
    from edge_fer.detectors import Opened
    from edge_fer.device.notify import ServiceManager
    from edge_fer.events.opening import OpenedEvents
    from edge_fer.events.settings import EventSettings
    from edge_fer.faces.tracking import FaceFollower
    from edge_fer.pipeline import Service
    from edge_fer.protocols import Classifier, Clock, Engine, FaceDetector, FrameSource, Sink
    from edge_fer.settings import Anonymize
    from edge_fer.sinks.jsonl import ByteStream
    from edge_fer.sinks.mqtt_settings import MqttSettings
    from edge_fer.sinks.net import Address
    from edge_fer.sinks.runner import SinkRunner
    from edge_fer.sinks.web.page import PageSink
    from edge_fer.sinks.web.settings import WebSettings
    from edge_fer.types import Observation, SourceInfo, View


log = logging.getLogger(__name__)

STANDARD_OUTPUT = "-"
"""The name of a table that is printed."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """All that a run is asked for."""

    source: str = "demo"
    """`demo`, a video, a folder, a URL, or a camera by number, /dev/videoN or by-id name."""
    more_sources: tuple[str, ...] = ()
    """Files and folders that are read after it."""
    recursive: bool = False
    """Look into folders within folders, too."""
    camera: CameraSettings = field(default_factory=CameraSettings)
    """What is asked of a camera."""
    wait: bool = False
    """Wait for a camera or stream that is not there at the start, too."""
    faces: FaceSettings = field(default_factory=FaceSettings)
    """How faces are found and followed."""
    smoothing_seconds: float = FollowingOptions().smoothing
    """Time constant over which scores are steadied; 0 leaves them as they are."""
    model: Path | None = None
    """Model file; None for the bundled one."""
    engine: str | Engine = "auto"
    """What runs the model: `auto`, a name, or an engine of your own."""
    threads: int = 1
    """Threads that OpenCV and the engine may each use, at least 1."""
    limits: RunLimits = field(default_factory=RunLimits)
    """When to end before the source does."""
    json: bool = False
    """One JSON line per frame on stdout."""
    csv: Path | None = None
    """File for one row per face; `-` is standard output."""
    append: bool = False
    """Go on with that file instead of replacing it."""
    save: Path | None = None
    """File for the annotated video."""
    mqtt: MqttSettings | None = None
    """Broker to which results are published, never a picture."""
    metrics: Address | None = None
    """Where metrics are served to Prometheus."""
    metrics_names: tuple[str, ...] = ()
    """Further host names under which it may ask."""
    plugin_sinks: tuple[tuple[str, str], ...] = ()
    """Outputs of other packages: the name of each, and the text that it is given."""
    events: EventSettings | None = None
    """Rules over what is seen, and what happens when one becomes true."""
    serve: WebSettings | None = None
    """Page in the browser, with the live picture."""
    show: bool = False
    """A window with the annotated frames."""
    status: bool = False
    """A line on the terminal that shows the progress."""
    top: int = 1
    """How many of the best emotions to show at each face, at least 1."""
    anonymize: Anonymize | None = None
    """How faces are hidden in all pictures that are shown, saved or sent; None shows them."""


@dataclass(frozen=True, slots=True)
class Streams:
    """Where a run writes, and its service manager."""

    output: ByteStream
    """Takes results: the JSON lines."""
    terminal: TextIO
    """Takes the status line."""
    manager: ServiceManager | None = None
    """Is notified that the run is alive."""


def build_pipeline(settings: RunSettings, streams: Streams, clock: Clock | None = None) -> Pipeline:
    """Open the parts that the settings ask for and join them; what was opened is closed again where one fails.

    Raises:
        ConfigError: a setting is unusable; MissingExtra: a part needs a package that is not installed.
        ModelError: no usable model file.
        SourceError: the source cannot be opened.
        SinkError: a file to write cannot be created.
    """
    clock = clock or SystemClock()
    if settings.events is not None:
        settings.events.check_broker(settings.mqtt is not None)
    # OpenCV would take every core for pictures too small to share out, and fight the engine for them.
    use_threads(settings.threads)
    restrict_process(settings.source)
    opened = open_detector(settings.faces.detector, settings.faces.search)
    if opened.warning is not None:
        log.warning("%s", opened.warning)
    classifier = open_classifier(settings.model, settings.engine, settings.threads)
    source: FrameSource | None = None
    page: PageSink | None = None
    events: OpenedEvents | None = None
    services: list[Service] = []
    try:
        source = _open_source(settings, clock, streams)
        turning = settings.camera.turning
        shown = TurnedSource(source, turning) if turning else source
        if settings.camera.find_rotation:
            judge = upright_judge(opened.name, settings.faces.search)
            shown = AutoTurnedSource(source, turning, judge)
        monitor = monitor_of(source, classifier, clock)
        if settings.metrics is not None:
            services.append(serve_metrics(settings.metrics, settings.metrics_names, monitor.snapshot))
        filling = Filling.DROP_OLDEST if source.info.live else Filling.WAIT
        is_film = isinstance(source, VideoFile) and "://" not in settings.source
        part = settings.camera.part
        if settings.save is not None and is_film and (part.start_seconds or part.every_seconds):
            log.warning("%s: the sound of a part of a film is not copied", one_line(str(settings.save)))
            is_film = False
        sound_of = Path(settings.source) if is_film else None
        view_sinks = _view_sinks(settings, source.info, sound_of, filling, clock, streams)
        if settings.serve is not None:
            parts = partial(_photo_parts, settings)
            page = serve_page(
                settings.serve, parts, monitor.snapshot, clock, top=settings.top, anonymize=settings.anonymize
            )
            view_sinks.append(run_view_sink("page", page, Filling.NEWEST, clock))
        if settings.events is not None:
            events = _open_events(settings, settings.events, classifier, source.info, clock)
            services.append(events)
        sinks = _sinks(settings, source.info, classifier, filling, clock, streams)
        publish = None
        if settings.mqtt is not None:
            # The last of all: from here on a broker shows the run.
            names = () if events is None else events.published
            linked = _linked_page(settings, page)
            mqtt = open_mqtt(settings.mqtt, classifier.labels, monitor.snapshot, clock, linked, names)
            sinks.append(run_sink("mqtt", mqtt, Filling.NEWEST, clock))
            publish = mqtt.publish_event
        desk = None if events is None else events.desk(publish)
        monitor.watch([*sinks, *view_sinks, *(() if desk is None else desk.runners)])
    except BaseException:
        if page is not None:
            page.close()
        for service in services:
            service.close()
        if source is not None:
            source.close()
        classifier.close()
        raise
    # Last, so that what cannot be opened is the one line of its run.
    log.info("faces are found by %s", opened.name)
    for note in classifier_notes(classifier):
        log.info("model: %s", note)
    heartbeat = None if streams.manager is None else listen_to(source, streams.manager, clock)
    return Pipeline(
        shown if source.info.live else ReadAhead(shown),
        _follower(settings, opened, source),
        classifier,
        sinks,
        clock,
        view_sinks=view_sinks,
        # A source that is watched over sees to its silences by itself.
        limits=replace(settings.limits, stall_seconds=None) if is_watched(source) else settings.limits,
        truth=turned_truth(source, turning),
        smoother=ScoreSmoother(settings.smoothing_seconds),
        # Scores that are not steadied are those of each frame.
        schedule=ReadingSchedule(settings.faces.tracking.read_every) if settings.smoothing_seconds > 0 else None,
        note=monitor.note if heartbeat is None else both(monitor.note, heartbeat.note),
        heartbeat=heartbeat,
        services=services if heartbeat is None else [*services, heartbeat],
        events=desk,
        hide=None if settings.anonymize is None else Anonymizer(settings.anonymize),
    )


def _follower(settings: RunSettings, opened: Opened, source: FrameSource) -> FaceFollower:
    if isinstance(source, Files):
        return build_file_follower(settings.faces, opened, source.is_video)
    return build_follower(settings.faces, opened, source.info)


def _open_source(settings: RunSettings, clock: Clock, streams: Streams) -> FrameSource:
    names = (settings.source, *settings.more_sources)
    if len(names) > 1 or (settings.recursive and Path(settings.source).is_dir()):
        return open_files(map(Path, names), settings.camera, recursive=settings.recursive)
    return open_watched_source(settings.source, settings.camera, clock, wait=settings.wait)


def _sinks(
    settings: RunSettings,
    info: SourceInfo,
    classifier: Classifier,
    filling: Filling,
    clock: Clock,
    streams: Streams,
) -> list[SinkRunner[Observation]]:
    sinks = []
    if settings.json:
        sinks.append(run_sink("json", JsonLinesSink(streams.output), filling, clock))
    if settings.csv is not None:
        printed = str(settings.csv) == STANDARD_OUTPUT
        table = (
            CsvSink(streams.output, classifier.labels)
            if printed
            else CsvFileSink(settings.csv, classifier.labels, append=settings.append)
        )
        sinks.append(run_sink("csv", table, filling, clock))
    if settings.status:
        line = StatusLine(streams.terminal, clock, frame_count=_frames_to_come(settings, info), top=settings.top)
        # Nobody waits for a terminal: a status that is late is no status.
        sinks.append(run_sink("status", line, Filling.DROP_OLDEST, clock))
    for name, text in settings.plugin_sinks:
        plugin: Sink = create(SINKS, name, "output (--sink)", text, classifier.labels)
        sinks.append(run_sink(name, plugin, filling, clock))
    return sinks


def _open_events(
    settings: RunSettings, events: EventSettings, classifier: Classifier, info: SourceInfo, clock: Clock
) -> OpenedEvents:
    # A run without rules needs no HTTP client.
    from edge_fer.events.opening import OpenedEvents

    frames = _frames_to_come(settings, info)
    seconds = [settings.limits.duration_seconds] if info.live else [frames / info.fps if frames and info.fps else None]
    return OpenedEvents(
        events,
        classifier.labels,
        clock,
        live=info.live,
        append=settings.append,
        most_faces=max(settings.faces.tracking.max_faces, settings.faces.search.max_faces),
        seconds=seconds[0],
    )


def _linked_page(settings: RunSettings, page: PageSink | None) -> str | None:
    """Where Home Assistant may lead people: not to this computer alone, unless its broker is here as well."""
    if page is None or settings.serve is None or settings.mqtt is None:
        return None
    reachable = settings.serve.names or not settings.serve.address.is_loopback or settings.mqtt.local
    return page.url if reachable else None


def _view_sinks(
    settings: RunSettings,
    info: SourceInfo,
    sound_of: Path | None,
    filling: Filling,
    clock: Clock,
    streams: Streams,
) -> list[SinkRunner[View]]:
    sinks = []
    if settings.save is not None:
        several = bool(settings.more_sources) and not info.live
        film = _film_settings(settings.save, sound_of, settings.threads, several=several)
        video = VideoSink(settings.save, info, top=settings.top, film=film)
        sinks.append(run_view_sink("video", video, filling, clock))
    if settings.show:
        try:
            window = WindowSink(choose_screen(), clock, top=settings.top)
        except MissingExtra as exc:
            log.warning("%s; the run goes on without", exc)
        else:
            sinks.append(run_view_sink("window", window, filling, clock))
    return sinks


def _film_settings(path: Path, sound_of: Path | None, threads: int, *, several: bool) -> FilmSettings | None:
    """How the annotated film is written; None for what OpenCV can, with a word on what that loses."""
    if several:
        log.warning("%s: the sound of several films is not copied", one_line(str(path)))
    if path.suffix.lower() not in FILM_SUFFIXES:
        if path.suffix.lower() == ".avi" and sound_of is not None:
            words = "an AVI gets no sound and an even rate; end the name in .mp4 to keep both as they are"
            log.warning("%s: %s", one_line(str(path)), words)
        return None
    try:
        import_av()
    except MissingExtra as exc:
        sound = " without sound and" if sound_of is not None else ""
        how = f"written{sound} at an even rate, as MPEG-4 part 2, which browsers do not play"
        log.warning("%s: %s; %s", one_line(str(path)), how, exc)
        return None
    return FilmSettings(sound_of, threads)


def _photo_parts(settings: RunSettings) -> tuple[FaceDetector, Classifier]:
    # Of their own: photos are read in another thread, and more thoroughly than frames.
    own = settings.faces.search
    search = DetectorSettings.for_pictures(model=own.model, cascade=own.cascade)
    detector = open_detector(settings.faces.detector, search).detector
    return detector, open_classifier(settings.model, settings.engine, settings.threads)


def _frames_to_come(settings: RunSettings, info: SourceInfo) -> int | None:
    counts = [count for count in (info.frame_count, settings.limits.max_frames) if count is not None]
    return min(counts, default=None)
