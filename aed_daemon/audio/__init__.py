"""From a device, a file or a pipe to float32 samples at the model's rate."""
