"""Tests of aed_daemon.audio."""
