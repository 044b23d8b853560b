"""Lookup services: one file and one data table each."""
