"""One edit a file; `AnyEdit` is the union that recipes are made of."""

from core.edits.base import Edit
from core.edits.change_input import ChangeInput
from core.edits.replace_first_conv import ReplaceFirstConv
from core.edits.set_rule import SetRule
from core.edits.set_trainable import SetTrainable

AnyEdit = ChangeInput | ReplaceFirstConv | SetTrainable | SetRule
EDITS: dict[str, type[Edit]] = {str(kind.__struct_config__.tag): kind for kind in AnyEdit.__args__}

__all__ = ["EDITS", "AnyEdit", "ChangeInput", "Edit", "ReplaceFirstConv", "SetRule", "SetTrainable"]
