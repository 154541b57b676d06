"""The bytes of a model file, after what is plainly none was refused."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from edge_fer.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

MOST_MODEL_BYTES = 2**31 - 1
"""Neither a protobuf (ONNX) nor a flatbuffer (TFLite) holds more."""
_NO_MODELS = (
    (b"version https://git-lfs", "is a pointer of Git LFS and not the model: run `git lfs pull`"),
    (b"<", "is a web page and not the model: download the file itself"),
)
"""How files begin that are fetched by mistake."""


def read_model_bytes(model: Path) -> bytes:
    """The content of a model file.

    Raises:
        ModelError: it is missing, no regular file, empty, too large, or plainly something else.
    """
    try:
        status = model.stat()
        # A pipe would wait, and a device may act on opening.
        if not stat.S_ISREG(status.st_mode):
            raise ModelError(f"cannot read model file {model}: it is no regular file")
        if status.st_size > MOST_MODEL_BYTES:
            raise ModelError(f"{model} is larger than a model file can be: {status.st_size} bytes")
        data = model.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"no such model file: {model}") from None
    except OSError as error:
        raise ModelError(f"cannot read model file {model}: {error.strerror}") from None
    except ValueError:
        raise ModelError(f"not a file name: {str(model)!r}") from None
    if not data:
        raise ModelError(f"{model} is empty: get or convert the model again")
    for start, what in _NO_MODELS:
        if data[:200].lstrip().startswith(start):
            raise ModelError(f"{model} {what}")
    return data
