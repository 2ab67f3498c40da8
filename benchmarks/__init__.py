"""Benchmarks: mvngrad beside its peers and the machine's own limits.

    python -m benchmarks all --output benchmarks/RESULTS.md

One adapter a library in ``libraries/``, the sizes and targets in ``problems.py``. All candidates of
a table are timed in one interleaved run, with the same number of threads.
"""
