"""Speed, memory and latency, each beside its baseline in the same run."""
