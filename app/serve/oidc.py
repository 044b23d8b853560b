"""Sign-in by OpenID Connect: authorization code flow with PKCE, state and nonce (OpenID Connect Core 1.0, RFC 7636), by Authlib."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import jwt
import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session

from ringtrue.serve_settings import OidcSettings

_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
_LEEWAY_SECONDS = 60
_TIMEOUT_SECONDS = 10.0
_METADATA_SECONDS = 3600.0
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class SignInFailed(Exception):
    """The sign-in cannot be finished. The text is one of the words of the page, see `failed_*` in its word list."""


class Identity(NamedTuple):
    """Who the issuer says it is."""

    subject: str
    name: str


class Oidc:
    """One issuer."""

    def __init__(self, settings: OidcSettings, environ: Mapping[str, str], redirect_uri: str) -> None:
        self._settings, self._environ, self._redirect = settings, environ, redirect_uri
        self._metadata: dict[str, str] = {}
        self._read_at = float("-inf")

    async def start(self) -> tuple[str, dict[str, str]]:
        """The address to send the browser to, and what has to be remembered until it comes back. Raises SignInFailed."""
        return await asyncio.to_thread(self._start)

    def _start(self) -> tuple[str, dict[str, str]]:
        metadata = self._described()
        kept = {name: secrets.token_urlsafe(48) for name in ("state", "nonce", "verifier")}
        with self._client() as client:
            address, _ = client.create_authorization_url(
                metadata["authorization_endpoint"],
                state=kept["state"],
                nonce=kept["nonce"],
                code_verifier=kept["verifier"],
            )
        return str(address), kept

    async def finish(self, address: str, kept: Mapping[str, Any]) -> Identity:
        """Turn the browser's return address into a person. Raises SignInFailed."""
        return await asyncio.to_thread(self._finish, address, kept)

    def _finish(self, address: str, kept: Mapping[str, Any]) -> Identity:
        metadata = self._described()
        try:
            with self._client(str(kept["state"])) as client:
                token = client.fetch_token(
                    metadata["token_endpoint"],
                    authorization_response=address,
                    code_verifier=str(kept["verifier"]),
                    timeout=_TIMEOUT_SECONDS,
                )
            keys = _fetched(metadata["jwks_uri"])
            claims = _claims(str(token.get("id_token", "")), keys, self._settings, str(kept["nonce"]))
        except (AuthlibBaseError, requests.RequestException, ValueError, KeyError, jwt.PyJWTError) as error:
            raise SignInFailed("failed_issuer") from error
        return self._allowed(claims)

    def _allowed(self, claims: Mapping[str, Any]) -> Identity:
        address = str(claims.get("email", ""))
        if self._settings.allowed_domains:
            domain = address.rpartition("@")[2].casefold()
            verified = claims.get("email_verified") is True
            if not verified or domain not in {each.casefold() for each in self._settings.allowed_domains}:
                raise SignInFailed("failed_domain")
        name = str(claims.get("name") or claims.get("preferred_username") or address or claims["sub"])
        return Identity(str(claims["sub"]), name[:80])

    def _client(self, state: str | None = None) -> Any:
        return OAuth2Session(
            self._settings.client_id,
            self._environ.get(self._settings.secret_variable) or None,
            scope=self._settings.scope,
            redirect_uri=self._redirect,
            code_challenge_method="S256",
            state=state,
        )

    def _described(self) -> dict[str, str]:
        """The issuer's own description (OpenID Connect Discovery 1.0), read again every hour."""
        if time.monotonic() - self._read_at < _METADATA_SECONDS:
            return self._metadata
        try:
            told = _fetched(f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration")
            if str(told["issuer"]).rstrip("/") != self._settings.issuer.rstrip("/"):
                raise SignInFailed("failed_issuer")
            self._metadata = {name: str(told[name]) for name in _ENDPOINTS}
        except (requests.RequestException, ValueError, KeyError, TypeError) as error:
            raise SignInFailed("failed_issuer") from error
        self._read_at = time.monotonic()
        return self._metadata


def _fetched(address: str) -> Any:
    answer = requests.get(address, timeout=_TIMEOUT_SECONDS)
    answer.raise_for_status()
    return answer.json()


def _claims(token: str, keys: Any, settings: OidcSettings, nonce: str) -> dict[str, Any]:
    """The claims of an id token whose signature, issuer, audience, time and nonce fit."""
    header = jwt.get_unverified_header(token)
    known = jwt.PyJWKSet.from_dict(keys).keys
    fitting = [key for key in known if header.get("kid") in (None, key.key_id)]
    if not fitting or header.get("alg") not in _ALGORITHMS:
        raise jwt.InvalidTokenError("no key")
    claims: dict[str, Any] = jwt.decode(
        token,
        fitting[0],
        algorithms=_ALGORITHMS,
        audience=settings.client_id,
        leeway=_LEEWAY_SECONDS,
        options={"require": ["exp", "iat", "sub", "iss", "aud"]},
    )
    if str(claims["iss"]).rstrip("/") != settings.issuer.rstrip("/") or claims.get("nonce") != nonce:
        raise jwt.InvalidTokenError("another issuer or sign-in")
    return claims
