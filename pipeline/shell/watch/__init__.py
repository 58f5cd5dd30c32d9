"""`sightline watch`: alerts and campaigns as they are told, in a terminal or a pipe."""
