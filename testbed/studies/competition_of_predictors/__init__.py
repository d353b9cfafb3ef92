"""Which of four closed-form predictors a transformer is, over training and over the number of chains it must tell."""

from testbed.studies.competition_of_predictors.study import CompetitionOfPredictors

__all__ = ["CompetitionOfPredictors"]
