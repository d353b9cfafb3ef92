"""Names of the estimators in figures."""

SHORT = {
    "kernel": "kernel entropy",
    "log_det": "½ ln det",
    "s_n": "S$_N$",
    "dimension": "threshold dimension",
    "participation": "participation ratio",
    "rank_me": "RankMe",
    "two_nn": "2-NN dimension",
    "knn_dimension": "k-NN dimension",
    "knn_entropy": "k-NN entropy",
    "matrix": "matrix entropy",
    "diffusion": "diffusion entropy",
    "probe": "probe information",
}
