"""`testbed entropy`: h_k of a file of tokens by every estimator, with intervals, and how far they can be trusted."""

import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from testbed.commands.results import print_table
from testbed.commands.source_plot import Series, text_plot
from testbed.commands.sources import known_truths, source_of
from testbed.core import ConfigError, Truth
from testbed.measures.entropy.counting import LARGEST_TABLE, longest_order
from testbed.measures.entropy.estimators import ESTIMATORS
from testbed.measures.entropy.profile import EntropyProfile, entropy_profiles
from testbed.measures.entropy.token_files import TokenFile, read_tokens
from testbed.runs.progress import Progress
from testbed.sources import Source

DEFAULT_ORDER = 8
MIB = 2**20
CONFIDENCE = 0.95


def show_entropy(
    path: Path,
    overrides: Sequence[str] = (),
    max_order: int | None = None,
    dtype: str = "uint16",
    unit: str = "bytes",
    array: str | None = None,
    vocab_size: int | None = None,
    interval: str = "jackknife",
    n_blocks: int = 20,
    figure: Path | None = None,
    against: str | None = None,
    table: str | None = None,
    plugins: Sequence[Path] = (),
) -> int:
    """Print the estimates, plot those of NSB in letters, and draw all into a figure if asked."""
    from testbed.commands.entropy_figure import check_figure_path, write_figure

    if figure is not None:
        check_figure_path(figure)
    if overrides and against is None:
        raise ConfigError(f"{overrides[0]}: keys are those of a source; name it by --against TYPE")
    source = None if against is None else source_of(against, overrides, plugins, table)
    file = read_tokens(path, dtype, unit, _alphabet(source, vocab_size), array)
    order = _order(file, max_order, 1 if interval == "none" else n_blocks)
    _check_windows(path, file, order, interval, n_blocks)
    profiles = _profiles(file, order, interval, n_blocks)
    truth = None if source is None else _truth(source, order)
    # before anything is printed: a reader such as `head` may close the pipe
    drawn = [] if figure is None else write_figure(profiles, truth, path.name, interval, n_blocks, figure)
    _print_head(path, file, profiles[0], order)
    _print_values(profiles, truth, interval, n_blocks)
    _print_plot(profiles, truth)
    for written in drawn:
        print(f"written       {written}")
    return 0


def _alphabet(source: Source | None, vocab_size: int | None) -> int | None:
    if source is None or vocab_size == source.vocab_size:
        return vocab_size
    if vocab_size is not None:
        raise ConfigError(f"--vocab-size: given {vocab_size}, but {source.type_name} has {source.vocab_size} symbols")
    return source.vocab_size


