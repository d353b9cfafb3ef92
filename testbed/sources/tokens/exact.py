"""The exact law of the tokens of a source, for every kind of tokenizer."""

from testbed.core import ConfigError
from testbed.sources.source import Source
from testbed.sources.tokens.byte_pair_chain import byte_pair_chain
from testbed.sources.tokens.byte_pairs import BytePairs
from testbed.sources.tokens.dictionary import Dictionary
from testbed.sources.tokens.dictionary_chain import dictionary_chain
from testbed.sources.tokens.token_chain import TokenChain
from testbed.sources.tokens.tokenizer import Tokenizer
from testbed.sources.tokens.unifilar import UnifilarMachine
from testbed.sources.tokens.word_chain import word_chain
from testbed.sources.tokens.words import WordPool


def token_chain(source: Source, tokenizer: Tokenizer) -> TokenChain:
    """The exact law of the tokens that `tokenizer` makes of `source`, a Markov chain or a unifilar machine.

    What a token says of the future beside the state of the source is which strings do not follow, or the text had been
    cut elsewhere; so tokens are a chain, on pairs of token and state.

    Raises ConfigError for other sources, where alphabets differ and for a stream of several closed classes,
    ResourceError above 1 GiB.
    """
    if source.vocab_size != tokenizer.n_symbols:
        raise ConfigError(
            f"tokenizer: made for {tokenizer.n_symbols} symbols; the source {source.type_name} has {source.vocab_size}"
        )
    machine = UnifilarMachine.of(source)
    if isinstance(tokenizer, BytePairs):
        return byte_pair_chain(machine, tokenizer)
    if isinstance(tokenizer, Dictionary):
        return dictionary_chain(machine, tokenizer)
    if isinstance(tokenizer, WordPool):
        return word_chain(machine, tokenizer)
    raise ConfigError(f"tokenizer: the exact law of a {type(tokenizer).__name__} is not known here")
