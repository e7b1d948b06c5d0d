"""Benchmarks on real parts. Each ends with one line: a JSON object of its figures."""
