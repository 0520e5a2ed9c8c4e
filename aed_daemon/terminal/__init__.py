"""The live picture of `aed-daemon listen`: what is heard, drawn with characters."""
