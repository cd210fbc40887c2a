"""Small random Keras models and random edits of them, the same for the same seed at every input size."""

import random
from typing import Any

import keras
from keras import ops

layers = keras.layers
Shape = tuple[int | None, ...]


class Maker:
    """Draws the parts of one model. What is drawn never depends on shapes, so another size gives the same layers."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.rank = self.rng.choice([2, 2, 2, 1])
        self.shape: Shape = (*[self.rng.choice([12, 13, 16, 17])] * self.rank, self.rng.choice([3, 3, 4]))

    def layer(self, kind: str, *args: Any, **fields: Any) -> Any:
        """`layer("Conv", 4, 3)` is a Conv1D or Conv2D."""
        return getattr(layers, kind.replace("#", f"{self.rank}D"))(*args, **fields)

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def conv(self, x: Any) -> Any:
        pick = self.rng.choice
        fields = {"padding": pick(["same", "valid"]), "strides": pick([1, 1, 2]), "use_bias": self.chance(0.6)}
        kind, kernel, filters = pick(["Conv#"] * 3 + ["SeparableConv#", "Conv#Transpose"]), pick([1, 2, 3, 5]), 6
        multiplier, activation = pick([1, 2]), pick([None, "relu", "tanh"])
        if self.chance(0.2):
            x = self.layer("DepthwiseConv#", kernel, depth_multiplier=multiplier, padding="same")(x)
        return self.layer(kind.replace("#Transpose", f"{self.rank}DTranspose"), filters, kernel, **fields)(
            layers.Activation(activation)(x) if activation else x
        )

    def grouped(self, x: Any) -> Any:
        groups = self.rng.choice([2, 3])
        x = self.layer("Conv#", 6, 1)(x)
        return self.layer("Conv#", 6, self.rng.choice([2, 3]), padding="same", groups=groups)(x)

    def grouped_stem(self, x: Any) -> Any:
        """A convolution with as many groups as channels."""
        kernel, strides, groups = self.rng.choice([1, 3]), self.rng.choice([1, 2]), x.shape[-1]
        return self.layer("Conv#", 3 * groups, kernel, padding="same", strides=strides, groups=groups)(x)

    def dilated(self, x: Any) -> Any:
        kernel, padding = self.rng.choice([2, 3]), self.rng.choice(["same", "valid"])
        return self.layer("Conv#", 6, kernel, padding=padding, dilation_rate=2)(x)

    def causal(self, x: Any) -> Any:
        kernel, rate = self.rng.choice([2, 3]), self.rng.choice([1, 2])
        if self.rank != 1:
            return self.layer("Conv#", 6, kernel, padding="same")(x)
        return layers.Conv1D(6, kernel, padding="causal", dilation_rate=rate)(x)

    def wrapped(self, x: Any) -> Any:
        kinds: list[Any] = [
            lambda: layers.SpectralNormalization(self.layer("Conv#", 6, 3, padding="same")),
            lambda: layers.TimeDistributed(layers.Dense(6) if self.rank == 1 else layers.Conv1D(6, 3)),
            lambda: (
                layers.Bidirectional(layers.LSTM(3, return_sequences=True))
                if self.rank == 1
                else layers.TimeDistributed(layers.SeparableConv1D(6, 3, padding="same"))
            ),
        ]
        return self.rng.choice(kinds)()(x)

    def norm(self, x: Any) -> Any:
        kinds: list[Any] = [
            layers.BatchNormalization,
            layers.LayerNormalization,
            lambda: layers.GroupNormalization(-1),
            lambda: layers.PReLU(shared_axes=list(range(1, self.rank + 1))),
        ]
        return self.rng.choice(kinds)()(x)

    def pool(self, x: Any) -> Any:
        return self.layer(self.rng.choice(["MaxPooling#", "AveragePooling#"]), 2, padding="same")(x)

    def residual(self, x: Any) -> Any:
        one, two = self.layer("Conv#", 6, 3, padding="same")(x), self.layer("Conv#", 6, 1)(x)
        return self.rng.choice([layers.Add, layers.Multiply, layers.Average])()([self.norm(one), two])

    def dense_block(self, x: Any) -> Any:
        return layers.Concatenate()([x, self.layer("Conv#", 3, 3, padding="same", activation="relu")(x)])

    def excited(self, x: Any) -> Any:
        x = self.layer("Conv#", 6, 1)(x)
        pooled = self.layer("GlobalAveragePooling#", keepdims=True)(x)
        return layers.Multiply()([x, self.layer("Conv#", 6, 1, activation="sigmoid")(pooled)])

    def padded(self, x: Any) -> Any:
        # the same on both sides: uneven padding is taken to follow the parity of the size, as Keras Applications do
        return self.layer("Conv#", 4, 3, strides=2)(self.layer("ZeroPadding#", 1)(x))

    def shared(self, x: Any) -> Any:
        x = self.layer("Conv#", 4, 1)(x)
        twice = self.layer("Conv#", 4, 3, padding="same")
        return layers.Add()([twice(x), twice(layers.ReLU()(x))])

    def nested(self, x: Any) -> Any:
        given = keras.Input(x.shape[1:])
        inner = keras.Model(given, self.norm(self.conv(given)))
        return inner(x)

    def nested_twice(self, x: Any) -> Any:
        """A Sequential inside a model that is called at two places."""
        x = self.layer("Conv#", 4, 1)(x)
        inner = keras.Sequential([keras.Input(x.shape[1:]), self.layer("Conv#", 4, 3, padding="same"), layers.ReLU()])
        given = keras.Input(x.shape[1:])
        outer = keras.Model(given, layers.BatchNormalization()(inner(given)))
        return layers.Add()([outer(x), outer(layers.ReLU()(x))])

    def arithmetic(self, x: Any) -> Any:
        kinds: list[Any] = [
            lambda: x * 2.0,
            lambda: ops.relu(x),
            lambda: x[:, 1:],
            lambda: ops.abs(x) + 1.0,
            lambda: x[..., ::-1],
            lambda: ops.square(x),
            lambda: ops.flip(x, axis=1),
        ]
        return self.rng.choice(kinds)()

    def front(self, x: Any) -> Any:
        channels = x.shape[-1]
        spread = [0.5 + 0.1 * number for number in range(channels)]
        kinds: list[Any] = [
            lambda: x,
            lambda: layers.Rescaling(0.5, offset=-0.25)(x),
            lambda: layers.Normalization(mean=spread, variance=spread)(x),
            lambda: layers.BatchNormalization()(x),
            lambda: self.arithmetic(x),
            lambda: layers.Concatenate()([x, self.layer("Conv#", 2, 3, padding="same")(x)]),
        ]
        return self.rng.choice(kinds)()

    def stem(self, x: Any) -> Any:
        return self.rng.choice([self.conv] * 4 + [self.grouped_stem, self.dilated, self.causal, self.wrapped])(x)

    def head(self, x: Any, words: Any = None) -> Any:
        flat = self.rng.choice(["Flatten", "GlobalAveragePooling#", "GlobalMaxPooling#", ""])
        if words is not None:
            flat = flat or "GlobalAveragePooling#"
        if not flat:
            return x
        x = self.layer(flat)(x)
        if words is not None:
            x = layers.Concatenate()([x, words])
        x = layers.Dropout(0.2)(layers.Dense(5, activation="relu")(x)) if self.chance(0.4) else x
        return layers.Dense(3, activation=self.rng.choice(["softmax", None]))(x)

    def second_input(self) -> tuple[Any, Any]:
        """Ids of words beside the image: looked up, embedded, and averaged."""
        ids = keras.Input((4,), dtype="int32", name="ids")
        x: Any = ids
        if self.chance(0.5):
            x = layers.IntegerLookup(vocabulary=[3, 5, 7, 11], num_oov_indices=1)(x)
        return ids, layers.GlobalAveragePooling1D()(layers.Embedding(12, 3)(x))


def random_model(seed: int, shape: Shape | None = None) -> Any:
    """The model of a seed, at its own input shape or at another.

    Where what was drawn is too small for its convolutions, the seed stands for the next that can be built.
    """
    while True:
        try:
            model = _model(seed, None)
        except ValueError as error:
            if "negative" not in str(error):
                raise
            seed += 1_000_003
        else:
            return model if shape is None else _model(seed, shape)


def _model(seed: int, shape: Shape | None) -> Any:
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    make = Maker(seed)
    given = keras.Input(shape or make.shape, name="image")
    blocks = [make.conv, make.conv, make.norm, make.pool, make.residual, make.dense_block, make.excited, make.padded]
    blocks += [make.shared, make.nested, make.arithmetic, make.grouped, make.dilated, make.causal, make.wrapped]
    blocks += [make.nested_twice]
    ids, words = make.second_input() if make.chance(0.2) else (None, None)
    x = make.stem(make.front(given))
    inner = None
    for _ in range(make.rng.choice([1, 2, 3])):
        inner = x if make.chance(0.2) else inner
        x = make.rng.choice(blocks)(x)
    outputs = [make.head(x, words)]
    if inner is not None:
        outputs.append(layers.Dense(2, name="aside")(make.layer("GlobalAveragePooling#")(inner)))
    inputs = [given] if ids is None else [given, ids]
    return keras.Model(inputs[0] if len(inputs) == 1 else inputs, outputs[0] if len(outputs) == 1 else outputs)


def random_edit(rng: random.Random, shape: Shape, paths: list[str]) -> dict[str, Any]:
    """One edit for a model whose first input takes `shape` (channels last) and which has layers at `paths`."""
    *sizes, channels = shape
    edits = [
        "size", "channels", "channels", "conv", "conv", "adapter", "front", "head", "no head", "freeze", "insert",
        "rename", "cut", "replace", "another", "remove", "start", "fold", "unwrap", "all", "batch", "idle",
    ]  # fmt: skip
    kind = rng.choice(edits)
    rank = len(sizes)
    match kind:
        case "size":
            return {
                "do": "change_input",
                "input": "image",
                "shape": [(size or 12) + rng.choice([-1, 1, 4]) for size in sizes] + [channels],
            }
        case "channels":
            rule = rng.choice(["auto", "auto", "sum", "repeat", "mean", "zero_extra", "fold"])
            count = 1 if rule == "sum" else rng.choice([1, 2, 5, 6])
            return {"do": "change_input", "input": "image", "shape": [*sizes, count], "channels": rule}
        case "conv":
            fields = {
                "kernel_size": rng.choice([2, 3, 4, 5, 7]),
                "filters": rng.choice([4, 6, 8, 9, 12, 24]),
                "strides": rng.choice([1, 2]),
            }
            chosen = rng.sample(sorted(fields), rng.choice([1, 1, 2]))
            rule = rng.choice(["project", "widen"])
            return {"do": "replace_first_conv", "filters_rule": rule, **{name: fields[name] for name in chosen}}
        case "adapter":
            fit = rng.choice(["crop", "pad", "resize"])
            more = -2 if fit == "pad" else 3
            smaller = [(size or 12) + more for size in sizes]
            return {"do": "insert_adapter", "input": "image", "shape": [*smaller, channels], "fit": fit}
        case "front":
            conv = {"filters": channels, "kernel_size": 3, "padding": "same"}
            front = [{"class_name": f"Conv{rank}D", "config": conv}]
            return {"do": "insert_front", "input": "image", "shape": [*sizes, 2], "layers": front}
        case "head":
            return {"do": "attach_head", "classes": 4, "hidden": [6]}
        case "no head":
            return {"do": "remove_head", "pooling": rng.choice(["avg", "max", "none"])}
        case "freeze":
            return {"do": "set_trainable", "layers": [rng.choice([*paths, "*"])], "trainable": rng.random() < 0.3}
        case "insert":
            config = rng.choice(
                [{"class_name": "ReLU"}, {"class_name": "BatchNormalization"}, {"class_name": "Dropout"}]
            )
            extra = {"rate": 0.2} if config["class_name"] == "Dropout" else {}
            return {"do": "insert_layer", "layer": rng.choice(paths), "config": {**config, "config": extra}}
        case "cut":
            return {"do": "cut_at", "layers": [rng.choice(paths)]}
        case "start":
            return {"do": "start_at", "layers": [rng.choice(paths)]}
        case "remove":
            return {"do": "remove_layer", "layer": rng.choice(paths)}
        case "fold":
            return {"do": "fold_batch_norm", "layers": [rng.choice([*paths, "*", "*"])]}
        case "unwrap":
            return {"do": "fold_weights"}
        case "idle":
            return {"do": "drop_training_only", "kinds": ["noise", "regularization", "dropout"]}
        case "batch":
            return {"do": "set_batch", "batch": rng.choice([1, 3, None])}
        case "all":
            pairs: list[Any] = [
                ({"activation": "relu"}, {"activation": "elu"}),
                ({"class_name": "ReLU"}, {"class_name": "LeakyReLU", "negative_slope": 0.0}),
                ({"class_name": "BatchNormalization"}, {"class_name": "LayerNormalization"}),
                ({"class_name": "Dropout"}, {"rate": 0.4}),
            ]
            match, given = rng.choice(pairs)
            return {"do": "replace_all", "match": match, "with": given}
        case "another":
            norm = {"class_name": rng.choice(["LayerNormalization", "GroupNormalization"]), "config": {}}
            dense = {"class_name": "Dense", "config": {"units": 6}}
            turned = {
                "class_name": f"Conv{rank}DTranspose",
                "config": {"filters": 6, "kernel_size": rng.choice([1, 3]), "padding": "same"},
            }
            return {"do": "replace_layer", "layer": rng.choice(paths), "config": rng.choice([norm, dense, turned])}
        case "replace":
            return {"do": "replace_layer", "layer": rng.choice(paths), "config": {"activation": "tanh"}}
    return {"do": "rename_layer", "layer": rng.choice(paths), "name": f"renamed_{rng.randrange(99)}"}
