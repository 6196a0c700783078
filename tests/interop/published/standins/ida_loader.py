DBFL_KILL = 1


def set_database_flag(_flag):
    """There is no database."""
