"""Sources whose tokens are the leaves of trees: a random grammar, and a symbol that is broadcast with errors."""
