"""The tests, one file per module; what several of them use is imported as `tests.…`."""
