"""
Work somewhere else: pools, `run_async`, and what both need.
"""