def _order(file: TokenFile, wanted: int | None, n_blocks: int) -> int:
    """As asked, else at most 8, and no more than can be counted or leaves a window for each block."""
    if wanted is not None:
        return wanted
    length = file.tokens.shape[-1]
    order = max(0, min(DEFAULT_ORDER, length - -(-n_blocks * length // file.tokens.size)))
    while order > 0 and file.vocab_size ** (order + 1) > LARGEST_TABLE and order + 1 > longest_order(file.vocab_size):
        order -= 1
    return order


def _check_windows(path: Path, file: TokenFile, order: int, interval: str, n_blocks: int) -> None:
    """ConfigError, which names the file, where it is too short for grams so long or for so many blocks."""
    *rows, length = file.tokens.shape
    windows = math.prod(rows) * (length - order)
    if windows < 1:
        raise ConfigError(f"{path}: sequences of {length} tokens have no {order + 1}-grams; --max-order {length - 1}")
    if interval != "none" and windows < n_blocks:
        raise ConfigError(
            f"{path}: {windows} windows of {order + 1} tokens are too few for {n_blocks} blocks; fewer --blocks, or"
            " --interval none"
        )


def _profiles(file: TokenFile, order: int, interval: str, n_blocks: int) -> list[EntropyProfile]:
    bars = [Progress("counting", file.tokens.size)]

    def begin(n_replicates: int) -> None:
        bars[-1].close()
        bars.append(Progress(f"intervals ({interval})", n_replicates))

    try:
        return entropy_profiles(
            file.tokens,
            order,
            list(ESTIMATORS),
            file.vocab_size,
            interval,
            n_blocks,
            CONFIDENCE,
            advance=lambda done: bars[-1].advance(done),
            begin=begin,
        )
    finally:
        bars[-1].close()


def _truth(source: Source, order: int) -> dict[str, Truth]:
    """h_k and the entropy rate, as far as the source gives them; said on stderr where it does not."""
    known = known_truths(source, order, None)
    for name, reason in known.refused.items():
        if name != "excess_entropy":
            print(f"testbed: {source.type_name} gives no {name.replace('_', ' ')}: {reason}", file=sys.stderr)
    return {name: truth for name, truth in known.truths.items() if name != "excess_entropy"}


# ------------------------------------------------------------------------------------------------------- in letters
def _print_head(path: Path, file: TokenFile, profile: EntropyProfile, order: int) -> None:
    sequences = "" if file.tokens.ndim == 1 else f" in {len(file.tokens)} sequences of {file.tokens.shape[1]}"
    print(f"file          {path} ({file.kind}): {profile.n_tokens} tokens{sequences}, V = {file.vocab_size}")
    bins = file.vocab_size ** (order + 1)
    how = f"table of {bins} bins" if bins <= LARGEST_TABLE else "sorted 64-bit codes"
    memory = f"{profile.n_bytes / MIB:.0f} MiB beside the tokens, the process had {_peak_bytes() / MIB:.0f} MiB at most"
    print(f"counted       {order + 1}-grams and all shorter ones, {how}; {memory}")
    if profile.trust_limit < 0:
        limit = "none: even single tokens are mostly unseen"
    elif profile.trust_limit == order:
        limit = f"not reached: at k = {order} {profile.coverage_deficit[order]:.2g} of the {order + 1}-grams are unseen"
    else:
        k = profile.trust_limit
        unseen = profile.coverage_deficit[k + 1]
        limit = f"k = {k}; at k = {k + 1} {unseen:.2g} of the {k + 2}-grams are unseen, and estimates mean nothing"
    print(f"trust limit   {limit}")


def _peak_bytes() -> int:
    """The most memory that the process has had, its mapped files among it."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _print_values(profiles: list[EntropyProfile], truth: dict[str, Truth] | None, interval: str, blocks: int) -> None:
    names = [profile.estimator for profile in profiles]
    limit, deficit = profiles[0].trust_limit, profiles[0].coverage_deficit
    exact = None if truth is None else truth.get("conditional_entropies")
    print("\nconditional entropy h_k in nats; * beyond the trust limit")
    head = ("  k", "unseen", *names, *(() if exact is None else ("truth",)))
    rows = [head]
    for k in range(len(profiles[0])):
        known = () if exact is None else (f"{float(exact[k].value):.5f}" if k < len(exact) else "-",)
        mark = "*" if k > limit else " "
        cells = [f"{profile.values[k]:.5f}" for profile in profiles]
        rows.append((f"{mark} {k}", f"{deficit[k]:.4f}", *cells, *known))
    print_table(rows)
    if interval == "none":
        return
    print(f"\nhalf-width of the {CONFIDENCE:.0%} intervals ({interval}, {blocks} blocks); no bias is in them")
    rows = [("  k", "", *names)]
    for k in range(len(profiles[0])):
        cells = [f"{(profile.upper[k] - profile.lower[k]) / 2:.5f}" for profile in profiles]
        rows.append((f"{'*' if k > limit else ' '} {k}", "", *cells))
    print_table(rows)


def _print_plot(profiles: list[EntropyProfile], truth: dict[str, Truth] | None) -> None:
    (profile,) = [one for one in profiles if one.estimator == "nsb"]
    errors = np.nan_to_num(profile.standard_error)
    drawn = Series("conditional_entropies", tuple(range(len(profile))), Truth.sampled(profile.values, errors))
    print("\nnsb, in nats")
    for line in text_plot(drawn, None if truth is None else truth.get("entropy_rate")):
        print(f"  {line}")
