"""Why an alert or a campaign is there, and why none is. See `pipeline.explain.inquiry`."""
