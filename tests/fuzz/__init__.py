"""Generated calls of the public API with good, odd and bad values, and verdicts on them by rule."""
