"""Cases that several kinds of test share: the same input to our own code and to a real API server."""
