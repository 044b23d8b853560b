"""Do-not-call registries: one file per kind of file a regulator hands out."""
