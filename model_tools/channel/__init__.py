"""What happens to a waveform between the sound and the detector: room, microphone, gain control, codec.

Every effect takes float32 samples, full scale 1.0, and their rate, and gives as many samples back,
not more than 10 ms late or early. Those that draw at random take a `numpy.random.Generator`, and the
same generator gives the same samples. `chain.random_channel` puts them in a plausible row.
"""
