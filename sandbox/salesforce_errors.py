"""What the stand-in answers when it refuses: one exception per kind of body.

REST answers a JSON array `[{"message", "errorCode", "fields"}]`; rows of a collection or a Bulk file carry the same code under other names.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class RowError(Exception):
    """One row cannot be written. `fields` are the API names of the fields at fault."""

    code: str
    message: str
    fields: tuple[str, ...] = ()
    extra: dict[str, object] = field(default_factory=dict)
    status: int = 400

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    def rest(self) -> dict[str, object]:
        """As an entry of a top-level error array."""
        return {"message": self.message, "errorCode": self.code, "fields": list(self.fields), **self.extra}

    def collection(self) -> dict[str, object]:
        """As an entry of `errors` in a collection result, where the code is called `statusCode`."""
        return {"statusCode": self.code, "message": self.message, "fields": list(self.fields), **self.extra}

    def bulk(self) -> str:
        """As the `sf__Error` cell of a Bulk result: CODE:message:fields--."""
        return f"{self.code}:{self.message}:{','.join(self.fields)}--"


class RequestError(Exception):
    """The whole request is refused with `status` and a body of one error."""

    def __init__(self, status: int, code: str, message: str, *, with_fields: bool = False) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.with_fields = with_fields

    def rest(self) -> dict[str, object]:
        """As the entry of a top-level error array; most request errors carry no `fields`."""
        entry: dict[str, object] = {"message": self.message, "errorCode": self.code}
        return {**entry, "fields": []} if self.with_fields else entry


def not_found() -> RequestError:
    """The path or the record is unknown."""
    return RequestError(404, "NOT_FOUND", "The requested resource does not exist")


def no_such_column(column: str, entity: str, soql: str = "") -> RequestError:
    """The column does not exist, or is hidden from this user: Salesforce does not tell which."""
    where = ""
    if soql:
        position = max(soql.find(column), 0)
        start = max(position - 20, 0)
        where = f"\n{soql[start : position + len(column) + 20]}\n{' ' * (position - start)}^\nERROR at Row:1:Column:{position + 1}\n"
    return RequestError(
        400,
        "INVALID_FIELD",
        f"{where}No such column '{column}' on entity '{entity}'. If you are attempting to use a custom field, be sure to append the '__c' after the "
        "custom field name. Please reference your WSDL or the describe call for the appropriate names.",
    )


def no_such_type(name: str) -> RequestError:
    """The object does not exist."""
    return RequestError(
        400,
        "INVALID_TYPE",
        f"sObject type '{name}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name. "
        "Please reference your WSDL or the describe call for the appropriate names.",
    )


def malformed_query(message: str) -> RequestError:
    """The SOQL cannot be read."""
    return RequestError(400, "MALFORMED_QUERY", message)
