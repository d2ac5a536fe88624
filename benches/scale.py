#!/usr/bin/env python3
"""Measures whole commands over many contacts, as ratios to what Linq itself costs: a run that
finds nothing to do beside fetching the pages with curl, a first run, edits on both sides, cards,
and the commands that only read. Loopback only; needs Python, curl and a release build.

    cargo build --release --locked
    benches/scale.py target/release/linqsync                       # all, 100,000 contacts
    benches/scale.py target/release/linqsync --contacts 10000
    benches/scale.py target/release/linqsync --only nothing,growth

Linq is the sandbox, which takes 20 ms for each answer, and is asked for 8 at a time. Figures come
on standard output as a table in Markdown. Anything that is not as it should be ends it with 1.
"""

import argparse
import concurrent.futures
import http.client
import json
import os
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time

TOKEN = "scale-token"
HEADER = "X-LINQ-INTEGRATION-TOKEN"
CONTACTS = "/api/partner/v2/contacts"
DELAY = 0.020
FLIGHT = 8
CASES = ["nothing", "edits", "reading", "first", "cards", "push", "growth"]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as door:
        return door.getsockname()[1]


class Measured:
    """What a command took: seconds on the clock and of the processor, megabytes at most."""

    def __init__(self, wall, cpu, memory, said):
        self.wall, self.cpu, self.memory, self.said = wall, cpu, memory, said


def run(command, where, environment, expected=(0,)):
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.monotonic()
        process = subprocess.Popen(command, cwd=where, env=environment, stdout=out, stderr=err)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        said = out.read().decode()
        if process.returncode not in expected:
            err.seek(0)
            sys.exit(f"{' '.join(command)}: exit code {process.returncode}\n{said[-2000:]}\n"
                     f"{err.read().decode()[-2000:]}")
    return Measured(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, said)


def best(times, of):
    """The one of several that was fastest, on a machine that others use as well."""
    return min((of() for _ in range(times)), key=lambda one: one.wall)


