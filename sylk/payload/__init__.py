"""Bodies that travel in SIP and MSRP alike: SDP, CPIM and media types."""
