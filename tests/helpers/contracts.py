"""Contracts as tests speak of them: by the name of their kind, and field by field."""

from collections.abc import Mapping
from typing import Any

import msgspec

from core.model.contract import Contract


def kind(contract: Contract) -> str:
    return str(contract.__struct_config__.tag)


def fields(contract: Contract) -> Mapping[str, Any]:
    return msgspec.structs.asdict(contract)
