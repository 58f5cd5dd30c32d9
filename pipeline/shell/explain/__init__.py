"""`sightline explain`: what decided is asked why, over files or over topics."""
