"""What makes CPython in a component behave as `python3` does. Programs do not see it."""
