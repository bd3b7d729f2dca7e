"""Networks as PyTorch code that a user can train and hwsim can score."""
