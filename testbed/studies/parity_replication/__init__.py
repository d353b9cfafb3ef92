"""The public parity experiment again, by its own training protocol and by a sound one, against exact risks."""

from testbed.studies.parity_replication.study import ParityReplication

__all__ = ["ParityReplication"]
