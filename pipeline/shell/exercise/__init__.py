"""`sightline exercise`: the lane of an exercise, from its start to its score."""
