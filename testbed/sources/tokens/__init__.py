"""Tokenizers, and the exact law of the tokens that they make of a finite source.

A tokenizer cuts a stream of symbols into strings of its vocabulary, and the strings in order are the stream again. So
it conserves the entropy: h of tokens = h of symbols x E[symbols in a token] (`TokenChain`).
"""

from testbed.sources.tokens.byte_pairs import BytePairs, train_byte_pairs
from testbed.sources.tokens.dictionary import Dictionary, all_grams, train_lz78, train_lzw
from testbed.sources.tokens.exact import token_chain
from testbed.sources.tokens.token_chain import TokenChain
from testbed.sources.tokens.tokenised import TokenisedSource
from testbed.sources.tokens.tokenizer import Tokenizer
from testbed.sources.tokens.words import WordPool, train_words

__all__ = [
    "BytePairs",
    "Dictionary",
    "TokenChain",
    "TokenisedSource",
    "Tokenizer",
    "WordPool",
    "all_grams",
    "token_chain",
    "train_byte_pairs",
    "train_lz78",
    "train_lzw",
    "train_words",
]
