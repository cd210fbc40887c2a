"""File names in sentences: the name stands alone, its folder is for who asks."""

import os
from pathlib import Path


def without_folders(sentence: str) -> str:
    """A sentence whose paths have lost their folders. What has a slash and is no path of this machine stays."""
    if "/" not in sentence and "\\" not in sentence:
        return sentence
    separators = ("/", "\\") if os.name == "nt" else ("/",)
    made, at = [], 0
    while at < len(sentence):
        end = _folder_end(sentence, at, separators) if _starts_path(sentence, at, separators) else at
        if end > at:
            at = end
        else:
            made.append(sentence[at])
            at += 1
    return "".join(made)


def _starts_path(sentence: str, at: int, separators: tuple[str, ...]) -> bool:
    if at and not (sentence[at - 1].isspace() or sentence[at - 1] in "\u201c\"'("):
        return False
    return sentence[at] in separators or (os.name == "nt" and sentence[at + 1 : at + 3] in (":/", ":\\"))


def _folder_end(sentence: str, start: int, separators: tuple[str, ...]) -> int:
    """Where the longest folder that is there ends, with its separator; `start` for none, or for the folder itself."""
    ends = [at + 1 for at in range(start, len(sentence)) if sentence[at] in separators]
    for end in reversed(ends):
        named = end < len(sentence) and not sentence[end].isspace()
        if named and end > start + 1 and _is_folder(sentence[start:end]):
            return end
    return start


def _is_folder(path: str) -> bool:
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False
