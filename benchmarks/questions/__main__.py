"""All questions, or some, one after the other, at their default size."""

import argparse

from benchmarks.questions import images, projected, schedules, scores, supports, tails

QUESTIONS = {
    "schedules": schedules,
    "scores": scores,
    "supports": supports,
    "tails": tails,
    "images": images,
    "projected": projected,
}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=QUESTIONS, default=QUESTIONS)
    for name in parser.parse_args(arguments).only:
        print(f"\n# {name}\n", flush=True)
        QUESTIONS[name].main([])


if __name__ == "__main__":
    main()
