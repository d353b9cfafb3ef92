"""What is measured at each cell: exact and estimated entropies of tokens, and how transformers learn them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.measures.entropy import count_grams
from testbed.measures.entropy.profile import differences
from testbed.runs import Cell, Record
from testbed.sources import Source
from testbed.sources.tokens import (
    BytePairs,
    TokenChain,
    TokenisedSource,
    Tokenizer,
    all_grams,
    token_chain,
    train_byte_pairs,
    train_lz78,
    train_lzw,
    train_words,
)
from testbed.studies.tokenizers.config import Arm
from testbed.studies.tokenizers.grid import Probe
from testbed.training.member import TrainedMember

ESTIMATORS = ("plug_in", "miller_madow", "nsb", "chao_wang_jost")
ORDER = 3
"""Entropies of a token given 0 .. 3 earlier ones: H_1 .. H_4|3."""
TRAINING, TEST = 0, 1
"""Sequence numbers of the two texts of a replicate's seed."""
MARGIN = 200
"""Symbols at either end of a text where its tokens may be others than in the middle of a longer one."""
N_BLOCKS = 50  # of a text, for the standard error of E[length]

Floats = NDArray[np.float64]


def texts_record(cell: Cell, arm: Arm, probe: Probe) -> Record:
    """Entropies of the tokens of one replicate's text, for every tokenizer and size, and for ever longer training."""
    assert probe.texts is not None
    texts, source = probe.texts, arm.source
    longest = max(texts.training_length, texts.training_lengths[-1])
    training = source.sample(1, longest, seed=1 + probe.replicate, first_sequence=TRAINING)[0].astype(np.int64)
    test = source.sample(1, texts.test_length, seed=1 + probe.replicate, first_sequence=TEST)[0].astype(np.int64)
    surprises = -source.log_probs(test[None])[0]
    grown: list[list[dict[str, Floats]]] = []
    for coder in arm.coders:
        trained = trained_tokenizers(arm, coder, training[: texts.training_length])
        grown.append([_entropies(source, one, test, surprises) for one in trained])
    longer = [
        _entropies(source, train_byte_pairs(training[:n], source.vocab_size, texts.fixed_size), test, surprises)
        for n in texts.training_lengths
    ]
    arrays = {f"size_{key}": np.array([[one[key] for one in row] for row in grown]) for key in grown[0][0]}
    arrays |= {f"training_{key}": np.array([one[key] for one in longer]) for key in longer[0]}
    law = np.asarray(source.conditional_entropies(0).value)
    metrics: dict[str, Any] = {
        "entropy_rate": float(source.entropy_rate().value),
        "symbol_entropy": float(law[0]),
        "least_probability": least_probability(source),
        "fingerprint": source.fingerprint,
    }
    return Record(cell.key, cell.study, cell.resolved(), "done", metrics, arrays)


def trained_tokenizers(arm: Arm, coder: str, text: NDArray[np.int64]) -> list[Tokenizer]:
    """One for each size of the arm, all of one training text."""
    n_symbols = arm.source.vocab_size
    if coder == "byte_pairs":
        longest: BytePairs = train_byte_pairs(text, n_symbols, arm.sizes[-1])
        return [longest.truncated(min(size, longest.vocab_size)) for size in arm.sizes]
    if coder == "grams":  # as many grams as there are tokens, of the longest length that fits
        lengths = [int(np.floor(np.log(size) / np.log(n_symbols) + 1e-9)) for size in arm.sizes]
        return [all_grams(n_symbols, length) for length in lengths]
    if coder == "words":
        return [train_words(text, n_symbols, size, arm.separator) for size in arm.sizes]
    train = {"lzw": train_lzw, "lz78": train_lz78}[coder]
    return [train(text, n_symbols, size) for size in arm.sizes]


def _entropies(source: Source, tokenizer: Tokenizer, test: NDArray[np.int64], surprises: Floats) -> dict[str, Floats]:
    """Exact and estimated numbers of one tokenizer; entropies are nats a token.

    true (4,) h_0 .. h_3; rate; mean_length; estimates (estimators, 4); counted_length and its error; code_difference:
    see there, nats, which only the two ends can make
    """
    chain = token_chain(source, tokenizer)
    tokens = tokenizer.encode(test)
    counts = count_grams(tokens, ORDER + 1, vocab_size=tokenizer.vocab_size)
    counted, error = counted_length(tokenizer.lengths[tokens[:-1]])  # the text's end may cut the last one
    return {
        "true": chain.conditional_entropies(ORDER),
        "rate": np.array(chain.entropy_rate),
        "mean_length": np.array(chain.mean_length),
        "vocab_size": np.array(float(tokenizer.vocab_size)),
        "estimates": np.array([differences(counts, one) for one in ESTIMATORS]),
        "counted_length": np.array(counted),
        "counted_error": np.array(error),
        "code_difference": np.array(code_difference(chain, tokens, surprises)),
    }


