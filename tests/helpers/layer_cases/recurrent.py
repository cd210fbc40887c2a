"""Cases of layers that remember or look around: recurrent layers, cells, wrappers, attention."""

from collections.abc import Iterator
from typing import Any

from tests.helpers.layer_cases.base import Case, In
from tests.helpers.layer_cases.plain import STEPS, chain

MASKED = In((6, 4), steps=(2, 0, 3))


def recurrent(k: Any) -> Iterator[Case]:
    make = k.layers
    for name in ("LSTM", "GRU", "SimpleRNN"):
        layer = getattr(make, name)
        yield chain(name, STEPS, lambda c=layer: c(3))
        yield chain(f"{name}/sequences, no bias", STEPS, lambda c=layer: c(3, return_sequences=True, use_bias=False))
        yield Case(f"{name}/states", (STEPS,), lambda x, c=layer: c(3, return_state=True, return_sequences=True)(x))
        yield chain(f"{name}/backwards", STEPS, lambda c=layer: c(3, go_backwards=True, return_sequences=True))
        yield chain(f"{name}/unrolled", STEPS, lambda c=layer: c(3, unroll=True, activation="relu"))
        yield chain(f"{name}/stateful", In((6, 4), batch=3), lambda c=layer: c(3, stateful=True))
        yield chain(f"{name}/dropout", STEPS, lambda c=layer: c(3, dropout=0.2, recurrent_dropout=0.1))
        yield chain(
            f"{name}/regularizers",
            STEPS,
            lambda c=layer: c(
                3,
                kernel_regularizer="l2",
                recurrent_constraint="max_norm",
                bias_initializer="ones",
                recurrent_initializer="glorot_uniform",
            ),
        )
        yield chain(f"{name}/masked", MASKED, lambda: make.Masking(), lambda c=layer: c(3, return_sequences=True))
        yield chain(
            f"{name}/masked, backwards", MASKED, lambda: make.Masking(), lambda c=layer: c(3, go_backwards=True)
        )
        yield chain(f"{name}/any length", In((None, 4)), lambda c=layer: c(3))
        count = 2 if name == "LSTM" else 1
        yield Case(
            f"{name}/initial state",
            (STEPS, *[In((3,))] * count),
            lambda x, *state, c=layer: c(3)(x, initial_state=list(state) if len(state) > 1 else state[0]),
        )
        yield Case(
            f"{name}/encoder and decoder",
            (STEPS, In((5, 2))),
            lambda a, b, c=layer: c(3, return_sequences=True)(b, initial_state=c(3, return_state=True)(a)[1:]),
        )
        cell = getattr(make, f"{name}Cell")
        yield chain(f"{name}Cell", STEPS, lambda c=cell: make.RNN(c(3)))
        yield chain(
            f"{name}Cell/no bias",
            STEPS,
            lambda c=cell: make.RNN(c(3, use_bias=False, activation="relu"), return_sequences=True),
        )
    for name in ("LSTM", "GRU"):
        layer = getattr(make, name)
        yield chain(f"{name}/hard sigmoid", STEPS, lambda c=layer: c(3, recurrent_activation="hard_sigmoid"))
        yield chain(
            f"{name}/other activations", STEPS, lambda c=layer: c(3, activation="softsign", recurrent_activation="tanh")
        )
    yield chain("LSTM/no unit forget bias", STEPS, lambda: make.LSTM(3, unit_forget_bias=False))
    for after in (True, False):
        yield chain(
            f"GRU/reset_after={after}", STEPS, lambda a=after: make.GRU(3, reset_after=a, return_sequences=True)
        )
        yield chain(f"GRUCell/reset_after={after}", STEPS, lambda a=after: make.RNN(make.GRUCell(3, reset_after=a)))
        yield chain(
            f"GRU/reset_after={after}, hard sigmoid",
            STEPS,
            lambda a=after: make.GRU(3, reset_after=a, recurrent_activation="hard_sigmoid"),
        )
    yield chain("RNN", STEPS, lambda: make.RNN(make.LSTMCell(3), go_backwards=True))
    yield Case("RNN/states", (STEPS,), lambda x: make.RNN(make.GRUCell(3), return_state=True, return_sequences=True)(x))
    yield chain("StackedRNNCells", STEPS, lambda: make.RNN(make.StackedRNNCells([make.LSTMCell(3), make.GRUCell(2)])))
    yield chain(
        "StackedRNNCells/of one kind",
        STEPS,
        lambda: make.RNN([make.LSTMCell(3), make.LSTMCell(2)], return_sequences=True),
    )
    for rank, shape in ((1, (3, 6, 2)), (2, (3, 6, 5, 2)), (3, (2, 4, 4, 4, 1))):
        layer = getattr(make, f"ConvLSTM{rank}D")
        yield chain(f"ConvLSTM{rank}D", In(shape), lambda c=layer: c(2, 2))
        yield chain(
            f"ConvLSTM{rank}D/sequences",
            In(shape),
            lambda c=layer: c(
                2, 2, return_sequences=True, padding="same", use_bias=False, recurrent_activation="sigmoid"
            ),
        )
    yield chain("ConvLSTM2D/strides", In((3, 7, 7, 2)), lambda: make.ConvLSTM2D(2, 3, strides=2, go_backwards=True))
    yield Case("ConvLSTM2D/states", (In((3, 6, 5, 2)),), lambda x: make.ConvLSTM2D(2, 2, return_state=True)(x))


