"""The call: what INVITE, SDP and MSRP mean together, without I/O."""
