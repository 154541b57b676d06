"""A SavedModel, checked operation by operation and written again with its serving function alone.

A SavedModel is a program: whatever its functions do is done by TensorFlow. Only the operations of `known_operations`
pass, in every function that the serving signature reaches. All other functions, the operations that save and restore,
assets and start-up operations are not copied, so that nothing can run that was not looked at.
"""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING, Any

from edge_fer.errors import ModelError
from edge_fer.inference.call_sizes import MOST_NODES, most_nodes_of_calls
from edge_fer.inference.model_bytes import read_model_bytes
from edge_fer_convert.config_check import TRUST
from edge_fer_convert.known_operations import LOOPS, PURE, STRUCTURE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

MOST_BYTES = 4_000_000_000
_PLAIN_OBJECTS = frozenset(
    {"trackable_list_wrapper", "trackable_dict_wrapper", "trackable_tuple_wrapper", "signature_map"}
)
_OTHER_OBJECT = "_generic_user_object"
_WEIGHTS = re.compile(r"variables\.(index|data-\d{5}-of-\d{5})")
_START_UP = ("Assign", "RestoreV2")


def copy_checked_saved_model(path: Path, folder: Path, *, loops: bool = False) -> None:
    """Write what may be run of a SavedModel into another folder.

    Args:
        path: the folder of the SavedModel.
        folder: an empty folder.
        loops: whether the graph may repeat, as recurrent layers do; for graphs that were made here.

    Raises:
        ModelError: it is no SavedModel, holds links, or an operation that is not for inference.
    """

    def refuse(text: str) -> None:
        raise ModelError(f"{path}: {text}: {TRUST}")

    message = _read(path)
    _cleaned(message, refuse, PURE | STRUCTURE | (LOOPS if loops else frozenset()))
    (folder / "saved_model.pb").write_bytes(message.SerializeToString())
    (folder / "variables").mkdir()
    _copy_weights(path, folder / "variables")


def complaints_of_saved_model(path: Path) -> tuple[str, ...]:
    """All that `copy_checked_saved_model` would refuse, one sentence each.

    Raises:
        ModelError: it is no SavedModel.
    """
    found: list[str] = []
    _cleaned(_read(path), found.append, PURE | STRUCTURE)
    return tuple(dict.fromkeys(found))


def _read(path: Path) -> Any:
    graph_file = path / "saved_model.pb"
    if not graph_file.is_file():
        raise ModelError(f"{path} is a folder without saved_model.pb: give a SavedModel, or a .keras or .h5 file")
    if graph_file.is_symlink():
        raise ModelError(f"{path} holds links to other files: refused; {TRUST}")
    from tensorflow.core.protobuf import saved_model_pb2

    message = saved_model_pb2.SavedModel()
    try:
        message.ParseFromString(read_model_bytes(graph_file))
    except ModelError:
        raise
    except Exception:  # protobuf's DecodeError
        raise ModelError(f"{graph_file} is damaged: get the model again") from None
    return message


