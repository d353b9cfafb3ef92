"""The ledger's denominator: every paper that was surveyed, and what became of it.

A ledger that shows only what was tried hides what was left out. Here each paper has one row: its verdicts, or the
reason why no source of known entropy fits it, or the plain words that nobody has attempted it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from testbed.report.ledger import Entry
from testbed.report.wording import SYMBOLS
from testbed.studies import studies

NOT_ATTEMPTED = "not attempted"


@dataclass(frozen=True)
class Paper:
    """A paper of the survey.

    key     its arXiv number, or first author or name and year: what studies and claims call it
    title   of the paper
    why     why no study holds it against a source: `outside: ...`, or how it is used without being judged
    """

    key: str
    title: str
    why: str = ""


def _outside(reason: str) -> str:
    return f"outside: no sequence source of known entropy fits, because {reason}"


SURVEY = (
    Paper("2408.10277", "Increasing transformer token length with a Maximum Entropy Principle method"),
    Paper("2501.08570", "Information Entropy Invariance"),
    Paper("2502.01481", "Intrinsic Entropy of Context Length Scaling in LLMs"),
    Paper("2501.03489", "Entropy-Guided Attention for Private LLMs"),
    Paper("EntropyPrune 2026", "EntropyPrune"),
    Paper("2506.21137", "NaLaFormer"),
    Paper("KappaTune 2025", "Condition number as a proxy"),
    Paper("2502.06833", "Entropy Adaptive Decoding"),
    Paper("2601.09039", "An Information-Theoretic Perspective on LLM Tokenizers"),
    Paper("2407.01800", "Normalize-and-Project"),
    Paper("2303.06296", "Stabilizing Transformer Training by Preventing Attention Entropy Collapse"),
    Paper("2310.04691", "EMO: Earth Mover Distance Optimization"),
    Paper("1706.02515", "Self-Normalizing Networks"),
    Paper("2109.07740", "Scaling Laws for Neural Machine Translation"),
    Paper("2410.21666", "Minimum Entropy Coupling with Bottleneck"),
    Paper("2507.19247", "A Markov Categorical Framework for Language Models"),
    Paper("2509.16664", "Lambda-orthogonality regularisation"),
    Paper("2003.07845", "PowerNorm"),
    Paper("2602.23057", "Affine-Scaled Attention"),
    Paper(
        "2410.18441", "The Nature of Mathematical Modeling and Probabilistic Optimization Engineering in Generative AI"
    ),
    Paper("2509.23024", "Tracing the Representation Geometry"),
    Paper("RepCONC 2021", "RepCONC", _outside("it builds an index for dense retrieval")),
    Paper("2501.02406", "Zero-shot statistical tests for text written by LLMs"),
    Paper("2511.01202", "Forget BIT, It is All about TOKEN"),
    Paper(
        "RAG storage 2025",
        "Embedding storage for retrieval (float8 and PCA)",
        _outside("it compresses a retrieval index"),
    ),
    Paper("2405.12954", "A Method on Searching Better Activation Functions (CRReLU)"),
    Paper("LLMLingua-2 2024", "LLMLingua-2"),
    Paper("DiffAdapt 2025", "DiffAdapt", _outside("it adapts to the difficulty of reasoning traces")),
    Paper("1607.06450", "Layer Normalization", "a norm of models: its invariances are property tests"),
    Paper("2312.04823", "Diffusion Spectral Entropy"),
    Paper("2407.05483", "Just Read Twice"),
    Paper("2305.18378", "Disentanglement via Latent Quantization"),
    Paper("2310.05869", "HyperAttention"),
    Paper("2310.11628", "Learn Your Tokens"),
    Paper("2411.09009", "Cut Cross-Entropy"),
    Paper("2404.08335", "Toward a Theory of Tokenization in LLMs"),
    Paper("PCA-RAG 2025", "PCA for retrieval", _outside("it compresses a retrieval index")),
    Paper("2401.18079", "KVQuant"),
    Paper("2101.06457", "Neural networks behave as hash encoders"),
    Paper("2412.11432", "SECodec", _outside("it codes speech")),
)
"""The three core papers and the 37 of the survey."""


@dataclass(frozen=True)
class Row:
    """A paper and what became of it, in words."""

    paper: Paper
    found: str


def coverage(entries: Sequence[Entry], papers: Iterable[Paper] = SURVEY) -> list[Row]:
    """One row a paper, in the survey's order: its verdicts in these entries, or why there are none.

    A verdict counts for the paper that its claim names, and a study that bears the paper's key without a verdict on it
    is named as well: it may be one that these entries lack.
    """
    return [Row(paper, _found(paper, entries)) for paper in papers]


def _found(paper: Paper, entries: Sequence[Entry]) -> str:
    words: Counter[str] = Counter()
    judged: dict[str, None] = {}
    for entry in entries:
        for verdict in entry.judgement.verdicts:
            if paper.key in verdict.claim.paper:
                words[verdict.verdict] += 1
                judged[entry.study] = None
    asked = [name for name in studies.names() if paper.key in studies.find(name).papers and name not in judged]
    parts = []
    if judged:
        counts = ", ".join(f"{SYMBOLS[word]} {words[word]} {word}" for word in SYMBOLS if words[word])
        parts.append(f"{counts} ({', '.join(judged)})")
    if asked:
        parts.append(f"{'also' if judged else 'no verdict here, but'} asked by {', '.join(asked)}")
    return "; ".join(parts) or paper.why or NOT_ATTEMPTED
