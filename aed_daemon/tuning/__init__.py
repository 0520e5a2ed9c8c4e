"""Tuning: thresholds for a wanted rate of false alarms, from what a history holds."""
