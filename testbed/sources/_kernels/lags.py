"""Linear recursions over Z_V: each token is its noise plus the tokens some lags before it."""

from numba import int64, njit


@njit(cache=True, boundscheck=False)
def run_recursion(tokens, taps, vocab_size, first):
    """In place, for t = first .. L - 1:  tokens[:, t] += sum over taps of tokens[:, t - tap]  (mod V).

    tokens (N, L) unsigned, entries below V; taps (n,) int64, at most `first`.
    """
    for row in range(tokens.shape[0]):
        line = tokens[row]
        for t in range(first, tokens.shape[1]):
            total = int64(line[t])
            for tap in taps:
                total += int64(line[t - tap])
                if total >= vocab_size:
                    total -= vocab_size
            line[t] = total
