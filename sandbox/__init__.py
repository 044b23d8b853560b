"""Stand-ins for every remote system, over one seeded world whose truth is known. Reached over HTTP only."""
