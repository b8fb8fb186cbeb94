"""Where values are kept: the latest ones, numbered events, and the point-in-time archive."""
