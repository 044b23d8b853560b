"""The lead-source report: one HTML file that needs nothing else, PNGs for the UI, refund packs for suppliers."""

from __future__ import annotations

from ringtrue.report.data import ReportData
from ringtrue.report.plots import plots
from ringtrue.report.refund import REFUND_COLUMNS, refund_pack
from ringtrue.report.render import render_report

__all__ = ["REFUND_COLUMNS", "ReportData", "plots", "refund_pack", "render_report"]
