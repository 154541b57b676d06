"""What third-party libraries do unasked, switched off before they are imported.

ONNX Runtime 1.29 and newer send usage events and keep a device ID and a database under the home folder, unless
ORT_DISABLE_TELEMETRY is set before the library is loaded. Keras reads, and where it is missing writes,
`~/.keras/keras.json`, which may hold the settings of another project. Matplotlib keeps a cache of fonts there.
No file is written and no connection is opened that the user did not ask for.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_fer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

NO_FOLDER = f"{os.devnull}/edge-fer"
"""A folder that can neither exist nor be made: libraries that are pointed to it find nothing and write nothing."""

KERAS_DEFAULTS: Mapping[str, object] = {
    "floatx": "float32",
    "epsilon": 1e-7,
    "backend": "tensorflow",
    "image_data_format": "channels_last",
}
"""What Keras itself writes into keras.json."""


def silence_onnxruntime(environment: MutableMapping[str, str] = os.environ) -> None:
    """Switch ONNX Runtime's telemetry off, for this process and those that it starts; before it is imported."""
    environment["ORT_DISABLE_TELEMETRY"] = "1"


def import_onnxruntime() -> Any:
    """ONNX Runtime without its telemetry; the only way in which this program may import it.

    Raises:
        ImportError: it is not installed, or does not work here.
    """
    silence_onnxruntime()
    onnxruntime = importlib.import_module("onnxruntime")
    # Where the program that uses this library has imported it before, what is still to come is stopped at least.
    stop = getattr(onnxruntime, "disable_telemetry_events", None)
    if stop is not None:
        stop()
    return onnxruntime


def silence_matplotlib(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let Matplotlib keep its cache in a temporary folder, which it removes at the end; before it is imported.

    A folder that the user has chosen with MPLCONFIGDIR is kept.
    """
    environment.setdefault("MPLCONFIGDIR", NO_FOLDER)
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it warns of the missing folder


def keras_file(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The keras.json that Keras would read by itself; None where there is none, or no home folder."""
    folder = environment.get("KERAS_HOME")
    if not folder:
        home = environment.get("HOME") or os.path.expanduser("~")  # noqa: PTH111 - Path.expanduser raises without a home
        folder = os.path.join(home, ".keras")  # noqa: PTH118 - as Keras does
    path = Path(folder, "keras.json")
    return path if path.is_file() else None


def isolate_keras(environment: MutableMapping[str, str] = os.environ, *, keeps_downloads: bool = False) -> str | None:
    """Keep Keras from reading and writing keras.json; before it is imported.

    Args:
        environment: of this process.
        keeps_downloads: True where the user asked for weights that Keras downloads; they are kept in Keras's own
            folder, so that keras.json there has to be usable.

    Returns:
        A line about settings in keras.json that are not used; None where there are none.

    Raises:
        ConfigError: Keras has to use its folder and keras.json there is unusable.
    """
    path = keras_file(environment)
    other = None if path is None else _other_settings(path)
    if keeps_downloads:
        if other:
            raise ConfigError(f"{path} sets {other}, which does not work here: remove these settings or the file")
        return None
    environment["KERAS_HOME"] = NO_FOLDER
    return f"{path} is not used; it sets {other}" if other else None


def _other_settings(path: Path) -> str:
    """The settings of a keras.json that differ from the defaults, as text."""
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "nothing that can be read"
    if not isinstance(settings, dict):
        return "no table of settings"
    return ", ".join(
        f"{name} to {settings[name]!r}"
        for name, usual in KERAS_DEFAULTS.items()
        if name in settings and settings[name] != usual
    )
