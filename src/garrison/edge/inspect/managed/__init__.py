"""Managed rule groups: Garrison's own rules under AWS's names of groups, rules and labels."""
