#!/usr/bin/env python3
"""Says how long runs over many people take, and how much memory: a first plan, a first
run, and runs that find nothing to do. Loopback only; needs nothing but Python and a
release build.

    cargo build --release --locked
    tests/scale.py target/release/linqsync                    # 20,000 on each side
    tests/scale.py target/release/linqsync --people 5000 --cards

At first the two sides have nobody in common, so that each has everybody twice as many
after the first run. Linq answers at once and is asked as often as `sync.toml` allows,
1,000 times a second: how long a first run takes with the real one, its rate decides.
Figures come on standard output; anything that is not as it should be ends it with 1.
"""

import argparse
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

TOKEN = "scale-token"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as door:
        return door.getsockname()[1]


def write_table(path, people):
    with open(path, "w", encoding="utf-8") as table:
        table.write("First Name,Last Name,Email,Phone,Company,City\n")
        for n in range(people):
            table.write(f"Ada{n},King{n % 977},p{n}@acme.example,+1 415 {2000000 + n},"
                        f"Acme {n % 300},Berlin\n")


def write_cards(path, people):
    os.mkdir(path)
    for n in range(people):
        lines = ["BEGIN:VCARD", "VERSION:3.0", f"UID:scale-{n}", f"N:King{n % 977};Ada{n};;;",
                 f"FN:Ada{n} King{n % 977}", f"EMAIL:p{n}@acme.example",
                 f"TEL:+1415{2000000 + n}", f"ORG:Acme {n % 300}", "END:VCARD", ""]
        with open(os.path.join(path, f"{n}.vcf"), "w", encoding="utf-8", newline="") as card:
            card.write("\r\n".join(lines))


def measured(what, command, where, environment):
    """Runs a command to its end, and prints what it took."""
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=where, env=environment, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    took = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu = used.ru_utime + used.ru_stime
    print(f"{what:<22} {took:8.2f} s {cpu:8.2f} s {used.ru_maxrss / 1024:8.0f} MiB", flush=True)
    if process.returncode != 0:
        sys.exit(f"{what}: exit code {process.returncode}\n{said}")
    return said


def expect(said, pattern):
    if not re.search(pattern, said):
        sys.exit(f"expected {pattern!r} in\n{said[-2000:]}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    arguments.add_argument("program")
    arguments.add_argument("--people", type=int, default=20_000)
    arguments.add_argument("--cards", action="store_true")
    given = arguments.parse_args()
    program, people = os.path.abspath(given.program), given.people
    with tempfile.TemporaryDirectory() as where:
        environment = {"HOME": where, "PATH": os.environ["PATH"], "LINQ_TOKEN": TOKEN}
        source = os.path.join(where, "cards" if given.cards else "contacts.csv")
        (write_cards if given.cards else write_table)(source, people)
        address = f"127.0.0.1:{free_port()}"
        linq = subprocess.Popen([program, "sandbox", "--listen", address, "--token", TOKEN,
                                 "--contacts", str(people)], env=environment,
                                stdout=subprocess.PIPE, text=True)
        try:
            linq.stdout.readline()
            measure(program, source, address, where, environment, people)
        finally:
            linq.kill()
            linq.wait()


def measure(program, source, address, where, environment, people):
    subprocess.run([program, "init", source, "--base-url", f"http://{address}"], cwd=where,
                   env=environment, check=True, stdout=subprocess.DEVNULL)
    path = os.path.join(where, "sync.toml")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    text = re.sub(r"(?m)^requests_per_second.*", "requests_per_second = 1000", text)
    text = re.sub(r"(?m)^concurrency.*", "concurrency = 16", text)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    print(f"{people} on each side      on the clock  processor  memory at most")

    def run(what, *words):
        return measured(what, [program, *words], where, environment)

    expect(run("first plan", "plan"), f"Plan: {2 * people} to create")
    expect(run("first plan, as JSON", "plan", "--json"), '"linqsync.plan/1"')
    expect(run("first run", "--once", "-q"), rf"in sync +{2 * people}\b")
    for _ in range(3):
        expect(run("nothing to do", "--once", "-q"), rf"in sync +{2 * people}\b")
    expect(run("plan of nothing", "plan"), "Plan: nothing to do")


if __name__ == "__main__":
    main()