def _copy_weights(path: Path, folder: Path) -> None:
    """Copy variables/*, each opened once and never through a link."""
    source = path / "variables"
    total = 0
    try:
        if source.is_symlink():
            raise ModelError(f"{path} holds links to other files: refused; {TRUST}")
        names = sorted(entry.name for entry in os.scandir(source)) if source.is_dir() else []
        for name in names:
            if not _WEIGHTS.fullmatch(name):
                continue
            descriptor = os.open(source / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file, (folder / name).open("wb") as copy:
                status = os.fstat(descriptor)
                total += status.st_size
                if not stat.S_ISREG(status.st_mode) or total > MOST_BYTES:
                    raise ModelError(f"{path}: variables/{name} is no file of weights: refused, get the model again")
                while block := file.read(1 << 22):
                    copy.write(block)
    except OSError as error:
        if (source / name).is_symlink():
            raise ModelError(f"{path} holds links to other files: refused; {TRUST}") from None
        raise ModelError(f"cannot read the weights of {path}: {error.strerror}") from None


def _cleaned(message: Any, refuse: Callable[[str], None], allowed: frozenset[str]) -> None:
    """Take away what inference does not need, in place, and look at what is left."""
    serving = [graph for graph in message.meta_graphs if "serve" in graph.meta_info_def.tags]
    graphs = serving[:1] or list(message.meta_graphs)[:1]
    if not graphs:
        refuse("it holds no graph")
        return
    kept = _copy(graphs[0])
    del message.meta_graphs[:]
    message.meta_graphs.append(kept)
    graph = message.meta_graphs[0]
    del graph.asset_file_def[:]
    graph.meta_info_def.function_aliases.clear()
    del graph.graph_def.library.gradient[:]
    del graph.graph_def.library.registered_gradients[:]
    if len(graph.object_graph_def.nodes):
        _clean_objects(graph, refuse, allowed)
    else:
        _clean_session_graph(graph, refuse, allowed)


def _clean_objects(graph: Any, refuse: Callable[[str], None], allowed: frozenset[str]) -> None:
    objects = graph.object_graph_def
    served = _serving_function(objects)
    if served is None:
        refuse("it has no serving signature")
        return
    functions = {function.signature.name: function for function in graph.graph_def.library.function}
    reached = _reached(functions, [served])
    _check_functions(functions, reached, refuse, allowed)
    _keep_functions(graph, functions, reached)
    for name in [name for name in objects.concrete_functions if name not in reached]:
        del objects.concrete_functions[name]
    bound = {place for one in objects.concrete_functions.values() for place in one.bound_inputs}
    for place, node in enumerate(objects.nodes):
        _clean_object(place, node, reached, place in bound, refuse)
    # Constants of functions lie in the main graph; all else there is for saving, restoring and starting.
    constants = [node for node in graph.graph_def.node if node.op == "Const"]
    del graph.graph_def.node[:]
    graph.graph_def.node.extend(constants)
    graph.collection_def.clear()
    graph.ClearField("saver_def")
    graph.signature_def.pop("__saved_model_init_op", None)


def _serving_function(objects: Any) -> str | None:
    """The name of the serving function; the map of signatures keeps that one alone."""
    places = [child.node_id for child in objects.nodes[0].children if child.local_name == "signatures"]
    if len(places) != 1 or not 0 <= places[0] < len(objects.nodes):
        return None
    signatures = objects.nodes[places[0]]
    chosen = [child for child in signatures.children if child.local_name == "serving_default"] or [*signatures.children]
    if not chosen or not 0 <= chosen[0].node_id < len(objects.nodes):
        return None
    kept = _copy(chosen[0])
    del signatures.children[:]
    signatures.children.append(kept)
    node = objects.nodes[kept.node_id]
    if node.WhichOneof("kind") == "function" and len(node.function.concrete_functions) == 1:
        return str(node.function.concrete_functions[0])
    name = str(node.bare_concrete_function.concrete_function_name)
    return name if name in objects.concrete_functions else None


def _clean_object(place: int, node: Any, reached: set[str], is_bound: bool, refuse: Callable[[str], None]) -> None:
    for field in ("registered_name", "serialized_user_proto", "registered_saver", "saveable_objects"):
        node.ClearField(field)
    kind = node.WhichOneof("kind")
    if kind == "user_object":
        plain = node.user_object.identifier in _PLAIN_OBJECTS
        node.user_object.metadata = ""
        if not plain:
            node.user_object.identifier = _OTHER_OBJECT
    elif kind == "function":
        names = [name for name in node.function.concrete_functions if name in reached]
        del node.function.concrete_functions[:]
        node.function.concrete_functions.extend(names)
    elif (
        kind == "variable"
        or kind == "constant"
        or (kind == "bare_concrete_function" and node.bare_concrete_function.concrete_function_name in reached)
    ):
        pass
    else:
        if is_bound:
            what = {"asset": "another file", "resource": "a table or another resource"}.get(str(kind), str(kind))
            refuse(f"its serving function uses {what}")
        children = [_copy(child) for child in node.children]
        node.Clear()
        node.user_object.identifier = _OTHER_OBJECT
        node.user_object.version.producer = node.user_object.version.min_consumer = 1
        node.children.extend(children if kind == "resource" else [])


def _reached(functions: dict[str, Any], begin: Iterable[str]) -> set[str]:
    waiting, found = list(begin), set[str]()
    while waiting:
        name = waiting.pop()
        if name not in found and name in functions:
            found.add(name)
            waiting.extend(_called(functions[name].node_def))
    return found


def _called(nodes: Iterable[Any]) -> list[str]:
    """Names of functions that nodes call, one for each call."""
    names = []
    for node in nodes:
        for value in node.attr.values():
            if value.HasField("func"):
                names.append(value.func.name)
            names.extend(one.name for one in value.list.func)
    return names


def _check_functions(
    functions: dict[str, Any], reached: set[str], refuse: Callable[[str], None], allowed: frozenset[str]
) -> None:
    for name in sorted(reached):
        _check_nodes(functions[name].node_def, functions, refuse, allowed)
    try:
        calls = {name: _called(functions[name].node_def) for name in reached}
        count = most_nodes_of_calls({name: len(functions[name].node_def) for name in reached}, calls)
    except ValueError as error:
        refuse(f"the function {error}, without an end")
        return
    if count > MOST_NODES:
        refuse(f"its functions come to more than {MOST_NODES} operations")


def _check_nodes(
    nodes: Iterable[Any], functions: dict[str, Any], refuse: Callable[[str], None], allowed: frozenset[str]
) -> None:
    for node in nodes:
        # A node may name a function of the library in place of an operation.
        if node.op not in allowed:
            called = " a function by its name," if node.op in functions else ""
            refuse(f"{node.name} does {node.op},{called} which is not among the operations for inference")
        node.device = ""
        node.attr.pop("_gradient_op_type", None)  # a function for training, which is not copied


def _keep_functions(graph: Any, functions: dict[str, Any], reached: set[str]) -> None:
    kept = [
        type(functions[name]).FromString(functions[name].SerializeToString()) for name in functions if name in reached
    ]
    del graph.graph_def.library.function[:]
    graph.graph_def.library.function.extend(kept)


def _copy(message: Any) -> Any:
    copy = type(message)()
    copy.CopyFrom(message)
    return copy


def _clean_session_graph(graph: Any, refuse: Callable[[str], None], allowed: frozenset[str]) -> None:
    """The same for graphs of TensorFlow 1: what the serving signature and the restoring of weights need."""
    nodes = {node.name: node for node in graph.graph_def.node}
    signature = graph.signature_def.get("serving_default") if "serving_default" in graph.signature_def else None
    if signature is None:
        names = sorted(name for name in graph.signature_def if not name.startswith("__"))
        if not names:
            refuse("it has no serving signature")
            return
        signature = graph.signature_def[names[0]]
    ends = [tensor.name for tensors in (signature.inputs, signature.outputs) for tensor in tensors.values()]
    served = _ancestors(nodes, ends)
    functions = {function.signature.name: function for function in graph.graph_def.library.function}
    reached = _reached(functions, _called(nodes[name] for name in served))
    _check_nodes((nodes[name] for name in sorted(served)), functions, refuse, allowed)
    _check_functions(functions, reached, refuse, allowed)
    _keep_functions(graph, functions, reached)
    variables = [key for key in graph.collection_def if key in ("variables", "trainable_variables")]
    begins = [graph.saver_def.restore_op_name] if graph.saver_def.restore_op_name else []
    for key in variables:
        begins += _nodes_of_variables(graph.collection_def[key].bytes_list.value, refuse)
    restoring = _ancestors(nodes, begins)
    file_name = graph.saver_def.filename_tensor_name.partition(":")[0]
    for name in sorted(restoring - served):
        node = nodes[name]
        if node.op not in allowed and node.op not in _START_UP:
            refuse(f"{name} does {node.op} while weights are read")
        if node.op == "RestoreV2" and (not node.input or node.input[0].partition(":")[0] != file_name):
            refuse(f"{name} reads weights from another file")
        node.device = ""
    kept = [node for node in graph.graph_def.node if node.name in served | restoring]
    kept = [_copy(node) for node in kept]
    del graph.graph_def.node[:]
    graph.graph_def.node.extend(kept)
    kept_signature = _copy(signature)
    graph.signature_def.clear()
    graph.signature_def["serving_default"].CopyFrom(kept_signature)
    for key in [key for key in graph.collection_def if key not in variables]:
        del graph.collection_def[key]
    graph.saver_def.save_tensor_name = graph.saver_def.filename_tensor_name


def _nodes_of_variables(serialized: Iterable[bytes], refuse: Callable[[str], None]) -> list[str]:
    from tensorflow.core.framework import variable_pb2

    names: list[str] = []
    for data in serialized:
        variable = variable_pb2.VariableDef()
        try:
            variable.ParseFromString(data)
        except Exception:  # protobuf's DecodeError
            refuse("its list of weights is damaged")
            return []
        found = (variable.variable_name, variable.initializer_name, variable.snapshot_name, variable.initial_value_name)
        names += [name for name in found if name]
    return names


def _ancestors(nodes: dict[str, Any], ends: Iterable[str]) -> set[str]:
    """The nodes that give a tensor or must run before it."""
    waiting, found = [end.lstrip("^").partition(":")[0] for end in ends], set[str]()
    while waiting:
        name = waiting.pop()
        if name in nodes and name not in found:
            found.add(name)
            waiting.extend(tensor.lstrip("^").partition(":")[0] for tensor in nodes[name].input)
    return found
