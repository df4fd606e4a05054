"""Faults, seeded, while whole studies run: does a finished trial stay finished, and is any number changed by them?

`python -m tests.chaos --faults 100` launches studies one after another in several surroundings, harms each several
times at random moments, starts what has ended again as a user would, and compares the results with those of a launch
that nobody harmed. `python -m tests.chaos.preemptions --times 20` has jobs preempted again and again.
"""
