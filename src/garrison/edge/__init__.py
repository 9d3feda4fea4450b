"""What comes in from outside: the web application firewall and the proxy that it stands in."""
