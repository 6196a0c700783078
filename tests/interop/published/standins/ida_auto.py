def auto_wait():
    """There is no analysis to wait for."""