def wrappers(k: Any) -> Iterator[Case]:
    make = k.layers
    for mode in ("concat", "sum", "mul", "ave"):
        yield chain(f"Bidirectional/{mode}", STEPS, lambda m=mode: make.Bidirectional(make.LSTM(3), merge_mode=m))
    yield Case("Bidirectional/None", (STEPS,), lambda x: make.Bidirectional(make.GRU(3), merge_mode=None)(x))
    yield Case("Bidirectional/states", (STEPS,), lambda x: make.Bidirectional(make.LSTM(3, return_state=True))(x))
    yield chain(
        "Bidirectional/another backward layer",
        STEPS,
        lambda: make.Bidirectional(make.LSTM(3), backward_layer=make.LSTM(3, go_backwards=True, activation="relu")),
    )
    yield chain(
        "Bidirectional/different classes",
        STEPS,
        lambda: make.Bidirectional(
            make.LSTM(3, return_sequences=True), backward_layer=make.GRU(2, go_backwards=True, return_sequences=True)
        ),
    )
    yield chain("Bidirectional/SimpleRNN", STEPS, lambda: make.Bidirectional(make.SimpleRNN(3, return_sequences=True)))
    yield chain("Bidirectional/cells", STEPS, lambda: make.Bidirectional(make.RNN(make.GRUCell(3))))
    yield chain(
        "Bidirectional/hard sigmoid",
        STEPS,
        lambda: make.Bidirectional(make.LSTM(3, recurrent_activation="hard_sigmoid")),
    )
    yield chain(
        "Bidirectional/masked",
        MASKED,
        lambda: make.Masking(),
        lambda: make.Bidirectional(make.LSTM(3, return_sequences=True)),
    )
    yield chain("Bidirectional/stateful", In((6, 4), batch=3), lambda: make.Bidirectional(make.GRU(3, stateful=True)))
    yield chain("Bidirectional/frozen", STEPS, lambda: make.Bidirectional(make.LSTM(3), trainable=False))
    yield chain("Bidirectional/ConvLSTM2D", In((3, 6, 5, 2)), lambda: make.Bidirectional(make.ConvLSTM2D(2, 2)))
    yield chain("TimeDistributed", STEPS, lambda: make.TimeDistributed(make.Dense(3, name="inside")))
    yield chain("TimeDistributed/Conv2D", In((3, 8, 8, 2)), lambda: make.TimeDistributed(make.Conv2D(3, 3, strides=2)))
    yield chain(
        "TimeDistributed/BatchNormalization", In((3, 6, 4)), lambda: make.TimeDistributed(make.BatchNormalization())
    )
    yield chain("TimeDistributed/LSTM", In((3, 6, 4)), lambda: make.TimeDistributed(make.LSTM(3)))
    yield chain(
        "TimeDistributed/Bidirectional", In((3, 6, 4)), lambda: make.TimeDistributed(make.Bidirectional(make.GRU(3)))
    )
    yield chain(
        "TimeDistributed/TimeDistributed",
        In((3, 6, 4)),
        lambda: make.TimeDistributed(make.TimeDistributed(make.Dense(3))),
    )
    yield chain(
        "TimeDistributed/masked",
        MASKED,
        lambda: make.Masking(),
        lambda: make.TimeDistributed(make.Dense(3)),
        lambda: make.LSTM(2),
    )
    yield chain("TimeDistributed/Sequential", In((3, 8, 8, 2)), lambda: make.TimeDistributed(_frame(k)))
    yield chain("TimeDistributed/Functional", In((3, 8, 8, 2)), lambda: make.TimeDistributed(_functional(k)))
    yield chain("TimeDistributed/Flatten", In((3, 8, 2)), lambda: make.TimeDistributed(make.Flatten()))


def _frame(k: Any) -> Any:
    make = k.layers
    return k.Sequential(
        [k.Input((8, 8, 2)), make.Conv2D(3, 3), make.BatchNormalization(), make.Flatten()], name="frame"
    )


def _functional(k: Any) -> Any:
    make = k.layers
    x = k.Input((8, 8, 2))
    y = make.Conv2D(3, 3, padding="same")(x)
    return k.Model(x, make.GlobalMaxPooling2D()(make.Concatenate()([x, y])), name="functional")


