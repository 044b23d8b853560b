"""`ringtrue init`: from nothing to a ringtrue.toml whose credentials were tried."""