def counted_length(lengths: NDArray[np.int64]) -> tuple[float, float]:
    """Mean symbols in a token of a text, and its standard error from the means of 50 blocks."""
    n = len(lengths) // N_BLOCKS * N_BLOCKS
    means = lengths[:n].reshape(N_BLOCKS, -1).mean(axis=1)
    return float(means.mean()), float(means.std(ddof=1) / np.sqrt(N_BLOCKS))


def code_difference(chain: TokenChain, tokens: NDArray[np.int64], surprises: Floats) -> float:
    """What the exact law of the tokens spends on a text more than that of the symbols (`surprises`, (N,)), nats.

    Both see the text from 200 symbols on, and up to 200 before its end: near an end a text is cut otherwise than in the
    middle of a longer one. The tokens' state is found by filtering, which leaves out a few symbols more, and a token is
    the more likely for what its cut says of the symbol behind it: a few nats, whatever the text's length.
    """
    ends = np.cumsum(chain.lengths[tokens])
    middle = np.flatnonzero((ends > MARGIN) & (ends <= len(surprises) - MARGIN))
    own = float(surprises[ends[middle[0]] : ends[middle[-1]]].sum())
    return code_length(chain, tokens[middle]) - own


def code_length(chain: TokenChain, tokens: NDArray[np.int64]) -> float:
    """-ln p of the tokens but for the first few, before the state is known; inf where one of them cannot come."""
    following = np.full((len(chain.token), chain.vocab_size), -1)
    state, target = np.nonzero(chain.kernel)
    following[state, chain.token[target]] = target
    belief, start = (chain.token == tokens[0]) * chain.law, 1
    while np.count_nonzero(belief) > 1 and start < len(tokens):
        belief = (belief @ chain.kernel) * (chain.token == tokens[start])
        belief /= belief.sum()
        start += 1
    at = int(np.argmax(belief))
    chances = []
    for token in tokens[start:].tolist():
        then = int(following[at, token])
        if then < 0:
            return np.inf
        chances.append(chain.kernel[at, then])
        at = then
    return -float(np.log(chances).sum())


def least_probability(source: Source) -> float:
    """delta: the least probability of a symbol that can come."""
    from testbed.sources.as_machine import as_edges

    edges, _ = as_edges(source)
    laws = edges.emissions(source.vocab_size)
    return float(laws[laws > 0].min())


def member_record(cell: Cell, member: TrainedMember, arm: Arm) -> Record:
    """How a member learnt; losses and excesses are nats a symbol of the source.

    half_step   the step at which the loss is halfway from H of one symbol to h, interpolated on log steps between the
                evaluations; the first evaluation if it was there by then, infinite if it never was
    """
    source = member.spec.source
    length = source.mean_length if isinstance(source, TokenisedSource) else 1.0
    rate = float(arm.source.entropy_rate().value)
    symbol = float(np.asarray(arm.source.conditional_entropies(0).value)[0])
    at_context = float(np.asarray(source.conditional_entropies(member.spec.context_length).value)[-1]) / length
    excess = member.path["excess"] / length
    loss = at_context + excess
    metrics: dict[str, Any] = {
        "mean_length": length,
        "entropy_rate": rate,
        "symbol_entropy": symbol,
        "bayes_loss": at_context,
        "final_loss": float(loss[-1]),
        "half_step": first_crossing(member.path["step"], loss, (rate + symbol) / 2),
        "exact_evaluation": member.exact_evaluation,
        "paired_difference": member.scores["paired"],
        "paired_error": member.scores["paired_error"],
    }
    arrays = {f"path_{name}": values for name, values in member.path.items()} | {"path_loss": loss}
    return Record(cell.key, cell.study, cell.resolved(), member.status, metrics, arrays)


def first_crossing(steps: Floats, loss: Floats, level: float) -> float | None:
    """The step at which the loss is first at or below the level, linear in ln(step) between evaluations.

    The first step if it is there from the beginning; None if it never is.
    """
    below = np.flatnonzero(loss <= level)
    if not below.size:
        return None
    at = int(below[0])
    if at == 0:
        return float(steps[0])
    share = (loss[at - 1] - level) / (loss[at - 1] - loss[at])
    return float(np.exp(np.log(steps[at - 1]) + share * (np.log(steps[at]) - np.log(steps[at - 1]))))
