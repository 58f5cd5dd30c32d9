"""Who may do what on the broker: logins, rights, certificates."""
