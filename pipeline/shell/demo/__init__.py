"""`sightline demo`: the whole of it in a few minutes, with nothing but Python.

Four organisations send logs that were made up for it, in the formats of their sensors; then three
weeks of attacks that honeypots really met are replayed, and a worker is killed. At the end an
offline run over the same events must have found the same.

In the order of reading: `cast` is who and what takes part, `house` the processes, `heard` what the
topics say, `shipping` a native log on its way, `lines` and `screen` what is shown; `attack` is the
first part, `replay` and `truth` are the second, `story` is all the steps, one after another.
"""
