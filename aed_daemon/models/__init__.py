"""The default model: NAME.tflite and its manifest, NAME.json."""
