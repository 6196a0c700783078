"""Pools in a Dask cluster: a kind of its own, which nothing else here knows but the plugin."""
