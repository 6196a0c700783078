"""What several machines do together: network namespaces, whose links are cut."""
