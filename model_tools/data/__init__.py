"""What there is to train and to measure on: clips, where they come from, what they may be used for."""
