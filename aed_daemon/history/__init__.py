"""History: what was heard, what nearly was, and scores by the hour, in one SQLite file."""
