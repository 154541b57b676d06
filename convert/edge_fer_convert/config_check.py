"""A model's configuration, checked part by part and written again from what was checked.

Keras builds what a configuration names: classes by module and name, functions by name, whatever lies nested in
them. So nothing of it reaches Keras as it came: each object must be on a list of `known_layers`, and what is passed
on is made here, with Keras's own module in place of the given one and without what is not needed for inference
(`compile_config`, registered names, unknown keys of an object).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from edge_fer.errors import ModelError
from edge_fer_convert import known_layers as known
from edge_fer_convert.known_operations import PURE, words

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TRUST = "if the file is yours, give --trust-model"
Road: TypeAlias = Literal["keras", "tf_keras"]
"""Which package builds the model."""

MOST_CONFIG_BYTES = 20_000_000
_DEEPEST, _MOST_VALUES = 100, 2_000_000
"""Ten models within each other take 40 levels; EfficientNetB7 has 50,000 values."""
_MOST_TEXT = 300
_NAME = re.compile(r"[\w.()\[\]<>=+ -][\w./()\[\]<>:=+, -]{0,200}")
_NAMED_FUNCTIONS = (
    ("activation", known.ACTIVATIONS, "activation"),
    ("initializer", known.INITIALISER_NAMES, "initialiser"),
    ("regularizer", known.REGULARISER_NAMES, "regulariser"),
    ("constraint", known.CONSTRAINT_NAMES, "constraint"),
)
_OPERATION_MODULE = re.compile(r"(?:keras\.src|keras)\.(?:ops|legacy\.ops)\.([a-z]+)")
_VALUES = {"__tensor__", "__numpy__"}


def parse_config(path: Path, data: bytes | str) -> dict[str, Any]:
    """Read the JSON of a configuration.

    Raises:
        ModelError: it is no JSON object, or far too large or deep for one of a model.
    """
    if len(data) > MOST_CONFIG_BYTES:
        raise ModelError(
            f"{path} has a configuration of {len(data) / 1e6:.0f} MB, far more than a model needs: refused, "
            "get the model again"
        )
    try:
        value = json.loads(data)
    except RecursionError:
        raise ModelError(
            f"{path} has a configuration that is nested too deep for a model: refused, get the model again"
        ) from None
    except (ValueError, UnicodeDecodeError):
        raise ModelError(f"{path} has a configuration that is no JSON, it is damaged: get the model again") from None
    _check_size(path, value)
    if not isinstance(value, dict):
        raise ModelError(f"{path} is no model architecture: give the JSON that model.to_json() made")
    return value


def _check_size(path: Path, value: Any) -> None:
    waiting, count = [(value, 0)], 0
    while waiting:
        item, depth = waiting.pop()
        count += 1
        if depth > _DEEPEST:
            raise ModelError(
                f"{path} has a configuration that is nested too deep for a model: refused, get the model again"
            )
        if count > _MOST_VALUES:
            raise ModelError(
                f"{path} has a configuration of more than {_MOST_VALUES} values: refused, get the model again"
            )
        if isinstance(item, (dict, list)):
            waiting.extend((inner, depth + 1) for inner in (item.values() if isinstance(item, dict) else item))


def checked_config(path: Path, config: dict[str, Any], road: Road) -> dict[str, Any]:
    """The configuration as it may be given to Keras.

    Args:
        path: names the file in errors.
        config: what `parse_config` read.
        road: the package that will build it.

    Raises:
        ModelError: a part of it is not on the lists; the layer is named.
    """

    def refuse(text: str) -> None:
        raise ModelError(f"{path}: {text}: {TRUST}")

    made = _Check(road, refuse).object(config, _Place())
    if made.get("class_name") not in known.MODELS:
        raise ModelError(f"{path} is a {made.get('class_name')} and no model: give the file that model.save() made")
    return made


def complaints_of(config: dict[str, Any], road: Road) -> tuple[str, ...]:
    """All that `checked_config` would refuse a configuration for, one sentence each, in their order."""
    found: list[str] = []
    _Check(road, found.append).object(config, _Place())
    return tuple(dict.fromkeys(found))


def is_of_keras_2(config: dict[str, Any]) -> bool:
    """Whether a whole model's configuration was written by Keras 2: its layers name modules or keys of that."""
    waiting: list[Any] = [config]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            module = item.get("module")
            if isinstance(module, str) and module.startswith(("keras.src.engine", "keras.engine")):
                return True
            if "batch_input_shape" in item:
                return True
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
    return False


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the configuration something stands."""

    layer: str = ""
    key: str = ""
    layers: frozenset[str] = frozenset()
    """Names of all layers of the model around it."""
    call: bool = False
    """True inside the arguments of a call."""

    def at(self, key: str) -> _Place:
        return _Place(self.layer, key, self.layers, self.call)


@dataclass(frozen=True, slots=True)
class _Check:
    road: Road
    refuse: Callable[[str], None]

    def value(self, value: Any, place: _Place) -> Any:
        if isinstance(value, list):
            known_ones = 3 if _is_reference(value, place.layers) else int(value[:1] == ["_CONSTANT_VALUE"])
            if place.call and known_ones:
                return [*value[:known_ones], *(self.value(item, place) for item in value[known_ones:])]
            return [self.value(item, place) for item in value]
        if isinstance(value, dict):
            if "class_name" in value:
                return self.object(value, place)
            return {self._key(key, place): self.value(item, place.at(key)) for key, item in value.items()}
        if isinstance(value, str):
            return self._text(value, place)
        return value

    def object(self, entry: dict[str, Any], place: _Place) -> dict[str, Any] | Any:
        kind, config, module = entry.get("class_name"), entry.get("config"), entry.get("module")
        if not isinstance(kind, str):
            self.refuse(f"{_layer(place)} has a class name that is no text")
            return entry
        if kind == "function":
            return self._function(entry, place)
        if kind in ("__tuple__", "TensorShape"):
            return {"class_name": kind, "items": self.value(entry.get("items", []), place)}
        if kind == "__ellipsis__":
            return {"class_name": kind, "config": {}}
        if kind == "__slice__":
            return {"class_name": kind, "config": self.value(_dictionary(config), place)}
        if kind in _VALUES:
            config = _dictionary(config)
            kept = {"value": self._numbers(config.get("value"), place), "dtype": config.get("dtype")}
            self._listed(kept["dtype"], known.NUMBER_TYPES, "type of numbers", place)
            # Keras 2.12 wrote plain numbers of NumPy like this, and layers take them as numbers alone.
            plain = isinstance(kept["value"], (int, float)) and not place.call
            return kept["value"] if plain else {"class_name": kind, "config": kept}
        if kind == "__keras_tensor__":
            return {"class_name": kind, "config": self._keras_tensor(_dictionary(config), place)}
        name = config.get("name", entry.get("name")) if isinstance(config, dict) else entry.get("name")
        policy = kind in known.POLICIES or kind in known.INITIALISERS | known.REGULARISERS | known.CONSTRAINTS
        if isinstance(name, str) and not policy:
            place = _Place(name, place.key, place.layers)
        home = self._home(kind, module, entry.get("registered_name"), place)
        return self._written(entry, kind, home, place)

    def _home(self, kind: str, module: Any, registered: Any, place: _Place) -> str | None:
        """Keras's own module of a class; refuses what is not on the lists."""
        if module is not None and not isinstance(module, str):
            self.refuse(f"{_layer(place)} names a module that is no text")
            return None
        if module is not None:
            operation = _OPERATION_MODULE.fullmatch(module)
            if operation and kind in known.KERAS_OPERATIONS.get(operation[1], ()) and self.road == "keras":
                return f"keras.src.ops.{operation[1]}"
        of_keras = module is None or known.OF_KERAS.fullmatch(module) is not None
        custom = isinstance(registered, str) and ">" in registered and not registered.startswith("Keras>")
        homes = _HOMES[self.road]
        if of_keras and not custom and kind in homes:
            return homes[kind]
        if kind in _CODE:
            self.refuse(f"{_layer(place)} is a {kind}, which can hold code")
        elif of_keras and not custom:
            self.refuse(f"{_layer(place)} is of the class {kind}, which is not among Keras's layers for inference")
        else:
            where = f" of {module}" if module is not None and not of_keras else ""
            self.refuse(f"{_layer(place)} is of the class {kind}{where}, which Keras does not have")
        return None

    def _written(self, entry: dict[str, Any], kind: str, home: str | None, place: _Place) -> dict[str, Any]:
        config = entry.get("config")
        if kind in known.FUNCTION_LAYERS:
            self._tensorflow_function(kind, _dictionary(config), place)
        if kind in known.GRAPH_LAYERS:
            self._tensorflow_node(_dictionary(config), place)
        inner = place
        if kind in known.MODELS:
            inner = _Place(place.layer, "", _names_of(config))
        if config is None:
            config = {}
        if not isinstance(config, (dict, list)):
            self.refuse(f"{_layer(place)} has a configuration that is no object")
            config = {}
        skipped = ("function", "node_def") if kind in known.FUNCTION_LAYERS | known.GRAPH_LAYERS else ()
        if isinstance(config, list):
            made: Any = [self.value(item, inner) for item in config]
        else:
            made = {
                key: item if key in skipped else self.value(item, inner.at(self._key(key, inner)))
                for key, item in config.items()
            }
        result: dict[str, Any] = {"class_name": kind, "config": made}
        if "module" in entry or "registered_name" in entry:
            result["module"], result["registered_name"] = home, None
        if isinstance(entry.get("build_config"), dict):
            result["build_config"] = self._numbers(entry["build_config"], place)
        if isinstance(entry.get("shared_object_id"), int):
            result["shared_object_id"] = entry["shared_object_id"]
        if "name" in entry:
            result["name"] = self._text(entry["name"], place.at("name")) if isinstance(entry["name"], str) else None
        if "inbound_nodes" in entry:
            call = _Place(place.layer, "", place.layers, call=True)
            result["inbound_nodes"] = self.value(entry["inbound_nodes"], call)
        for key in ("keras_version", "backend"):
            if isinstance(entry.get(key), str):
                result[key] = self._text(entry[key], place.at(key))
        return result

    def _function(self, entry: dict[str, Any], place: _Place) -> Any:
        name, module = entry.get("config"), entry.get("module")
        plain = isinstance(module, str) and (module == "builtins" or known.OF_KERAS.fullmatch(module) is not None)
        if not isinstance(name, str) or not plain or name not in known.ACTIVATIONS:
            self.refuse(
                f"{_layer(place)} calls the function {str(name)[:80]!r}, which is not among Keras's activations"
            )
            return entry
        return name

    def _tensorflow_function(self, kind: str, config: dict[str, Any], place: _Place) -> None:
        function = config.get("function")
        if kind == "SlicingOpLambda":
            if function not in (None, "__operators__.getitem"):
                self.refuse(f"{_layer(place)} calls {str(function)[:80]!r} in place of a slice")
        elif not isinstance(function, str) or function not in known.TF_FUNCTIONS:
            self.refuse(f"{_layer(place)} calls {str(function)[:80]!r}, which is not among the functions for inference")

    def _tensorflow_node(self, config: dict[str, Any], place: _Place) -> None:
        node = config.get("node_def")
        kind = node.get("op") if isinstance(node, dict) else None
        if not isinstance(kind, str) or kind not in PURE:
            self.refuse(f"{_layer(place)} does {str(kind)[:80]!r}, which is not among the operations for inference")
        elif "func" in json.dumps(node):
            self.refuse(f"{_layer(place)} names a function of a graph")

    def _keras_tensor(self, config: dict[str, Any], place: _Place) -> dict[str, Any]:
        history = config.get("keras_history")
        if not isinstance(history, list) or not _is_reference(history, place.layers):
            self.refuse(f"{_layer(place)} takes a tensor of a layer that the model does not have")
        self._listed(config.get("dtype"), known.NUMBER_TYPES, "type of numbers", place)
        return {
            "shape": self._numbers(config.get("shape"), place),
            "dtype": config.get("dtype"),
            "keras_history": history,
        }

    def _numbers(self, value: Any, place: _Place) -> Any:
        """Lists, objects and numbers without a text among their values."""
        if isinstance(value, list):
            return [self._numbers(item, place) for item in value]
        if isinstance(value, dict):
            if value.get("class_name") == "__tuple__":
                return {"class_name": "__tuple__", "items": self._numbers(value.get("items"), place)}
            return {self._key(key, place): self._numbers(item, place) for key, item in value.items()}
        if isinstance(value, str) and value not in known.NUMBER_TYPES:
            self.refuse(f"{_layer(place)} has the text {value[:80]!r} where numbers must be")
        return value

    def _text(self, text: str, place: _Place) -> str:
        for ending, allowed, what in _NAMED_FUNCTIONS:
            if place.key == ending or place.key.endswith("_" + ending):
                self._listed(text, allowed, what, place)
                return text
        if place.key in ("dtype", "output_dtype", "compute_dtype", "variable_dtype"):
            self._listed(text, known.NUMBER_TYPES, "type of numbers", place)
        elif place.key == "function":
            self.refuse(f"{_layer(place)} names the function {text[:80]!r}")
        elif place.key == "vocabulary":
            self.refuse(f"{_layer(place)} reads another file")
        elif "://" in text:
            self.refuse(f"{_layer(place)} names the address {text[:80]!r}")
        elif place.call and place.key != "name":
            if text not in known.ARGUMENT_WORDS | known.NUMBER_TYPES:
                self.refuse(f"{_layer(place)} is called with the text {text[:80]!r}")
        elif len(text) > _MOST_TEXT or (place.key == "name" and not _NAME.fullmatch(text)):
            self.refuse(f"{_layer(place)} holds the text {text[:80]!r}, which is no name")
        return text

    def _key(self, key: str, place: _Place) -> str:
        if len(key) > _MOST_TEXT:
            self.refuse(f"{_layer(place)} holds the key {key[:80]!r}")
        return key

    def _listed(self, text: Any, allowed: frozenset[str], what: str, place: _Place) -> None:
        if text is not None and (not isinstance(text, str) or text not in allowed):
            self.refuse(f"{_layer(place)} has the {what} {str(text)[:80]!r}, which Keras does not have")


