"""Data frames as they are: mixed columns with gaps, and rows that are unlike the others."""
