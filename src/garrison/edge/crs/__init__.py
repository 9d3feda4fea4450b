"""Rules of the OWASP Core Rule Set, imported from a directory that the user has: see ``group``."""
