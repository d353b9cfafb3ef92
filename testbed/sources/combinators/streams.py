"""What the combinators ask of their components, and laws given windows of a stream."""

from collections.abc import Callable, Sequence

import numpy as np

from testbed.core import ConfigError, UndefinedError
from testbed.sources.source import Floats, Source, Tokens, check_positions, check_tokens, require_law_memory

MAX_VOCAB_SIZE = 2**31
WINDOW_ENTRIES = 2**22  # tokens of the windows that are looked at together


def check_streams(components: Sequence[Source], parameter: str, whole: str, at_least: int = 1) -> None:
    """Raise ConfigError for too few components, and for one that scores only some positions or has real inputs."""
    if len(components) < at_least:
        raise ConfigError(f"{parameter}: {len(components)} given, but {whole} needs at least {at_least}")
    for number, component in enumerate(components):
        name = f"{parameter}[{number}]" if len(components) > 1 else parameter
        if not component.judges_all:
            raise ConfigError(
                f"{name}: {component.type_name} scores only some positions; {whole} needs one that scores all of them"
            )
        if component.takes_inputs:
            raise ConfigError(
                f"{name}: {component.type_name} has real-valued inputs; {whole} needs sources of tokens alone"
            )


def check_vocab_size(vocab_size: int, parameter: str) -> None:
    """Refuse composed symbols that do not fit 32 bits."""
    if vocab_size > MAX_VOCAB_SIZE:
        raise ConfigError(f"{parameter}: {vocab_size} composed symbols are too many; at most 2^31")


def form_is_rounded(source: Source) -> bool:
    """Whether the weights of its `finite_form` are products that were quantised anew: its law only up to 2^-32."""
    return bool(getattr(source, "rounded_form", False))


def require_stationary(source: Source, what: str) -> None:
    """Raise UndefinedError for a composed source with a component that is not stationary."""
    if not source.stationary:
        raise UndefinedError(
            f"{what}: {source.type_name} has a component that is not stationary. At an unknown time the component would"
            " be another process, and so would what is made of it; known are position_losses(length) and entropy_rate"
        )


def common_lengths(components: Sequence[Source], up_to: int) -> list[int]:
    """The lengths that all components write."""
    return sorted(set.intersection(*(set(component.lengths(up_to)) for component in components)))


def predict_by_windows(
    source: Source,
    law: Callable[[Tokens, Sequence[int]], Floats],
    tokens: Tokens,
    context: int | None,
    positions: Sequence[int] | None,
) -> Floats:
    """`source.predict`, with `context` reduced to `law(tokens, positions)`, the law given all tokens before.

    The law of t given the last l < t tokens at an unknown time of a stationary process is the law of the last position
    of a sequence that starts at t - l. Raises UndefinedError for a context of a source that is not stationary.
    """
    tokens = check_tokens(tokens, source.vocab_size, context)
    at = check_positions(positions, tokens.shape[1])
    n_sequences = len(tokens)
    require_law_memory(n_sequences, len(at), source.vocab_size)
    if context is None:
        return law(tokens, at)
    require_stationary(source, "context")
    result = np.empty((n_sequences, len(at), source.vocab_size))
    whole = [column for column, t in enumerate(at) if t <= context]
    if whole:
        result[:, whole] = law(tokens[:, : context + 1], [at[column] for column in whole])
    rows_at_once = max(1, WINDOW_ENTRIES // (context + 1))
    columns_at_once = max(1, rows_at_once // max(n_sequences, 1))
    parts = [column for column, t in enumerate(at) if t > context]
    for first in range(0, len(parts), columns_at_once):
        columns = parts[first : first + columns_at_once]
        windows = np.stack([tokens[:, at[column] - context : at[column] + 1] for column in columns], axis=1)
        flat = law(windows.reshape(-1, context + 1), [context])
        result[:, columns] = flat.reshape(n_sequences, len(columns), source.vocab_size)
    return result
