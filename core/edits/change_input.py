"""Change a model's input: its size, its channels, or both."""

from core.edits.base import Edit


class ChangeInput(Edit, frozen=True, kw_only=True, tag="change_input"):
    """New `shape` (without batch, `None` = dynamic) for `input` (`None`: the only one); `channels` is the rule."""

    shape: tuple[int | None, ...]
    input: str | None = None
    channels: str = "auto"
