"""HubSpot's paths in both families: the numbered ones, unsupported from September 2027, and the date-versioned ones that replace them."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args
from urllib.parse import quote

from ringtrue.errors import SettingsError

PathFamily = Literal["v3", "2026-09"]


class Paths(NamedTuple):
    """Builds the path of every call we make, for one family."""

    family: PathFamily

    @classmethod
    def of(cls, family: str) -> Paths:
        """Check a family named in the settings. Raises SettingsError for a name we do not know."""
        for known in get_args(PathFamily):
            if family == known:
                return cls(known)
        raise SettingsError(
            f"HubSpot has no path family {family!r}: set paths to one of {', '.join(get_args(PathFamily))}."
        )

    @property
    def _dated(self) -> bool:
        return self.family != "v3"

    def objects(self, object_name: str, suffix: str = "") -> str:
        """Records of an object: "" lists them, "/search", "/batch/read", "/batch/update" and so on."""
        name = quote(object_name, safe="")
        return f"/crm/objects/{self.family}/{name}{suffix}" if self._dated else f"/crm/v3/objects/{name}{suffix}"

    def properties(self, object_name: str, suffix: str = "") -> str:
        """Property definitions of an object; "/groups" for their groups."""
        name = quote(object_name, safe="")
        return f"/crm/properties/{self.family}/{name}{suffix}" if self._dated else f"/crm/v3/properties/{name}{suffix}"

    def list_members(self, list_id: str, suffix: str = "") -> str:
        """Members of a list; "/remove" takes some out."""
        name = quote(list_id, safe="")
        base = f"/crm/lists/{self.family}" if self._dated else "/crm/v3/lists"
        return f"{base}/{name}/memberships{suffix}"

    def lists_of_record(self, record_id: str) -> str:
        """The lists a contact is on."""
        base = f"/crm/lists/{self.family}" if self._dated else "/crm/v3/lists"
        return f"{base}/records/0-1/{quote(record_id, safe='')}/memberships"

    def associated(self, from_object: str, to_object: str) -> str:
        """Batch read of what records of one object are tied to in another."""
        pair = f"{quote(from_object, safe='')}/{quote(to_object, safe='')}/batch/read"
        return f"/crm/associations/{self.family}/{pair}" if self._dated else f"/crm/v4/associations/{pair}"

    def email_opt_out(self, email: str) -> str:
        """Whether one address has opted out of everything. The v4 path lives until March 2027; v3 has nothing of the same shape."""
        version = self.family if self._dated else "v4"
        return f"/communication-preferences/{version}/statuses/{quote(email, safe='')}/unsubscribe-all"

    def account(self) -> str:
        """Details of the portal behind the token."""
        return f"/account-info/{self.family}/details"

    def token_info(self) -> str:
        """What a private app's token says about itself. No date-versioned twin is published."""
        return "/oauth/v2/private-apps/get/access-token-info"

    def dispositions(self) -> str:
        """The portal's list of call outcomes. No date-versioned twin is published."""
        return "/calling/v1/dispositions"

    def flows(self, flow_id: str = "") -> str:
        """The portal's workflows, or one of them. The date-versioned twin is in beta only."""
        return "/automation/v4/flows" + (f"/{quote(flow_id, safe='')}" if flow_id else "")
