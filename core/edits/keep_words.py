"""Another vocabulary for a lookup: what was learnt of each word stays with the word."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Literal

from core.edits.base import Context, Edit, Outcome
from core.errors import EditError
from core.findings import Finding
from core.model.graph import Graph, Layer, origins
from core.rules import KeepRows, MapChannels
from core.surgery import contracts
from core.surgery.recording import configured, record
from core.surgery.words import LOOKUPS, User, holds_numbers, index_count, kept_rows, special_tokens, users, vocabulary

_SHOWN = 5


class KeepWords(Edit, frozen=True, kw_only=True, tag="keep_words"):
    """`vocabulary` lists the words (or whole numbers) of the lookup `layer` [the only one] anew, without special ones.

    Rows of Embedding layers behind it, and of Dense kernels behind one-hot or multi-hot counts, follow their words.
    Rows of words that are new start `fresh`: at random (`uniform`), at the `mean` of the known rows, or at `zeros`.
    """

    vocabulary: tuple[str | int, ...]
    layer: str | None = None
    fresh: Literal["uniform", "mean", "zeros"] = "uniform"
    seed: int = 0

    def check(self) -> None:
        """At least one word, none twice."""
        if not self.vocabulary:
            raise EditError("vocabulary is empty; list the words that the model should know.")
        word, times = Counter(self.vocabulary).most_common(1)[0]
        if times > 1:
            raise EditError(f"vocabulary lists {word!r} {times} times; each word has one row.")

    def apply(self, graph: Graph, context: Context) -> Outcome:
        """The lookup with its new words, and everything that counts them."""
        self.check()
        path = self._path(graph)
        layer = graph.find(path)
        before, old = graph, self._old(graph, path, layer, context.source)
        new = self._words(layer)
        rows = kept_rows(layer, old, new)
        if not set(old) & set(new):
            raise EditError(
                f"None of the {len(new)} words is among the {len(old)} words that {path} knows (such as {old[0]!r}); "
                "check their spelling and case."
            )
        fields: dict[str, Any] = {"vocabulary": list(new)}
        if layer.config.get("vocabulary_size") is not None:
            fields["vocabulary_size"] = None  # Keras counts the words it is given
        most = layer.config.get("max_tokens")
        if most and index_count(configured(layer, max_tokens=None), new) > most:
            fields["max_tokens"] = index_count(configured(layer, max_tokens=None), new)
        if layer.config.get("output_mode") == "tf_idf":
            fields["idf_weights"] = self._frequencies(path, layer, old, new)
        layer = configured(layer, **fields)
        counts = index_count(graph.find(path), old), index_count(layer, new)
        found = users(graph, path)
        graph = graph.with_layer(path, layer)
        for user in found:
            if user.kind != "unknown":
                graph = graph.with_layer(user.path, self._adapted(graph.find(user.path), user, rows, counts))
        after = context.shaped(graph)
        takers = users(after, path)
        was, now = vocabulary(before.find(path)) or (), vocabulary(after.find(path)) or ()
        known = set(was) & set(old)
        stay = [word for word in now if word in known]
        if was == now or not stay:
            # its vocabulary was changed before its rows, or no word has a row of the source: nothing to compare with
            return Outcome(after, (), self._told(path, takers, after))
        same = contracts.KeptWords(
            name="new(words that stay) == old(words that stay)",
            exact=all(user.kind != "unknown" for user in takers),
            lookup=path,
            words=stay,
        )
        return Outcome(after, (same,), self._told(path, takers, after))

    def _told(self, path: str, takers: Iterable[User], after: Graph) -> tuple[Finding, ...]:
        """Words that are new or gone, and layers that do something unknown with the numbers of words."""
        found = []
        for user in takers:
            layer = after.find(user.path)
            if user.kind == "unknown":
                text = (
                    f"{user.path} ({layer.class_name}) receives the word indices from {path}, and Suture does not know "
                    "what it does with them; it is left unchanged."
                )
                found.append(Finding("warning", "adapt.lossy", user.path, text))
            elif user.kind in ("table", "rows"):
                found += self._changes(path, user, after)
        return tuple(found)

    def summary(self) -> str:
        """For the recipe list."""
        return f"{self.layer or 'The vocabulary'} has {len(self.vocabulary)} words"

    def _path(self, graph: Graph) -> str:
        paths = [path for path, layer in graph.walk() if layer.class_name in LOOKUPS and not layer.opaque]
        if self.layer is None:
            if len(paths) == 1:
                return paths[0]
            raise EditError(
                f"The model has {len(paths)} lookup layers ({', '.join(paths) or 'none'}); name one with layer."
            )
        if self.layer not in paths:
            known = f"the model's lookup layers are {', '.join(paths)}" if paths else "the model has no lookup layer"
            raise EditError(f"{self.layer!r} is not a lookup layer; {known}.")
        return self.layer

    def _words(self, layer: Layer) -> tuple[Any, ...]:
        kind = int if holds_numbers(layer) else str
        wrong = next((word for word in self.vocabulary if not isinstance(word, kind)), None)
        if wrong is not None:
            raise EditError(
                f"vocabulary contains {wrong!r}, but this lookup takes {'whole numbers' if kind is int else 'text'}."
            )
        found = vocabulary(configured(layer, vocabulary=list(self.vocabulary)))
        assert found is not None
        return found

    def _old(self, graph: Graph, path: str, layer: Layer, source: Graph) -> tuple[Any, ...]:
        """The words that the source's rows stand for."""
        origin = origins(graph).get(path)
        before = source.find(origin) if origin is not None else layer
        words = vocabulary(before)
        if not words:
            raise EditError(
                f"The file does not contain the vocabulary of {path}, so rows cannot be matched to words; set the "
                "vocabulary in Keras and save the model again."
            )
        return words

    def _frequencies(self, path: str, layer: Layer, old: tuple[Any, ...], new: tuple[Any, ...]) -> list[float]:
        """The weights of `tf_idf`, each with its word."""
        known = layer.config.get("idf_weights")
        missing = next((word for word in new if word not in set(old)), None)
        if not isinstance(known, list) or len(known) < len(old) or missing is not None:
            word = repr(missing) if missing is not None else "the words in the file"
            raise EditError(
                f"{path} needs an IDF weight for every word, and there is none for {word}; replace the layer and "
                "give idf_weights with its vocabulary."
            )
        by_word = dict(zip(old, known[-len(old) :], strict=True))
        return [by_word[word] for word in new]

    def _adapted(self, layer: Layer, user: User, rows: tuple[int | None, ...], counts: tuple[int, int]) -> Layer:
        """A layer behind the lookup, for as many words as there are now."""
        before, count = counts
        rows = (*rows, *(None,) * (count - len(rows)))
        if user.kind == "count":
            field = "num_tokens" if "num_tokens" in layer.config else "num_classes"
            return configured(layer, **{field: count})
        if user.kind == "rows":
            rule = MapChannels(take=rows, share=False)
            return record(layer, "kernel", rule)
        size = int(layer.config.get("input_dim") or 0)
        if size > before:  # rows that no word used stay where no word uses them
            rows = (*rows, *range(len(rows), size))
        layer = configured(layer, input_dim=len(rows))
        kept = tuple(row if row is None or row < size else None for row in rows)
        return record(layer, "embeddings", KeepRows(keep=kept, fresh=self.fresh, seed=self.seed))

    def _changes(self, path: str, user: User, after: Graph) -> list[Finding]:
        """Which words start anew and how many rows are left behind."""
        layer, words = after.find(user.path), vocabulary(after.find(path)) or ()
        name = "embeddings" if user.kind == "table" else "kernel"
        weight = next((one for one in layer.weights if one.name == name), None)
        rule = next(iter(rule for rule in layer.rules_for(name) if isinstance(rule, KeepRows | MapChannels)), None)
        rows = getattr(rule, "keep", None) or getattr(rule, "take", None)
        if weight is None or rows is None:
            return []
        start = len(special_tokens(after.find(path)))
        new = [str(word) for word, row in zip(words, rows[start:], strict=False) if row is None]
        gone = weight.shape[0] - len({row for row in rows if row is not None})
        parts = []
        if new:
            how = "at zeros" if user.kind == "rows" else _STARTS[self.fresh]
            names = ", ".join(new[:_SHOWN]) + (f" and {len(new) - _SHOWN} more" if len(new) > _SHOWN else "")
            parts.append(
                f"{_count(len(new), 'new word')} in {user.path}/{name} {_verb(len(new), 'start')} {how}: {names}"
            )
        if gone:
            parts.append(
                f"{_count(gone, 'row')} of {user.path}/{name} {_verb(gone, 'belong')} to no word any more and "
                f"{'is' if gone == 1 else 'are'} dropped"
            )
        return [Finding("info", "weight.unmatched", user.path, f"{part}.") for part in parts]


_STARTS = {"uniform": "at random values", "mean": "at the mean of the known rows", "zeros": "at zeros"}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _verb(number: int, verb: str) -> str:
    return f"{verb}s" if number == 1 else verb
