"""What is secret: the keyring under the root key, and the services that hold keys for others."""
