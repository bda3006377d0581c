"""SIP without I/O: values, transactions, dialogs and the user agent core (RFC 3261)."""
