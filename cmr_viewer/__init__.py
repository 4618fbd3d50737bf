"""CMR Viewer: annotate and review short-axis cine cardiac MR, region by region.

Research software, not a medical device. Start reading at `cmr_viewer/pipeline.py`.
"""

__version__ = "0.1.0"
PROGRAM = f"CMR Viewer {__version__}"
NOTICE = "Research software, not a medical device."
"""Appears in every file that has a place for it."""
