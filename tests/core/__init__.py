"""Tests of the core, one file for each of its modules, and of the oracles they lean on."""
