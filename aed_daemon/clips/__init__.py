"""Recordings of what was detected: cut by sample counters, written by a thread, kept in bounds."""
