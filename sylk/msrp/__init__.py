"""MSRP without I/O: URIs, frames, sessions, connections (RFC 4975, 4976, 6135, 7701)."""
