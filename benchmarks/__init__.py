"""What the embedded backends cost, side by side with the libraries that people would pick instead.

`python -m benchmarks` runs everything; see `docs/benchmarks.md`. `symphony` is this package throughout.
"""
