"""The stand-in on a loopback port, in this process or in one of its own."""
