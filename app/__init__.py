"""What people touch: the command line, the entry service, the pages, the report."""
