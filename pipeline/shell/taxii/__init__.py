"""TAXII 2.1: what partners may have of campaigns, for their machines to fetch."""
