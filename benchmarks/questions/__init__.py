"""Questions that the paper leaves open, a short case each.

python -m benchmarks.questions [schedules scores supports tails images projected]
"""
