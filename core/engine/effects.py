"""TensorFlow graphs that do more than compute: found by the names of their operations, before the graph is loaded."""

from pathlib import Path
from typing import Any

from tensorflow.core.protobuf import saved_model_pb2

from core.errors import FileError
from core.readers.containers.links import refuse_links_out

_EXACT = frozenset(
    {
        "ReadFile", "MatchingFiles", "PyFunc", "PyFuncStateless", "EagerPyFunc", "Save", "SaveSlices", "RemoteCall",
        "ImportEvent", "GenerateVocabRemapping", "LoadAndRemapMatrix", "ReaderReadV2", "ReaderRead", "TextLineDataset",
        "TFRecordDataset", "TFRecordDatasetV2", "FixedLengthRecordDataset", "FixedLengthRecordDatasetV2", "SqlDataset",
        "LoadDataset", "TcpStreamDataset", "RpcCall", "ConfigureDistributedTPU", "FileSystemSetConfiguration",
    }
)  # fmt: skip
_BEGINNINGS = (
    "Write",
    "Debug",
    "SaveDataset",
    "Snapshot",
    "DataService",
    "CreateSummary",
    "Summary",
    "WholeFileReader",
)


def refuse_effects(folder: Path) -> None:
    """Raise `FileError` for a SavedModel whose graph reads or writes files, calls Python or other machines."""
    refuse_links_out(folder)
    path = folder / "saved_model.pb"
    try:
        model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    except Exception as error:
        raise FileError(
            f"{folder.name} is not a readable SavedModel; apply the recipe again.", path=str(folder)
        ) from error
    for meta in model.meta_graphs:
        graph = meta.graph_def
        nodes: list[Any] = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
        for node in nodes:
            if node.op in _EXACT or node.op.startswith(_BEGINNINGS):
                raise FileError(
                    f"The graph in {folder.name} does more than compute ({node.op}), so it was not loaded; apply "
                    "the recipe again to get a file of your own.",
                    path=str(folder),
                )
