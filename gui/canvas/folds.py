"""What of a model is folded and unfolded, as a value that can be kept."""

from msgspec import Struct


class Folds(Struct, frozen=True):
    """`opened` says it of nested models and groups by path, `grouped` whether blocks are shown as one: `None` goes by
    the model's size.
    """

    opened: dict[str, bool] = {}
    grouped: bool | None = None
