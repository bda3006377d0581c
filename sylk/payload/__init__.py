"""Bodies that travel in SIP and MSRP alike: SDP, CPIM, multipart and the XML of conferences."""
