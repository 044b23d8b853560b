"""The ways in: SOAP login, and OAuth by client credentials, password or JWT bearer. Each gives a new session token.

SOAP login ends with API version 65.0 and can be off in an org, as since Summer '26 (help article 005132110).
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Mapping
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from starlette.responses import Response

from sandbox.salesforce_http import Call, Rule, json_response, xml_response
from sandbox.salesforce_ids import organization_id
from sandbox.salesforce_org import (
    CONSUMER_KEY,
    CONSUMER_SECRET,
    INTEGRATION_USER,
    PASSWORD,
    SECURITY_TOKEN,
    SOAP_LOGIN_ENDS,
    USERNAME,
)

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LONGEST_ASSERTION_SECONDS = 300
_AUDIENCES = ("https://login.salesforce.com", "https://test.salesforce.com")


def rules() -> list[Rule]:
    """The paths."""
    return [
        Rule("POST", r"/services/Soap/[uc]/(?P<version>\d+\.\d)(?:/\w+)?", soap_login, "login", open=True),
        Rule("POST", "/services/oauth2/token", token, "login", open=True),
        Rule("POST", "/services/oauth2/revoke", revoke, "login", open=True),
        Rule("GET", "/services/oauth2/userinfo", user_info, "read"),
        Rule("GET", "/id/{organization}/{user}", user_info, "read"),
    ]


async def soap_login(call: Call) -> Response:
    """Partner `login()` with password and security token in one string."""
    if float(call.version) < call.org.settings["oldest_version"]:
        return _fault("UNSUPPORTED_API_VERSION", f"API version {call.version} is retired.")
    if float(call.version) >= SOAP_LOGIN_ENDS:
        return _fault(
            "UNSUPPORTED_API_VERSION",
            f"SOAP login() is not available in API version {call.version}. Use an OAuth flow.",
        )
    if not call.org.settings["soap_login"]:
        return _fault("INVALID_OPERATION", "SOAP API login() is disabled by default in this org.")
    try:
        root = fromstring(await call.body())
    except (ParseError, DefusedXmlException):
        return _fault("SOAP_REQUEST_ERROR", "The request is not well-formed XML.")
    given = {element.tag.rsplit("}", 1)[-1]: (element.text or "") for element in root.iter()}
    if given.get("username") != USERNAME or given.get("password") != PASSWORD + SECURITY_TOKEN:
        return _fault("INVALID_LOGIN", "Invalid username, password, security token; or user locked out.")
    base = base_url(call)
    server = f"{base}/services/Soap/u/{call.version}/{organization_id()[:15]}"
    text = f"""<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body><loginResponse><result><metadataServerUrl>{server.replace("/u/", "/m/")}</metadataServerUrl><passwordExpired>false</passwordExpired><sandbox>true</sandbox><serverUrl>{server}</serverUrl><sessionId>{escape(call.org.sessions.open())}</sessionId><userId>{INTEGRATION_USER}</userId><userInfo><organizationId>{organization_id()}</organizationId><organizationName>Sandbox</organizationName><sessionSecondsValid>{call.org.settings["session_seconds"]}</sessionSecondsValid><userEmail>{USERNAME}</userEmail><userFullName>RingTrue Integration</userFullName><userId>{INTEGRATION_USER}</userId><userName>{USERNAME}</userName><userTimeZone>Europe/London</userTimeZone><userType>Standard</userType></userInfo></result></loginResponse></soapenv:Body></soapenv:Envelope>"""
    return xml_response(text)


async def token(call: Call) -> Response:
    """The OAuth token endpoint."""
    form = dict(parse_qsl((await call.body()).decode(), keep_blank_values=True))
    grant = form.get("grant_type", "")
    if grant == JWT_GRANT:
        refused = _refused_assertion(call, form.get("assertion", ""))
        return refused or _granted(call)
    if grant not in {"client_credentials", "password"}:
        return _oauth_error("unsupported_grant_type", "grant type not supported")
    key, secret = _client(call.headers.get("authorization", ""), form)
    if key != CONSUMER_KEY:
        return _oauth_error("invalid_client_id", "client identifier invalid")
    if secret != CONSUMER_SECRET:
        return _oauth_error("invalid_client", "invalid client credentials")
    if grant == "client_credentials" and call.headers.get("host", "").split(":")[0] in {
        "login.salesforce.com",
        "test.salesforce.com",
    }:
        return _oauth_error("invalid_grant", "request not supported on this domain")
    if grant == "password" and (form.get("username") != USERNAME or form.get("password") != PASSWORD + SECURITY_TOKEN):
        return _oauth_error("invalid_grant", "authentication failure")
    return _granted(call)


async def revoke(call: Call) -> Response:
    """End a session."""
    form = dict(parse_qsl((await call.body()).decode()))
    call.org.sessions.close(form.get("token") or call.query.get("token") or "")
    return Response(status_code=200)


async def user_info(call: Call) -> Response:
    """Who the token belongs to."""
    url = f"{base_url(call)}/id/{organization_id()}/{INTEGRATION_USER}"
    return json_response(
        {
            "sub": url,
            "id": url,
            "user_id": INTEGRATION_USER,
            "organization_id": organization_id(),
            "preferred_username": USERNAME,
            "username": USERNAME,
            "name": "RingTrue Integration",
            "email": USERNAME,
            "active": True,
        }
    )


def base_url(call: Call) -> str:
    """The address the client used, which is what answers have to name: behind a loopback adapter the Host header is a Salesforce name."""
    host = call.headers.get("host", "127.0.0.1")
    return f"{'https' if host.endswith('.salesforce.com') else 'http'}://{host}"


def _client(authorization: str, form: Mapping[str, str]) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() == "basic":
        try:
            key, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return key, secret
    return form.get("client_id", ""), form.get("client_secret", "")


def _refused_assertion(call: Call, assertion: str) -> Response | None:
    public_key = call.org.settings["jwt_public_key"]
    if not public_key:
        return _oauth_error("invalid_grant", "invalid assertion")
    try:
        claims = jwt.decode(assertion, RSAKey.import_key(public_key), algorithms=["RS256"]).claims
        expires = float(claims["exp"])  # simple-salesforce sends a string
    except (JoseError, KeyError, TypeError, ValueError):
        return _oauth_error("invalid_grant", "invalid assertion")
    if claims.get("iss") != CONSUMER_KEY:
        return _oauth_error("invalid_client_id", "client identifier invalid")
    if not 0 < expires - time.time() <= _LONGEST_ASSERTION_SECONDS:
        return _oauth_error("invalid_grant", "expired authorization code")
    if claims.get("aud") not in {*_AUDIENCES, base_url(call)}:
        return _oauth_error("invalid_grant", "audience is invalid")
    if claims.get("sub") != USERNAME:
        return _oauth_error("invalid_grant", "user hasn't approved this consumer")
    return None


def _granted(call: Call) -> Response:
    base = base_url(call)
    return json_response(
        {
            "access_token": call.org.sessions.open(),
            "signature": "c2FuZGJveA==",
            "scope": "api",
            "instance_url": base,
            "id": f"{base}/id/{organization_id()}/{INTEGRATION_USER}",
            "token_type": "Bearer",
            "issued_at": str(call.org.now_ms()),
            "api_instance_url": base,
        }
    )


def _oauth_error(error: str, description: str) -> Response:
    return json_response({"error": error, "error_description": description}, 400)


def _fault(code: str, message: str) -> Response:
    text = f"""<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:sf="urn:fault.partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body><soapenv:Fault><faultcode>{code}</faultcode><faultstring>{code}: {escape(message)}</faultstring><detail><sf:LoginFault xsi:type="sf:LoginFault"><sf:exceptionCode>{code}</sf:exceptionCode><sf:exceptionMessage>{escape(message)}</sf:exceptionMessage></sf:LoginFault></detail></soapenv:Fault></soapenv:Body></soapenv:Envelope>"""
    return xml_response(text, 500)
