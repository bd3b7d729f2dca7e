"""Networks that fit the boards, with their training."""
