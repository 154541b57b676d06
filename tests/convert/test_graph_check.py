"""SavedModels are taken by a list of operations, and only what was looked at is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from edge_fer_convert import InputOptions
from edge_fer_convert.conversion import convert
from edge_fer_convert.graph_check import copy_checked_saved_model
from edge_fer_convert.load import load_trained
from edge_fer_convert.tensorflow_log import quiet_tensorflow

from edge_fer.errors import ModelError
from edge_fer.inference.call_sizes import MOST_NODES, most_nodes_of_calls
from tests.convert.hostile_files import saved_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def scores(face: Any, *also: Any) -> Any:
    import tensorflow as tf

    with tf.control_dependencies([one for one in also if one is not None]):
        return tf.zeros((1, 7)) + tf.reduce_mean(face, axis=(1, 2))


def acting(trace: str) -> dict[str, tuple[Callable[[Any], Any], str]]:
    import tensorflow as tf

    raw = tf.raw_ops
    text = tf.constant("text")

    @tf.function
    def hidden(face: Any) -> Any:
        return scores(face, tf.io.write_file(trace, "x"))

    return {
        "write": (lambda face: scores(face, tf.io.write_file(trace, "x")), "WriteFile"),
        "read": (lambda face: scores(face, tf.io.read_file("/etc/hostname")), "ReadFile"),
        "map a file": (
            lambda face: scores(face, raw.ImmutableConst(dtype=tf.uint8, shape=(1,), memory_region_name="/etc/fstab")),
            "ImmutableConst",
        ),
        "save": (
            lambda face: scores(face, raw.Save(filename=trace, tensor_names=["x"], data=[text])), "does Save,"
        ),
        "save slices": (
            lambda face: scores(
                face, raw.SaveV2(prefix=trace, tensor_names=["x"], shape_and_slices=[""], tensors=[face])
            ),
            "SaveV2",
        ),
        "restore": (
            lambda face: scores(
                face, *raw.RestoreV2(prefix=trace, tensor_names=["x"], shape_and_slices=[""], dtypes=[tf.float32])
            ),
            "RestoreV2",
        ),
        "python": (lambda face: scores(tf.numpy_function(lambda x: x, [face], tf.float32)), "PyFunc"),
        "print": (lambda face: scores(face, raw.PrintV2(input="x", output_stream=f"file://{trace}")), "PrintV2"),
        "listing": (lambda face: scores(face, tf.io.matching_files("/etc/*")), "MatchingFiles"),
        "in a function": (hidden, "WriteFile"),
        "in a branch": (
            lambda face: tf.cond(tf.reduce_mean(face) > 0.0, lambda: hidden(face), lambda: scores(face)), "WriteFile"
        ),
        "loop": (lambda face: scores(tf.while_loop(lambda x: True, lambda x: (x + 1.0,), (face,))[0]), "While"),
        "table": (
            lambda face: scores(face, raw.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64)), "HashTableV2"
        ),
        "dataset": (
            lambda face: scores(
                face, tf.data.experimental.to_variant(tf.data.TextLineDataset("/etc/hostname"))
            ),
            "Dataset",
        ),
    }  # fmt: skip


ACTS = [
    *("write", "read", "map a file", "save", "save slices", "restore", "python", "print", "listing", "in a function"),
    *("in a branch", "loop", "table", "dataset"),
]


@pytest.mark.parametrize("name", ACTS)
def test_operations_that_are_not_for_inference(converters: None, tmp_path: Path, name: str) -> None:
    trace = tmp_path / "ran"
    infer, says = acting(str(trace))[name]
    path = saved_model(tmp_path / "saved", infer)
    with pytest.raises(ModelError, match=says) as caught:
        convert(path, tmp_path / "out")
    assert caught.value.exit_code == 4
    assert "\n" not in str(caught.value)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["saved"]


def edited(path: Path, change: Callable[[Any], None]) -> Path:
    from tensorflow.core.protobuf import saved_model_pb2

    message = saved_model_pb2.SavedModel()
    message.ParseFromString((path / "saved_model.pb").read_bytes())
    change(message.meta_graphs[0])
    (path / "saved_model.pb").write_bytes(message.SerializeToString())
    return path


def test_functions_that_call_themselves(converters: None, tmp_path: Path) -> None:
    import tensorflow as tf

    path = saved_model(tmp_path / "saved", lambda face: scores(tf.function(lambda x: x * 2.0)(face)))

    def circle(graph: Any) -> None:
        for function in graph.graph_def.library.function:
            for node in function.node_def:
                if node.op.endswith("PartitionedCall"):
                    node.attr["f"].func.name = function.signature.name

    edited(path, circle)
    with pytest.raises(ModelError, match="calls itself, without an end"):
        load_trained(path, InputOptions())


def test_calls_are_counted_without_making_them() -> None:
    doubling = {f"f{place}": [f"f{place + 1}"] * 2 for place in range(60)}
    sizes = dict.fromkeys([*doubling, "f60"], 1)
    assert most_nodes_of_calls(sizes, doubling) == MOST_NODES + 1
    assert most_nodes_of_calls({"a": 3, "b": 4}, {"a": ["b", "b", "unknown"]}) == 11
    for circle in ({"a": ["a"]}, {"a": ["b"], "b": ["a"]}, {"a": ["b"], "b": ["c", "c"], "c": ["a"]}):
        with pytest.raises(ValueError, match="calls itself"):
            most_nodes_of_calls(dict.fromkeys(circle, 1), circle)


def test_only_the_serving_function_is_copied(tiny_keras: Any, tmp_path: Path) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    path, copy = tmp_path / "saved", tmp_path / "copy"
    tiny_keras.export(path, verbose=False)
    (path / "assets").mkdir(exist_ok=True)
    (path / "assets" / "words.txt").write_text("x")
    (path / "saved_model.pbtxt").write_text("x")
    copy.mkdir()
    copy_checked_saved_model(path, copy)
    kept = sorted(str(item.relative_to(copy)) for item in copy.rglob("*") if item.is_file())
    assert kept == ["saved_model.pb", "variables/variables.data-00000-of-00001", "variables/variables.index"]
    message = saved_model_pb2.SavedModel()
    message.ParseFromString((copy / "saved_model.pb").read_bytes())
    [graph] = message.meta_graphs
    assert {node.op for node in graph.graph_def.node} <= {"Const"}
    names = [function.signature.name for function in graph.graph_def.library.function]
    assert not [name for name in names if "save" in name or "restore" in name]
    assert not graph.collection_def
    assert not graph.asset_file_def
    face = np.zeros((1, 48, 48, 1), np.float32)
    found = load_trained(path, InputOptions()).run(face)
    assert np.allclose(found, np.asarray(tiny_keras(face)), atol=1e-6)


def test_links_in_a_saved_model(tiny_keras: Any, tmp_path: Path) -> None:
    path = tmp_path / "saved"
    tiny_keras.export(path, verbose=False)
    index = path / "variables" / "variables.index"
    index.rename(tmp_path / "elsewhere")
    index.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelError, match="links to other files"):
        load_trained(path, InputOptions())
    index.unlink()
    (path / "variables").rename(tmp_path / "other")
    (path / "variables").symlink_to(tmp_path / "other")
    with pytest.raises(ModelError, match="links to other files"):
        load_trained(path, InputOptions())


def test_a_graph_of_tensorflow_1(converters: None, tmp_path: Path) -> None:
    import tensorflow as tf

    v1 = tf.compat.v1
    with quiet_tensorflow(), tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        face = v1.placeholder(tf.float32, (None, 8, 8, 1), name="face")
        weight = v1.get_variable("w", (64, 7), use_resource=True)
        result = tf.nn.softmax(tf.matmul(tf.reshape(face, (-1, 64)), weight))
        session.run(v1.global_variables_initializer())
        expected = session.run(result, {face: np.ones((1, 8, 8, 1))})
        v1.saved_model.simple_save(session, str(tmp_path / "old"), {"face": face}, {"scores": result})
    found = load_trained(tmp_path / "old", InputOptions()).run(np.ones((1, 8, 8, 1), np.float32))
    assert np.allclose(found, expected, atol=1e-6)

    def read_elsewhere(graph: Any) -> None:
        for node in graph.graph_def.node:
            if node.op == "RestoreV2":
                node.input[0] = node.input[1]

    with pytest.raises(ModelError, match="reads weights from another file"):
        load_trained(edited(tmp_path / "old", read_elsewhere), InputOptions())


def test_what_trust_lifts_is_said(converters: None, tmp_path: Path) -> None:
    import tensorflow as tf

    path = saved_model(tmp_path / "saved", lambda face: scores(face, tf.io.matching_files(str(tmp_path / "none*"))))
    loaded = load_trained(path, InputOptions(trust_model=True))
    assert [one for one in loaded.guesses if one.startswith("loaded on trust") and "MatchingFiles" in one]


def test_a_graph_that_fails_or_takes_all_memory_when_it_is_run_is_one_line(converters: None, tmp_path: Path) -> None:
    import tensorflow as tf

    def much(face: Any) -> Any:
        return scores(face) + tf.reduce_sum(tf.tile(face, [10**5, 10**5, 10**3, 1]))

    def too_much(face: Any) -> Any:
        return scores(face) + tf.reduce_sum(tf.fill([10**6, 10**6, 10**6], 1.0))

    for name, infer in (("much", much), ("too_much", too_much)):
        path = saved_model(tmp_path / name, infer)
        with pytest.raises(ModelError, match=r"fails when it is run \(.*save it again") as caught:
            load_trained(path, InputOptions())
        assert "\n" not in str(caught.value)


def test_objects_of_a_saved_model_that_are_not_what_they_say(converters: None, tmp_path: Path) -> None:
    path = saved_model(tmp_path / "saved", scores)

    def renamed(graph: Any) -> None:
        for node in graph.object_graph_def.nodes:
            if node.WhichOneof("kind") == "user_object":
                node.user_object.identifier = "_tf_keras_layer"
                node.user_object.metadata = '{"class_name": "Lambda"}'

    edited(path, renamed)
    with pytest.raises(ModelError, match=r"save it again with model\.export\(\)"):
        load_trained(path, InputOptions())


def test_a_graph_that_compares_shapes_passes(tmp_path: Path) -> None:
    import tensorflow as tf

    def compared(face: Any) -> Any:
        return scores(face, tf.raw_ops.Assert(condition=tf.reduce_all(face > -1.0), data=["no picture"]))

    (tmp_path / "copy").mkdir()
    copy_checked_saved_model(saved_model(tmp_path / "saved", compared), tmp_path / "copy")
    assert "Assert" in {
        node.op
        for graph in read_graphs(tmp_path / "copy")
        for one in graph.graph_def.library.function
        for node in one.node_def
    }


def read_graphs(folder: Path) -> list[Any]:
    from tensorflow.core.protobuf import saved_model_pb2

    return [*saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes()).meta_graphs]
