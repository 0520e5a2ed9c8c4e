"""What makes the daemon's models: data, training, quantisation, evaluation.

It imports the daemon, never the reverse.
"""
