"""What every room may use: truths, configs, registries, errors, units."""

from testbed.core.config import (
    ArrayInput,
    Config,
    Tagged,
    array_files_beside,
    array_sha256,
    large_arrays,
    sha256_of,
    tagged_to_json,
)
from testbed.core.errors import ConfigError, ResourceError, StoreError, TestbedError, UndefinedError, did_you_mean
from testbed.core.registry import Registry, load_plugin
from testbed.core.truth import Truth
from testbed.core.units import NATS_PER_BIT, bits

__all__ = [
    "NATS_PER_BIT",
    "ArrayInput",
    "Config",
    "ConfigError",
    "Registry",
    "ResourceError",
    "StoreError",
    "Tagged",
    "TestbedError",
    "Truth",
    "UndefinedError",
    "array_files_beside",
    "array_sha256",
    "bits",
    "did_you_mean",
    "large_arrays",
    "load_plugin",
    "sha256_of",
    "tagged_to_json",
]
