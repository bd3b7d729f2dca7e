"""Training runs: recording real ones and reading their logs."""

from hwsim.training.annotation import annotate
from hwsim.training.recording import Recording, record
from hwsim.training.run import TrainingRun

__all__ = ["Recording", "TrainingRun", "annotate", "record"]
