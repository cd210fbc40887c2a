"""Making old model configs readable: one repair a file, each a pure change, each told to the person."""

from core.repairs.registry import Repaired, repair_model

__all__ = ["Repaired", "repair_model"]
