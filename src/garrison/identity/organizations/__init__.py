"""AWS Organizations: accounts, organizational units and the policies that bound them.

Importing this package registers its operations.
"""
