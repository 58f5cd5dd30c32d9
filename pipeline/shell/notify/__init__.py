"""Letters on their ways: topics, webhooks, mail, syslog; and what comes back. The stage `share`."""
