"""Where events go: standard output and MQTT."""
