"""RingTrue: what a phone number is and what is known about it. No Dagster, no network."""
