"""One edit a file; `AnyEdit` is the union that recipes are made of."""

from core.edits.accept_losses import AcceptLosses
from core.edits.attach_head import AttachHead
from core.edits.base import Edit
from core.edits.change_classes import ChangeClasses
from core.edits.change_input import ChangeInput
from core.edits.cut_at import CutAt
from core.edits.data_format import DataFormat
from core.edits.drop_training_only import DropTrainingOnly
from core.edits.fold_batch_norm import FoldBatchNorm
from core.edits.fold_weights import FoldWeights
from core.edits.inflate import Inflate
from core.edits.insert_adapter import InsertAdapter
from core.edits.insert_front import InsertFront
from core.edits.insert_layer import InsertLayer
from core.edits.join_models import JoinModels
from core.edits.keep_words import KeepWords
from core.edits.remove_head import RemoveHead
from core.edits.remove_layer import RemoveLayer
from core.edits.rename_layer import RenameLayer
from core.edits.replace_all import ReplaceAll
from core.edits.replace_first_conv import ReplaceFirstConv
from core.edits.replace_layer import ReplaceLayer
from core.edits.set_batch import SetBatch
from core.edits.set_dtype import SetDtype
from core.edits.set_rule import SetRule
from core.edits.set_trainable import SetTrainable
from core.edits.start_at import StartAt
from core.edits.transfer_weights import TransferWeights

AnyEdit = (
    AcceptLosses
    | ChangeInput
    | ReplaceFirstConv
    | InsertAdapter
    | InsertFront
    | RemoveHead
    | AttachHead
    | CutAt
    | StartAt
    | SetTrainable
    | InsertLayer
    | ReplaceLayer
    | RemoveLayer
    | RenameLayer
    | SetRule
    | TransferWeights
    | SetDtype
    | FoldBatchNorm
    | FoldWeights
    | DataFormat
    | JoinModels
    | SetBatch
    | DropTrainingOnly
    | ReplaceAll
    | Inflate
    | KeepWords
    | ChangeClasses
)
EDITS: dict[str, type[Edit]] = {str(kind.__struct_config__.tag): kind for kind in AnyEdit.__args__}

__all__ = [
    "EDITS",
    "AcceptLosses",
    "AnyEdit",
    "AttachHead",
    "ChangeClasses",
    "ChangeInput",
    "CutAt",
    "DataFormat",
    "DropTrainingOnly",
    "Edit",
    "FoldBatchNorm",
    "FoldWeights",
    "Inflate",
    "InsertAdapter",
    "InsertFront",
    "InsertLayer",
    "JoinModels",
    "KeepWords",
    "RemoveHead",
    "RemoveLayer",
    "RenameLayer",
    "ReplaceAll",
    "ReplaceFirstConv",
    "ReplaceLayer",
    "SetBatch",
    "SetDtype",
    "SetRule",
    "SetTrainable",
    "StartAt",
    "TransferWeights",
]
