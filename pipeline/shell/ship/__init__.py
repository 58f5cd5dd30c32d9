"""`sightline ship`: a sensor's logs to its organisation's topic, whatever happens on the way."""
