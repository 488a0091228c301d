"""Slow and obvious twins: every formula in plain loops over every state, in NumPy float64.

Nothing in here is fast, and nothing in here is shared with the library: an oracle is worth
something only as long as it cannot be wrong in the same way as the code it judges. Use it on
models of a few units; the cost doubles with each one.
"""
