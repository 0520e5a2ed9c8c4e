"""Remote control: what subscribers may ask of the daemon, and what they have set."""
