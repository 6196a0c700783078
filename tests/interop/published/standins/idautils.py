def Names():
    """Give addresses and names one by one."""
    yield from [(0, "start"), (4, "main")]
