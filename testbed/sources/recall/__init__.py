"""Recall and retrieval: one thing among n is asked for; n varies with the length, the law is exact at every n.

| task | source |
|---|---|
| T1 noisy single-location retrieval | `noisy_retrieval`, `gaussian_retrieval` |
| T2 exact associative recall | `associative_recall` |
| T3 argmax retrieval | `argmax_retrieval`, `scalar_argmax` |
| T4 originals plus fillers | `fillers` |
| T6 far source | `far_source` |
| T7b two classes of reliability | `reliability_classes` |

Beside them: `needle` (T2 with one token a statement and no limit of n), `repeated_block` (induction),
`key_value_recall` (several queries, missing keys), `set_disjointness`.
"""
