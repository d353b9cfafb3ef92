"""What a cloud of features says of the state behind it: spectra, entropies, dimensions, probes."""

from testbed.measures.features.activation_codes import (
    activation_codes,
    hamming_distances,
    neighbour_votes,
    redundancy_ratio,
)
from testbed.measures.features.belief_probe import BeliefProbe, belief_probe
from testbed.measures.features.final_layer import final_features
from testbed.measures.features.infomec import InfoMEC, info_mec
from testbed.measures.features.kernel_density import KernelEntropy, kernel_entropy, scott_bandwidth
from testbed.measures.features.neighbours import (
    DimensionEstimate,
    knn_dimension,
    knn_entropy,
    neighbour_distances,
    two_nn_dimension,
)
from testbed.measures.features.residual_streams import residual_streams
from testbed.measures.features.spectral_entropy import (
    diffusion_mutual_information,
    diffusion_spectral_entropy,
    matrix_entropy,
)
from testbed.measures.features.spectrum import (
    alpha_req,
    covariance_eigenvalues,
    half_log_determinant,
    intrinsic_dimension,
    log_determinant_bias,
    log_spectrum_sum,
    participation_ratio,
    rank_me,
    relative_eigenvalues,
)
from testbed.measures.features.state_information import InformationBound, state_information

__all__ = [
    "BeliefProbe",
    "DimensionEstimate",
    "InfoMEC",
    "InformationBound",
    "KernelEntropy",
    "activation_codes",
    "alpha_req",
    "belief_probe",
    "covariance_eigenvalues",
    "diffusion_mutual_information",
    "diffusion_spectral_entropy",
    "final_features",
    "half_log_determinant",
    "hamming_distances",
    "info_mec",
    "intrinsic_dimension",
    "kernel_entropy",
    "knn_dimension",
    "knn_entropy",
    "log_determinant_bias",
    "log_spectrum_sum",
    "matrix_entropy",
    "neighbour_distances",
    "neighbour_votes",
    "participation_ratio",
    "rank_me",
    "redundancy_ratio",
    "relative_eigenvalues",
    "residual_streams",
    "scott_bandwidth",
    "state_information",
    "two_nn_dimension",
]
