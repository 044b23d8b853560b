"""The outside world: one file per system, each as thin as it can be."""
