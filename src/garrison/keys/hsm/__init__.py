"""Hardware security modules, by PKCS#11 (OASIS PKCS #11 Cryptographic Token Interface, version 2.40).

A vendor's library may hang, crash or leak: it runs in a process of its own (``process``), which the server speaks to over pipes
and ends when it does not answer in time (``agent``).
"""
