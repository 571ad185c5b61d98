"""Does what it is told on stdin, one call a line, and answers each on stdout: [name, argument …] as JSON."""

import json
import sys

# What stands before an answer: other lines are for people.
MARK = "> "


def answer(content):
    print(MARK + json.dumps(content), flush=True)


def serve(calls):
    answer({"value": "ready"})
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        try:
            answer({"value": calls[name](*arguments)})
        except Exception as error:
            answer({"error": f"{type(error).__name__}: {error}"})
