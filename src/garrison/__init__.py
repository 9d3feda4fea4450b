"""Garrison: the security half of AWS, for real, on machines its users own."""
