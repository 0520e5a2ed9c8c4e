"""From clips to a trained network."""
