"""The only compiled code of the library: arrays and scalars in, arrays out, written in place."""
