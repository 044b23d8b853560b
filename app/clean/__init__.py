"""`ringtrue clean`: a contact list in a file, cleaned without a CRM and without a ledger."""