def _homes(road: Road) -> dict[str, str]:
    """Keras's own module of every class that is allowed."""
    functional = "keras.src.models.functional" if road == "keras" else "keras.src.engine.functional"
    homes = dict.fromkeys(known.LAYERS, "keras.layers")
    homes |= {kind: f"keras.src.applications.{module}" for kind, module in known.APPLICATION_LAYERS.items()}
    homes |= dict.fromkeys(known.INITIALISERS, "keras.initializers")
    homes |= dict.fromkeys(known.REGULARISERS, "keras.regularizers") | dict.fromkeys(
        known.CONSTRAINTS, "keras.constraints"
    )
    homes |= {"Sequential": "keras", "Model": "keras", "Functional": functional}
    homes |= dict.fromkeys(known.POLICIES, "keras" if road == "keras" else "keras.mixed_precision")
    if road == "tf_keras":
        homes |= dict.fromkeys(known.FUNCTION_LAYERS, "keras.src.layers.core.tf_op_layer")
        homes |= dict.fromkeys(known.GRAPH_LAYERS, "keras.src.engine.base_layer")
        homes["SyncBatchNormalization"] = "keras.layers.experimental"
    return homes


_CODE = words(
    "Lambda __lambda__ TFSMLayer TorchModuleWrapper JaxLayer FlaxLayer ClassMethod InstanceMethod InstanceProperty"
)
"""Named in the refusal for what they are."""
_HOMES: dict[Road, dict[str, str]] = {"keras": _homes("keras"), "tf_keras": _homes("tf_keras")}


def _dictionary(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _layer(place: _Place) -> str:
    return f"layer {place.layer[:80]!r}" if place.layer else "the model"


def _names_of(config: Any) -> frozenset[str]:
    layers = config.get("layers") if isinstance(config, dict) else config
    names: set[str] = set()
    for layer in layers if isinstance(layers, list) else []:
        if isinstance(layer, dict):
            inner = layer.get("config")
            found = (layer.get("name"), inner.get("name") if isinstance(inner, dict) else None)
            names.update(name for name in found if isinstance(name, str))
    return frozenset(names)


def _is_reference(value: list[Any], layers: frozenset[str]) -> bool:
    """Whether a list begins with the name of a layer and the places of its node and tensor."""
    return (
        len(value) >= 3
        and isinstance(value[0], str)
        and value[0] in layers
        and isinstance(value[1], int)
        and isinstance(value[2], int)
    )
