"""What is measured on a member: how well its residual streams give the exact beliefs, and its loss at every position.

All R^2 are held out. By history: rows are distinct histories, weighted by how often they occur, and no history is both
fitted and judged. By sequence, which is the usual way: whole sequences are held out; in a source with few histories
each of them has then been seen in the fit. Of the penalties
tried the one of the largest held-out R^2 counts, for all features alike: what they give at their best.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.measures.features.belief_probe import fold_of_groups
from testbed.measures.features.residual_streams import residual_streams
from testbed.runs import Cell, MeasureContext, Record
from testbed.runs.record import Metric
from testbed.sources import Source
from testbed.studies.belief_geometry.config import Probe, Reading
from testbed.studies.belief_geometry.exact import (
    explained,
    factor_beliefs,
    factor_laws,
    histories,
    interaction,
    joint_belief,
    means_given_law,
    one_hot_window,
)
from testbed.studies.belief_geometry.fits import Moments, held_out_predictions
from testbed.training import first_sequence

if TYPE_CHECKING:
    from testbed.training.member import TrainedMember

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Arrays = dict[str, Floats]


def records_of(
    cells: Sequence[Cell], members: "Mapping[str, TrainedMember]", context: MeasureContext
) -> Iterator[Record]:
    """One record a cell."""
    for cell in cells:
        probe = cell.probe
        assert isinstance(probe, Probe)
        assert cell.training is not None
        member = members[cell.training.training_key]
        done = member.status == "done"
        arrays = member_arrays(member, probe.reading, probe.seed, context.device) if done and probe.reading else {}
        scores: dict[str, Metric] = {**member.scores} if done else {}
        yield Record(cell.key, cell.study, cell.resolved(), member.status, scores, arrays)


def member_arrays(member: "TrainedMember", reading: Reading, seed: int, device: str) -> Arrays:
    """Everything of one member; names that end in _untrained are of its weights before training.

    excess, risk (T + 1,)   mean KL to the Bayes law after t tokens, and the exact Bayes loss there, nats
    streams (depth + 2,)    R^2 of the belief (of a product: of both factors' beliefs) from the embedding, the stream
                            after each block, and all of them together
    logits ()               R^2 from the member's own ln q;  by_sequence (): from all streams, the usual way
    law, bound, window ()   R^2 from the exact law p, of any function of p, and of the one-hot tokens of the window
    null (n_shuffles,)      R^2 from all streams where whole sequences of beliefs are dealt out at random
    crossed (depth + 2,)    of a product: R^2 of the interaction of the two beliefs;  crossed_window () from the tokens
    rank (S_1 S_2 - 1,)     of a product: R^2 of the joint belief from the last stream, by maps of rank 1, 2, ..; and
                            rank_factored, rank_joint from the exact factors' beliefs, and from the exact joint belief
    beliefs, last, together, together_untrained (shown, k)    exact beliefs, and held-out fits of them
    """
    spec, source = member.spec, member.spec.source
    length = spec.context_length
    tokens = source.sample(reading.n_sequences, length + 1, seed, first_sequence("probe"))
    found = position_losses(source, tokens, member.sequence_log_laws(tokens, device))
    rows = Rows(source, tokens[:, :length], reading, seed)
    model, weights = member.opened(device)
    first = model.layout.views(model.layout.initial_row(spec.initial_seed)[None].to(device))
    log_q = rows.distinct(member.sequence_log_laws(tokens, device)[:, reading.first_position :])
    trained = residual_streams(model, weights, tokens[:, :length])
    untrained = residual_streams(model, first, tokens[:, :length])
    found |= rows.baselines(source.predict(tokens)[:, reading.first_position :], log_q)
    found |= rows.fitted(trained) | {f"{name}_untrained": one for name, one in rows.fitted(untrained).items()}
    found["null"] = rows.null(trained, np.random.Generator(np.random.Philox(key=seed)))
    return found | rows.pictures(trained, untrained)


def position_losses(source: Source, tokens: NDArray[np.integer], log_q: Floats) -> Arrays:
    """excess (T + 1,), the mean exact KL(p || q) at every position, and risk (T + 1,), the exact Bayes loss."""
    p = source.predict(tokens)
    log_p = np.log(p, out=np.zeros_like(p), where=p > 0)
    excess = np.sum(p * (log_p - np.where(p > 0, log_q, 0.0)), axis=2).mean(axis=0)
    return {"excess": excess, "risk": np.asarray(source.position_losses(tokens.shape[1]).value)}


class Rows:
    """The distinct histories of sampled sequences (N, T), with their exact beliefs, and folds of histories."""

    def __init__(self, source: Source, tokens: NDArray[np.integer], reading: Reading, seed: int) -> None:
        self.source, self.reading, self.tokens, self.first = source, reading, tokens, reading.first_position
        self.n_places = tokens.shape[1] + 1 - self.first
        self.at, counts = histories(tokens, self.first, source.vocab_size)
        self.weights = counts.astype(np.float64)
        rng = np.random.Generator(np.random.Philox(key=seed))
        self.folds = fold_of_groups(len(self.at), reading.n_folds, rng)
        of_sequence = fold_of_groups(len(tokens), reading.n_folds, rng)
        self.sequence_folds = np.repeat(of_sequence, self.n_places)
        factors = [one[:, self.first :] for one in factor_beliefs(source, tokens)]
        self.everywhere = np.concatenate(factors, axis=2).reshape(-1, sum(one.shape[2] for one in factors))
        self.beliefs = self.everywhere[self.at]
        self.factors = [self.distinct(one) for one in factors]
        self.window = self.distinct(one_hot_window(tokens, source.vocab_size)[:, self.first :])

    def distinct(self, values: Floats) -> Floats:
        """(n, k) of values at all places read, (N, places, k)."""
        return np.asarray(values.reshape(-1, values.shape[-1])[self.at], dtype=np.float64)

    def r_squared(self, features: Floats, targets: Floats) -> float:
        moments = Moments.of(features, targets, self.weights, self.folds, self.reading.n_folds)
        return moments.best(np.arange(features.shape[1]), np.arange(targets.shape[1]), self.reading.ridges)[0]

    def baselines(self, laws: Floats, log_q: Floats) -> Arrays:
        """What the exact law, the member's own ln q and the tokens themselves give of the belief."""
        p = self.distinct(laws)
        parts = zip(factor_laws(self.source, p), self.factors, strict=True)
        means = [means_given_law(law, belief, self.weights) for law, belief in parts]
        found = {
            "law": self.r_squared(p, self.beliefs),
            "bound": explained(np.concatenate(means, axis=1), self.beliefs, self.weights),
            "logits": self.r_squared(log_q, self.beliefs),
            "window": self.r_squared(self.window, self.beliefs),
        }
        if len(self.factors) == 2:
            crossed = interaction(self.factors, self.weights)
            found["crossed_window"] = self.r_squared(self.window, crossed)
            found["crossed_bound"] = explained(interaction(means, self.weights), crossed, self.weights)
        arrays = {name: np.asarray(value) for name, value in found.items()}
        if len(self.factors) == 2:
            joint = joint_belief(self.factors)
            arrays["rank_factored"] = self.by_rank(self.beliefs)
            arrays["rank_joint"] = self.by_rank(joint)
        return arrays

    def fitted(self, streams: NDArray[np.floating]) -> Arrays:
        """R^2 from every stream (depth + 1, N, T + 1, D) and from all of them together."""
        features, blocks = self.together(streams)
        targets = [self.beliefs]
        if len(self.factors) == 2:
            targets.append(interaction(self.factors, self.weights))
        moments = Moments.of(features, np.concatenate(targets, axis=1), self.weights, self.folds, self.reading.n_folds)
        found: Arrays = {}
        start = 0
        for name, target in zip(("streams", "crossed"), targets, strict=False):
            columns = np.arange(start, start + target.shape[1])
            start += target.shape[1]
            values = [moments.best(block, columns, self.reading.ridges)[0] for block in blocks]
            found[name] = np.array(values)
        if len(self.factors) == 2:
            found["rank"] = self.by_rank(features[:, blocks[-2]])
        everything = self.places(streams)
        usual = Moments.of(
            everything, self.everywhere, np.ones(len(everything)), self.sequence_folds, self.reading.n_folds
        )
        columns = np.arange(self.everywhere.shape[1])
        found["by_sequence"] = np.asarray(usual.best(blocks[-1], columns, self.reading.ridges)[0])
        return found

    def by_rank(self, features: Floats) -> Floats:
        """(S_1 S_2 - 1,) R^2 of the joint belief by maps of rank 1, 2, .."""
        joint = joint_belief(self.factors)
        moments = Moments.of(features, joint, self.weights, self.folds, self.reading.n_folds)
        block, target = np.arange(features.shape[1]), np.arange(joint.shape[1])
        ranks = range(1, joint.shape[1])
        return np.array([moments.best(block, target, self.reading.ridges, rank)[0] for rank in ranks])

    def null(self, streams: NDArray[np.floating], rng: np.random.Generator) -> Floats:
        """(n_shuffles,) R^2 from all streams of beliefs dealt out by whole sequences, which keep their positions."""
        everything = self.places(streams)
        k = self.everywhere.shape[1]
        by_sequence = self.everywhere.reshape(len(self.tokens), self.n_places, k)
        shuffled = [
            by_sequence[rng.permutation(len(self.tokens))].reshape(-1, k) for _ in range(self.reading.n_shuffles)
        ]
        moments = Moments.of(
            everything,
            np.concatenate(shuffled, axis=1),
            np.ones(len(everything)),
            self.sequence_folds,
            self.reading.n_folds,
        )
        block = np.arange(everything.shape[1])
        targets = [np.arange(first, first + k) for first in range(0, k * len(shuffled), k)]
        return np.array([moments.best(block, one, self.reading.ridges)[0] for one in targets])

    def pictures(self, trained: NDArray[np.floating], untrained: NDArray[np.floating]) -> Arrays:
        """Exact beliefs of some histories, and held-out fits of them."""
        shown = np.argsort(-self.weights, kind="stable")[: self.reading.shown]
        found = {"beliefs": self.beliefs[shown]}
        for name, streams, every in (
            ("last", trained, False),
            ("together", trained, True),
            ("together_untrained", untrained, True),
        ):
            features, blocks = self.together(streams)
            block, folds = blocks[-1] if every else blocks[-2], self.reading.n_folds
            moments = Moments.of(features, self.beliefs, self.weights, self.folds, folds)
            ridge = moments.best(block, np.arange(self.beliefs.shape[1]), self.reading.ridges)[1]
            fitted = held_out_predictions(features[:, block], self.beliefs, self.weights, self.folds, folds, ridge)
            found[name] = fitted[shown]
        return found

    def places(self, streams: NDArray[np.floating]) -> Floats:
        """(N places, (depth + 1) D): all streams side by side at all places read."""
        read = streams[:, :, self.first :].astype(np.float64)
        return np.concatenate([one.reshape(-1, one.shape[-1]) for one in read], axis=1)

    def together(self, streams: NDArray[np.floating]) -> tuple[Floats, list[Integers]]:
        """All streams side by side at the distinct histories; the columns of each, and of all."""
        width = streams.shape[-1]
        features = self.places(streams)[self.at]
        blocks = [np.arange(k * width, (k + 1) * width) for k in range(len(streams))]
        return features, [*blocks, np.arange(features.shape[1])]