def attention(k: Any) -> Iterator[Case]:
    make = k.layers
    query, value = In((4, 6)), In((5, 6))
    yield Case("Attention", (query, value), lambda q, v: make.Attention()([q, v]))
    yield Case("Attention/key", (query, value, value), lambda *x: make.Attention(use_scale=True)(list(x)))
    yield Case(
        "Attention/concat", (query, value), lambda q, v: make.Attention(score_mode="concat", use_scale=True)([q, v])
    )
    yield Case(
        "Attention/scores",
        (query, value),
        lambda q, v: make.Attention(dropout=0.1)([q, v], return_attention_scores=True),
    )
    yield Case("AdditiveAttention", (query, value), lambda q, v: make.AdditiveAttention()([q, v]))
    yield Case(
        "AdditiveAttention/no scale", (query, value), lambda q, v: make.AdditiveAttention(use_scale=False)([q, v])
    )
    yield Case("MultiHeadAttention", (query, value), lambda q, v: make.MultiHeadAttention(2, 3)(q, v))
    yield Case("MultiHeadAttention/self", (query,), lambda x: make.MultiHeadAttention(2, 3, dropout=0.1)(x, x))
    yield Case(
        "MultiHeadAttention/key, value size, no bias",
        (query, value, value),
        lambda q, v, x: make.MultiHeadAttention(2, 3, value_dim=4, use_bias=False)(q, v, key=x),
    )
    yield Case(
        "MultiHeadAttention/output shape",
        (query, value),
        lambda q, v: make.MultiHeadAttention(2, 3, output_shape=5)(q, v),
    )
    yield Case(
        "MultiHeadAttention/axes",
        (In((3, 4, 6)),),
        lambda x: make.MultiHeadAttention(2, 3, attention_axes=(1, 2))(x, x),
    )
    yield Case(
        "MultiHeadAttention/scores",
        (query, value),
        lambda q, v: make.MultiHeadAttention(2, 3)(q, v, return_attention_scores=True),
    )
    yield Case(
        "MultiHeadAttention/causal", (query,), lambda x: make.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True)
    )
    yield Case("Attention/causal", (query,), lambda x: make.Attention()([x, x], use_causal_mask=True))
    yield Case(
        "MultiHeadAttention/masked",
        (In((5,), "int", steps=(2, 0, 3)),),
        lambda x: (lambda y: make.MultiHeadAttention(2, 3)(y, y))(make.Embedding(10, 6, mask_zero=True)(x)),
    )
    yield Case(
        "MultiHeadAttention/given mask",
        (query, value, In((4, 5), "int", limit=2)),
        lambda q, v, m: make.MultiHeadAttention(2, 3)(q, v, attention_mask=m),
    )


def nested(k: Any) -> Iterator[Case]:
    make = k.layers

    def shared(a: Any, b: Any) -> Any:
        layer, norm = make.Conv2D(3, 2, name="shared"), make.BatchNormalization(name="norm")
        return make.Concatenate()([norm(layer(a)), norm(layer(b))])

    def siamese(a: Any, b: Any) -> Any:
        body = _functional(k)
        return make.Subtract()([body(a), body(b)])

    def deep(x: Any) -> Any:
        inner = k.Sequential(
            [k.Input((8, 8, 2)), make.Conv2D(4, 3, name="a"), make.BatchNormalization(name="n")], name="inner"
        )
        y = k.Input((8, 8, 2))
        middle = k.Model(y, [make.Conv2D(2, 1, name="b")(inner(y)), inner(y)], name="middle")
        first, second = middle(x)
        return make.Concatenate()([make.Conv2D(4, 1, name="c")(make.ZeroPadding2D(0)(first)), second])

    def frozen(x: Any) -> Any:
        body = _frame(k)
        body.trainable = False
        part = k.Sequential(
            [k.Input((108,)), make.Dense(3, name="x"), make.BatchNormalization(name="y"), make.Dense(2, name="z")]
        )
        part.get_layer("x").trainable = False
        return part(body(x))

    image = In((8, 8, 2))
    yield Case("Conv2D/shared", (image, image), shared)
    yield Case("Functional/siamese", (image, image), siamese)
    yield Case("Functional/deep, several outputs", (image,), deep)
    yield Case("Sequential/frozen parts", (image,), frozen)
    yield Case(
        "Sequential",
        (),
        model=lambda: k.Sequential([k.Input((8, 8, 4)), make.Conv2D(3, 3), make.Flatten(), make.Dense(2)]),
    )
    yield Case("Sequential/nested", (), model=lambda: k.Sequential([k.Input((8, 8, 2)), _frame(k), make.Dense(2)]))
    yield Case(
        "Sequential/same class many times",
        (),
        model=lambda: k.Sequential([k.Input((5,)), *(make.Dense(n) for n in range(2, 14))]),
    )


def remembering(k: Any) -> Iterator[Case]:
    for part in (recurrent, wrappers, attention, nested):
        yield from part(k)
