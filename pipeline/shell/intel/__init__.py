"""`sightline intel`: what partners share, from files and servers to the topic `watches`."""
