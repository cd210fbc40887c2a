"""How two models are joined: which tensors of one go into the other, and what their layers are called."""

from msgspec import Struct
from msgspec.structs import replace

from core.model.graph import TensorRef


class Wiring(Struct, frozen=True):
    """Which tensor of this model each input of the other one takes (`None`: an input of its own), by its number; what
    names its layers get; and which outputs of this model stay.
    """

    fed: tuple[TensorRef | None, ...]
    names: dict[str, str]
    kept: tuple[TensorRef, ...]
    around: str
    """The name of the nested model that holds the other one, `""` where its layers lie beside this model's."""

    def port(self, ref: TensorRef, number: int) -> TensorRef:
        """Where an output of the other model is now."""
        if self.around:
            return TensorRef(self.around, 0, number)
        return replace(ref, layer=self.names[ref.layer])
