"""Words that every room shares. Imports nothing of Garrison's own."""
