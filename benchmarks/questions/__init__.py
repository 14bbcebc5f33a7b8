"""Questions that the paper leaves open, a short case each.

python -m benchmarks.questions [--only schedules scores supports tails images projected]
"""
