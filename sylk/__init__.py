"""Sylk: a multiparty chat conference server for SIP and MSRP."""

__version__ = "0.1.0"
