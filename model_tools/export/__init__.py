"""From an int8 .tflite to C: the graph, the tables, the sources, the proof."""
