"""Measures the server: `make bench`, or `python -m benchmarks --help`.

The load comes from processes of their own that speak SIP and MSRP by text templates over plain
sockets and use nothing of Sylk, so that they judge it from outside.
"""
