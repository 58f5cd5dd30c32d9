"""`sightline playground`: a broker, workers, three simulated countries, and tasks.

In the order of reading: `messages` in the learner's language, `seen` reads the topics, `hands` does
what a learner may do, `tasks` are set up, and checked by what is on the topics, `game` plays.
"""
