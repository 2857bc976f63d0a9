"""Models. Each module is one."""
