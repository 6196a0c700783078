"""Several machines together: network namespaces, whose links are cut."""
