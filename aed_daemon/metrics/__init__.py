"""What the daemon counts and times, for Prometheus; the only importer of `prometheus_client`."""
