"""Write docs/configuration.md from the settings themselves, so that the page cannot say anything else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge_fer.cli.config import text_of
from edge_fer.settings import FROM_FILES, keys, settings_of

if TYPE_CHECKING:
    from edge_fer.config.setting import Setting

PAGE = Path(__file__).with_name("configuration.md")
INTRODUCTION = """\
# Configuration

This page is made by `script/docs` from the declarations in `edge_fer/settings.py`.

Each option of `edge-fer run` is also a key of a configuration file and an environment variable. `--min-face-px 64`,
`EDGE_FER_MIN_FACE_PX=64` and the line `min_face_px = 64` say the same. What stands further up in this list wins:

1. the command line
2. environment variables; an empty one counts as not set
3. the file of the user, `$XDG_CONFIG_HOME/edge-fer/config.toml`, else `~/.config/edge-fer/config.toml`
4. the file of the machine, `/etc/edge-fer/config.toml`
5. the default

`--config FILE`, or `EDGE_FER_CONFIG=FILE`, is read instead of the two files. `edge-fer config show` prints every
setting, its value and where it is from; `edge-fer config path` prints the files.

A file is TOML: one `key = value` a line, texts in quotes. [An example](../deploy/config.toml):

```toml
camera = "0"
fps = 15
min_face_px = 64
```

Rules of [events](events.md) are tables `[[events]]` below the other keys; those of the strongest file count.

A key that does not exist, a value of the wrong type and one out of range are errors that name the file and the key,
with exit code 78; a service is not restarted on it. `source` and `camera` exclude each other: the one from the higher
place counts. All settings apply to `edge-fer run` and the service; those marked * apply to `edge-fer predict`, too.

Give whole paths: others start from the folder in which the command runs. Keep passwords out of files that everybody
may read.

| key | value | default | what it does |
|---|---|---|---|
"""


def configuration_page() -> str:
    """The whole page as Markdown."""
    for_pictures = {setting.name for setting in settings_of(FROM_FILES["predict"])}
    return INTRODUCTION + "".join(_row(setting, " *" if setting.name in for_pictures else "") for setting in keys())


def _row(setting: Setting, mark: str) -> str:
    default = f"`{text_of(setting.default)}`" if setting.default is not None else ""
    value = f"{setting.wanted}, {setting.unit}" if setting.unit else setting.wanted
    cells = (f"`{setting.name}`{mark}", value, default, setting.help)
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |\n"


if __name__ == "__main__":
    PAGE.write_text(configuration_page(), encoding="utf-8")
