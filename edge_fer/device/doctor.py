"""Checks of a whole installation: each looks at one thing through a probe that is handed in, and names the fix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from edge_fer.device.board import throttled_before, throttled_now
from edge_fer.device.findings import Finding, Needs
from edge_fer.errors import EdgeFerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge_fer.device.findings import Probes, State

HOT_CELSIUS = 80.0
"""From here on a Raspberry Pi slows its processor down."""
LITTLE_BYTES, TOO_LITTLE_BYTES = 500_000_000, 50_000_000
SCHEMA = "edge-fer-doctor/1"


@dataclass(frozen=True, slots=True)
class Report:
    """What all checks found, by their names, in their order."""

    findings: Mapping[str, Finding]

    @property
    def works(self) -> bool:
        """Whether all that is needed works."""
        return all(finding.state != "fail" for finding in self.findings.values())

    def as_record(self) -> dict[str, object]:
        """The report as JSON takes it."""
        checks = [
            {"name": name, "state": finding.state, "text": finding.text, "fix": finding.fix}
            for name, finding in self.findings.items()
        ]
        return {"schema": SCHEMA, "works": self.works, "checks": checks}


Check: TypeAlias = "Callable[[Probes, Needs], Finding]"


def examine(probes: Probes) -> Report:
    """Make all checks; one that fails does not keep the others from being made."""
    findings: dict[str, Finding] = {}
    try:
        needs = probes.needs()
        findings["settings"] = Finding("ok", needs.origin)
    except EdgeFerError as error:
        needs = Needs("the defaults")
        findings["settings"] = Finding("fail", str(error), FIXES["settings"])
    for name, check in CHECKS.items():
        try:
            findings[name] = check(probes, needs)
        except EdgeFerError as error:
            findings[name] = Finding("fail", str(error), FIXES.get(name, ""))
    return Report(findings)


def check_engine(probes: Probes, _needs: Needs) -> Finding:
    """The engine opens the model."""
    return Finding("ok", probes.engine())


def check_engines(probes: Probes, _needs: Needs) -> Finding:
    """The engines that models can be run with."""
    return Finding("ok", ", ".join(probes.engines()))


def check_plug_ins(probes: Probes, _needs: Needs) -> Finding:
    """What other packages bring can be imported."""
    broken = probes.broken_parts()
    if broken:
        return Finding("warn", "; ".join(broken))
    return Finding("ok", "none is broken")


def check_models(probes: Probes, _needs: Needs) -> Finding:
    """The bundled models are as they were released, by their hashes."""
    damaged = probes.damaged_models()
    if damaged:
        return Finding("fail", "; ".join(damaged), FIXES["models"])
    return Finding("ok", "all as released")


def check_detector(probes: Probes, _needs: Needs) -> Finding:
    """The face detector opens; under `auto` it is the best that there is."""
    name, warning = probes.detector()
    return Finding("ok", f"faces are found by {name}") if warning is None else Finding("warn", warning)


def check_demo_faces(probes: Probes, _needs: Needs) -> Finding:
    """Seven faces are found in pictures and read, from the pixels to the words."""
    read = probes.demo_faces()
    missed = [emotion for emotion, right in read.items() if not right]
    text = f"{len(read) - len(missed)} of {len(read)} faces of the demo read"
    if not missed:
        return Finding("ok", text)
    return Finding("fail", f"{text}; missed: {', '.join(missed)}", FIXES["demo faces"])


def check_camera(probes: Probes, needs: Needs) -> Finding:
    """The camera that is asked for gives a picture."""
    here = probes.cameras()
    if needs.camera is None:
        known = f"connected: {', '.join(here)}" if here else "none is connected"
        return Finding("skip", f"no camera is asked for; {known}", "edge-fer doctor --camera 0" if here else "")
    installed = probes.service()
    if installed is not None and installed.status.active:
        # A camera has one user: to look at it would take it away from the service.
        return Finding("ok", f"the service has it: {installed.status.text or 'it runs'}")
    return Finding("ok", probes.picture(needs.camera))


def check_source(probes: Probes, needs: Needs) -> Finding:
    """The address, or every file, that is asked for gives a picture."""
    if not needs.sources:
        return Finding("skip", "no address or file is asked for")
    installed = probes.service()
    if needs.of_service and installed is not None and installed.status.active:
        # Many network cameras serve one client only.
        return Finding("ok", f"the service has it: {installed.status.text or 'it runs'}")
    return Finding("ok", "; ".join(probes.picture(source) for source in needs.sources))


def check_permissions(probes: Probes, needs: Needs) -> Finding:
    """This user may use the cameras."""
    here = probes.cameras()
    if not here:
        return Finding("skip", "no camera is connected")
    refused = [camera for camera in here if not probes.may_use(camera)]
    if not refused:
        return Finding("ok", "this user may use the cameras")
    state: State = "skip" if needs.camera is None else "fail"
    return Finding(state, f"this user may not use {', '.join(refused)}", FIXES["permissions"])


def check_temperature(probes: Probes, _needs: Needs) -> Finding:
    """The processor is cool enough to run at full speed."""
    celsius = probes.temperature()
    if celsius is None:
        return Finding("skip", "this computer does not report it")
    if celsius >= HOT_CELSIUS:
        return Finding("warn", f"{celsius:.0f} °C", "give it air, a heat sink or a fan: from 80 °C on it slows down")
    return Finding("ok", f"{celsius:.0f} °C")


def check_throttling(probes: Probes, _needs: Needs) -> Finding:
    """Power supply and heat let the processor run at full speed."""
    word = probes.throttled()
    if word is None:
        return Finding("skip", "this computer does not report it")
    now, before = throttled_now(word), throttled_before(word)
    fix = "use the power supply made for this board, and cool it"
    if now:
        return Finding("warn", f"now: {', '.join(now)}", fix)
    if before:
        return Finding("warn", f"since it was switched on: {', '.join(before)}", fix)
    return Finding("ok", "none since it was switched on")


def check_disk(probes: Probes, needs: Needs) -> Finding:
    """There is space where the run writes."""
    free = probes.free_bytes(needs.folder)
    text = f"{free / 1e9:.1f} GB free in {needs.folder}"
    if free >= LITTLE_BYTES:
        return Finding("ok", text)
    return Finding(
        "fail" if free < TOO_LITTLE_BYTES else "warn", text, "make space: sudo journalctl --vacuum-size=100M"
    )


def check_service(probes: Probes, _needs: Needs) -> Finding:
    """The service, where one is installed, runs and starts at boot."""
    installed = probes.service()
    if installed is None:
        return Finding("skip", "not installed", "sudo edge-fer service install --camera 0")
    status, start = installed.status, installed.command
    if not status.active:
        return Finding("fail", f"{installed.file} does not run", f"{start} logs, then {start} restart")
    if not status.enabled:
        return Finding("warn", "it runs, but does not start at boot", f"systemctl enable {installed.file}")
    if not installed.current or status.stale:
        return Finding("warn", "it runs, but not with the settings and the version as they are now", f"{start} restart")
    restarts = f"; it was started again {status.restarts} times" if status.restarts else ""
    return Finding("ok", f"it runs{restarts}")


def check_broker(probes: Probes, needs: Needs) -> Finding:
    """The broker lets us in."""
    if needs.broker is None:
        return Finding("skip", "no broker is asked for")
    probes.broker()
    return Finding("ok", f"{needs.broker} lets us in")


def check_confinement(probes: Probes, _needs: Needs) -> Finding:
    """Files of strangers are opened behind walls: no network, and no files but their own."""
    walls = probes.walls()
    if walls.missing:
        return Finding("warn", walls.sentence(), FIXES["confinement"])
    return Finding("ok", walls.sentence())


CHECKS: Mapping[str, Check] = {
    "engine": check_engine,
    "engines": check_engines,
    "plug-ins": check_plug_ins,
    "models": check_models,
    "detector": check_detector,
    "demo faces": check_demo_faces,
    "permissions": check_permissions,
    "camera": check_camera,
    "source": check_source,
    "temperature": check_temperature,
    "throttling": check_throttling,
    "disk": check_disk,
    "service": check_service,
    "broker": check_broker,
    "confinement": check_confinement,
}

FIXES: Mapping[str, str] = {
    "settings": "correct it and look at `edge-fer config show`; where only root may read a file: sudo edge-fer doctor",
    "engine": "reinstall edge-fer with its engine; docs/install.md shows how",
    "models": "reinstall edge-fer: pip install --force-reinstall --no-deps edge-fer",
    "demo faces": "take the bundled model; if this is it, reinstall edge-fer",
    "permissions": "sudo usermod -aG video $USER, then log in again",
    "camera": "connect it, and look for its name in /dev/v4l/by-id",
    "disk": "look whether the folder exists",
    "service": "sudo edge-fer service install",
    "confinement": "models of others are checked all the same; for the missing walls: sudo apt install bubblewrap, or "
    "a kernel of 5.13 or newer with Landlock",
    "broker": "look whether it runs, and at --mqtt and what belongs to it",
}
"""What to do where a probe fails with a message that names no way out of its own, or beside it."""
