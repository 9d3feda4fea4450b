"""The algorithms of key specs: one file a family, each a thin layer over a library.

Nothing here knows keys of KMS, policies or the wire: bytes and library objects go in, bytes come out, and what does not verify
raises. Secret bytes stay in the objects of this package.
"""
