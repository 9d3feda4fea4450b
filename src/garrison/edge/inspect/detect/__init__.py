"""Detectors of attacks: pure functions of bytes, each linear in its input, none raising on any bytes."""
