"""One module a study, and the judge that all of them share."""

from testbed.studies.configs import load_studies
from testbed.studies.study import SCALES, Check, Judgement, Scale, Study, StudyFigure, studies, study

__all__ = ["SCALES", "Check", "Judgement", "Scale", "Study", "StudyFigure", "load_studies", "studies", "study"]
