"""What `ringtrue.toml` may say under `[alerts]`: who is told of failures, and how. Secrets stand in the environment."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]
Address = Annotated[str, StringConstraints(pattern=r"^[^@\s<>,;]+@[^@\s<>,;]+$")]


class EmailSettings(BaseModel):
    """Alerts by e-mail; off without recipients."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    to: tuple[Address, ...] = ()
    """Who is told."""
    sender: Address = "ringtrue@localhost.localdomain"
    """The address the messages come from."""
    host: str = "localhost"
    """The mail server."""
    port: int = Field(default=587, ge=1, le=65_535)
    """Its port."""
    encryption: Literal["starttls", "tls", "none"] = "starttls"
    """`starttls` (port 587), `tls` from the first byte (port 465), or `none`, which only a server on this machine may have."""
    ca_file: str | None = None
    """Certificates to trust instead of the system's, for a mail server of the company's own."""
    user: str | None = None
    """Name to log in with; none where the server asks for none."""
    password_variable: Variable = "RINGTRUE_SMTP_PASSWORD"  # noqa: S105 names a variable
    """Environment variable with the password."""

    @model_validator(mode="after")
    def _is_encrypted(self) -> EmailSettings:
        if self.encryption == "none" and self.host not in LOOPBACK:
            raise ValueError('encryption = "none" is for a mail server on this machine; use "starttls" or "tls"')
        return self


class AlertsSettings(BaseModel):
    """`[alerts]`: failed runs and red checks are told once, and once more when they are well again. Off unless a way is named."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    webhook_variable: Variable | None = None
    """Environment variable with the address of a Slack-style incoming webhook, as `RINGTRUE_ALERT_WEBHOOK`. The address is a secret."""
    email: EmailSettings = EmailSettings()
    ui_url: str | None = None
    """Address of the Dagster UI, for links to the run."""

    @model_validator(mode="after")
    def _ui_is_an_address(self) -> AlertsSettings:
        if self.ui_url is not None:
            parts = urlsplit(self.ui_url)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
                raise ValueError("ui_url must be the address of the Dagster UI, such as https://dagster.example.com")
        return self

    @property
    def on(self) -> bool:
        """Whether anybody is told."""
        return bool(self.webhook_variable or self.email.to)
