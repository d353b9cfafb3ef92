"""Does a longer context fail by its many keys or by its far positions? Both are set by hand, one without the other."""

from testbed.studies.dilution_or_position.study import DilutionOrPosition

__all__ = ["DilutionOrPosition"]
