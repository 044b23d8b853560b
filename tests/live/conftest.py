"""Live tests: the connectors against real sandboxes of the vendors. Run by `make test-live` only, and only for what has credentials.

All variables begin with LIVE_, so that no credentials of a production org in the shell are ever used. LIVE_<NAME>_URL points one of them
elsewhere. What has no credentials is not collected, so nothing is skipped.
"""

from __future__ import annotations

import os

CRMS = {
    "salesforce": ("LIVE_SALESFORCE_CONSUMER_KEY", "LIVE_SALESFORCE_CONSUMER_SECRET", "LIVE_SALESFORCE_DOMAIN"),
    "hubspot": ("LIVE_HUBSPOT_TOKEN",),
}
LOOKUPS = {
    "twilio": ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"),
    "vonage": ("VONAGE_API_KEY", "VONAGE_API_SECRET"),
    "melissa": ("MELISSA_LICENSE",),
    "zerobounce": ("ZEROBOUNCE_API_KEY",),
    "realphonevalidation": ("REALPHONEVALIDATION_TOKEN",),
    "alibaba": ("ALIBABA_ACCESS_KEY_ID", "ALIBABA_ACCESS_KEY_SECRET", "ALIBABA_AUTH_CODE"),
}
"""What each service calls its secrets; here with LIVE_ in front."""


def wanted() -> bool:
    """Whether somebody asked for live tests."""
    return os.environ.get("RINGTRUE_LIVE") == "1"


def crms() -> list[str]:
    """CRMs with credentials."""
    return [name for name, variables in CRMS.items() if wanted() and all(map(os.environ.get, variables))]


def lookups() -> list[str]:
    """Lookup services with credentials."""
    return [
        name
        for name, variables in LOOKUPS.items()
        if wanted() and all(os.environ.get(f"LIVE_{variable}") for variable in variables)
    ]


collect_ignore = [
    *([] if crms() else ["test_crms.py"]),
    *([] if lookups() else ["test_lookups.py"]),
]
