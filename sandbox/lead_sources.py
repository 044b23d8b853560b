"""Lead sources of the seeded world, each with the true quality of the numbers it brings."""

from __future__ import annotations

from typing import NamedTuple


class LeadSource(NamedTuple):
    """A lead source and its true rates, as shares of the numbers it brings.

    readable: written oddly, but a careful person reads the right number; damaged: digits lost for good; placeholder: no number at all ("N/A", 0000000000);
    typo: well-formed, but not the number meant; wrong_person: another person's number; dead: disconnected before the lead was created.
    The rest is written plainly and right. `salesforce` is the LeadSource value, `hubspot` the analytics source with its two drill-downs,
    `object_source` HubSpot's hs_object_source and label, `weight` the source's share of leads.
    """

    slug: str
    label: str
    weight: int
    salesforce: str
    hubspot: tuple[str, str, str]
    object_source: tuple[str, str]
    readable: float
    damaged: float
    placeholder: float
    typo: float
    wrong_person: float
    dead: float

    def bad_rate(self) -> float:
        """The true share of numbers that reach nobody or the wrong one on the day the lead arrives."""
        spoiled = self.damaged + self.placeholder + self.typo + self.wrong_person
        return spoiled + (1 - spoiled) * self.dead


_FORM, _IMPORT, _CRM_UI, _INTEGRATION = (
    ("FORM", "Form"),
    ("IMPORT", "Import"),
    ("CRM_UI", "CRM UI"),
    ("INTEGRATION", "Integration"),
)

LEAD_SOURCES: tuple[LeadSource, ...] = (
    LeadSource("web_form", "Web form", 22, "Web", ("ORGANIC_SEARCH", "google", "contact us"), _FORM, 0.30, 0.01, 0.03, 0.02, 0.01, 0.01),
    LeadSource("referral", "Partner referral", 12, "Partner Referral", ("REFERRALS", "partner.example", "/introductions"), _CRM_UI, 0.25, 0.0, 0.0, 0.005, 0.01, 0.01),
    LeadSource("webinar", "Webinar", 10, "Webinar", ("EMAIL_MARKETING", "webinar-autumn", "invitation"), _INTEGRATION, 0.30, 0.01, 0.06, 0.02, 0.01, 0.01),
    LeadSource("spring_fair", "Spring fair", 9, "Trade Show - Spring Fair", ("OFFLINE", "IMPORT", "spring_fair_badges.csv"), _IMPORT, 0.40, 0.02, 0.01, 0.06, 0.02, 0.02),
    LeadSource("phone_inquiry", "Phone inquiry", 8, "Phone Inquiry", ("OFFLINE", "CRM_UI", ""), _CRM_UI, 0.35, 0.0, 0.0, 0.01, 0.01, 0.01),
    LeadSource("excel_import", "Excel import", 9, "List Import 2025 (Excel)", ("OFFLINE", "IMPORT", "contacts_2025_final2.xlsx"), _IMPORT, 0.30, 0.36, 0.02, 0.01, 0.02, 0.04),
    LeadSource("purchased_list", "Purchased list", 10, "Purchased List", ("OFFLINE", "IMPORT", "leads_q3_purchased.csv"), _IMPORT, 0.20, 0.02, 0.01, 0.04, 0.12, 0.42),
    LeadSource("prize_draw", "Prize draw", 7, "Prize Draw", ("PAID_SOCIAL", "summer-giveaway", "instagram"), _FORM, 0.20, 0.03, 0.22, 0.20, 0.03, 0.03),
    LeadSource("old_crm", "Old CRM migration", 8, "CRM Migration 2024", ("OFFLINE", "MIGRATION", "legacy"), _IMPORT, 0.55, 0.03, 0.04, 0.02, 0.04, 0.17),
    LeadSource("cold_research", "Cold research", 5, "Sales Research", ("DIRECT_TRAFFIC", "", ""), _CRM_UI, 0.35, 0.01, 0.01, 0.03, 0.07, 0.08),
)  # fmt: skip
