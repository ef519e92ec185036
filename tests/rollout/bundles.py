"""Bundles of the shipped tagger that are good, or bad in one way each."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper
from parvis_contract import ModelRef
from parvis_edge.bundle import zoo_folder
from parvis_edge.update.archive import pack, target_name
from parvis_models import zoo
from parvis_models.golden import write_golden
from parvis_models.publish.repository import RepositoryFolder
from securesystemslib.signer import Signer
from tuf.api.metadata import Metadata, Targets

from tests.rollout.street import MODEL, SHIPPED

Change = Callable[[Any], None]


def bundle(folder: Path, version: str, change: Change | None = None, *, golden: bool = True) -> Path:
    """The shipped tagger as another version.

    Args:
        folder: Of the new bundle.
        version: Of it.
        change: Does something to the model.
        golden: False leaves the golden samples of the model before the change: it does not answer as its card says.
    """
    shutil.copytree(zoo_folder() / MODEL / SHIPPED, folder)
    raw = (folder / "model.onnx").read_bytes()
    if change is not None:
        model = onnx.load_from_string(raw)
        change(model)
        raw = model.SerializeToString()
        (folder / "model.onnx").write_bytes(raw)
    card = zoo.read_card(folder)
    zoo.write_card(folder, card.model_copy(update={"version": version, "sha256": hashlib.sha256(raw).hexdigest(), "size_bytes": len(raw)}))
    if change is not None and golden:
        write_golden(folder)
    return folder


def _after(model: Any, operator: str, *more: Any) -> None:
    """Has the scores pass through one more operator."""
    graph = model.graph
    scores = graph.output[0].name
    for node in graph.node:
        node.output[:] = [f"{name}_before" if name == scores else name for name in node.output]
        node.input[:] = [f"{name}_before" if name == scores else name for name in node.input]
    graph.node.append(helper.make_node(operator, [f"{scores}_before", *more], [scores]))


def deaf(model: Any) -> None:
    """Scores next to nothing for every sound: no event comes any more."""
    model.graph.initializer.append(helper.make_tensor("next_to_nothing", TensorProto.FLOAT, [], [1e-6]))
    _after(model, "Mul", "next_to_nothing")


def hanging(model: Any) -> None:
    """Answers the eight patches of the golden samples rightly, and fewer, as the street's sound comes, never: a loop without end.

    The loop runs a million million times where there are fewer, and not at all where there are as many; it adds nothing to the scores.
    """
    graph = model.graph
    once = [
        helper.make_tensor("many", TensorProto.INT64, [], [8]),
        helper.make_tensor("none", TensorProto.INT64, [], [0]),
        helper.make_tensor("first", TensorProto.INT64, [], [0]),
        helper.make_tensor("for_ever", TensorProto.INT64, [], [10**12]),
        helper.make_tensor("nothing", TensorProto.FLOAT, [], [0.0]),
    ]
    graph.initializer.extend(once)
    body = helper.make_graph(
        [helper.make_node("Identity", ["going"], ["goes"]), helper.make_node("Mul", ["had", "had"], ["has"])],
        "again",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("had", TensorProto.FLOAT, []),
        ],
        [helper.make_tensor_value_info("goes", TensorProto.BOOL, []), helper.make_tensor_value_info("has", TensorProto.FLOAT, [])],
    )
    graph.node.extend(
        [
            helper.make_node("Shape", [graph.input[0].name], ["shape"]),
            helper.make_node("Gather", ["shape", "first"], ["count"]),
            helper.make_node("Less", ["count", "many"], ["fewer"]),
            helper.make_node("Where", ["fewer", "for_ever", "none"], ["turns"]),
            helper.make_node("Loop", ["turns", "", "nothing"], ["added"], body=body),
        ]
    )
    _after(model, "Add", "added")


def list_unproved(repository: RepositoryFolder, folder: Path, version: str, signers: Sequence[Signer]) -> None:
    """Two holders sign what they have not tried: `parvis-models publish add` would refuse it."""
    targets = Metadata(Targets.from_dict(repository.targets().signed.to_dict()))
    target = repository.put_target(target_name(ModelRef(name=MODEL, version=version)), pack(folder))
    targets.signed.targets[target.path] = target
    repository.dated(targets.signed)
    with repository.locked():
        assert repository.offer(targets, signers)