class World:
    """A sandbox, a configuration and a source."""

    def __init__(self, program, contacts, source, delay):
        self.program = program
        self.where = tempfile.TemporaryDirectory()
        self.environment = {"HOME": self.where.name, "PATH": os.environ["PATH"],
                            "LINQ_TOKEN": TOKEN}
        self.port = free_port()
        command = [program, "sandbox", "--listen", f"127.0.0.1:{self.port}", "--token", TOKEN,
                   "--contacts", str(contacts)]
        if delay:
            command += ["--fault", f"any delay={int(delay * 1000)}ms"]
        self.sandbox = subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        self.sandbox.stdout.readline()
        self.source = os.path.join(self.where.name, source)
        self.contacts = contacts

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sandbox.kill()
        self.sandbox.wait()
        self.where.cleanup()

    def configure(self):
        run([self.program, "init", self.source, "--base-url", f"http://127.0.0.1:{self.port}"],
            self.where.name, self.environment)
        path = os.path.join(self.where.name, "sync.toml")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        text = re.sub(r"(?m)^requests_per_second.*", "requests_per_second = 1000", text)
        text = re.sub(r"(?m)^concurrency.*", f"concurrency = {FLIGHT}", text)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def linqsync(self, *words, expected=(0,)):
        return run([self.program, *words], self.where.name, self.environment, expected)

    def fetched(self):
        """Fetches every page with curl, as many at a time as linqsync does."""
        pages = -(-self.contacts // 100)
        config = os.path.join(self.where.name, "pages.curl")
        with open(config, "w", encoding="utf-8") as file:
            for page in range(1, pages + 1):
                file.write(f'url = "http://127.0.0.1:{self.port}{CONTACTS}?page={page}&per_page=100"\n'
                           'output = "/dev/null"\n')
        return run(["curl", "-sS", "--parallel", "--parallel-max", str(FLIGHT), "--compressed",
                    "-H", f"{HEADER}: {TOKEN}", "-K", config], self.where.name, self.environment)

    def state_size(self):
        found = 0
        for directory, _, names in os.walk(self.where.name):
            found += sum(os.path.getsize(os.path.join(directory, name))
                         for name in names if name.startswith("state.db"))
        return found

    def row_edits(self, share):
        with open(self.source, encoding="utf-8") as file:
            rows = file.read().split("\n")
        names = rows[0].split(",")
        column = next(at for at, name in enumerate(names) if "title" in name.lower())
        step = int(1 / share)
        for at in range(1, len(rows) - 1, step):
            cells = rows[at].split(",")
            if len(cells) == len(names):
                cells[column] = f"Edited {at}"
                rows[at] = ",".join(cells)
        with open(self.source, "w", encoding="utf-8") as file:
            file.write("\n".join(rows))

    def contact_edits(self, share):
        step = int(1 / share)
        edited = []
        page = 1
        while page <= -(-self.contacts // 100):
            door = http.client.HTTPConnection("127.0.0.1", self.port)
            door.request("GET", f"{CONTACTS}?page={page}&per_page=100",
                         headers={HEADER: TOKEN})
            listed = json.loads(door.getresponse().read())["contacts"]
            edited += [listed[at] for at in range(50, len(listed), step)]
            page += max(1, step // 100)

        def patch(contact):
            number = contact["id"]
            door = http.client.HTTPConnection("127.0.0.1", self.port)
            body = json.dumps({"contact": {
                "first_name": contact["first_name"], "last_name": contact["last_name"],
                "email": contact["email"], "phone_number": contact["phone_number"],
                "company": f"Edited {number}"}})
            door.request("PATCH", f"{CONTACTS}/{number}", body,
                         {HEADER: TOKEN, "Content-Type": "application/json"})
            answer = door.getresponse()
            answer.read()
            if answer.status != 200:
                sys.exit(f"PATCH {number}: {answer.status}")

        with concurrent.futures.ThreadPoolExecutor(32) as several:
            list(several.map(patch, edited))
        return len(edited)


def row(case, figure, goal, *rest):
    print(f"| {case} | {figure} | {goal} | {' · '.join(rest)} |", flush=True)


def facts(one):
    # A process begins as a copy of this one, which the kernel counts as its own.
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    memory = f"{one.memory:.0f} MB" if one.memory > own * 1.1 else f"less than {own:.0f} MB"
    return f"{one.wall:.2f} s, processor {one.cpu:.2f} s, {memory}"


def synced(program, contacts, source="contacts.csv", delay=DELAY):
    """Contacts of Linq that were pulled into a source, with nothing left to do."""
    world = World(program, contacts, source, delay)
    if source.endswith(".csv"):
        with open(world.source, "w", encoding="utf-8") as file:
            file.write("First Name,Last Name,Email,Phone,Company,Title,City\n")
    else:
        os.mkdir(world.source)
    world.configure()
    first = world.linqsync("--once", "-q")
    for _ in range(2):
        world.linqsync("--once", "-q")
    return world, first


def nothing(world, contacts, goal):
    fetching = best(3, world.fetched)
    quiet = best(3, lambda: world.linqsync("--once", "-q"))
    row(f"{contacts:,} contacts, CSV, nothing changed", f"{quiet.wall / fetching.wall:.2f} × fetching",
        goal, facts(quiet), f"fetching {fetching.wall:.2f} s")
    return quiet


def edits(world, contacts):
    world.row_edits(0.01)
    changed = world.contact_edits(0.01)
    fetching = best(2, world.fetched)
    both = world.linqsync("--once", "-q")
    # Each edit in Linq costs a look and a PATCH; the listing comes first.
    sent = fetching.wall + 2 * contacts * 0.01 * DELAY / FLIGHT
    row(f"{contacts:,} contacts, 1 % edited on each side", f"{both.wall / sent:.2f} × the requests",
        "1.2 ×, 80 MB", facts(both), f"requests {sent:.2f} s, {changed} edited in Linq")


def reading(world, contacts):
    size = world.state_size() / contacts
    row(f"state per contact of {contacts:,}", f"{size:.0f} B", "700 B")
    with open(world.source, encoding="utf-8") as file:
        cells = file.read().split("\n")[1].split(",")
    who = next(cell for cell in cells if "@" in cell)
    for words in (["--version"], ["status"], ["explain", who], ["list"]):
        one = best(5, lambda: world.linqsync(*words, expected=(0, 1, 3)))
        goal = "15 ms" if words == ["--version"] else "30 ms, 20 MB"
        row(f"`{' '.join(words[:1])}` with {contacts:,}", f"{one.wall * 1000:.0f} ms", goal, facts(one))


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    arguments.add_argument("program")
    arguments.add_argument("--contacts", type=int, default=100_000)
    arguments.add_argument("--most", type=int, default=1_000_000, help="where growth ends")
    arguments.add_argument("--only", default=",".join(CASES))
    given = arguments.parse_args()
    program, only = os.path.abspath(given.program), given.only.split(",")
    if unknown := set(only) - set(CASES):
        sys.exit(f"no such case: {', '.join(unknown)}; there are {', '.join(CASES)}")
    print("| case | measured | goal | |\n|---|---|---|---|", flush=True)
    count = given.contacts
    if {"nothing", "edits", "reading", "first"} & set(only):
        world, first = synced(program, count)
        with world:
            if "first" in only:
                fetching = best(2, world.fetched)
                row(f"{count:,} contacts, first pull into an empty CSV",
                    f"{first.wall / fetching.wall:.2f} × fetching", "1.3 ×, 160 MB", facts(first))
            if "nothing" in only:
                nothing(world, count, "1.15 ×, 48 MB, 0.8 s")
            if "reading" in only:
                reading(world, count)
            if "edits" in only:
                edits(world, count)
    if "cards" in only:
        for cards in (count // 10, count):
            world, _ = synced(program, cards, "cards", 0)
            with world:
                time.sleep(3)  # until a file is old enough to be told by its times
                world.linqsync("--once", "-q")
                quiet = best(3, lambda: world.linqsync("--once", "-q"))
                row(f"{cards:,} cards, nothing changed, no latency", f"{quiet.cpu:.2f} CPU-s",
                    "0.15 CPU-s, 20 MB for 10,000", facts(quiet))
    if "push" in only:
        pushed = count // 10
        with World(program, 0, "contacts.csv", DELAY) as world:
            with open(world.source, "w", encoding="utf-8") as file:
                file.write("First Name,Last Name,Email,Phone\n")
                file.writelines(f"Ada{n},King{n},p{n}@acme.example,+1 415 {2000000 + n}\n"
                                for n in range(pushed))
            world.configure()
            path = os.path.join(world.where.name, "sync.toml")
            with open(path, encoding="utf-8") as file:
                text = re.sub(r"(?m)^concurrency.*", "concurrency = 16", file.read())
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            one = world.linqsync("--once", "-q")
            sent = 2 * pushed * DELAY / 16
            row(f"{pushed:,} rows pushed first, 16 in flight", f"{one.wall / sent:.2f} × two requests each",
                "1.15 ×", facts(one))
    if "growth" in only:
        size = 1_000
        while size <= given.most:
            world, _ = synced(program, size)
            with world:
                nothing(world, size, "1.15 ×" + (", 200 MB" if size == 1_000_000 else ""))
            size *= 10


if __name__ == "__main__":
    main()
