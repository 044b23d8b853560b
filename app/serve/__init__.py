"""The entry service: numbers checked at the door, messages of CRMs and diallers, and the page that says why."""
