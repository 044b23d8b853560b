"""What `ringtrue.toml` may say under `[serve]`: who may ask the entry service what, and whose messages it takes. Secrets stand in the environment."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]
Scope = Literal["check", "calls", "suppressed"]
KeyName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KeySettings(_Part):
    """One caller. `variable` names the environment variable that holds its key, never the key itself."""

    variable: Variable
    may: tuple[Scope, ...] = ("check",)
    public: bool = False
    """The key stands in a web page's source: answers tell only what the numbering rules say, nothing of our records, and each visitor's address has
    its own limit."""
    lookup: bool = False
    """Whether this caller may spend money: ask a lookup service about a number."""
    rate_per_second: float = Field(default=50.0, gt=0)
    burst: int = Field(default=100, ge=1)
    namespace: str = "generic"
    """Whose outcome words a dialler's calls use (`ringtrue/data/outcomes`)."""
    region: str | None = None
    """Country that this caller's national numbers are read in."""

    @model_validator(mode="after")
    def _fits(self) -> KeySettings:
        if self.public and (self.lookup or set(self.may) != {"check"}):
            raise ValueError("a public key may only check, without lookups: anybody can read it in the page")
        if self.region is not None and not re.fullmatch(r"[A-Z]{2}", self.region):
            raise ValueError(f"region must be a two-letter country code such as US, not {self.region!r}")
        return self


class HubspotHook(_Part):
    """Webhooks of one HubSpot app."""

    connection: str = "hubspot"
    secret_variable: Variable = "HUBSPOT_CLIENT_SECRET"  # noqa: S105 names a variable
    """Environment variable with the app's client secret, which signs every message."""
    app_id: int | None = None
    """The app RingTrue writes with: events it caused itself are acknowledged and left out."""


class SalesforceHook(_Part):
    """Outbound messages of Salesforce orgs."""

    organizations: dict[str, str] = Field(default_factory=dict)
    """Organization id by connection, where the first pull has not told it yet."""
    path_variable: Variable | None = None
    """Environment variable with a part of the address nobody can guess, since outbound messages are not signed."""


class TwilioHook(_Part):
    """Status callbacks and incoming messages of one Twilio account."""

    token_variable: Variable = "TWILIO_AUTH_TOKEN"  # noqa: S105 names a variable
    """Environment variable with the account's auth token, which signs every message."""


class VonageHook(_Part):
    """Answers of Vonage's asynchronous Number Insight."""

    path_variable: Variable = "VONAGE_CALLBACK_PATH"
    """Environment variable with a part of the address nobody can guess, since these answers are not signed."""


class OidcSettings(_Part):
    """Sign-in with the company's own accounts."""

    issuer: str
    client_id: str
    secret_variable: Variable = "RINGTRUE_OIDC_SECRET"  # noqa: S105 names a variable
    scope: str = "openid profile email"
    allowed_domains: tuple[str, ...] = ()
    """E-mail domains that may sign in; empty: everybody the issuer lets through."""
    label: str | None = None
    """What the button says, such as the company's name."""

    @model_validator(mode="after")
    def _issuer_is_safe(self) -> OidcSettings:
        parts = urlsplit(self.issuer)
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise ValueError("issuer must be an https address")
        return self


class SignInSettings(_Part):
    """Who may open the why page."""

    oidc: OidcSettings | None = None
    codes_file: str = "data/serve_codes.json"
    """Hashed personal codes, written by `ringtrue serve code add NAME`."""
    codes_variable: Variable | None = None
    """Environment variable with the same as NAME=HASH pairs, separated by semicolons, where no file can be kept."""
    session_hours: float = Field(default=8.0, gt=0, le=24 * 30)


class ServeSettings(_Part):
    """The entry service."""

    host: str = "127.0.0.1"
    port: int = Field(default=8500, ge=0, le=65_535)
    public_url: str | None = None
    """The address others call, as https://ringtrue.example.com: signatures are checked against it, links and cookies follow it."""
    forwarded_from: tuple[str, ...] = ()
    """Addresses of the proxies in front, whose X-Forwarded-For is believed."""
    cors_origins: tuple[str, ...] = ()
    """Web pages' origins that may call /v1 from a browser, as https://www.example.com."""
    body_bytes: int = Field(default=512 * 1024, ge=1_024)
    check_ms: float = Field(default=40.0, gt=0)
    """How long /v1/check waits for the ledger before it answers what the rules alone say."""
    lookup_seconds: float = Field(default=4.0, gt=0)
    """How long /v1/check waits for a lookup. A dearly bought answer that comes later is kept for the next question."""
    commit_seconds: float = Field(default=4.0, gt=0)
    """How long a message may wait to be committed before its sender is asked to send it again. HubSpot gives up after 5 seconds."""
    visitor_per_second: float = Field(default=2.0, gt=0)
    visitor_burst: int = Field(default=20, ge=1)
    """Limit of one address behind a public key, and of tries to sign in."""
    most_calls: int = Field(default=500, ge=1)
    """Calls in one message to /v1/calls."""
    keys: dict[KeyName, KeySettings] = Field(default_factory=dict)
    hubspot: HubspotHook | None = None
    salesforce: SalesforceHook | None = None
    twilio: TwilioHook | None = None
    vonage: VonageHook | None = None
    sign_in: SignInSettings = SignInSettings()

    @model_validator(mode="after")
    def _addresses_are_safe(self) -> ServeSettings:
        if self.public_url is not None:
            parts = urlsplit(self.public_url)
            local = parts.scheme == "http" and parts.hostname in _LOOPBACK
            if not local and (parts.scheme != "https" or not parts.hostname):
                raise ValueError("public_url must be an https address; plain http carries numbers and keys in clear")
            if parts.path not in ("", "/") or parts.query or parts.fragment:
                raise ValueError("public_url must be scheme and host alone, such as https://ringtrue.example.com")
        if self.host not in _LOOPBACK and self.public_url is None:
            raise ValueError(
                "to listen on other addresses than 127.0.0.1, set public_url to the https address of the proxy in front"
            )
        for origin in self.cors_origins:
            if not re.fullmatch(r"https?://[^/\s*]+", origin):
                raise ValueError(f"cors_origins: {origin!r} must be an origin such as https://www.example.com")
        return self
