"""Signing in: console sessions, OAuth tokens for command lines. Importing this package registers its operations."""
