"""One edit a file; `AnyEdit` is the union that recipes are made of."""

from core.edits.base import Edit
from core.edits.change_input import ChangeInput

AnyEdit = ChangeInput

__all__ = ["AnyEdit", "ChangeInput", "Edit"]
