"""Streaming, real-time audio event detection for Linux.

Importing this package imports nothing else: no NumPy, no PortAudio, no TFLite. The capture
child process relies on that to stay small.
"""

__version__ = "0.1.0"
